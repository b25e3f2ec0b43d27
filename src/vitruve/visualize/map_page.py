"""A map of pictures in the plane: as dots, as the pictures themselves, and as a page to move about in."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from vitruve.visualize.draw import instance_colors
from vitruve.visualize.html import render_page
from vitruve.visualize.look import FAINT, legend, new_figure
from vitruve.visualize.viewer_page import jpeg_uri

_MOST_NAMES = 16
_REST = "others"
_GAP = 0.06
# Splits look alike on all plots; other groups take turns.
_KNOWN = {"train": "#0072b2", "validation": "#e69f00", "test": "#882255", "unused": "#9aa5b1"}
_PALE = "#c3cad2"


def map_dots(points: Float[np.ndarray, "M 2"], groups: Sequence[str], title: str) -> Figure:
    """A map as dots, coloured by the group of each.

    Args:
        points: From -1 to 1, the second coordinate upwards.
        groups: The group of each point; of more than 16 the smallest are put together.
        title: Above the plot.

    Returns:
        The figure.
    """
    figure, axes = new_figure(title, 5.6)
    named = _named(groups)
    colors = group_colors(sorted(set(named), key=_order(named)))
    for name, color in colors.items():
        mine = np.array([group == name for group in named])
        size = 2.0 + 18.0 / math.sqrt(max(1.0, len(points) / 60))
        axes.scatter(
            points[mine, 0], points[mine, 1], s=size, color=color, linewidths=0, alpha=0.85, label=name or "none"
        )
    axes.set(xticks=[], yticks=[], xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
    axes.set_aspect("equal")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=FAINT)
    legend(figure, min(4, len(colors)), axes)
    return figure


def map_pictures(
    points: Float[np.ndarray, "M 2"], pictures: UInt8[np.ndarray, "M h w 3"], side: int = 2048
) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """A map as the pictures themselves; where two would lie over one another, the later is left out.

    Args:
        points: From -1 to 1, the second coordinate upwards.
        pictures: RGB.
        side: Of the canvas in pixels.

    Returns:
        RGB.
    """
    canvas = np.full((side, side, 3), 250, np.uint8)
    height, width = pictures.shape[1:3]
    room = np.array([side - width, side - height])
    corners = np.rint((points * (1, -1) * (1 - _GAP) + 1) / 2 * room).astype(int)
    taken = np.zeros((side, side), bool)
    for (x, y), picture in zip(corners, pictures, strict=True):
        place = (slice(y, y + height), slice(x, x + width))
        if not taken[place].any():
            canvas[place] = picture
            taken[place] = True
    return canvas


def map_page(
    points: Float[np.ndarray, "M 2"],
    pictures: UInt8[np.ndarray, "M h w 3"],
    names: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    title: str,
    about: Mapping[str, str],
) -> str:
    """A page to move about in a map; it holds its pictures and its script, and needs no network.

    Args:
        points: From -1 to 1, the second coordinate upwards.
        pictures: RGB, one a point.
        names: What each point is called.
        groups: By what points are coloured (``cluster``, ``class``, ``split``): the group of each point.
        title: Above the page.
        about: What the page says first.

    Returns:
        HTML.
    """
    height, width = pictures.shape[1:3]
    sheet, columns = map_atlas(pictures)
    data = {
        "points": np.round(points, 4).tolist(),
        "names": list(names),
        "tile": [width, height, columns],
        "groups": {key: list(values) for key, values in groups.items()},
        "colors": {key: group_colors(sorted(set(values), key=_order(values))) for key, values in groups.items()},
        "atlas": jpeg_uri(sheet),
    }
    # Within a script element nothing is escaped but its own end.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    folder = files("vitruve.visualize") / "templates"
    return render_page(
        (folder / "map.html").read_text(encoding="utf-8"),
        title,
        about,
        data=text,
        script=(folder / "map.js").read_text(encoding="utf-8"),
    )


def map_atlas(pictures: UInt8[np.ndarray, "M h w 3"]) -> tuple[UInt8[np.ndarray, "H W 3"], int]:
    """All pictures as one, row by row.

    Args:
        pictures: RGB.

    Returns:
        RGB, and how many stand in a row.
    """
    count, height, width = pictures.shape[:3]
    columns = max(1, math.ceil(math.sqrt(count * height / width)))
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
    sheet[:count] = pictures
    sheet = sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    return sheet.reshape(rows * height, columns * width, 3), columns


def group_colors(names: Sequence[str]) -> dict[str, str]:
    """One colour a group, as ``#rrggbb``; splits have their own, nameless and put-together ones are pale.

    Args:
        names: Of the groups, in order.

    Returns:
        The colours by name.
    """
    others = [name for name in names if name not in _KNOWN and name not in ("", _REST)]
    made = {name: f"#{r:02x}{g:02x}{b:02x}" for name, (r, g, b) in zip(others, _shades(len(others)), strict=True)}
    return {name: _KNOWN.get(name) or made.get(name, _PALE) for name in names}


def _shades(count: int) -> list[list[int]]:
    """Colours that are told apart on white: hues spread over the circle, every second one darker."""
    hues = instance_colors(range(count)).astype(np.float64)
    dark = np.where(np.arange(count)[:, None] % 2, 0.55, 0.85)
    return [[int(value) for value in row] for row in np.rint(hues * dark)]


def _named(groups: Sequence[str]) -> list[str]:
    """The groups, with the smallest of more than can be told apart put together."""
    names = sorted(set(groups), key=_order(groups))
    kept = set(names[:_MOST_NAMES])
    return [group if group in kept or len(names) <= _MOST_NAMES else _REST for group in groups]


def _order(groups: Sequence[str]) -> Callable[[str], tuple[bool, int, str]]:
    counts = Counter(groups)
    return lambda name: (name == _REST, -counts[name], name)
