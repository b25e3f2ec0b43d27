"""Tiny clips, encoded when they are needed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from .clips import GOP_OF_12_WITH_B_FRAMES, MakeClip, picture


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Encode a clip; ``pts`` in milliseconds makes its frame rate variable."""

    def make(
        name: str,
        *,
        frames: int = 50,
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        pixel_format: str = "yuv420p",
        size: tuple[int, int] = (64, 48),
        pts: list[int] | None = None,
        container: str | None = None,
        muxer: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", format=container, options=muxer or {}) as output:
            chosen = GOP_OF_12_WITH_B_FRAMES if codec == "libx264" and options is None else options or {}
            stream = output.add_stream(codec, rate=30, options=chosen)
            stream.width, stream.height, stream.pix_fmt = *size, pixel_format
            if pts is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                if pts is not None:
                    frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return make
