"""One pass over the packets of a video, from its beginning or from a keyframe, that lives with damage."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from vitruve.errors import InputError

# Of others, a single picture or plain text would be a "video", and a playlist whatever files and addresses it names.
_CONTAINERS = (
    "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegtsraw,mpegvideo,m4v,asf,asf_o,flv,live_flv,ogg,mjpeg,mpjpeg,mjpeg_2000,"
    "smjpeg,h264,hevc,vvc,av1,obu,ivf,vc1,dv,nut,mxf,rm,gif,apng"
)

# A seek may land behind the keyframe that is wanted (containers differ in what time they seek by), so it is
# tried again from ever further ahead, in seconds.
_SEEK_MARGINS = (0, 1, 10)


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open the first video stream of a file.

    Args:
        path: The video file.

    Returns:
        The container (to be closed by the caller) and its stream.

    Raises:
        InputError: The file is missing, empty, not a video, or cut short such that its header is lost.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such video file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the video file is empty (0 bytes): copy it again from its source")
    try:
        container = av.open(
            str(path), container_options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
        )
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path}: not a video, or cut short such that its header is lost ({path.stat().st_size} bytes): "
            "copy it again from its source, or convert it with ffmpeg"
        ) from error
    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    if not streams:
        container.close()
        raise InputError(f"{path}: the file holds no video stream that can be decoded; a video file is needed")
    return container, streams[0]


def video_size(path: Path) -> tuple[int, int]:
    """The size of the frames of a video, from its header.

    Args:
        path: The video file.

    Returns:
        ``(width, height)`` in px.

    Raises:
        InputError: As for :func:`open_video`.
    """
    container, stream = open_video(path)
    with container:
        return stream.width, stream.height


class DecodingPass:
    """Decodes a file once, forwards. Damage is skipped and noted, never raised.

    Args:
        path: The video file.
        thread_count: Decoder threads. With more than one, decoding stops at the first damage, because what a
            decoder with several threads makes of it depends on their timing.

    Attributes:
        damage: What went wrong first, with the number of frames given until then; empty while all is well.
    """

    def __init__(self, path: Path, thread_count: int = 1) -> None:
        self.damage = ""
        self._container, self._stream = open_video(path)
        self._stream.thread_type = "NONE" if thread_count == 1 else "AUTO"
        self._stream.codec_context.thread_count = thread_count
        self._threaded = thread_count != 1
        self._given = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame the decoder gives, from the beginning, in presentation order.

        Yields:
            Frames in the pixel format of the file.
        """
        return self._decode(self._packets())

    def frames_from(self, key_pts: int) -> Iterator[VideoFrame]:
        """Every frame from a keyframe on.

        Frames that are decoded after the keyframe but shown before it refer to what was left out, and are
        not given.

        Args:
            key_pts: The presentation time of the keyframe's packet, in units of the stream.

        Yields:
            Frames; none when the keyframe cannot be reached or is not one that decoding can begin at.
        """
        for frame in self._decode(self._packets_from(key_pts)):
            if frame.pts is None:
                return
            if frame.pts == key_pts and frame.pict_type in (PictureType.P, PictureType.B):
                # A recovery point of an intra-refresh stream: whole only some frames later.
                return
            if frame.pts >= key_pts:
                yield frame

    def _decode(self, packets: Iterator[Packet[VideoStream] | None]) -> Iterator[VideoFrame]:
        sent = 0
        for packet in packets:
            sent += packet is not None and packet.size > 0
            try:
                frames = self._stream.codec_context.decode(packet)
            except (av.FFmpegError, EOFError) as error:
                self._note(f"{getattr(error, 'strerror', error)}".rstrip(". "))
                frames = []
            for frame in frames:
                if frame.is_corrupt:
                    self._note("a frame is damaged")
                if self._threaded and self.damage:
                    return
                self._given += 1
                yield frame
            if self._threaded and self.damage:
                return
        if self._threaded and self._given < sent:
            self._note("fewer frames than packets")

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets, and None where reading breaks off: the decoder then gives what it still holds back."""
        packets = self._container.demux(self._stream)
        held: Packet[VideoStream] | None = None
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._note(f"{getattr(error, 'strerror', error)}".rstrip(". "))
                packet = None
            if held is not None:
                if packet is None or packet.size == 0:
                    # Half a frame is none: decoders leave old memory in the rest of it.
                    self._note("the last packet is cut short")
                else:
                    self._note("a packet is damaged")
                    yield held
            held = packet if packet is not None and packet.size > 0 and packet.is_corrupt else None
            if held is None:
                yield packet
            if packet is None:
                return

    def _packets_from(self, key_pts: int) -> Iterator[Packet[VideoStream] | None]:
        for seconds in _SEEK_MARGINS:
            time = key_pts - int(seconds / Fraction(self._stream.time_base or 1))
            try:
                self._container.seek(time, stream=self._stream, backward=True)
            except av.FFmpegError:
                continue
            packets = self._packets()
            for packet in packets:
                if packet is None or packet.pts is None or packet.pts > key_pts:
                    break
                if packet.pts == key_pts and packet.is_keyframe:
                    yield packet
                    yield from packets
                    return

    def _note(self, what: str) -> None:
        self.damage = self.damage or f"{what} after frame {self._given}"


def decode_from_start(path: Path, thread_count: int, damage: list[str], skip: int = 0) -> Iterator[VideoFrame]:
    """Every frame of a file, the same ones whatever the number of threads.

    Args:
        path: The video file.
        thread_count: Decoder threads.
        damage: What went wrong is appended to it.
        skip: Number of leading frames that are decoded but not given.

    Yields:
        Frames in presentation order.
    """
    done = 0
    if thread_count != 1:
        with DecodingPass(path, thread_count) as fast:
            for frame in fast.frames():
                done += 1
                if done > skip:
                    yield frame
            if not fast.damage:
                return
    with DecodingPass(path) as careful:
        yield from islice(careful.frames(), max(done, skip), None)
        if careful.damage:
            damage.append(careful.damage)


class RgbConverter:
    """Turns decoded frames into RGB arrays, with one conversion context for all of them.

    Asking each frame for ``to_ndarray(format="rgb24")`` builds a context (and its threads) a frame, which
    costs several times the conversion itself.

    Args:
        path: The video file, for the error.
        width: Width of every frame, px.
        height: Height of every frame, px.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._path = path
        self._size = (width, height)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        """Convert one frame.

        Colours follow the matrix and range that the stream states; BT.601 limited range when it states none.

        Args:
            frame: A decoded frame of any pixel format.

        Returns:
            uint8 array ``(H, W, 3)``, contiguous and independent of the frame.

        Raises:
            InputError: The frame has another size than the first of its video.
        """
        if (frame.width, frame.height) != self._size:
            raise InputError(
                f"{self._path}: the frame size changes from {self._size[0]}x{self._size[1]} to "
                f"{frame.width}x{frame.height} px: cut the video where it changes"
            )
        rgb = self._reformatter.reformat(frame, format="rgb24", threads=1)
        return np.array(rgb.to_ndarray(), dtype=np.uint8, order="C")
