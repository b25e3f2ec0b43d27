"""What numbers an example can be made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitruve.errors import InputError


def check_limits(extent: Any, limits: Mapping[str, tuple[int, int]]) -> None:
    """Make sure that the numbers of an example are in their ranges.

    Args:
        extent: Has them as attributes.
        limits: The least and the most of each, by its name.

    Raises:
        InputError: One is not.
    """
    for label, (least, most) in limits.items():
        value = getattr(extent, label)
        if not least <= value <= most:
            raise InputError(f"example: {label}={value}; it must be from {least} to {most}")
