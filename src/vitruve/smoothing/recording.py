"""Smooth the predictions of one recording: what ``vitruve smooth`` does with each."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vitruve.errors import InputError, nearest
from vitruve.formats.anipose import read_calibration
from vitruve.formats.notes import LabelsWarning
from vitruve.smoothing.coverage import coverage, read_truth
from vitruve.smoothing.ensemble import Ensemble, VarianceKind, combine
from vitruve.smoothing.members import Members, common_name, group_by_camera, read_members
from vitruve.smoothing.mirrors import by_columns, by_names
from vitruve.smoothing.models import Posterior, Search, smooth_calibrated, smooth_linear, smooth_single
from vitruve.smoothing.scale import Scales
from vitruve.smoothing.tables import check_target, write_coverage, write_table
from vitruve.structures.camera import Camera, stack_cameras

Mode = Literal["auto", "single", "multi", "calibrated", "mirrored"]
# Members of one camera are apart by a small part of the animal's own extent.
_FAR_APART = 0.25


@dataclass(frozen=True)
class Options:
    """How to smooth.

    Attributes:
        mode: Which model; ``auto`` takes it from what is given.
        calibration: Anipose's calibration file.
        camera_names: Parts of file names (or, with mirrors, of keypoint names) that tell the cameras apart.
        mirrored_columns: One list of keypoint indices a view, for views within one image.
        bodyparts: The keypoints to smooth; empty for all.
        s: Scale of the motion, one for all keypoints or one each; empty to find it.
        s_frames: Stretches of frames (first, one behind the last) to find it from; empty for all.
        blocks: Groups of keypoints, by name or index, that share one scale.
        variance: Whether the ensemble's variance is divided by its confidence.
        latents: Dimensions of the state where the geometry of several views is learned.
        quantile: Percentage of frames, those of least variance, that it is learned from.
        inflate: Whether views that contradict the others count less.
    """

    mode: Mode = "auto"
    calibration: Path | None = None
    camera_names: tuple[str, ...] = ()
    mirrored_columns: tuple[tuple[int, ...], ...] = ()
    bodyparts: tuple[str, ...] = ()
    s: tuple[float, ...] = ()
    s_frames: tuple[tuple[int, int], ...] = ()
    blocks: tuple[tuple[str, ...], ...] = ()
    variance: VarianceKind = "confidence"
    latents: int = 3
    quantile: float = 95.0
    inflate: bool = True


@dataclass(frozen=True, eq=False)
class SmoothedRecording:
    """What was smoothed and written of one recording.

    Attributes:
        name: The recording.
        frames: T.
        tables: The CSV file of each camera; one nameless camera where there is but one.
        table_3d: The CSV file of the points in space, with a calibration.
        coverage: The CSV file of each camera that labels were given for.
        covered: The rows of those files.
        motion: The scale s of each keypoint.
        noise: What the ensemble's variance was multiplied by, for each keypoint.
    """

    name: str
    frames: int
    tables: dict[str, Path]
    table_3d: Path | None
    motion: dict[str, float]
    noise: dict[str, float]
    coverage: dict[str, Path] = field(default_factory=dict)
    covered: dict[str, list[dict[str, str | int | float]]] = field(default_factory=dict)


def smooth_recording(
    files: Sequence[Path], output: Path, options: Options, labels: Sequence[Path] = ()
) -> SmoothedRecording:
    """Smooth the predictions of one recording and write the tables.

    Args:
        files: The predictions of all members and cameras.
        output: A folder; or a CSV file, where there is one camera.
        options: How.
        labels: Label files to compare with, one a camera.

    Returns:
        What was written.

    Raises:
        InputError: Files, calibration or labels do not go together.
    """
    mode, names, cameras = _plan(files, options)
    groups = group_by_camera(files, names) if mode in ("multi", "calibrated") else {"": list(files)}
    if mode == "single" and names:
        groups = group_by_camera(files, names)
    members = {name: _chosen(read_members(group), options.bodyparts) for name, group in groups.items()}
    _check_views(members)
    first = next(iter(members.values()))
    truths = _truths(labels, members)
    ensembles = {name: combine(item.keypoints, item.scores, options.variance) for name, item in members.items()}
    for name, ensemble in ensembles.items():
        _check_apart(members[name], ensemble)
    search = Search(*_search(first, options))
    posteriors = _smoothed(mode, list(ensembles.values()), first, cameras, search, options)
    recording = common_name(files)
    targets = _targets(output, members, recording)
    for target in targets.values():
        check_target(target, files)
    for target, (name, item), posterior in zip(targets.values(), members.items(), posteriors, strict=True):
        write_table(target, item.names, item.index, _columns(ensembles[name], posterior))
    table_3d = None
    whole = posteriors[0]
    if whole.points is not None and whole.points_variance is not None:
        table_3d = next(iter(targets.values())).parent / f"{recording}_3d.csv"
        check_target(table_3d, files)
        write_table(table_3d, first.names, first.index, np.concatenate([whole.points, whole.points_variance], -1))
    result = SmoothedRecording(
        recording,
        len(first.index),
        targets,
        table_3d,
        dict(zip(first.names, whole.scales.motion.tolist(), strict=True)),
        dict(zip(first.names, whole.scales.noise.tolist(), strict=True)),
    )
    for (name, item), posterior in zip(members.items(), posteriors, strict=True):
        if name in truths:
            median = ensembles[name].median
            rows = coverage(item.names, truths[name], posterior.keypoints[:, 0], posterior.variance[:, 0], median)
            result.covered[name] = rows
            result.coverage[name] = targets[name].with_name(f"{targets[name].stem}_coverage.csv")
            write_coverage(result.coverage[name], rows)
    return result


def _plan(files: Sequence[Path], options: Options) -> tuple[Mode, tuple[str, ...], Camera | None]:
    """The model, the names of the cameras and, with a calibration, the cameras."""
    mode, names = options.mode, options.camera_names
    if mode == "auto":
        if options.calibration is not None:
            mode = "calibrated"
        elif options.mirrored_columns:
            mode = "mirrored"
        elif not names:
            mode = "single"
        else:
            in_files = any(name in file.stem for file in files for name in names)
            mode = "multi" if in_files else "mirrored"
    if len(set(names)) < len(names):
        raise InputError(f"camera names {', '.join(names)}: a name is given twice; names must differ")
    if options.calibration is not None and mode != "calibrated":
        raise InputError(f"{options.calibration}: a calibration has no effect in mode {mode}; leave it out")
    if mode == "calibrated":
        return _calibrated(options)
    if mode in ("multi", "mirrored") and len(names) < 2 and not (mode == "mirrored" and options.mirrored_columns):
        given = f"only '{names[0]}' is given" if names else "none is given"
        raise InputError(f"mode {mode}: needs the names of at least two cameras, {given} (--camera-names a,b)")
    return mode, names, None


def _calibrated(options: Options) -> tuple[Mode, tuple[str, ...], Camera | None]:
    if options.calibration is None:
        raise InputError("mode calibrated: needs the cameras' calibration (--calibration calibration.toml)")
    found = read_calibration(options.calibration)
    names = options.camera_names or tuple(found)
    for name in names:
        if name not in found:
            raise InputError(
                f"{options.calibration}: holds no camera '{name}'{nearest(name, found)}; it has {', '.join(found)}"
            )
    if len(names) < 2:
        raise InputError(
            f"{options.calibration}: one camera ('{names[0]}') is not enough for points in space; give two"
        )
    return "calibrated", names, stack_cameras(tuple(found[name] for name in names))


def _chosen(members: Members, bodyparts: tuple[str, ...]) -> Members:
    for name in bodyparts:
        if name not in members.names:
            raise InputError(
                f"{members.files[0]}: has no keypoint '{name}'{nearest(name, members.names)}; it has "
                f"{', '.join(members.names)}"
            )
    if not bodyparts:
        return members
    order = [members.names.index(name) for name in bodyparts]
    scores = None if members.scores is None else members.scores[:, :, order]
    return replace(members, names=bodyparts, keypoints=members.keypoints[:, :, order], scores=scores)


def _check_views(members: dict[str, Members]) -> None:
    (first_name, first), *others = members.items()
    for name, item in others:
        if len(item.index) != len(first.index):
            raise InputError(
                f"{item.files[0]}: camera '{name}' has {len(item.index)} frames, but '{first_name}' has "
                f"{len(first.index)}; all cameras must show the same frames"
            )
        if item.names != first.names:
            other = sorted(set(item.names) ^ set(first.names))
            what = f"keypoint '{other[0]}' is not in both" if other else "keypoints stand in another order"
            raise InputError(
                f"{item.files[0]}: {what} camera '{name}' and '{first_name}'; all cameras need the same keypoints"
            )


def _check_apart(members: Members, ensemble: Ensemble) -> None:
    if ensemble.members < 2 or len(members.names) < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a frame in which nothing is seen
        apart = np.sqrt(np.nanmedian(ensemble.variance * ensemble.confidence[..., None]))
        extent = np.nanmedian(np.nanstd(ensemble.median, 1))
    if apart > _FAR_APART * extent:
        warnings.warn(
            f"{members.files[0].parent}: the {ensemble.members} members are {apart:.1f} px apart, which is much beside "
            f"the animal's {extent:.1f} px; if the files are of several cameras, name them (--camera-names a,b)",
            LabelsWarning,
            stacklevel=2,
        )


def _search(members: Members, options: Options) -> tuple[np.ndarray, np.ndarray | None, tuple[tuple[int, int], ...]]:
    names, frames = members.names, len(members.index)
    blocks = np.arange(len(names))
    for number, block in enumerate(options.blocks):
        for entry in block:
            index = int(entry) if entry.isdigit() else names.index(entry) if entry in names else len(names)
            if index >= len(names):
                raise InputError(
                    f"blocks: no keypoint '{entry}'{nearest(entry, names)}; give names or indices to {len(names) - 1}"
                )
            blocks[index] = len(names) + number
    if options.s and (len(options.s) not in (1, len(names)) or min(options.s) <= 0):
        raise InputError(f"s: give one number above 0, or one for each of the {len(names)} keypoints")
    for begin, end in options.s_frames:
        if not 0 <= begin < end <= frames or end - begin < 2:
            raise InputError(f"s_frames: {begin}:{end} is no stretch of the frames 0:{frames}; give first:last+1")
    scale = np.broadcast_to(np.array(options.s), (len(names),)).astype(float) if options.s else None
    return blocks, scale, options.s_frames


def _smoothed(
    mode: Mode, ensembles: list[Ensemble], members: Members, cameras: Camera | None, search: Search, options: Options
) -> list[Posterior]:
    """One posterior a camera, with V = 1; points in space and scales in the first."""
    if mode == "single":
        return [smooth_single(ensemble, search) for ensemble in ensembles]
    if mode == "mirrored":
        return [_smooth_mirrored(ensembles[0], members, search, options)]
    if cameras is not None:
        whole = smooth_calibrated(ensembles, cameras, search, inflate=options.inflate)
    else:
        whole = smooth_linear(ensembles, members.names, search, **_linear(options))
    return [
        replace(whole, keypoints=whole.keypoints[:, view, None], variance=whole.variance[:, view, None])
        for view in range(len(ensembles))
    ]


def _linear(options: Options) -> dict[str, Any]:
    return {"latents": options.latents, "quantile": options.quantile, "inflate": options.inflate}


def _smooth_mirrored(ensemble: Ensemble, members: Members, search: Search, options: Options) -> Posterior:
    """Keypoints that several views show together, and the others each by itself."""
    if options.mirrored_columns:
        pairs = by_columns(options.mirrored_columns, members.names)
    else:
        pairs = by_names(options.camera_names, members.names)
    alone = np.setdiff1d(np.arange(len(members.names)), pairs)
    shape = (len(members.index), 1, len(members.names), 2)
    keypoints, variance = np.empty(shape), np.empty(shape)
    motion, noise = np.empty(len(members.names)), np.empty(len(members.names))
    views = [ensemble.keypoints(column) for column in pairs.T]
    names = tuple(members.names[first] for first in pairs[:, 0])
    together = smooth_linear(views, names, search.keypoints(pairs[:, 0]), **_linear(options))
    for view, column in enumerate(pairs.T):
        keypoints[:, 0, column], variance[:, 0, column] = together.keypoints[:, view], together.variance[:, view]
        motion[column], noise[column] = together.scales.motion, together.scales.noise
    if len(alone):
        single = smooth_single(ensemble.keypoints(alone), search.keypoints(alone))
        keypoints[:, :, alone], variance[:, :, alone] = single.keypoints, single.variance
        motion[alone], noise[alone] = single.scales.motion, single.scales.noise
    return Posterior(keypoints, variance, Scales(motion, noise))


def _columns(ensemble: Ensemble, posterior: Posterior) -> np.ndarray:
    likelihood = ensemble.likelihood[..., None]
    parts = [posterior.keypoints[:, 0], likelihood, ensemble.median, ensemble.variance, posterior.variance[:, 0]]
    return np.concatenate(parts, -1)


def _targets(output: Path, members: dict[str, Members], recording: str) -> dict[str, Path]:
    if output.suffix.lower() == ".csv":
        if len(members) > 1:
            raise InputError(f"{output}: {len(members)} cameras make {len(members)} files; give a folder")
        return dict.fromkeys(members, output)
    stems = {name: item.name for name, item in members.items()}
    if len(set(stems.values())) < len(stems):
        stems = {name: f"{recording}_{name}" for name in stems}
    return {name: output / f"{stem}.csv" for name, stem in stems.items()}


def _truths(labels: Sequence[Path], members: dict[str, Members]) -> dict[str, np.ndarray]:
    if not labels:
        return {}
    if len(members) == 1:
        if len(labels) > 1:
            raise InputError(f"{labels[1]}: {len(labels)} label files for one camera; give one")
        groups = {next(iter(members)): list(labels)}
    else:
        named = [name for name in members if any(name in file.stem for file in labels)]
        groups = group_by_camera(labels, named or list(members))
    truths = {}
    for name, files in groups.items():
        if len(files) > 1:
            raise InputError(f"{files[1]}: a second label file of camera '{name}'; give one")
        item = members[name]
        truths[name] = read_truth(files[0], item.names, item.index, item.name)
    return truths
