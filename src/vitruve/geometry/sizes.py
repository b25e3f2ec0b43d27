"""Sizes of images as people write them."""

from __future__ import annotations

import re

from vitruve.errors import InputError
from vitruve.geometry.affine import Size


def parse_size(text: str | None) -> Size | None:
    """A size from text such as ``256x192``.

    Args:
        text: Width and height in pixels, or None.

    Returns:
        Width and height, or None.

    Raises:
        InputError: It is no such text.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*([1-9][0-9]{0,4})\s*[xX]\s*([1-9][0-9]{0,4})\s*", text)
    if found is None:
        raise InputError(f"--size {text}: give width and height in pixels, such as 256x192")
    return int(found[1]), int(found[2])
