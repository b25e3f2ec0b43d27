"""Heatmaps of whole videos, as arrays on disk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.inference.predictor import Predictor
from vitruve.media.recordings import Recording

# Frames that are in memory together while arrays are averaged.
_FRAMES = 64


def write_heatmaps(predictor: Predictor, recording: Recording, tables: Sequence[Path]) -> list[Path]:
    """Write the probability maps of a recording, one array ``(frames, keypoints, height, width)`` a view.

    The arrays are mapped into memory: they may be larger than what is free. Those that are newer than the tables are
    left as they are.

    Args:
        predictor: Its algorithm has heatmaps.
        recording: One video a view.
        tables: The predictions of the videos, one table a view.

    Returns:
        The files ``<table>_heatmaps.npy``, one a view.

    Raises:
        ConfigError: The algorithm has no heatmaps.
        InputError: A video cannot be read, has another number of frames than its table, or a file not be written.
    """
    targets = [heatmaps_file(table) for table in tables]
    if all(_follows(target, tables) for target in targets):
        return targets
    with tables[0].open("rb") as stream:
        count = sum(1 for _ in stream) - 3
    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic_path(target)) for target in targets]
        arrays: list[np.memmap] = []
        done = 0
        for maps in predictor.heatmaps(recording):
            if not arrays:
                arrays = [_array(path, (count, *maps.shape[2:])) for path in temporary]
            done += len(maps)
            if done > count:
                break
            for view, array in enumerate(arrays):
                array[done - len(maps) : done] = maps[:, view]
        if done != count:
            raise InputError(
                f"{tables[0]}: {count} rows, but {recording[0]} has another number of frames; predict it again with "
                "--overwrite"
            )
        for array in arrays:
            array.flush()
    return targets


def write_mean_heatmaps(tables: Sequence[Path], target: Path) -> Path:
    """Write the mean of several networks' probability maps of one video.

    An array that is newer than theirs is left as it is.

    Args:
        tables: The networks' predictions, beside which their maps are.
        target: The table of what they say together.

    Returns:
        The file ``<target>_heatmaps.npy``.

    Raises:
        InputError: The maps differ in their numbers of frames, keypoints or pixels.
    """
    files, made = [heatmaps_file(table) for table in tables], heatmaps_file(target)
    if _follows(made, files):
        return made
    maps = [np.load(file, mmap_mode="r") for file in files]
    for file, each in zip(files, maps, strict=True):
        if each.shape != maps[0].shape:
            raise InputError(f"{file}: has the shape {each.shape}, but {files[0]} {maps[0].shape}; predict all again")
    with atomic_path(made) as temporary:
        array = _array(temporary, maps[0].shape)
        for first in range(0, len(array), _FRAMES):
            part = slice(first, first + _FRAMES)
            array[part] = np.mean([each[part] for each in maps], axis=0)
        array.flush()
    return made


def heatmaps_file(table: Path) -> Path:
    """Where the heatmaps of a video are.

    Args:
        table: Its predictions.

    Returns:
        The file beside them.
    """
    return table.with_name(f"{table.stem}_heatmaps.npy")


def _array(path: Path, shape: tuple[int, ...]) -> np.memmap:
    return np.lib.format.open_memmap(path, "w+", np.float32, shape)


def _follows(file: Path, sources: Sequence[Path]) -> bool:
    """Whether a file was made from what the sources are now."""
    return file.is_file() and all(source.stat().st_mtime_ns <= file.stat().st_mtime_ns for source in sources)
