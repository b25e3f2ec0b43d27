"""The verbs that look at labels, predictions and errors in space, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitruve.pipeline.analyze_3d import Analyzed


def view_dataset(
    source: str | Path,
    output: str | Path | None = None,
    *,
    in_space: bool = False,
    frames: int = 50,
    split: str | None = None,
    worst: bool = False,
    side: int = 640,
) -> dict[str, Path]:
    """Write a page to look through labelled frames, and a sheet of pictures of some of them.

    Args:
        source: Labels of any format, with their images.
        output: The HTML file; the sheet gets its name with ``.png``. ``dataset2d.html`` or ``dataset3d.html`` in the
            current folder by default.
        in_space: Show points in space, too: those of the labels, or else their robust triangulation.
        frames: At most so many, spread evenly.
        split: Only frames of this split.
        worst: Those whose labels are furthest from the points in space first, instead of evenly spread ones.
        side: Longer side of the images in the page, in pixels.

    Returns:
        The files: ``page`` and ``sheet``.

    Raises:
        InputError: The labels or an image are not as they should be, or cameras that are needed are not calibrated.
    """
    from vitruve.pipeline.view_dataset import view_dataset as view

    return view(
        Path(source), in_space=in_space, output=_path(output), frames=frames, split=split, worst=worst, side=side
    )


def animate_3d(
    source: str | Path,
    output: str | Path | None = None,
    *,
    skeleton: str | Path | None = None,
    up: str = "+z",
    fps: float | None = None,
    frames: int | None = None,
    turn: bool = True,
) -> Path:
    """Draw the points of a prediction in space, frame by frame.

    Args:
        source: ``data3D.csv``, or the folder that holds it.
        output: A video (``.mp4`` and so on) or a page (``.html``); ``animation3D.mp4`` beside the source by default.
        skeleton: What says which keypoints are joined: a skeleton YAML, a project's ``config.yaml``, or a label set.
            By default one of the first two that lies beside the source or above it.
        up: Which axis of the world points up: ``+z``, ``-y`` and so on.
        fps: Frames a second, 1/s; None as the recording has them, else 25.
        frames: At most so many from the first one on; None for all.
        turn: In a video, go around the animal slowly.

    Returns:
        The file.

    Raises:
        InputError: The prediction cannot be read or holds no point in space, or a setting is wrong.
    """
    from vitruve.pipeline.animate_3d import animate_3d as animate

    return animate(Path(source), _path(output), skeleton=_path(skeleton), up=up, fps=fps, frames=frames, turn=turn)


def analyze_validation(
    run: str | Path,
    labels: str | Path,
    *,
    cameras: Sequence[str] = (),
    split: str = "validation",
    every_count: bool = False,
    output: str | Path | None = None,
    locator: str | Path | None = None,
    cutoff: float | None = None,
) -> Analyzed:
    """Predict labelled framesets with a run and its locator, and measure in millimetres how far the points are off.

    Robust triangulation of the network's own keypoints in the images is measured beside it.

    Args:
        run: The run directory.
        labels: A TrainingSet, or any other labels of several calibrated views.
        cameras: The cameras that the run may see; all when empty. The truth is always that of all cameras.
        split: ``validation``, ``train``, ``test`` or ``all``; labels without splits are taken whole.
        every_count: Also measure with 2, 3, ... of the cameras, those far from one another first.
        output: Folder; by default ``analysis/Validation_Predictions_<time>`` in the run.
        locator: Run that finds the animal; None for the one that the run keeps.
        cutoff: Larger errors are in the last bin of the histogram, in millimetres.

    Returns:
        The figures, and the files written.

    Raises:
        InputError: The labels are not calibrated, a camera is none of theirs, or nothing was located anywhere.
        RunError: The directory is no finished run.
    """
    from vitruve.pipeline.analyze_3d import analyze_validation as analyze

    return analyze(
        Path(run),
        Path(labels),
        cameras=cameras,
        split=split,
        every_count=every_count,
        output=_path(output),
        locator=_path(locator),
        cutoff=cutoff,
    )


def plot_error_histogram(
    folders: str | Path | Sequence[str | Path], output: str | Path | None = None, cutoff: float | None = None
) -> Path:
    """Draw the error histograms of one or several analyses over one another.

    Args:
        folders: Of :func:`analyze_validation`; tables ``points_<method>.csv`` that were put into one of them are drawn,
            too.
        output: The PNG file; ``error_histogram.png`` in the first folder by default.
        cutoff: Larger errors are in the last bin, in millimetres.

    Returns:
        The file.

    Raises:
        InputError: A folder holds no analysis.
    """
    from vitruve.pipeline.compare_3d import compare_histograms

    return compare_histograms(_paths(folders), _path(output), cutoff)


def plot_error_per_keypoint(folders: str | Path | Sequence[str | Path], output: str | Path | None = None) -> Path:
    """Draw the mean error of each keypoint of one or several analyses.

    Args:
        folders: As for :func:`plot_error_histogram`, all of the same keypoints.
        output: The PNG file; ``error_per_keypoint.png`` in the first folder by default.

    Returns:
        The file.

    Raises:
        InputError: A folder holds no analysis, or other keypoints than the first.
    """
    from vitruve.pipeline.compare_3d import compare_keypoints

    return compare_keypoints(_paths(folders), _path(output))


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(given)] if isinstance(given, (str, Path)) else [Path(each) for each in given]
