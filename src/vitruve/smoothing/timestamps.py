"""The times at which cameras took their frames: NumPy files, or text with one number a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.smoothing.members import group_by_camera

_WORD = "timestamps"
_SUFFIXES = (".npy", ".csv", ".txt")


def find_times(
    given: Sequence[Path], predictions: Sequence[Path], frames: dict[str, int]
) -> dict[str, Float[np.ndarray, " _"]]:
    """The times of each camera's frames.

    Args:
        given: The files, one a camera; if there are none, those beside the predictions whose names hold ``timestamps``.
        predictions: The files of predictions.
        frames: The number of frames of each camera.

    Returns:
        Times by camera.

    Raises:
        InputError: A camera has no file or several, or a file does not hold the times of its frames.
    """
    files = list(given)
    if not files:
        folders = sorted({file.parent for file in predictions})
        files = [f for folder in folders for f in sorted(folder.glob(f"*{_WORD}*")) if f.suffix.lower() in _SUFFIXES]
    if not files:
        raise InputError(
            f"{predictions[0].parent}: holds no file of time stamps (*{_WORD}*.npy); give one a camera (--timestamps)"
        )
    times = {}
    for name, found in group_by_camera(files, list(frames)).items():
        if len(found) > 1:
            raise InputError(f"{found[1]}: a second file of time stamps of camera '{name}'; give one (--timestamps)")
        times[name] = read_times(found[0])
        if len(times[name]) != frames[name]:
            raise InputError(
                f"{found[0]}: {len(times[name])} time stamps, but camera '{name}' has {frames[name]} frames; "
                "give one a frame"
            )
    return times


def read_times(path: Path) -> Float[np.ndarray, " _"]:
    """The times in one file.

    Args:
        path: A NumPy file of one row of numbers, or text with one number a line.

    Returns:
        The times, rising.

    Raises:
        InputError: The file cannot be read, or its numbers do not rise.
    """
    try:
        # Never with pickles: they run what they hold.
        loaded = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else np.loadtxt(path, ndmin=1)
        times = np.asarray(loaded, dtype=np.float64).squeeze()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); give time stamps") from error
    except (ValueError, TypeError, EOFError) as error:
        raise InputError(f"{path}: holds no time stamps; give a NumPy file or text with one number a line") from error
    if times.ndim != 1 or len(times) < 2:
        raise InputError(f"{path}: holds an array of shape {times.shape}; give one time stamp a frame")
    wrong = np.flatnonzero(~(np.diff(times) > 0))
    if len(wrong):
        at = int(wrong[0]) + 1
        raise InputError(
            f"{path}: time stamp {at} ({times[at]:g}) does not come after the one before ({times[at - 1]:g}); "
            "time stamps must rise"
        )
    return times
