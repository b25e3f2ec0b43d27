"""Read a YAML file of settings, with one line that says where it is broken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from vitruve.errors import ConfigError, nearest

# PyYAML takes 5e-5 for text because it has no point; Hydra, and people, take it for a number.
_FLOAT = re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$")


class _Loader(yaml.SafeLoader):
    """The safe loader with numbers such as ``5e-5``."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping of settings.

    Args:
        path: A YAML file.

    Returns:
        Its top-level mapping; empty for an empty file.

    Raises:
        ConfigError: The file is missing, cannot be read, is not YAML, or holds something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{nearest_file(path)}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file (byte {error.start} is no UTF-8); give a YAML file") from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path | None = None) -> dict[str, Any]:
    """A mapping of settings from its text.

    Args:
        text: YAML.
        path: The file it is of, for messages.

    Returns:
        The mapping; empty for an empty text.

    Raises:
        ConfigError: It is not YAML, or something else than a mapping.
    """
    try:
        values = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise yaml_error(error, path) from error
    except (ValueError, RecursionError) as error:
        # Such as a date on the 40th, or brackets within brackets a thousand times.
        raise ConfigError(f"{path or 'the text'}: not valid YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        where = path or "the text"
        raise ConfigError(f"{where}: holds a {type(values).__name__}; settings are a mapping such as 'training: ...'")
    return values


def yaml_error(error: yaml.YAMLError, path: Path | None) -> ConfigError:
    """The one-line form of an error of PyYAML.

    Args:
        error: What PyYAML raised.
        path: The file that was read, where the error does not name it.

    Returns:
        The error to raise.
    """
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    place = str(path) if path is not None else getattr(mark, "name", "the configuration")
    line = f":{mark.line + 1}" if mark is not None else ""
    return ConfigError(f"{place}{line}: not valid YAML: {' '.join(str(problem).split())}")


def nearest_file(path: Path) -> str:
    """A hint for a file that is not there: the closest name beside it, or else what YAML files there are."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml"))
    if not names:
        return f"; {path.parent} holds no YAML file"
    return nearest(path.name, names) or f"; {path.parent} holds {', '.join(names[:5])}"
