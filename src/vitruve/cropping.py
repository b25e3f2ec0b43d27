"""The verbs around crops, as functions: boxes made and smoothed, cropped copies, predictions on them remapped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitruve.geometry.boxes import SmoothMethod
    from vitruve.pipeline.crops import BoxesMade, Cropped


def create_boxes(
    sources: str | Path | Sequence[str | Path],
    *,
    ratio: float = 2.0,
    size: float | None = None,
    anchors: Sequence[str] = (),
    threshold: float = 0.3,
    min_size: float = 32.0,
    aspect: float = 1.0,
    output: str | Path | None = None,
) -> list[BoxesMade]:
    """Put a box around the keypoints of each frame, of predictions of any program or of labels.

    In a video, frames in which too little was found get their box from straight lines between the others.

    Args:
        sources: Tables of predictions (CSV, HDF5), label files, or folders of them.
        ratio: Size of a box: this many times the extent of the anchors.
        size: Longer side of all boxes in pixels, instead of the ratio.
        anchors: Names of the keypoints that count; all when empty.
        threshold: Keypoints of lower likelihood do not count.
        min_size: Shorter side of a box in pixels, at least.
        aspect: Width over height of the boxes.
        output: Folder of the tables; None for beside each source.

    Returns:
        The tables ``<source>_bbox.csv``.

    Raises:
        VitruveError: A setting is out of its range, or a source is not as it should be.
    """
    from pydantic import ValidationError

    from vitruve.data.crop_settings import CropSettings
    from vitruve.errors import ConfigError
    from vitruve.pipeline import crops

    values = {"ratio": float(ratio), "size": None if size is None else float(size), "anchors": tuple(anchors) or None}
    try:
        settings = CropSettings.model_validate({**values, "threshold": float(threshold), "min_size": float(min_size)})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "anchors"
        raise ConfigError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
    if not 0.01 <= aspect <= 100:
        raise ConfigError(f"aspect={aspect}: must be a width over a height, such as 1 or 1.5")
    return crops.create_boxes(_paths(sources), settings, None if output is None else Path(output), aspect)


def smooth_boxes(
    sources: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    method: SmoothMethod = "median",
    window: int = 5,
    one_size: bool = False,
) -> list[BoxesMade]:
    """Smooth the boxes of videos over time.

    Args:
        sources: Tables of boxes, or folders of them.
        output: Folder of the smoothed tables.
        method: ``median`` or ``mean`` of a window, or ``savgol``: a parabola fitted to it.
        window: Frames, an odd number.
        one_size: Give all boxes of a table the median size.

    Returns:
        The tables.

    Raises:
        InputError: A table is not as it should be, or the window is even.
    """
    from vitruve.pipeline import crops

    return crops.smooth_boxes(_paths(sources), Path(output), method, window, one_size)


def crop(
    sources: str | Path | Sequence[str | Path],
    boxes: str | Path,
    output: str | Path,
    *,
    size: tuple[int, int] | None = None,
) -> list[Cropped]:
    """Write cropped copies of videos or of labelled images, for other programs: Vitruve itself needs none.

    A copy has as many frames as its original, all of one size, which is recorded beside the boxes for :func:`remap`.

    Args:
        sources: Videos, folders of them, label files (their images are cropped and their keypoints moved along).
        boxes: A table of boxes, or a folder with ``<video>_bbox.csv`` for each video and ``bbox.csv`` for images.
        output: Folder of the copies.
        size: Width and height of the copies; None for the median size of the boxes.

    Returns:
        What was written.

    Raises:
        InputError: A source or a table is not as it should be, or a copy would replace its original.
    """
    from vitruve.pipeline import crops

    return crops.crop(_paths(sources), Path(boxes), Path(output), size)


def remap(
    sources: str | Path | Sequence[str | Path],
    boxes: str | Path,
    output: str | Path,
    *,
    size: tuple[int, int] | None = None,
) -> list[Path]:
    """Bring predictions that any program made on cropped copies back to pixels of the originals: offset and scale.

    Args:
        sources: Tables of predictions on the copies, or folders of them.
        boxes: The boxes that the copies show: a table, or a folder with ``<table>_bbox.csv`` for each table.
        output: Folder of the new tables.
        size: Width and height of the copies; None as :func:`crop` has recorded them beside the boxes, or, where all
            boxes have one size, that.

    Returns:
        The new tables.

    Raises:
        InputError: A table is not as it should be, rows and boxes do not belong together, or the size is not known.
    """
    from vitruve.pipeline import crops

    return crops.remap(_paths(sources), Path(boxes), Path(output), size)


def _paths(sources: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(sources)] if isinstance(sources, (str, Path)) else [Path(item) for item in sources]
