"""Which packet holds the n-th frame, found without decoding, for the files in which that is certain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.stream import VideoStream

from vitruve.media.decoding import DecodingPass, open_video


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """Times of the frames of a video and of the keyframes among them.

    Attributes:
        pts: int64 ``(N,)``: presentation time of the n-th decoded frame, ascending, in units of the stream.
        keys: int64 ``(M,)``: presentation times of the keyframes' packets, ascending. The first packet is
            one.
    """

    pts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pts)

    def keyframe_before(self, frame: int) -> tuple[int, int]:
        """The keyframe at which decoding must begin to reach a frame.

        Args:
            frame: Number of the frame, ``0 <= frame < len(self)``.

        Returns:
            The keyframe's presentation time, and the number of the first frame that is shown at or after it.
        """
        key = int(self.keys[max(0, np.searchsorted(self.keys, self.pts[frame], side="right") - 1)])
        return key, int(np.searchsorted(self.pts, key))


def frame_index(path: Path) -> FrameIndex | None:
    """Index a video by reading its packets; only its last group of pictures is decoded.

    A packet that is damaged inside, unnoticed by its container, is found only by decoding it: readers compare
    the times of the frames they get with those of the index.

    Args:
        path: The video file.

    Returns:
        The index, or None when it cannot be trusted to count as a decoder does: packets without
        presentation time, times that occur twice, damaged packets, packets that show nothing, or a
        beginning that is not a keyframe.

    Raises:
        InputError: The file cannot be opened as a video.
    """
    if not path.is_file():
        return _scan(path, 0, 0)
    status = path.stat()
    return _scan(path, status.st_mtime_ns, status.st_size)


# The size and the time of change are arguments so that a file that was replaced is read again.
@lru_cache(maxsize=64)
def _scan(path: Path, mtime_ns: int, size: int) -> FrameIndex | None:
    shown: list[int] = []
    keys: list[int] = []
    damaged = False
    container, stream = open_video(path)
    with container:
        try:
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                # Only the last packet may be damaged: the check of the end below sees what becomes of it.
                if damaged or packet.pts is None or not (keys or packet.is_keyframe):
                    return None
                damaged = packet.is_corrupt or _is_blank(packet)
                if packet.is_keyframe:
                    keys.append(packet.pts)
                if not packet.is_discard:
                    shown.append(packet.pts)
        except av.FFmpegError:
            return None
    if not shown or min(shown) < keys[0]:
        return None
    pts = np.array(sorted(shown), dtype=np.int64)
    if np.any(np.diff(pts) == 0):
        return None
    return _checked_at_end(path, FrameIndex(pts, np.array(sorted(keys), dtype=np.int64)))


def _is_blank(packet: Packet[VideoStream]) -> bool:
    """Whether a packet is a block of zeros, which is what a disk or a broken copy leaves of lost data."""
    return not any(bytes(memoryview(packet)[:16]))


def _checked_at_end(path: Path, index: FrameIndex) -> FrameIndex | None:
    """Decode the last group of pictures, whose frames the index must foretell, but for those cut off."""
    key, first = index.keyframe_before(len(index) - 1)
    with DecodingPass(path) as decoding:
        frames = list(decoding.frames_from(key) if first else decoding.frames())
    decoded = [frame.pts for frame in frames]
    # What a decoder makes up for lost parts of a frame depends on all that it has decoded before.
    made_up = any(frame.is_corrupt for frame in frames)
    if made_up or not decoded or decoded != list(index.pts[first : first + len(decoded)]):
        return None
    return FrameIndex(index.pts[: first + len(decoded)], index.keys)
