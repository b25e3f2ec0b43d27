"""The verb ``smooth`` as a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vitruve.errors import InputError

if TYPE_CHECKING:
    from vitruve.smoothing.ensemble import VarianceKind
    from vitruve.smoothing.plan import Mode
    from vitruve.smoothing.recording import SmoothedRecording


def smooth(
    sources: str | Path | Sequence[str | Path],
    *,
    output: str | Path | None = None,
    mode: Mode = "auto",
    calibration: str | Path | None = None,
    camera_names: Sequence[str] = (),
    mirrored_columns: Sequence[Sequence[int]] = (),
    timestamps: str | Path | Sequence[str | Path] = (),
    bodyparts: Sequence[str] = (),
    s: float | Sequence[float] | None = None,
    diameter_s: float | None = None,
    com_s: float | None = None,
    s_frames: Sequence[tuple[int, int]] = (),
    blocks: Sequence[Sequence[str | int]] = (),
    variance: VarianceKind = "confidence",
    latents: int = 3,
    quantile: float = 95.0,
    inflate: bool = True,
    labels: str | Path | Sequence[str | Path] = (),
) -> list[SmoothedRecording]:
    """Smooth the predictions of several networks over time, with variances (ensemble Kalman smoother, EKS).

    Args:
        sources: Prediction tables of one recording, or a folder of them; or several folders, one a network, in which
            tables of the same name belong to the same video.
        output: Folder of the new tables; ``smoothed`` beside the first source by default. A CSV file for one camera.
        mode: ``single``, ``multi`` (cameras whose geometry is learned), ``calibrated``, ``mirrored`` (views within one
            image), ``ibl-pupil`` (diameter and centre of pupils), ``ibl-paw`` (two cameras that are not synchronous),
            or ``auto``: what is given tells.
        calibration: Anipose's ``calibration.toml``.
        camera_names: Parts of file names, or of keypoint names for mirrors, that tell the cameras apart.
        mirrored_columns: One list of keypoint indices a view, for mirrors.
        timestamps: Files with the times of the frames, one a camera, for cameras that are not synchronous; by default
            those beside the predictions whose names hold ``timestamps``.
        bodyparts: Keypoints to smooth; all by default.
        s: Scale of the motion, one for all keypoints or one each; found by maximum likelihood by default.
        diameter_s: What is left of the deviation of a pupil's diameter from its mean after one frame, from 0 to below
            1; found by maximum likelihood by default.
        com_s: The same of its centre.
        s_frames: Stretches of frames (first, one behind the last) that scales are found from.
        blocks: Groups of keypoints, by name or index, that share one scale.
        variance: ``confidence`` divides the variance of the ensemble by its mean confidence; ``plain`` does not.
        latents: Dimensions of the state in modes ``multi``, ``mirrored`` and ``ibl-paw``.
        quantile: Percentage of frames, those of least variance, that the geometry of the views is learned from.
        inflate: Whether views that contradict the others count less.
        labels: Labels to compare with, one file a camera: errors, and how often the intervals hold the labels, are
            written beside; of points in space, too, where cameras are calibrated and two or more have labels.

    Returns:
        What was written, for each recording.

    Raises:
        InputError: A source, the calibration or an option is not as it should be.
    """
    from vitruve.formats.calibration import read_cameras
    from vitruve.smoothing.ensemble import VarianceKind
    from vitruve.smoothing.members import find_recordings
    from vitruve.smoothing.plan import Mode, Options
    from vitruve.smoothing.recording import smooth_recording

    for name, value, known in (("mode", mode, get_args(Mode)), ("variance", variance, get_args(VarianceKind))):
        if value not in known:
            raise InputError(f"{name}: '{value}' is none of {', '.join(known)}")
    if latents < 1 or not 0 < quantile <= 100:
        raise InputError(f"latents={latents}, quantile={quantile:g}: give latents of at least 1, a quantile up to 100")
    paths = _paths(sources)
    recordings = find_recordings(paths)
    folder = paths[0].parent / "smoothed" if output is None else Path(output)
    if len(recordings) > 1 and folder.suffix.lower() == ".csv":
        raise InputError(f"{folder}: {len(recordings)} recordings make several files; give a folder")
    options = Options(
        mode=mode,
        calibration=None if calibration is None else Path(calibration),
        camera_names=tuple(camera_names),
        mirrored_columns=tuple(tuple(column) for column in mirrored_columns),
        timestamps=tuple(_paths(timestamps)),
        bodyparts=tuple(bodyparts),
        s=() if s is None else (float(s),) if isinstance(s, (int, float)) else tuple(s),
        diameter_s=diameter_s,
        com_s=com_s,
        s_frames=tuple(s_frames),
        blocks=tuple(tuple(str(entry) for entry in block) for block in blocks),
        variance=variance,
        latents=latents,
        quantile=quantile,
        inflate=inflate,
    )
    cameras = options.camera_names
    if options.calibration is not None and not cameras and len(recordings) > 1:
        cameras = tuple(read_cameras(options.calibration))
    videos = _by_video(recordings, cameras)
    return [smooth_recording(files, folder, options, _paths(labels)) for files in videos]


def _paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(item) for item in ([given] if isinstance(given, (str, Path)) else given)]


def _by_video(recordings: list[list[Path]], cameras: Sequence[str]) -> list[list[Path]]:
    """With several folders each file name is one camera of one video: put the cameras of a video together."""
    if len(recordings) < 2 or not cameras:
        return recordings
    videos: dict[str, list[Path]] = {}
    for files in recordings:
        name = files[0].name
        for camera in sorted(cameras, key=len, reverse=True):
            name = name.replace(camera, "")
        videos.setdefault(name, []).extend(files)
    return list(videos.values())
