"""Labelled framesets through everything that predicts points in space, compared with their truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.data.dataset import checked
from vitruve.data.images import ImageCache
from vitruve.data.reconstruction import reconstructed
from vitruve.errors import InputError, nearest
from vitruve.evaluation.page_3d import TRIANGULATED, write_report_3d
from vitruve.evaluation.report_3d import Report3D
from vitruve.formats.analysis_points import frameset_name
from vitruve.formats.bbox_file import as_written
from vitruve.formats.hub import read_labels
from vitruve.geometry.boxes import edges, whole_image
from vitruve.geometry.triangulation import reconstruct, reprojection_errors
from vitruve.inference.open import Opened, open_run
from vitruve.inference.predictor import Predictor
from vitruve.pipeline.predict import with_keypoints_of
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.labels import Labels

IN_SPACE = "HybridNet"
"""Name of what a network in space finds, as in JARVIS' file names."""
_ALL = "all"
_GIVEN = "The points in space that the labels hold."
_TRIANGULATED = "The labels of all cameras, triangulated robustly."
_FEWEST = 2
_CACHE_GB = 1.0


@dataclass(frozen=True)
class Analyzed:
    """An analysis.

    Attributes:
        report: All errors and figures.
        files: ``report`` (HTML), ``metrics`` (JSON), and the plots by their names.
    """

    report: Report3D
    files: dict[str, Path]


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
    run, labels = Path(run), Path(labels)
    opened = open_run(run, frames_expected=0, locator=None if locator is None else Path(locator))
    truth, given = _truth(opened, labels, split)
    chosen = _numbers(truth, cameras, labels)
    cache = ImageCache(_CACHE_GB)
    # What is not located with these cameras is no matter of the network in space.
    located, there = _located(opened.predictor, truth.views(chosen), cache)
    if not there.any():
        raise InputError(f"{labels}: nothing was located in any of {len(there)} framesets; train the locator further")
    kept, wanted = located[there], truth[there]
    by_cameras = {len(chosen): _methods(opened.predictor, kept, cache)} if every_count else {}
    methods = by_cameras.get(len(chosen)) or _methods(opened.predictor, kept, cache)
    for count in range(_FEWEST, len(chosen)) if every_count else ():
        fewer = [chosen[i] for i in spread_out(kept.cameras[kept[0].session])[:count]]
        by_cameras[count] = _methods(opened.predictor, _without_boxes(wanted.views(sorted(fewer))), cache)
    report = Report3D(
        truth.skeleton,
        tuple(frameset_name(frame) for frame in wanted),
        _points(wanted),
        methods,
        (wanted.views(chosen).visible()[:, :, 0] > 0).sum(1),
        {name: _reprojection(wanted, points) for name, points in methods.items()},
        truth.view_names,
        tuple(truth.view_names[i] for i in chosen),
        tuple(frameset_name(frame) for frame, found in zip(truth, there, strict=True) if not found),
        by_cameras,
    )
    folder = Path(output) if output else run / "analysis" / f"Validation_Predictions_{datetime.now():%Y%m%d-%H%M%S}"
    about = {
        "Run": str(Path(run.parent.name, run.name)),
        "Labels": f"{labels.name}, {split} split" if any(frame.split for frame in truth) else labels.name,
        "Cameras": ", ".join(report.used),
    }
    return Analyzed(report, write_report_3d(report, folder, about, _GIVEN if given else _TRIANGULATED, cutoff))


def spread_out(rig: Sequence[Camera]) -> list[int]:
    """Cameras in an order in which each one is as far from all before it as can be.

    Args:
        rig: Calibrated cameras; those that are missing come last.

    Returns:
        Their numbers.
    """
    places = np.stack([-camera.rotation.T @ camera.translation for camera in rig])
    there = np.array([bool(np.isfinite(camera.intrinsics).all()) for camera in rig])
    order = [int(np.argmax(there))]
    away = np.linalg.norm(places - places[order[0]], axis=-1)
    while len(order) < len(rig):
        left = [number for number in range(len(rig)) if number not in order]
        order.append(max(left, key=lambda number: (bool(there[number]), float(away[number]))))
        away = np.minimum(away, np.linalg.norm(places - places[order[-1]], axis=-1))
    return order


def triangulated(labels: Labels) -> Float[np.ndarray, "F K 3"]:
    """Robustly triangulated keypoints of each frame, weighed by their likelihood where they have one.

    Args:
        labels: One instance a view, with cameras.

    Returns:
        Millimetres; NaN where fewer than two views show a keypoint.
    """
    pixels, scores = labels.keypoints()[:, :, 0], labels.keypoint_scores()[:, :, 0]
    points = np.full((*pixels.shape[:1], pixels.shape[2], 3), np.nan)
    for session, rows in _by_session(labels).items():
        weights = None if np.isnan(scores[rows]).all() else np.nan_to_num(scores[rows]).astype(np.float64)
        rig = stack_cameras(labels.cameras[session])
        points[rows] = reconstruct(rig, pixels[rows].astype(np.float64), weights).points
    return points


def _truth(opened: Opened, path: Path, split: str) -> tuple[Labels, bool]:
    """Labels with their points in space, of one split, and whether they came with them."""
    skeleton = opened.predictor.algorithm.task.skeleton
    labels = read_labels(path)
    parts = {frame.split for frame in labels}
    if split != _ALL and parts != {None}:
        part = labels.split(split)
        if not len(part):
            there = ", ".join(sorted(str(name) for name in parts))
            raise InputError(f"{path}: has no frameset in the split '{split}'; there is {there} (or all)")
        labels = part
    if any(len(labels.cameras.get(frame.session, ())) < _FEWEST for frame in labels):
        raise InputError(f"{path}: analysis in space needs at least two calibrated cameras of every recording")
    given = any(frame.instances_3d is not None for frame in labels)
    return checked(reconstructed(with_keypoints_of(labels, skeleton, str(path)))), given


def _numbers(labels: Labels, cameras: Sequence[str], source: Path) -> list[int]:
    names = labels.view_names
    for name in cameras:
        if name not in names:
            raise InputError(
                f"--cameras: '{name}' is no camera of {source}{nearest(name, names)}; there are {', '.join(names)}"
            )
    numbers = [number for number, name in enumerate(names) if not cameras or name in cameras]
    if len(numbers) < _FEWEST:
        raise InputError(f"--cameras {','.join(cameras)}: points in space need at least two cameras")
    return numbers


def _located(predictor: Predictor, labels: Labels, cache: ImageCache) -> tuple[Labels, np.ndarray]:
    """Labels with the boxes that are looked at, and in which of them anything was located."""
    if predictor.locator is None:
        return labels, np.ones(len(labels), bool)
    width, height = predictor.algorithm.task.input_size
    located = predictor.locator.locate(labels, cache)
    there = []
    for frame in located:
        # Where nothing is found, the whole image is looked at. A box may be as large as the image: its middle tells.
        boxes = np.array([image.box for image in frame.images])
        whole = np.array([whole_image(image.size or (1, 1), width / height) for image in frame.images])
        there.append(bool((np.abs(boxes - as_written(edges(whole))) > 1e-3).any()))
    return located, np.array(there)


def _without_boxes(labels: Labels) -> Labels:
    frames = (replace(frame, images=tuple(replace(i, box=None) for i in frame.images)) for frame in labels)
    return replace(labels, frames=tuple(frames))


def _methods(predictor: Predictor, labels: Labels, cache: ImageCache) -> dict[str, Float[np.ndarray, "T K 3"]]:
    """What a network in space finds, and what triangulation makes of its keypoints in the images."""
    found = predictor.predict_labels(labels, cache)
    methods = {TRIANGULATED: triangulated(found)}
    return {IN_SPACE: _points(found), **methods} if found[0].instances_3d is not None else methods


def _points(labels: Labels) -> Float[np.ndarray, "T K 3"]:
    missing = np.full((len(labels.skeleton), 3), np.nan)
    solids = [frame.instances_3d for frame in labels]
    return np.stack([missing if s is None or not s.keypoints.size else s.keypoints[0] for s in solids]).astype(float)


def _reprojection(labels: Labels, points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T V K"]:
    """How far from the labels the views show points."""
    pixels = labels.keypoints()[:, :, 0].astype(np.float64)
    errors = np.full(pixels.shape[:-1], np.nan)
    for session, rows in _by_session(labels).items():
        errors[rows] = reprojection_errors(stack_cameras(labels.cameras[session]), points[rows], pixels[rows])
    return errors


def _by_session(labels: Labels) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, frame in enumerate(labels):
        found.setdefault(frame.session, []).append(number)
    return found
