"""Videos: frames in order, any frame by its number, and a writer.

The n-th frame is the n-th that a decoder gives, counted from 0. It is never computed from time and frame
rate, so variable rates, missing time stamps and cut files are all counted alike. A rotation that the
container asks players for (display matrix) is ignored, as EXIF orientation is for images: labels belong to
the stored pixels.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.media.decoding import DecodingPass, RgbConverter, decode_from_start, open_video
from vitruve.media.frame_index import FrameIndex, frame_index

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv"}
    | {".ogv", ".3gp", ".mjpeg", ".h264", ".264", ".h265", ".hevc"}
)
"""Lower-case suffixes of the files that are taken for videos."""

_DEFAULT_FPS = Fraction(25)
_TICK = Fraction(1, 90_000)  # s, of times that are written: that of MPEG transport streams
_COARSE = 90  # ticks in the milliseconds of Matroska
# Below this size a second decoder thread costs more processor time than it saves.
_ONE_THREAD_PIXELS = 1_000_000
_MOST_THREADS = 4
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_WRITTEN_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".avi")


def is_video(path: str | Path) -> bool:
    """Whether a file is taken for a video, by its suffix.

    Args:
        path: A file; it need not exist.

    Returns:
        True for one of :data:`VIDEO_SUFFIXES`, in upper or lower case.
    """
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


@dataclass
class _Position:
    """Where the decoder of :meth:`VideoReader.read` stands."""

    frames: Iterator[VideoFrame]
    next_frame: int
    process: int


class VideoReader:
    """A video file as RGB frames; a context manager.

    One reader is for one thread. It can be copied to other processes, also by fork.

    Args:
        path: The video file.

    Attributes:
        path: The video file.
        width: Width of the frames, px.
        height: Height of the frames, px.
        fps: Average frame rate, 1/s; 25 when the file states none.
        estimated_count: Number of frames by the header, for progress bars; None when it does not say.

    Raises:
        InputError: The file is missing, empty, not a video, or no frame of it can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._position: _Position | None = None
        self._sequential = False
        self._count: int | None = None
        container, stream = open_video(self.path)
        with container:
            self.fps = Fraction(stream.average_rate or stream.guessed_rate or _DEFAULT_FPS)
            self._header_count = stream.frames or None
            seconds = container.duration / av.time_base if container.duration else None
            self._header_seconds = seconds if len(container.streams) == 1 else None
            self._time_base = Fraction(stream.time_base or 0)
        self.estimated_count = self._header_count or (seconds and round(seconds * self.fps)) or None
        with DecodingPass(self.path) as decoding:
            first = next(decoding.frames(), None)
        if first is None:
            raise InputError(f"{self.path}: the video has no frame that can be decoded: copy it again from its source")
        self.width, self.height = first.width, first.height
        self._convert = RgbConverter(self.path, self.width, self.height)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.path,)

    def close(self) -> None:
        """Let go of the file. A later read opens it again."""
        self._position = None

    def frames(self, start: int = 0, thread_count: int = 0) -> Iterator[npt.NDArray[np.uint8]]:
        """Every frame in presentation order, each decoded once.

        A file that ends early or is damaged gives what can be decoded, and a warning at its end.

        Args:
            start: Number of the first frame to give.
            thread_count: Decoder threads; 0 takes one for frames up to a megapixel (more would cost more
                processor time than they save) and up to four above. The frames of an undamaged file do not
                depend on it.

        Yields:
            uint8 arrays ``(H, W, 3)``, RGB, contiguous, each its own memory.

        Raises:
            InputError: The frame size changes within the video.
        """
        damage: list[str] = []
        convert = RgbConverter(self.path, self.width, self.height)
        position, last = start, None
        for frame in self._decoded(start, thread_count or self._usual_threads(), damage):
            yield convert(frame)
            position += 1
            last = frame
        if damage and last is not None:
            self._sequential, self._count, self._position = True, position, None
        self._warn_if_incomplete(position, last, damage)

    def read(self, indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Frames by number, the same pixels that :meth:`frames` gives.

        Going on where the last call ended is as quick as reading in order; going elsewhere decodes from the
        nearest keyframe before, or from the beginning in files whose packets do not tell which frame they
        hold.

        Args:
            indices: Frame numbers ``0 <= n < count()``, in any order, also repeated.

        Returns:
            uint8 array ``(N, H, W, 3)``, RGB.

        Raises:
            InputError: A frame number is outside the video.
        """
        out = np.empty((len(indices), self.height, self.width, 3), dtype=np.uint8)
        wanted: dict[int, list[int]] = {}
        for row, number in enumerate(indices):
            wanted.setdefault(int(number), []).append(row)
        for number in sorted(wanted):
            out[wanted[number]] = self._convert(self._frame(number))
        return out

    def count(self) -> int:
        """The exact number of frames that can be decoded.

        Where the packets cannot be trusted to tell, the whole video is decoded once. Damage inside a packet
        that the container does not notice is counted only once :meth:`frames` has come across it.

        Returns:
            The number of frames that :meth:`frames` gives.
        """
        index = self._index()
        if index is not None:
            return len(index)
        if self._count is None:
            self._count = sum(1 for _ in decode_from_start(self.path, self._usual_threads(), []))
        return self._count

    def uneven_times(self, start: int = 0) -> npt.NDArray[np.float64] | None:
        """When frames are shown, for copies that must play as this video does.

        Args:
            start: Number of the first frame of the copy.

        Returns:
            float64 ``(N,)``: seconds since the first frame, from frame ``start`` on; None where frames follow one
            another at :attr:`fps`, to half a frame, or where that cannot be told.
        """
        index = self._index()
        if index is None or start >= len(index):
            return None
        seconds = (index.pts - index.pts[0]) * float(self._time_base)
        even = np.arange(len(index)) / float(self.fps)
        if np.abs(seconds - even).max() <= 0.5 / float(self.fps):
            return None
        return np.asarray(seconds[start:] - seconds[start], np.float64)

    def _index(self) -> FrameIndex | None:
        return None if self._sequential else frame_index(self.path)

    def _usual_threads(self) -> int:
        if self.width * self.height <= _ONE_THREAD_PIXELS:
            return 1
        return min(_MOST_THREADS, os.cpu_count() or 1)

    def _decoded(self, start: int, thread_count: int, damage: list[str]) -> Iterator[VideoFrame]:
        position = start
        index = self._index() if start else None
        if index is not None:
            if start >= len(index):
                return
            key, number = index.keyframe_before(start)
            if number:
                with DecodingPass(self.path, thread_count) as decoding:
                    for frame in decoding.frames_from(key):
                        if decoding.damage or number >= len(index) or frame.pts != index.pts[number]:
                            # Concealed damage looks different after a seek than after all that came before.
                            self._sequential = True
                            break
                        if number >= position:
                            yield frame
                            position += 1
                        number += 1
                    else:
                        if position == len(index):
                            damage.extend([decoding.damage] if decoding.damage else [])
                            return
        yield from decode_from_start(self.path, thread_count, damage, skip=position)

    def _frame(self, number: int) -> VideoFrame:
        if number < 0:
            raise InputError(f"{self.path}: frame {number} is asked for, but frames are numbered from 0")
        at = self._position
        if at is None or at.process != os.getpid() or not self._is_near(at.next_frame, number):
            # A decoder that a fork has copied shares its place in the file with the other process: begin
            # anew.
            at = self._position = _Position(self._decoded(number, 1, []), number, os.getpid())
        for frame in at.frames:
            at.next_frame += 1
            if at.next_frame > number:
                return frame
        self._position = None
        raise InputError(f"{self.path}: frame {number} is asked for, but the video has {self.count()} frames")

    def _is_near(self, position: int, number: int) -> bool:
        if number < position:
            return False
        index = self._index()
        return index is None or number >= len(index) or index.keyframe_before(number)[1] <= position

    def _warn_if_incomplete(self, count: int, last: VideoFrame | None, damage: list[str]) -> None:
        if last is None:
            return
        reasons = list(damage)
        if self._header_count is not None and count < self._header_count:
            reasons.append(f"its header says {self._header_count} frames")
        elif self._header_seconds is not None and last.pts is not None:
            end = float(last.pts * self._time_base + 2 / self.fps) + float((last.duration or 0) * self._time_base)
            if end < self._header_seconds:
                reasons.append(f"its header says {self._header_seconds:.2f} s")
        if reasons:
            warnings.warn(
                f"{self.path}: the video is cut short or damaged, {count} frames could be decoded "
                f"({'; '.join(reasons)})",
                stacklevel=3,
            )


class VideoWriter:
    """Writes RGB frames as an H.264 video that every player shows; a context manager.

    The file appears when the block ends well; after an exception, or when the disk is full, nothing is left
    and a file of that name stays as it was. Frames of odd width or height get their last column or row
    twice, because 4:2:0 colour needs even sizes: nothing is cut off and coordinates stay true.

    Args:
        path: The video to write: ``.mp4``, ``.m4v``, ``.mov``, ``.mkv`` or ``.avi``. Its folder is made
            when missing.
        fps: Frame rate, 1/s, above 0.
        size: ``(width, height)`` that all frames must have, px; None takes that of the first frame.
        crf: Constant rate factor of x264, 0 (no loss) to 51.
        preset: Preset of x264. The default takes the least processor time; the files of ``superfast`` are a
            third smaller for twice the time.
        thread_count: Encoder threads; 0 is one for each processor.
        times: When each frame is shown, s, from 0 on, as :meth:`VideoReader.uneven_times` says; frames that are closer
            than the file can tell apart are moved back. None for a constant rate, which AVI always has.

    Raises:
        InputError: The settings are out of range or the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float | Fraction,
        size: tuple[int, int] | None = None,
        *,
        crf: int = 23,
        preset: str = "ultrafast",
        thread_count: int = 1,
        times: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self.path = Path(path)
        self._times = None if self.path.suffix.lower() == ".avi" else times
        self._written, self._last = 0, -_COARSE
        self._rate = Fraction(fps).limit_denominator(65535)
        if self._rate <= 0:
            raise InputError(f"{self.path}: a video needs a frame rate above 0, not {fps}")
        if not 0 <= crf <= 51:
            raise InputError(f"{self.path}: crf={crf} is out of range: 0 (no loss) to 51")
        if preset not in _PRESETS:
            raise InputError(f"{self.path}: preset='{preset}' is not known: {', '.join(_PRESETS)}")
        if self.path.suffix.lower() not in _WRITTEN_SUFFIXES:
            raise InputError(f"{self.path}: videos are written as {', '.join(_WRITTEN_SUFFIXES)}")
        self._size, self._thread_count = size, thread_count
        self._options = {"crf": str(crf), "preset": preset}
        self._stack = ExitStack()
        self._stream: VideoStream | None = None

    def __enter__(self) -> Self:
        self._container = av.open(str(self._stack.enter_context(atomic_path(self.path))), "w")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is None:
                self._finish()
                return
            with suppress(av.FFmpegError, OSError):
                self._container.close()
            raise error

    def write(self, image: npt.NDArray[np.uint8]) -> None:
        """Append one frame.

        Args:
            image: uint8 array ``(H, W, 3)``, RGB.

        Raises:
            InputError: The frame is no RGB image or differs in size from those before.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(f"{self.path}: a frame is a uint8 array (H, W, 3), not {image.dtype} {image.shape}")
        height, width = image.shape[:2]
        self._size = self._size or (width, height)
        if self._size != (width, height):
            raise InputError(
                f"{self.path}: a frame of {width}x{height} px, but the video has "
                f"{self._size[0]}x{self._size[1]} px: all frames of a video have one size"
            )
        if self._stream is None:
            self._stream = self._add_stream(width + width % 2, height + height % 2)
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="rgb24")
        if self._times is not None:
            frame.pts, frame.time_base = self._ticks(self._times), _TICK
        self._written += 1
        self._container.mux(self._stream.encode(frame))

    def _ticks(self, times: npt.NDArray[np.float64]) -> int:
        """When the frame at hand is shown; frames behind the last time follow at the usual rate."""
        behind = max(0, self._written - len(times) + 1)
        seconds = times[min(self._written, len(times) - 1)] + behind / float(self._rate)
        # Two frames of one tick have no order in the file.
        tick = _COARSE if self.path.suffix.lower() == ".mkv" else 1
        self._last = max(round(seconds / float(_TICK)), self._last + tick)
        return self._last

    def _add_stream(self, width: int, height: int) -> VideoStream:
        stream: VideoStream = self._container.add_stream("libx264", rate=self._rate, options=self._options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = self._thread_count
        if self._times is not None:
            stream.time_base = stream.codec_context.time_base = _TICK
        return stream

    def _finish(self) -> None:
        if self._stream is None:
            with suppress(av.FFmpegError, OSError):
                self._container.close()
            raise InputError(f"{self.path}: no frame was written, so there is no video")
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
