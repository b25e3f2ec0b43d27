"""Pictures beside one another, and points that show theirs under the pointer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from vitruve.app.analysis.pictures import Picture
from vitruve.app.parts.component import asset, component

_SMALLEST = 240


def pictures(key: str, shown: Sequence[Picture], *, least: int = _SMALLEST) -> None:
    """Show pictures in a grid; one that is clicked is shown large, with the arrow keys to go on.

    Args:
        key: Of this grid; name the project in it.
        shown: The pictures.
        least: Width of a picture on the page, in pixels; more where there is room.
    """
    component("pictures", asset("picture.js"))(
        key=key, data={"cards": [each.plain() for each in shown], "least": least}
    )


@dataclass(frozen=True)
class Point:
    """A point of a scatter plot.

    Attributes:
        x: Its place along the horizontal axis.
        y: Its place along the vertical axis.
        card: Index of its picture, -1 for none.
        mark: Name of the marks that are drawn strongly in the picture.
        group: Index of its group.
    """

    x: float
    y: float
    card: int
    mark: str
    group: int


def scatter(
    key: str,
    points: Sequence[Point],
    shown: Sequence[Picture],
    *,
    groups: Mapping[str, str],
    axes: tuple[str, str],
    unit: str = "",
    log: bool = False,
    height: int = 520,
) -> None:
    """Points with the line on which both axes are equal; the one under the pointer shows its picture.

    Args:
        key: Of this plot; name the project in it.
        points: The points.
        shown: Their pictures.
        groups: Colour of each group by its name.
        axes: What is shown to the right, and upwards.
        unit: Of the values.
        log: Whether the axes are logarithmic.
        height: Of the plot, in pixels.
    """
    data: dict[str, Any] = {
        "points": [[each.x, each.y, each.card, each.mark, each.group] for each in points],
        "cards": [each.plain() for each in shown],
        "groups": [{"name": name, "color": color} for name, color in groups.items()],
        "axes": list(axes),
        "unit": unit,
        "log": log,
        "height": height,
    }
    component("scatter", asset("picture.js"), asset("axes.js"))(key=key, data=data)


def nothing_to_show(message: str) -> None:
    """Say why there is no picture.

    Args:
        message: In a sentence.
    """
    st.info(message, icon=":material/image_not_supported:")
