"""The settings of a project for pages, which ask for them whenever a widget is used."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vitruve.config.compose import compose
from vitruve.config.schema import Config
from vitruve.errors import ConfigError

_FROM_ELSEWHERE = ("defaults", "oc.env")
"""Words of a file whose settings other files, or the environment, have a part in."""


def composed(file: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Settings as a run would have them; composed anew only when the file has changed, or where others may have.

    Args:
        file: The settings.
        overrides: ``key.sub=value``.

    Returns:
        The settings, which nobody can change.

    Raises:
        ConfigError: They cannot be read, or a value is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); give the project its settings again") from error
    # A key without a point names a group, which is a file.
    groups = any("." not in override.partition("=")[0] for override in overrides)
    alone = not groups and not any(word in text for word in _FROM_ELSEWHERE)
    return (_composed if alone else _composed.__wrapped__)(file, text, overrides)


@lru_cache(64)
def _composed(file: Path, text: str, overrides: tuple[str, ...]) -> Config:
    return compose(str(file), None, overrides, quiet=True).config
