"""Colours of runs and splits: told apart on white and on black, and by those who see fewer colours."""

from __future__ import annotations

from collections.abc import Iterable

_COLORS = (
    *("#1f8fd0", "#e69f00", "#12a37a", "#cc79a7", "#8a7ff0"),
    *("#a6761d", "#8c979e", "#d1495b", "#86b02b", "#3fc1c9"),
)
_SPLITS = {"train": "#8c979e", "validation": "#1f8fd0", "test": "#e69f00", "unused": "#cc79a7"}


def colors_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each of several names, such as runs.

    Args:
        names: In the order in which they are listed; after the tenth, colours come again.

    Returns:
        As CSS has them, by name.
    """
    return {name: _COLORS[place % len(_COLORS)] for place, name in enumerate(dict.fromkeys(names))}


def split_colors(names: Iterable[str]) -> dict[str, str]:
    """The colour of each split.

    Args:
        names: Of the splits.

    Returns:
        As CSS has them, by name.
    """
    return {name: _SPLITS.get(name, "#12a37a") for name in dict.fromkeys(names)}
