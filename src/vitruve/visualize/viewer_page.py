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
        images: RGB pictures of V views, of any size; None where there is none.
        sizes: ``(V, 2)`` width and height of the original images, whose pixels all coordinates are in.
        labels: ``(V, K, 2)`` what is labelled, NaN where missing.
        reprojected: ``(V, K, 2)`` points in space as the views show them, NaN where missing; None without any.
        points: ``(K, 3)`` in millimetres, NaN where missing; None without any.
        note: What else is to be said.
    """

    name: str
    images: tuple[UInt8[np.ndarray, "_ _ 3"] | None, ...] = ()
    sizes: Float[np.ndarray, "V 2"] | None = None
    labels: Float[np.ndarray, "V K 2"] | None = None
    reprojected: Float[np.ndarray, "V K 2"] | None = None
    points: Float[np.ndarray, "K 3"] | None = None
    note: str = ""


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
    data = {
        "names": list(skeleton.names),
        "edges": [list(edge) for edge in skeleton.edges],
        "colors": [f"rgb({r},{g},{b})" for r, g, b in keypoint_colors(skeleton, "turbo").tolist()],
        "views": list(views),
        "up": [float(value) for value in up],
        "fps": fps,
        "frames": [_values(frame) for frame in frames],
    }
    # Within a script element nothing is escaped but its own end.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True).replace("</", "<\\/")
    folder = files("vitruve.visualize") / "templates"
    return render_page(
        (folder / "viewer.html").read_text(encoding="utf-8"),
        title,
        about,
        data=text,
        script=(folder / "viewer.js").read_text(encoding="utf-8"),
        in_views=any(frame.images for frame in frames),
        in_space=any(frame.points is not None for frame in frames),
        reprojected=any(frame.reprojected is not None for frame in frames),
    )


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
    return {
        "name": frame.name,
        "note": frame.note,
        "images": [None if image is None else jpeg_uri(image) for image in frame.images],
        "sizes": None if frame.sizes is None else _listed(frame.sizes),
        "labels": _listed(frame.labels),
        "reprojected": _listed(frame.reprojected),
        "points": _listed(frame.points),
    }


def _listed(array: np.ndarray | None) -> Any:
    """Nested lists of rounded numbers; a point with a missing coordinate is null."""
    if array is None:
        return None
    if array.ndim > 1:
        return [_listed(part) for part in array]
    return None if np.isnan(array).any() else np.round(array.astype(np.float64), _DECIMALS).tolist()
