"""Boxes of detections on images, with their classes and scores."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from vitruve.visualize.draw import instance_colors

# OpenCV takes sub-pixel positions as whole numbers of 1/16 px, counted from a pixel's centre.
_SHIFT = 4
_UNIT = 1 << _SHIFT
_DARK = (20, 20, 20)
_BRIGHT = (255, 255, 255)
_LIGHT = 140


def draw_boxes(
    image: UInt8[np.ndarray, "H W 3"],
    boxes: Float[np.ndarray, "N 4"],
    classes: Int[np.ndarray, " N"],
    names: Sequence[str],
    scores: Float[np.ndarray, " N"] | None = None,
    threshold: float = 0.5,
    *,
    color: tuple[int, int, int] | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """Draw boxes in the colour of their class, with its name.

    Args:
        image: RGB; it is not changed.
        boxes: Edges in pixels of this image; those that are NaN are left out.
        classes: Their classes.
        names: Names of the classes.
        scores: From 0 to 1; None for labels, which have none.
        threshold: Least score that is drawn.
        color: RGB, 0 to 255, of all of them; None for that of each class.

    Returns:
        A drawn copy of the image.
    """
    canvas = np.array(image, order="C")
    size = float(np.hypot(*canvas.shape[:2]))
    width, scale = max(1, round(size / 500)), max(0.35, size / 1800)
    colors = instance_colors(range(len(names))).tolist()
    shown = np.isfinite(boxes).all(-1) & (classes >= 0)
    if scores is not None:
        shown &= scores >= threshold
    # The best are drawn last, over the others.
    for place in np.flatnonzero(shown)[::-1].tolist():
        paint = colors[int(classes[place])] if color is None else list(color)
        x1, y1, x2, y2 = np.rint(boxes[place] * _UNIT).astype(int).tolist()
        cv2.rectangle(canvas, (x1, y1), (x2, y2), paint, width, cv2.LINE_AA, _SHIFT)
        text = names[int(classes[place])] + ("" if scores is None else f" {scores[place]:.2f}")
        _write(canvas, text, (x1 // _UNIT, y1 // _UNIT), paint, scale)
    return canvas


def _write(canvas: np.ndarray, text: str, corner: tuple[int, int], color: list[int], scale: float) -> None:
    """A text on a ground of the colour, above the corner or, where there is no room, below it."""
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x = min(max(corner[0], 0), max(canvas.shape[1] - width, 0))
    bottom = corner[1] - below if corner[1] - height - 2 * below >= 0 else corner[1] + height + below
    cv2.rectangle(canvas, (x, bottom - height - below // 2), (x + width, bottom + below), color, cv2.FILLED)
    ink = _DARK if sum(color) > 3 * _LIGHT else _BRIGHT
    cv2.putText(canvas, text, (x, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
