"""Frames by number with torchcodec, where it gives the frames that PyAV gives."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vitruve.media.frame_index import FrameIndex
from vitruve.media.video import VideoReader

if TYPE_CHECKING:
    from torchcodec.decoders import VideoDecoder


class TorchcodecReader(VideoReader):
    """A video file whose :meth:`read` decodes with torchcodec.

    torchcodec counts and colours some files otherwise than PyAV does (frames of odd size, interlaced, of ten bits,
    turned by the player; files without an index). So a file is left to PyAV, with a warning, unless both give the same
    number of frames and the same first frame, and as soon as a frame has another time than the index says. Damage
    inside a packet, which only decoding finds, may look different.

    Args:
        path: The video file.

    Raises:
        InputError: As for :class:`VideoReader`.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._decoder: VideoDecoder | None = None
        self._process = 0
        self._trusted = True

    def close(self) -> None:
        """Let go of the file. A later read opens it again."""
        super().close()
        self._decoder = None

    def read(self, indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Frames by number; see :meth:`VideoReader.read`."""
        index = self._index() if self._trusted else None
        numbers = [int(number) for number in indices]
        if self._trusted and index is None:
            self._leave("its packets do not tell which frame they hold")
        if index is None or not numbers or min(numbers) < 0 or max(numbers) >= len(index):
            return super().read(indices)
        try:
            batch = self._opened(index).get_frames_at(numbers)
            times = index.pts[numbers] * float(self._time_base)
            if not np.allclose(batch.pts_seconds.numpy(), times, rtol=0, atol=float(self._time_base) / 2):
                raise _OtherFramesError("other frames than PyAV's")
        except (RuntimeError, IndexError, ValueError) as error:
            self._leave(str(error).partition("\n")[0])
            return super().read(indices)
        return batch.data.numpy()

    def _opened(self, index: FrameIndex) -> VideoDecoder:
        """The decoder of this process: one that a fork has copied shares its place in the file with the other's."""
        if self._decoder is None or self._process != os.getpid():
            from torchcodec.decoders import VideoDecoder

            decoder = VideoDecoder(self.path, dimension_order="NHWC", num_ffmpeg_threads=1)
            if len(decoder) != len(index):
                raise _OtherFramesError(f"{len(decoder)} frames and not PyAV's {len(index)}")
            if not np.array_equal(decoder[0].numpy(), super().read([0])[0]):
                raise _OtherFramesError("other pixels than PyAV's")
            self._decoder, self._process = decoder, os.getpid()
        return self._decoder

    def _leave(self, reason: str) -> None:
        self._trusted, self._decoder = False, None
        warnings.warn(f"{self.path}: read with PyAV, not with torchcodec: {reason}", stacklevel=3)


class _OtherFramesError(ValueError):
    """torchcodec and PyAV disagree about a file."""
