"""Heatmaps of whole videos, as arrays on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_path
from vitruve.inference.predictor import Predictor
from vitruve.media.video import VideoReader


def write_heatmaps(predictor: Predictor, video: Path, target: Path) -> None:
    """Write the probability maps of a video as one array ``(frames, keypoints, height, width)``.

    The array is mapped into memory: it may be larger than what is free. A file that is there stays.

    Args:
        predictor: Its algorithm has heatmaps.
        video: One view.
        target: The ``.npy`` file.

    Raises:
        ConfigError: The algorithm has no heatmaps.
        InputError: The video cannot be read, or the file not be written.
    """
    if target.is_file():
        return
    with VideoReader(video) as reader:
        count = reader.count()
    with atomic_path(target) as temporary:
        array, done = None, 0
        for maps in predictor.heatmaps(video):
            if array is None:
                shape = (count, *maps.shape[2:])
                array = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
            array[done : done + len(maps)] = maps[:, 0]
            done += len(maps)
        if array is not None:
            array.flush()
