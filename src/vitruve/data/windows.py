"""Windows of unlabelled video: consecutive frames, drawn at random, decoded on the processor.

Any file that decodes will do. Which frames a window shows, and how they are changed, depends on the seed, the epoch
and the step alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from vitruve.data.augment import Augmentation, draw
from vitruve.data.dataset import Sample
from vitruve.errors import ConfigError
from vitruve.geometry.affine import Size, area
from vitruve.geometry.boxes import centred, edges, window_box
from vitruve.media.recordings import Recording, frame_count
from vitruve.media.video import VideoReader

# Steps whose windows are cut from one stretch of video, and how large a stretch may be in memory.
_SHARED = 8
_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class WindowPick:
    """Which window to take: the n-th of a step of an epoch."""

    epoch: int
    step: int
    window: int


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Consecutive frames of the views of a recording, and in which order windows are cut from them."""

    key: tuple[int, int]
    recording: int
    start: int
    frames: tuple[UInt8[np.ndarray, "T H W 3"], ...]
    order: Int[np.ndarray, " steps"]


class VideoWindows:
    """Windows of several recordings.

    Recordings are drawn by their number of windows, so that frames are about as likely. Going to a frame means decoding
    from the keyframe before it, often hundreds of frames; so windows of several steps are cut from one stretch of
    video, which begins at a random place and is decoded once. Pixels are sampled once; all frames of a window, but not
    its views, share the geometric change, which ``to_image`` undoes exactly: elastic changes and mirror images are
    left out.

    Args:
        recordings: At least one.
        size: Width and height of the network's input.
        length: Frames a window.
        augmentation: Changes at random.
        seed: Together with the pick the seed of every draw.
        boxes: Where to look in each frame of each video, as edges; None for whole images. A window has one box.
        reader: Opens a video.
        keep_proportions: Fit the images into the input without stretching them.

    Raises:
        InputError: A video cannot be decoded, or the videos of a recording have different lengths.
        ConfigError: No recording is as long as a window.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        size: Size,
        length: int,
        augmentation: Augmentation,
        seed: int,
        boxes: Mapping[Path, Float[np.ndarray, "T 4"]] | None = None,
        reader: type[VideoReader] = VideoReader,
        keep_proportions: bool = False,
    ) -> None:
        self._size = size
        self._keep_proportions = keep_proportions
        self._length = length
        self._augmentation = replace(augmentation, elastic=0.0, hflip=0.0)
        self._seed = seed
        self._boxes = boxes or {}
        self._open = reader
        self._recordings: list[Recording] = []
        self._readers: dict[Path, VideoReader] = {}
        starts, short = [], []
        for recording in recordings:
            count = frame_count(recording)
            if count >= length:
                self._recordings.append(recording)
                starts.append(count - length + 1)
            else:
                short.append(f"{recording[0]} ({count} frames)")
        if not starts:
            raise ConfigError(
                f"data.video_dir: no video is as long as a window of {length} frames ({', '.join(short[:3])}); "
                "lower dali.base.train.sequence_length (dali.context.train.batch_size), or give longer videos"
            )
        if short:
            warnings.warn(
                f"{len(short)} videos are shorter than a window of {length} frames and are left out: "
                f"{', '.join(short[:3])}",
                stacklevel=2,
            )
        self._starts = np.array(starts)
        self._stretches: dict[int, _Stretch] = {}

    def __getitem__(self, pick: WindowPick) -> Sample:
        """The window of a pick: images ``(V, T, 3, H, W)``, no truth."""
        stretch = self._stretch(pick)
        place = int(stretch.order[pick.step % _SHARED])
        start = stretch.start + place * self._length
        rng = np.random.default_rng([self._seed, pick.epoch, pick.step, pick.window])
        images, matrices = [], []
        for path, video in zip(self._recordings[stretch.recording], stretch.frames, strict=True):
            frames = video[place * self._length : (place + 1) * self._length]
            shape = (frames.shape[2], frames.shape[1])
            base = area(shape, self._size, self._box(path, start), self._keep_proportions)
            warp = draw(self._augmentation, base, self._size, rng).warp
            images.append(np.stack([warp.image(frame).transpose(2, 0, 1) for frame in frames]))
            matrices.append(warp.to_image)
        return Sample(np.stack(images), np.stack(matrices).astype(np.float32))

    def _stretch(self, pick: WindowPick) -> _Stretch:
        """The stretch that a pick's window is cut from; the last one of each window's number is kept."""
        key = (pick.epoch, pick.step // _SHARED)
        kept = self._stretches.get(pick.window)
        if kept is not None and kept.key == key:
            return kept
        rng = np.random.default_rng([self._seed, *key, pick.window, _SHARED])
        which = int(rng.choice(len(self._recordings), p=self._starts / self._starts.sum()))
        readers = [self._reader(path) for path in self._recordings[which]]
        window_bytes = self._length * sum(3 * reader.width * reader.height for reader in readers)
        count = int(self._starts[which]) + self._length - 1
        windows = max(1, min(_SHARED, count // self._length, _MOST_BYTES // window_bytes))
        frames = windows * self._length
        start = int(rng.integers(count - frames + 1))
        decoded = tuple(reader.read(range(start, start + frames)) for reader in readers)
        # Where there are fewer windows than steps, all are taken once before any is taken again.
        order = np.concatenate([rng.permutation(windows) for _ in range(-(-_SHARED // windows))])
        self._stretches[pick.window] = _Stretch(key, which, start, decoded, order)
        return self._stretches[pick.window]

    def _box(self, path: Path, start: int) -> tuple[float, float, float, float] | None:
        boxes = self._boxes.get(path)
        if boxes is None:
            return None
        x1, y1, x2, y2 = edges(window_box(centred(boxes[start : start + self._length]))).tolist()
        return x1, y1, x2, y2

    def _reader(self, path: Path) -> VideoReader:
        if path not in self._readers:
            self._readers[path] = self._open(path)
        return self._readers[path]
