"""The drawing of a skeleton in CVAT: an SVG that says where its parts lie, in which order, and what joins them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import quoteattr

from vitruve.errors import InputError
from vitruve.structures.annotation import LabelSpec

_SIDE = 100.0


def draw_skeleton(label: LabelSpec) -> str:
    """The drawing of a skeleton, as CVAT takes it with a new label.

    Args:
        label: With at least one part; parts without a layout stand on a circle.

    Returns:
        Lines and circles on a canvas of 100 by 100, without an element around them. The parts are named.
    """
    places = label.layout or _circle(len(label.parts))
    order = {part.name: number for number, part in enumerate(label.parts)}
    drawn = []
    for one, other in label.edges:
        a, b = order[one], order[other]
        (x1, y1), (x2, y2) = places[a], places[b]
        drawn.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" data-type="edge" data-node-from="{a + 1}" '
            f'data-node-to="{b + 1}"></line>'
        )
    for number, (part, (x, y)) in enumerate(zip(label.parts, places, strict=True), 1):
        drawn.append(
            f'<circle r="0.75" cx="{x}" cy="{y}" data-type="element node" data-element-id="{number}" '
            f'data-node-id="{number}" data-label-name={quoteattr(part.name)}></circle>'
        )
    return "\n".join(drawn)


def with_drawing(label: LabelSpec, drawing: str, names: Mapping[str, str]) -> LabelSpec:
    """A skeleton with order, edges and layout from its drawing.

    Args:
        label: Its parts in any order.
        drawing: What :func:`draw_skeleton` or CVAT wrote.
        names: Names of parts by the numbers that a server gave to them.

    Returns:
        The skeleton; as it was where nothing is drawn. Parts that are not drawn come last.

    Raises:
        InputError: The drawing is no XML, or shows parts that the skeleton has not.
    """
    if not drawing.strip():
        return label
    nodes = list(_elements(label.name, drawing))
    known = {part.name: part for part in label.parts}
    by_node: dict[str, str] = {}
    layout: dict[str, tuple[float, float]] = {}
    for node in nodes:
        if not node.tag.endswith("circle"):
            continue
        name = node.get("data-label-name") or names.get(node.get("data-label-id", ""), "")
        if name not in known:
            raise InputError(f"label {label.name}: its drawing has a point '{name}', which is none of its parts")
        by_node[node.get("data-node-id", "")] = name
        layout[name] = (_number(node, "cx"), _number(node, "cy"))
    edges = tuple(
        (by_node[node.get("data-node-from", "")], by_node[node.get("data-node-to", "")])
        for node in nodes
        if node.tag.endswith("line")
        and node.get("data-node-from", "") in by_node
        and node.get("data-node-to", "") in by_node
    )
    rest = [part for name, part in known.items() if name not in layout]
    places = () if rest else tuple(layout.values())
    return replace(label, parts=(*(known[name] for name in layout), *rest), edges=edges, layout=places)


def _elements(name: str, drawing: str) -> Sequence[Any]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        # Its own root, so that a drawing with and one without an element around it read alike.
        return list(fromstring(f"<drawing>{drawing}</drawing>").iter())
    except (ParseError, DefusedXmlException) as error:
        raise InputError(f"label {name}: its drawing is no SVG that can be read ({error})") from error


def _number(node: Any, key: str) -> float:
    try:
        return float(node.get(key, ""))
    except ValueError:
        return _SIDE / 2


def _circle(count: int) -> tuple[tuple[float, float], ...]:
    turns = [2 * math.pi * number / count for number in range(count)]
    middle, radius = _SIDE / 2, 0.4 * _SIDE
    return tuple((round(middle + radius * math.sin(t), 2), round(middle - radius * math.cos(t), 2)) for t in turns)
