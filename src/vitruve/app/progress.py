"""How far something is, and times as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


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


class Bar(TypedDict):
    """A line that says how far something is.

    Attributes:
        share: From 0 to 1; None for text alone.
        text: What it says.
    """

    share: float | None
    text: str


def bars_of(standing: Standing | None, *, waits: bool = False) -> list[Bar]:
    """How far something is, line by line: the whole, and the part at hand.

    Args:
        standing: None while nothing is known.
        waits: It waits for its turn.

    Returns:
        At least one line.
    """
    if waits:
        return [{"share": None, "text": "Waits until what was handed in before it has ended."}]
    if standing is None:
        return [{"share": None, "text": "At work; how far it is, its log says."}]
    left = "" if standing.seconds_left is None else f"; {duration(standing.seconds_left)} left"
    bars: list[Bar] = [{"share": _within(standing.share), "text": standing.text + left}]
    if standing.part is not None:
        bars.append({"share": _within(standing.part), "text": standing.part_text})
    return bars


def _within(share: float | None) -> float | None:
    return None if share is None else min(1.0, max(0.0, share))
