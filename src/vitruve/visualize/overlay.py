"""Labels and predictions of one image beside each other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vitruve.visualize.look import DPI

_LABELS = "#D55E00"
_PREDICTIONS = "#56B4E9"


def overlay(
    image: UInt8[np.ndarray, "H W"] | UInt8[np.ndarray, "H W 3"],
    truth: Float[np.ndarray, "N K 2"],
    predicted: Float[np.ndarray, "N K 2"],
    margin: float = 0.12,
) -> Figure:
    """An image with labels as hollow rings, predictions as filled discs, and a line between the two.

    Args:
        image: ``(H, W)`` or ``(H, W, 3)`` RGB, 0 to 255.
        truth: ``(N, K, 2)`` in pixels of the image, NaN where missing.
        predicted: ``(N, K, 2)`` in pixels of the image, NaN where missing. Only those with a label are drawn.
        margin: What is shown around the keypoints, as a share of the longer side of the box around them.

    Returns:
        The figure: the part of the image that holds the keypoints.
    """
    height, width = image.shape[:2]
    labels, found = np.reshape(truth, (-1, 2)), np.reshape(predicted, (-1, 2))
    labelled = np.isfinite(labels).all(-1)
    both = labelled & np.isfinite(found).all(-1)
    points = np.concatenate([labels[labelled], found[both]]).clip((-0.5, -0.5), (width - 0.5, height - 0.5))
    low, high = np.array([-0.5, -0.5]), np.array([width - 0.5, height - 0.5])
    if len(points):
        around = max(margin * float(np.ptp(points, axis=0).max()), 8.0)
        low, high = np.maximum(points.min(0) - around, low), np.minimum(points.max(0) + around, high)
    wide, tall = high - low
    inches = 3.6 / max(wide, tall)
    figure = Figure(figsize=(max(wide * inches, 0.9), max(tall * inches, 0.9)), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    ends = np.stack([labels[both], found[both]], 1)
    for edge, thickness in (("black", 2.2), ("white", 1.0)):
        for start, stop in ends:
            axes.plot(*np.stack([start, stop], 1), color=edge, linewidth=thickness, zorder=2)
    for edge, thickness in (("black", 3.0), (_LABELS, 1.6)):
        axes.scatter(
            labels[labelled, 0],
            labels[labelled, 1],
            s=42,
            facecolors="none",
            edgecolors=edge,
            linewidths=thickness,
            zorder=3,
        )
    axes.scatter(found[both, 0], found[both, 1], s=22, color=_PREDICTIONS, edgecolors="black", linewidths=0.7, zorder=4)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(high[1], low[1])
    return figure
