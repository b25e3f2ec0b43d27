"""A recording of calibrated cameras: its videos, its cameras, and whether they fit together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

import numpy as np

from vitruve.errors import InputError, nearest
from vitruve.formats.calibration import read_cameras
from vitruve.inference.shots import CalibratedRecording
from vitruve.media.images import IMAGE_SUFFIXES, image_size
from vitruve.media.recordings import Recording, videos_of_cameras
from vitruve.media.video import VideoReader
from vitruve.structures.camera import Camera

# Of a training set; see vitruve.formats.jarvis.
_CALIBRATIONS = "calib_params"
# Share of the image that a lens' middle may lie from the image's own before another resolution is suspected.
_OFF_CENTRE = 0.2


@dataclass(frozen=True)
class RigRecording:
    """The part of a recording that is looked at, with its cameras.

    Attributes:
        folder: Where the videos are.
        cameras: By name, with the size of their videos.
        source: The videos and cameras, in this order, up to the last instant.
        start: The first instant.
        count: How many instants.
    """

    folder: Path
    cameras: Mapping[str, Camera]
    source: CalibratedRecording
    start: int
    count: int


def find_cameras(
    calibration: str | Path | None, recording: Path, training_set: Path | None = None
) -> tuple[dict[str, Camera], Path]:
    """The cameras that a recording was made with.

    Args:
        calibration: A file or folder of any kind that :func:`vitruve.formats.calibration.read_cameras` knows; or the
            name of a dataset of the training set; None for the only calibration of the set or, without a set, for one
            that lies with the videos.
        recording: The folder of videos.
        training_set: JARVIS' TrainingSet, where there is one.

    Returns:
        The cameras by name, and where they were read. Where JARVIS' files say no resolution, that of a training set's
        calibration is that of the images labelled with it.

    Raises:
        InputError: There is no such calibration, or several where none is named.
    """
    place = None if training_set is None else training_set / _CALIBRATIONS
    known = (
        sorted(path.name for path in place.iterdir() if path.is_dir()) if place is not None and place.is_dir() else []
    )
    if calibration is not None and str(calibration) in known:
        assert place is not None
        path = place / str(calibration)
    elif calibration is not None:
        path = Path(calibration)
        if not path.exists() and training_set is not None:
            raise InputError(
                f"{calibration}: neither a calibration file or folder nor a dataset of {training_set}"
                f"{nearest(str(calibration), known)}; its datasets are {', '.join(known) or 'none'}"
            )
    elif len(known) > 1:
        raise InputError(
            f"{place}: holds {len(known)} calibrations; choose one with --dataset-name: {', '.join(known)}"
        )
    elif known:
        assert place is not None
        path = place / known[0]
    else:
        path = recording
    try:
        cameras = read_cameras(path)
        labelled = training_set if path.parent == place else None
        return cameras if labelled is None else _as_labelled(cameras, labelled, path.name), path
    except InputError as error:
        if calibration is None and not known:
            raise InputError(f"{recording}: no calibration was named, and here is none ({error})") from error
        raise


def _as_labelled(cameras: Mapping[str, Camera], training_set: Path, dataset: str) -> dict[str, Camera]:
    sized = dict(cameras)
    for name, camera in cameras.items():
        images = training_set.glob(f"*/{escape(dataset)}/**/{escape(name)}/*")
        image = next((file for file in images if file.suffix.lower() in IMAGE_SUFFIXES), None)
        if image is not None and not np.isfinite(camera.size).all():
            sized[name] = replace(camera, size=np.array(image_size(image), np.float64))
    return sized


def open_recording(
    folder: Path,
    cameras: Mapping[str, Camera],
    chosen: Sequence[str] | None = None,
    *,
    frame_start: int = 0,
    number_frames: int = -1,
    shortest: bool = False,
    fewest: int = 2,
) -> RigRecording:
    """The videos of a recording with their cameras.

    Args:
        folder: Holds one video a camera, ``<camera>.<anything>``.
        cameras: By name.
        chosen: Names of the cameras that count; None for all, each of which must have a video.
        frame_start: The first frame.
        number_frames: How many; -1 for all to the end.
        shortest: Where the videos differ in length, go on to the end of the shortest.
        fewest: How many cameras there must be.

    Returns:
        The recording.

    Raises:
        InputError: A camera has no video, a video no camera, a video another resolution or length, or there are no such
            frames.
    """
    videos = videos_of_cameras(folder)
    names = _names(folder, videos, cameras, chosen)
    if len(names) < fewest:
        raise InputError(f"{folder}: {len(names)} camera; points in space need two or more")
    paths = [videos[name] for name in names]
    sized, lengths = {}, []
    for name, path in zip(names, paths, strict=True):
        with VideoReader(path) as video:
            sized[name] = _sized(cameras[name], name, path, (video.width, video.height))
            lengths.append(video.count())
    if min(lengths) != max(lengths) and not shortest:
        raise _lengths_differ(folder, paths, lengths)
    count = frames_of(folder, min(lengths), frame_start, number_frames)
    source = CalibratedRecording(Recording(paths), tuple(sized.values()), frame_start + count)
    return RigRecording(folder, sized, source, frame_start, count)


def frames_of(source: Path, length: int, frame_start: int, number_frames: int) -> int:
    """How many frames are looked at.

    Args:
        source: For messages.
        length: How many it has.
        frame_start: The first one.
        number_frames: How many; -1 for all to the end.

    Returns:
        Their number.

    Raises:
        InputError: There are no such frames.
    """
    if not 0 <= frame_start < length:
        raise InputError(f"--frame-start {frame_start}: {source} has frames 0 to {length - 1}")
    rest = length - frame_start
    if number_frames != -1 and not 0 < number_frames <= rest:
        raise InputError(
            f"--number-frames {number_frames}: {source} has {rest} from frame {frame_start} on; give -1 for all of them"
        )
    return rest if number_frames == -1 else number_frames


def _names(
    folder: Path, videos: Mapping[str, Path], cameras: Mapping[str, Camera], chosen: Sequence[str] | None
) -> list[str]:
    """The cameras that count, in the order of the calibration."""
    for name in chosen or ():
        if name not in cameras:
            raise InputError(
                f"--cameras: '{name}' is not calibrated{nearest(name, cameras)}; the cameras are {', '.join(cameras)}"
            )
    names = [name for name in cameras if chosen is None or name in chosen]
    missing = [name for name in names if name not in videos]
    if missing:
        raise InputError(
            f"{folder}: no video of camera {', '.join(missing)}{nearest(missing[0], videos)}; add it as "
            f"{missing[0]}.mp4, or name the cameras that are there with --cameras"
        )
    unknown = [path for name, path in videos.items() if name not in cameras]
    if unknown and chosen is None:
        raise InputError(
            f"{unknown[0]}: camera '{unknown[0].name.partition('.')[0]}' is not calibrated"
            f"{nearest(unknown[0].stem, cameras)}; the cameras are {', '.join(cameras)}. Calibrate it too, or name the "
            "others with --cameras"
        )
    return names


def _sized(camera: Camera, name: str, path: Path, size: tuple[int, int]) -> Camera:
    """The camera with the size of its video, which must be what it was calibrated for."""
    seen = np.array(size, np.float64)
    if np.isfinite(camera.size).all():
        if not np.array_equal(camera.size, seen):
            raise InputError(
                f"{path}: {size[0]}x{size[1]} px, but camera '{name}' was calibrated at {camera.size[0]:.0f}x"
                f"{camera.size[1]:.0f} px; give the video as it was recorded, or a calibration at its resolution"
            )
        return camera
    middle = camera.intrinsics[:2, 2]
    if (abs(middle - (seen - 1) / 2) > _OFF_CENTRE * seen).any():
        told = (
            f"{path}: {size[0]}x{size[1]} px, but the lens of camera '{name}' has its middle at ({middle[0]:.0f}, "
            f"{middle[1]:.0f}): it seems to be calibrated at another resolution"
        )
        if (middle < 0).any() or (middle >= seen).any():
            raise InputError(f"{told}; give the video as it was recorded, or a calibration at its resolution")
        warnings.warn(told, stacklevel=2)
    return replace(camera, size=seen)


def _lengths_differ(folder: Path, paths: Sequence[Path], lengths: Sequence[int]) -> InputError:
    longest = max(lengths)
    short = [
        f"{path.name} {length} ({longest - length} fewer)"
        for path, length in zip(paths, lengths, strict=True)
        if length < longest
    ]
    return InputError(
        f"{folder}: the videos differ in length: the longest has {longest} frames, {', '.join(short)}; frame n of all "
        "must show the same instant. If only the end is missing, --shortest goes on to the end of the shortest"
    )
