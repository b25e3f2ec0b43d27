"""Smooth the predictions of one recording: what ``vitruve smooth`` does with each."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.errors import InputError, nearest
from vitruve.formats.notes import LabelsWarning
from vitruve.geometry.triangulation import triangulate
from vitruve.smoothing.asynchronous import smooth_asynchronous
from vitruve.smoothing.coverage import coverage, read_truth, video_name
from vitruve.smoothing.ensemble import Ensemble, combine
from vitruve.smoothing.members import Members, camera_words, common_name, group_by_camera, read_members, recording_name
from vitruve.smoothing.mirrors import other_sides
from vitruve.smoothing.models import Posterior, smooth_calibrated, smooth_linear, smooth_single
from vitruve.smoothing.plan import Mode, Options, Plan, plan, search
from vitruve.smoothing.tables import COLUMNS_3D, COLUMNS_PUPIL, check_target, record_inputs, write_coverage, write_table
from vitruve.smoothing.timestamps import find_times
from vitruve.smoothing.within_image import PupilTrack, smooth_mirrored, smooth_pupil_points
from vitruve.structures.camera import Camera

# Members of one camera are apart by a small part of the animal's own extent.
_FAR_APART = 0.25


@dataclass(frozen=True, eq=False)
class SmoothedRecording:
    """What was smoothed and written of one recording.

    Attributes:
        name: The recording.
        mode: The model.
        members: The number of members of each camera.
        frames: The number of frames of each camera.
        tables: The CSV file of each camera; one nameless camera where there is but one.
        table_3d: The CSV file of the points in space, with a calibration.
        table_pupils: The CSV file of diameters and centres, of pupils.
        coverage: The CSV file of each camera that labels were given for.
        covered: The rows of those files.
        coverage_3d: The CSV file of the points in space, where the labels of two cameras or more were given.
        covered_3d: Its rows.
        motion: The scale s of each keypoint; NaN for the points of a pupil.
        noise: What the ensemble's variance was multiplied by, for each keypoint.
        decay: ``diameter_s`` and ``com_s`` of each pupil.
    """

    name: str
    mode: Mode
    members: dict[str, int]
    frames: dict[str, int]
    tables: dict[str, Path]
    table_3d: Path | None
    table_pupils: Path | None
    motion: dict[str, float]
    noise: dict[str, float]
    decay: dict[str, tuple[float, float]] = field(default_factory=dict)
    coverage: dict[str, Path] = field(default_factory=dict)
    covered: dict[str, list[dict[str, str | int | float]]] = field(default_factory=dict)
    coverage_3d: Path | None = None
    covered_3d: list[dict[str, str | int | float]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Found:
    """One posterior a camera (V = 1), and points in space with their variances, or pupils."""

    cameras: list[Posterior]
    points: tuple[np.ndarray, np.ndarray] | None = None
    pupils: PupilTrack | None = None


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
        InputError: Files, calibration, time stamps or labels do not go together.
    """
    how = plan(files, options)
    groups = group_by_camera(files, how.names) if how.by_file else {"": list(files)}
    members = {name: _chosen(read_members(group), options.bodyparts) for name, group in groups.items()}
    _check_views(members, how.mode != "ibl-paw")
    recording = recording_name(groups) if how.by_file else common_name(files)
    truths = _truths(labels, members, recording)
    ensembles = {name: combine(item.keypoints, item.scores, options.variance) for name, item in members.items()}
    for name, ensemble in ensembles.items():
        _check_alone(members[name])
        _check_apart(members[name], ensemble, options)
    found = _smoothed(how, ensembles, members, options)
    tables = _targets(output, members, recording)
    folder = next(iter(tables.values())).parent
    table_3d = folder / f"{recording}_3d.csv" if found.points is not None else None
    table_pupils = folder / f"{recording}_pupils.csv" if found.pupils is not None else None
    targets = [target for target in (*tables.values(), table_3d, table_pupils) if target is not None]
    for target in targets:
        check_target(target, files)
    for target, (name, item), posterior in zip(tables.values(), members.items(), found.cameras, strict=True):
        write_table(target, item.names, item.index, _columns(ensembles[name], posterior))
    first = next(iter(members.values()))
    if table_3d is not None and found.points is not None:
        write_table(table_3d, first.names, first.index, np.concatenate(found.points, -1), COLUMNS_3D)
    if table_pupils is not None and found.pupils is not None:
        write_table(table_pupils, found.pupils.names, first.index, found.pupils.columns, COLUMNS_PUPIL)
    record_inputs(targets, files)
    scales = found.cameras[0].scales
    result = SmoothedRecording(
        recording,
        how.mode,
        {name: len(item.files) for name, item in members.items()},
        {name: len(item.index) for name, item in members.items()},
        tables,
        table_3d,
        table_pupils,
        dict(zip(first.names, scales.motion.tolist(), strict=True)),
        dict(zip(first.names, scales.noise.tolist(), strict=True)),
        {} if found.pupils is None else found.pupils.decay,
    )
    for (name, item), posterior in zip(members.items(), found.cameras, strict=True):
        if name in truths:
            median = ensembles[name].median
            rows = coverage(item.names, truths[name], posterior.keypoints[:, 0], posterior.variance[:, 0], median)
            result.covered[name] = rows
            result.coverage[name] = tables[name].with_name(f"{tables[name].stem}_coverage.csv")
            write_coverage(result.coverage[name], rows)
    if table_3d is None or found.points is None or how.cameras is None or len(truths) < 2:
        return result
    rows = _coverage_in_space(how.cameras, first.names, truths, ensembles, found.points)
    path = table_3d.with_name(f"{table_3d.stem}_coverage.csv")
    write_coverage(path, rows)
    return replace(result, coverage_3d=path, covered_3d=rows)


def _coverage_in_space(
    cameras: Camera,
    names: tuple[str, ...],
    truths: dict[str, np.ndarray],
    ensembles: dict[str, Ensemble],
    points: tuple[np.ndarray, np.ndarray],
) -> list[dict[str, str | int | float]]:
    """Errors of points beside those that the labels of at least two cameras give."""
    unlabelled = np.full_like(next(iter(truths.values())), np.nan)
    truth = triangulate(cameras, np.stack([truths.get(name, unlabelled) for name in ensembles], 1))
    median = triangulate(cameras, np.stack([item.median for item in ensembles.values()], 1))
    return coverage(names, truth, *points, median, unit="")


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


def _check_views(members: dict[str, Members], same_frames: bool) -> None:
    (first_name, first), *others = members.items()
    for name, item in others:
        if same_frames and len(item.index) != len(first.index):
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


def _check_alone(members: Members) -> None:
    """Medians of an ensemble lie beside the folders of what its members say."""
    folder = members.files[0].parent
    networks = sorted(path.name for path in folder.glob("member_*") if path.is_dir())
    if len(members.files) == 1 and networks:
        warnings.warn(
            f"{members.files[0]}: 1 member, which its confidence alone tells to be sure or not; did you mean the "
            f"folders {', '.join(networks)} below {folder}?",
            LabelsWarning,
            stacklevel=2,
        )


def _check_apart(members: Members, ensemble: Ensemble, options: Options) -> None:
    if ensemble.members < 2 or len(members.names) < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a frame in which nothing is seen
        apart = np.sqrt(np.nanmedian(ensemble.variance * ensemble.confidence[..., None]))
        extent = np.nanmedian(np.nanstd(ensemble.median, 1))
    if apart > _FAR_APART * extent:
        far = (
            f"{members.files[0].parent}: the {ensemble.members} members are {apart:.1f} px apart, which is much beside "
            f"the animal's {extent:.1f} px"
        )
        cameras = ",".join(camera_words(members.files))
        if cameras and options.mode == "auto" and not options.camera_names:
            raise InputError(
                f"{far}, and their names tell of several cameras; give --camera-names {cameras} or --calibration, "
                "or --mode single if all are of one"
            )
        advice = "if the files are of several cameras, name them (--camera-names a,b)"
        warnings.warn(f"{far}; {advice}", LabelsWarning, stacklevel=2)


def _smoothed(how: Plan, ensembles: dict[str, Ensemble], members: dict[str, Members], options: Options) -> _Found:
    first = next(iter(members.values()))
    known = search(first, options)
    views = list(ensembles.values())
    if how.mode == "single":
        return _Found([smooth_single(ensemble, known) for ensemble in views])
    if how.mode == "mirrored":
        return _Found([smooth_mirrored(views[0], first, known, options)])
    if how.mode == "ibl-pupil":
        posterior, track = smooth_pupil_points(views[0], first, known, options)
        return _Found([posterior], pupils=track)
    if how.cameras is not None:
        whole = smooth_calibrated(views, how.cameras, known, inflate=options.inflate)
        assert whole.points is not None and whole.points_variance is not None
        return _Found(_each_view(whole), (whole.points, whole.points_variance))
    learning: dict[str, Any] = {key: getattr(options, key) for key in ("latents", "quantile", "inflate")}
    if how.mode == "multi":
        return _Found(_each_view(smooth_linear(views, first.names, known, **learning)))
    frames = {name: len(item.index) for name, item in members.items()}
    files = [file for item in members.values() for file in item.files]
    times = list(find_times(options.timestamps, files, frames).values())
    # The paw that is left in one side view is right in the other.
    order = other_sides(first.names)
    one, other = smooth_asynchronous([views[0], views[1].keypoints(order)], times, first.names, known, **learning)
    return _Found([one, replace(other, keypoints=other.keypoints[:, :, order], variance=other.variance[:, :, order])])


def _each_view(whole: Posterior) -> list[Posterior]:
    """One posterior a camera, with V = 1."""
    return [
        replace(whole, keypoints=whole.keypoints[:, view, None], variance=whole.variance[:, view, None])
        for view in range(whole.keypoints.shape[1])
    ]


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


def _truths(labels: Sequence[Path], members: dict[str, Members], recording: str) -> dict[str, np.ndarray]:
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
        videos = [video_name(item.name), item.name]
        if name:
            session = video_name(recording)
            videos += [session, *(f"{session}{sign}{name}" for sign in "_-.")]
        truth = read_truth(files[0], item.names, item.index, list(dict.fromkeys(videos)))
        if truth is not None:
            truths[name] = truth
    return truths
