"""Small grey copies of every frame of a video, for finding out what happens in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from vitruve.media.decoding import decode_from_start

_ONE_THREAD_PIXELS = 1_000_000
_MOST_THREADS = 4


def thumbnails(
    path: str | Path, damage: list[str], side: int = 64, frame_size: tuple[int, int] | None = None
) -> Iterator[npt.NDArray[np.uint8]]:
    """Every frame of a video in order, decoded once, as a small grey image.

    Frames are scaled down from the decoder's own pixels by averaging over areas: the full picture is never turned
    into RGB.

    Args:
        path: The video file.
        damage: What went wrong is appended to it; frames behind the damage are given as far as they decode.
        side: Length of the longer side, px; smaller videos are not enlarged.
        frame_size: Width and height of the video's frames, where known, px: above a megapixel several threads decode.

    Yields:
        uint8 arrays ``(h, w)``, each its own memory.

    Raises:
        InputError: The file is missing, empty or not a video.
    """
    reformatter = VideoReformatter()
    pixels = 0 if frame_size is None else frame_size[0] * frame_size[1]
    threads = 1 if pixels <= _ONE_THREAD_PIXELS else min(_MOST_THREADS, os.cpu_count() or 1)
    size: tuple[int, int] | None = None
    for frame in decode_from_start(Path(path), threads, damage):
        if size is None:
            share = min(1.0, side / max(frame.width, frame.height))
            size = (max(1, round(frame.width * share)), max(1, round(frame.height * share)))
        small = reformatter.reformat(
            frame, width=size[0], height=size[1], format="gray", interpolation=Interpolation.AREA, threads=1
        )
        yield np.array(small.to_ndarray(), dtype=np.uint8, order="C")
