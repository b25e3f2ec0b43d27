"""The window around a keypoint whose probability a network states as its likelihood, in original pixels."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.structures.labels import Labels

WINDOW_GAP = "calibration_error_window_percent"
"""Name of the column with the calibration error where the window is known."""

_COLUMNS = ("view", "image", "x_px", "y_px")


def windows_of(labels: Labels, input_size: tuple[int, int], reach: float | None) -> Float[np.ndarray, "F V 2"] | None:
    """How far the window reaches in each image.

    Args:
        labels: Frames with what was looked at in each image: its box, or else all of it.
        input_size: Width and height of the network's input, in pixels.
        reach: Half the side of the window, in pixels of the input; None where there is no such window.

    Returns:
        Half its width and half its height in pixels of each image; None where there is no window, or where the size of
        an image is not known.
    """
    sizes = [[image.shown_size for image in frame.images] for frame in labels]
    if reach is None or any(size is None for row in sizes for size in row):
        return None
    return np.array(sizes, np.float64) * reach / np.array(input_size)


def in_words(windows: Float[np.ndarray, "F V 2"]) -> str:
    """What lies in the windows, such as ``within 20.3 px in x and 18 to 21.5 px in y of the label``.

    Args:
        windows: From :func:`windows_of`.

    Returns:
        The words.
    """
    return f"within {_span(windows[..., 0])} in x and {_span(windows[..., 1])} in y of the label"


def write_windows(path: Path, labels: Labels, windows: Float[np.ndarray, "F V 2"]) -> None:
    """Keep the windows of labelled images: their images may be gone when they are asked for.

    Args:
        path: The CSV file.
        labels: The frames.
        windows: Of the same frames.

    Raises:
        InputError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for frame, row in zip(labels, windows, strict=True):
        for view, (image, (x, y)) in enumerate(zip(frame.images, row.tolist(), strict=True)):
            writer.writerow([view, image.name, f"{x:.4f}", f"{y:.4f}"])
    atomic_write(path, text.getvalue())


def read_windows(path: Path, labels: Labels) -> Float[np.ndarray, "F V 2"] | None:
    """What :func:`write_windows` kept.

    Args:
        path: The CSV file.
        labels: The frames whose windows are wanted.

    Returns:
        See :func:`windows_of`; None where there is no such file, or it lacks an image or is damaged: an evaluation can
        do without.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            found = {(int(r["view"]), r["image"]): (float(r["x_px"]), float(r["y_px"])) for r in csv.DictReader(stream)}
        rows = [[found[view, image.name] for view, image in enumerate(frame.images)] for frame in labels]
    except (OSError, KeyError, ValueError, TypeError):
        return None
    return np.array(rows, np.float64)


def _span(values: Sequence[float] | np.ndarray) -> str:
    low, high = f"{np.min(values):.3g}", f"{np.max(values):.3g}"
    return f"{low} px" if low == high else f"{low} to {high} px"
