"""What can be named in settings and on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from vitruve.errors import InputError, nearest

Rows = list[tuple[str, str]]

_ROLE = re.compile(r":\w+:`~?([^`]*)`")


def list_available(kind: str, pattern: str | None = None) -> Rows:
    """What can be named in settings and on the command line.

    Args:
        kind: ``algorithms``, ``backbones``, ``formats``, ``losses`` or ``settings``.
        pattern: A part of the name, or a pattern with ``*``.

    Returns:
        Pairs of a name and what it is.

    Raises:
        InputError: There is no such kind.
    """
    if kind not in _KINDS:
        raise InputError(f"list {kind}: no such kind{nearest(kind, _KINDS)}; known are {', '.join(_KINDS)}")
    if kind == "backbones":
        # Hundreds of names, which their own module sifts.
        from vitruve.networks.backbone import list_backbones

        return list_backbones(pattern)
    text = pattern or ""
    wanted = text if "*" in text else f"*{text}*"
    return [row for row in _KINDS[kind]() if fnmatchcase(row[0], wanted)]


def _algorithms() -> Rows:
    from vitruve.algorithms import registry

    return [(name, found.description) for name, found in registry.available().items()]


def _formats() -> Rows:
    from vitruve.formats import hub

    return [(name, item.DESCRIPTION) for name, item in hub.available().items()]


def _losses() -> Rows:
    from vitruve.losses.coordinates import COORDINATE_LOSSES
    from vitruve.losses.heatmap import HEATMAP_LOSSES
    from vitruve.losses.settings import UNSUPERVISED, LossesSettings

    rows = [
        (name, f"{key}: {_plain((function.__doc__ or '').strip().splitlines()[0])}")
        for key, losses in (
            ("model.heatmap_loss_type", HEATMAP_LOSSES),
            ("model.regression_loss_type", COORDINATE_LOSSES),
        )
        for name, function in losses.items()
    ]
    sections = LossesSettings.model_fields
    return rows + [(name, f"model.losses_to_use: {sections[name].description}") for name in UNSUPERVISED]


def _settings() -> Rows:
    from vitruve.config.table import settings_table

    found: dict[tuple[str, str], list[str]] = {}
    for table in settings_table():
        for row in table.rows:
            text = f"{row.default}  ({row.expected})  {_plain(row.description)}"
            found.setdefault((row.key, text), []).append(table.algorithm)
    return [
        (key, text + (f" With model_type {' or '.join(algorithms)}." if algorithms != [""] else ""))
        for (key, text), algorithms in found.items()
    ]


def _plain(text: str) -> str:
    """Text of a docstring without its marks."""
    return _ROLE.sub(r"\1", text).replace("``", "").replace("`", "'")


_KINDS: dict[str, Callable[[], Rows]] = {
    "algorithms": _algorithms,
    "backbones": lambda: list_available("backbones"),
    "formats": _formats,
    "losses": _losses,
    "settings": _settings,
}
