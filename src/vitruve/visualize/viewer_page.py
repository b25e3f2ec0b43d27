"""A page to look through framesets: the images of every view with what is marked in them, and the skeleton in space.

The page holds its images, its data and one small script, so that it works from a disk, without a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.draw import keypoint_colors
from vitruve.visualize.html import data_uri, render_page

_QUALITY = 82
_DECIMALS = 2


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """One instant on the page.

    Attributes:
        name: What it is called.
        images: RGB pictures of V views, of any size, or their addresses; None where there is none.
        sizes: ``(V, 2)`` width and height of the original images, whose pixels all coordinates are in; None where the
            pictures are the original images.
        labels: ``(V, K, 2)`` what is labelled, NaN where missing.
        reprojected: ``(V, K, 2)`` points in space as the views show them, NaN where missing; None without any.
        points: ``(K, 3)`` in millimetres, NaN where missing; None without any.
        note: What else is to be said.
        more: What else is labelled: for each view ``(N, K, 2)``; none by default.
        boxes: For each view, edges ``x1 y1 x2 y2`` of boxes and what is in each.
        areas: ``(V, 4)`` edges of the part of each image that is shown; None for all, or what is around the labels.
    """

    name: str
    images: tuple[UInt8[np.ndarray, "_ _ 3"] | str | None, ...] = ()
    sizes: Float[np.ndarray, "V 2"] | None = None
    labels: Float[np.ndarray, "V K 2"] | None = None
    reprojected: Float[np.ndarray, "V K 2"] | None = None
    points: Float[np.ndarray, "K 3"] | None = None
    note: str = ""
    more: tuple[Float[np.ndarray, "_ K 2"], ...] = ()
    boxes: tuple[tuple[tuple[Float[np.ndarray, " 4"], str], ...], ...] = ()
    areas: Float[np.ndarray, "V 4"] | None = None


def viewer_page(
    frames: Sequence[ShownFrame],
    skeleton: Skeleton,
    title: str,
    about: Mapping[str, str],
    *,
    views: Sequence[str] = (),
    up: Sequence[float] = (0.0, 0.0, 1.0),
    fps: float = 0.0,
) -> str:
    """The page.

    Args:
        frames: At least one.
        skeleton: Gives names, edges and colours.
        title: Above the page.
        about: What the page says first.
        views: The V names.
        up: Which way is up in space.
        fps: How many frames a second it plays, 1/s; 0 plays slowly.

    Returns:
        HTML.
    """
    data = viewer_data(frames, skeleton, views=views, up=up, fps=fps)
    # Within a script element nothing is escaped but its own end.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True).replace("</", "<\\/")
    return render_page(
        viewer_part("viewer.html"),
        title,
        about,
        data=text,
        style=viewer_part("viewer.css"),
        body=viewer_part("viewer_body.html"),
        script=viewer_script(),
    )


def viewer_data(
    frames: Sequence[ShownFrame],
    skeleton: Skeleton,
    *,
    views: Sequence[str] = (),
    up: Sequence[float] = (0.0, 0.0, 1.0),
    fps: float = 0.0,
) -> dict[str, Any]:
    """What ``viewer.js`` shows, as plain values.

    Args:
        frames: As for :func:`viewer_page`.
        skeleton: As there.
        views: As there.
        up: As there.
        fps: As there.

    Returns:
        Nothing but mappings, lists, texts, numbers and None.
    """
    return {
        "names": list(skeleton.names),
        "edges": [list(edge) for edge in skeleton.edges],
        "colors": [f"rgb({r},{g},{b})" for r, g, b in keypoint_colors(skeleton, "turbo").tolist()],
        "views": list(views),
        "up": [float(value) for value in up],
        "fps": fps,
        "frames": [_values(frame) for frame in frames],
    }


def viewer_part(name: str) -> str:
    """A file of the viewer.

    Args:
        name: ``viewer.css``, or ``viewer_body.html`` that the script works on.

    Returns:
        Its text.
    """
    return (files("vitruve.visualize") / "templates" / name).read_text(encoding="utf-8")


def viewer_script() -> str:
    """JavaScript with the function ``viewer(root, data)``."""
    return viewer_part("viewer_space.js") + viewer_part("viewer.js")


def jpeg_uri(image: UInt8[np.ndarray, "H W 3"]) -> str:
    """An RGB image as a JPEG file in an address.

    Args:
        image: RGB.

    Returns:
        ``data:image/jpeg;base64,...``.
    """
    _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data_uri(content.tobytes(), "image/jpeg")


def _values(frame: ShownFrame) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": frame.name,
        "note": frame.note,
        "images": [image if image is None or isinstance(image, str) else jpeg_uri(image) for image in frame.images],
    }
    for name in ("sizes", "labels", "reprojected", "points"):
        values[name] = _listed(getattr(frame, name))
    if any(len(each) for each in frame.more):
        values["more"] = [_listed(each) for each in frame.more]
    if any(frame.boxes):
        values["boxes"] = [[[*_listed(edges), text] for edges, text in each] for each in frame.boxes]
    if frame.areas is not None:
        values["areas"] = [
            None if np.isnan(edges).any() else _listed(np.concatenate([edges[:2], edges[2:] - edges[:2]]))
            for edges in frame.areas
        ]
    return values


def _listed(array: np.ndarray | None) -> Any:
    """Nested lists of rounded numbers; a point with a missing coordinate is null."""
    if array is None:
        return None
    values = np.round(array.astype(np.float64), _DECIMALS)
    if array.ndim == 1:
        return None if np.isnan(values).any() else values.tolist()
    if array.ndim > 2:
        return [_listed(part) for part in values]
    missing = np.asarray(np.isnan(values).any(-1))
    return [None if gone else row for gone, row in zip(missing, values.tolist(), strict=True)]
