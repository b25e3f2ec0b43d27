"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """How many there are of something.

    Args:
        number: How many.
        thing: One of them, such as ``video``.

    Returns:
        Such as ``1 video``, ``2 videos``, ``3 classes``, ``10000 frames``.
    """
    several = f"{thing}es" if thing.endswith(("s", "x")) else f"{thing}s"
    return f"{number} {thing if number == 1 else several}"
