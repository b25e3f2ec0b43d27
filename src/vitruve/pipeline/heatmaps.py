"""Heatmaps of whole videos, as arrays on disk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_path
from vitruve.inference.predictor import Predictor
from vitruve.media.recordings import Recording, frame_count


def write_heatmaps(predictor: Predictor, recording: Recording, targets: Sequence[Path]) -> None:
    """Write the probability maps of a recording, one array ``(frames, keypoints, height, width)`` a view.

    The arrays are mapped into memory: they may be larger than what is free. Files that are all there stay.

    Args:
        predictor: Its algorithm has heatmaps.
        recording: One video a view.
        targets: The ``.npy`` files, one a view.

    Raises:
        ConfigError: The algorithm has no heatmaps.
        InputError: A video cannot be read, or a file not be written.
    """
    if all(target.is_file() for target in targets):
        return
    count = frame_count(recording)
    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic_path(target)) for target in targets]
        arrays: list[np.memmap] = []
        done = 0
        for maps in predictor.heatmaps(recording):
            if not arrays:
                shape = (count, *maps.shape[2:])
                arrays = [np.lib.format.open_memmap(path, "w+", np.float32, shape) for path in temporary]
            for view, array in enumerate(arrays):
                array[done : done + len(maps)] = maps[:, view]
            done += len(maps)
        for array in arrays:
            array.flush()
