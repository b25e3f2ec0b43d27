"""Decoded images in main memory, up to a bound."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vitruve.media.images import read_image
from vitruve.media.video import VideoReader
from vitruve.structures.labels import ImageRef, Labels


class ImageCache:
    """Reads images once and keeps them while there is room.

    Args:
        limit_gb: Bound of the memory for kept images, in GB (10^9 bytes). 0 keeps none. What does not fit is read
            each time.
    """

    def __init__(self, limit_gb: float) -> None:
        self._limit = int(limit_gb * 10**9)
        self._kept: dict[tuple[str, int | None], np.ndarray] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._videos: dict[Path, VideoReader] = {}
        self._video_lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that the kept images take."""
        return self._bytes

    def read(self, labels: Labels, image: ImageRef) -> UInt8[np.ndarray, "H W 3"]:
        """The pixels of an image or of one frame of a video.

        Args:
            labels: Knows where relative paths start.
            image: The reference.

        Returns:
            RGB pixels; not to be written to. Of a view that is missing, black ones of the size that it is given.

        Raises:
            InputError: The file is missing or cannot be decoded.
        """
        if image.missing:
            width, height = image.size or (1, 1)
            return np.zeros((height, width, 3), np.uint8)
        path = labels.path(image)
        key = (str(path), image.index)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        pixels = read_image(path) if image.index is None else self._video_frame(path, image.index)
        with self._lock:
            if key not in self._kept and self._bytes + pixels.nbytes <= self._limit:
                self._kept[key] = pixels
                self._bytes += pixels.nbytes
        return pixels

    def _video_frame(self, path: Path, index: int) -> np.ndarray:
        # Opening a video and finding its key frames takes longer than decoding one frame: keep the reader. A reader
        # is for one thread at a time.
        with self._video_lock:
            return self._video(path).read([index])[0]

    def _video(self, path: Path) -> VideoReader:
        if path not in self._videos:
            self._videos[path] = VideoReader(path)
        return self._videos[path]

    def holds(self, labels: Labels, image: ImageRef) -> bool:
        """Whether an image is there at all: its file, or its frame within the video.

        Args:
            labels: Knows where relative paths start.
            image: The reference.

        Returns:
            True when it is there.

        Raises:
            InputError: The video cannot be decoded.
        """
        path = labels.path(image)
        if image.index is None:
            return path.is_file()
        with self._video_lock:
            return 0 <= image.index < self._video(path).count()

    def fill(self, labels: Labels, images: Iterable[ImageRef]) -> None:
        """Read images ahead, several at a time, until the bound is met.

        Args:
            labels: Knows where relative paths start.
            images: The references.

        Raises:
            InputError: A file is missing or cannot be decoded.
        """

        def one(image: ImageRef) -> None:
            if self._bytes < self._limit:
                self.read(labels, image)

        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(one, images):
                pass
