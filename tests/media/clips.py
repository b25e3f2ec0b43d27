"""What the tests of videos share: frames, an independent sequential decoder, the real recording."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

MakeClip = Callable[..., Path]

GOP_OF_12_WITH_B_FRAMES = {"bf": "3", "g": "12", "keyint_min": "3", "crf": "20", "preset": "veryfast"}


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A frame that no other number has: a bar that moves over a gradient, and noise."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 200, width, dtype=np.uint8)
    image[..., 1] = (number * 5) % 200
    image[:, (number * 3) % width : (number * 3) % width + 6] = 230
    noise = np.random.default_rng(number).integers(0, 25, image.shape, np.uint8)
    return image + noise


def decode_all(path: Path) -> np.ndarray:
    """Every frame, decoded in sequence and converted frame by frame."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                frames += [np.array(frame.to_ndarray(format="rgb24")) for frame in packet.decode()]
            except av.FFmpegError:
                continue
    return np.stack(frames)


def cut(path: Path, share: float) -> Path:
    """A copy of which only the beginning is there."""
    content = path.read_bytes()
    short = path.with_name(f"cut_{share}_{path.name}")
    short.write_bytes(content[: int(len(content) * share)])
    return short


def mirror_mouse_video() -> Path:
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("VITRUVE_DATA", root.parent / "shared" / "data"))
    path = data / "mirror_mouse" / "videos" / "test_vid.mp4"
    if not path.is_file():
        pytest.skip(f"no mirror_mouse video at {path}; set VITRUVE_DATA to the folder of the real data")
    return path
