"""How far something is, and times as people read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """How far something is, as a page shows it.

    Attributes:
        share: Of the whole, from 0 to 1; None where that is not known.
        text: In words, such as ``epoch 3 of 20``.
        seconds_left: Until ``text`` is over; None where that is not known.
        part: How far the part at hand is, such as an epoch, from 0 to 1; None where there are no parts.
        part_text: The part in words.
    """

    share: float | None
    text: str
    seconds_left: float | None = None
    part: float | None = None
    part_text: str = ""


def duration(seconds: float) -> str:
    """A duration as people read it.

    Args:
        seconds: Negative ones count as 0.

    Returns:
        Such as ``8 s``, ``3 min 20 s`` or ``2 h 5 min``.
    """
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
