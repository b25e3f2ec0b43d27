"""Which model a recording is smoothed with, and whether what is given goes with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vitruve.errors import InputError, nearest
from vitruve.formats.calibration import read_cameras
from vitruve.smoothing.ensemble import VarianceKind
from vitruve.smoothing.members import Members
from vitruve.smoothing.models import Search
from vitruve.structures.camera import Camera, stack_cameras

Mode = Literal["auto", "single", "multi", "calibrated", "mirrored", "ibl-pupil", "ibl-paw"]
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Options:
    """How to smooth.

    Attributes:
        mode: Which model; ``auto`` takes it from what is given.
        calibration: Anipose's calibration file.
        camera_names: Parts of file names (or, with mirrors, of keypoint names) that tell the cameras apart.
        mirrored_columns: One list of keypoint indices a view, for views within one image.
        timestamps: Files with the times of the frames, one a camera.
        bodyparts: The keypoints to smooth; empty for all.
        s: Scale of the motion, one for all keypoints or one each; empty to find it.
        diameter_s: What is left of the deviation of a pupil's diameter after one frame; None to find it.
        com_s: The same of its centre.
        s_frames: Stretches of frames (first, one behind the last) to find scales from; empty for all.
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
    timestamps: tuple[Path, ...] = ()
    bodyparts: tuple[str, ...] = ()
    s: tuple[float, ...] = ()
    diameter_s: float | None = None
    com_s: float | None = None
    s_frames: tuple[tuple[int, int], ...] = ()
    blocks: tuple[tuple[str, ...], ...] = ()
    variance: VarianceKind = "confidence"
    latents: int = 3
    quantile: float = 95.0
    inflate: bool = True


@dataclass(frozen=True, eq=False)
class Plan:
    """The model of a recording.

    Attributes:
        mode: Which, never ``auto``.
        names: Of the cameras.
        cameras: Stacked, with a calibration.
    """

    mode: Mode
    names: tuple[str, ...]
    cameras: Camera | None = None

    @property
    def by_file(self) -> bool:
        """Whether each file shows one of several cameras, which its name tells."""
        return self.mode in ("multi", "calibrated", "ibl-paw") or (self.mode == "single" and bool(self.names))


def plan(files: Sequence[Path], options: Options) -> Plan:
    """The model, the names of the cameras and, with a calibration, the cameras.

    Args:
        files: The predictions of all members and cameras.
        options: What is given.

    Returns:
        The plan.

    Raises:
        InputError: Something is missing for the model, or given and without effect in it.
    """
    mode, names = _mode(files, options), options.camera_names
    if len(set(names)) < len(names):
        raise InputError(f"camera names {', '.join(names)}: a name is given twice; names must differ")
    _check_effect(mode, options)
    if mode == "calibrated":
        return _calibrated(options)
    if mode == "ibl-paw":
        names = names or _SIDES
        if len(names) != 2:
            raise InputError(f"mode ibl-paw: takes two cameras, {len(names)} are named (--camera-names left,right)")
    if mode in ("multi", "mirrored") and len(names) < 2 and not (mode == "mirrored" and options.mirrored_columns):
        given = f"only '{names[0]}' is given" if names else "none is given"
        raise InputError(f"mode {mode}: needs the names of at least two cameras, {given} (--camera-names a,b)")
    return Plan(mode, names)


def search(members: Members, options: Options) -> Search:
    """What is known of the scales before they are looked for.

    Args:
        members: Of the first camera.
        options: What is given.

    Returns:
        Blocks, scales and stretches of frames.

    Raises:
        InputError: A keypoint, a scale or a stretch is not as it should be.
    """
    names, frames = members.names, len(members.index)
    blocks = np.arange(len(names))
    for number, block in enumerate(options.blocks):
        for entry in block:
            index = int(entry) if entry.isdecimal() else names.index(entry) if entry in names else len(names)
            if index >= len(names):
                raise InputError(
                    f"blocks: no keypoint '{entry}'{nearest(entry, names)}; give names or indices to {len(names) - 1}"
                )
            if blocks[index] >= len(names):
                raise InputError(f"blocks: keypoint '{names[index]}' stands in two places; each belongs to one block")
            blocks[index] = len(names) + number
    if options.s and (len(options.s) not in (1, len(names)) or not all(0 < s < math.inf for s in options.s)):
        raise InputError(f"s: give one number above 0, or one for each of the {len(names)} keypoints")
    for begin, end in options.s_frames:
        if not 0 <= begin < end <= frames or end - begin < 2:
            raise InputError(f"s_frames: {begin}:{end} is no stretch of the frames 0:{frames}; give first:last+1")
    scale = np.broadcast_to(np.array(options.s), (len(names),)).astype(float) if options.s else None
    return Search(blocks, scale, options.s_frames)


def _mode(files: Sequence[Path], options: Options) -> Mode:
    if options.mode != "auto":
        return options.mode
    if options.calibration is not None:
        return "calibrated"
    if options.mirrored_columns:
        return "mirrored"
    if options.timestamps:
        return "ibl-paw"
    if options.diameter_s is not None or options.com_s is not None:
        return "ibl-pupil"
    if not options.camera_names:
        return "single"
    in_files = any(name in file.stem for file in files for name in options.camera_names)
    return "multi" if in_files else "mirrored"


def _check_effect(mode: Mode, options: Options) -> None:
    for wanted, what, given in (
        ("calibrated", f"{options.calibration}: a calibration", options.calibration is not None),
        ("mirrored", "mirrored columns: they", bool(options.mirrored_columns)),
        ("ibl-paw", "time stamps: they", bool(options.timestamps)),
        ("ibl-pupil", "diameter_s: it", options.diameter_s is not None),
        ("ibl-pupil", "com_s: it", options.com_s is not None),
    ):
        if given and mode != wanted:
            verb = "have" if what.endswith("they") else "has"
            raise InputError(f"{what} {verb} no effect in mode {mode}; leave it out, or choose mode {wanted}")
    for name, value in (("diameter_s", options.diameter_s), ("com_s", options.com_s)):
        if value is not None and not 0 <= value < 1:
            raise InputError(f"{name}={value:g}: give a number from 0 to below 1; the nearer to 1, the smoother")
    if mode == "ibl-pupil" and options.camera_names:
        raise InputError("camera names: they have no effect in mode ibl-pupil; give the files of one camera")


def _calibrated(options: Options) -> Plan:
    if options.calibration is None:
        raise InputError("mode calibrated: needs the cameras' calibration (--calibration calibration.toml)")
    found = read_cameras(options.calibration)
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
    return Plan("calibrated", names, stack_cameras(tuple(found[name] for name in names)))
