"""Small copies of frames: every frame, in order, averaged and not picked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.media.thumbnails import thumbnails
from vitruve.media.video import VideoWriter


def write(path: Path, frames: np.ndarray) -> Path:
    with VideoWriter(path, 25, crf=0) as video:
        for frame in frames:
            video.write(frame)
    return path


def test_every_frame_is_given_once_and_in_order(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).permutation(40) * 6
    frames = np.broadcast_to(levels[:, None, None, None], (40, 60, 100, 3)).astype(np.uint8)
    small = list(thumbnails(write(tmp_path / "a.mp4", frames), [], side=20))
    assert {image.shape for image in small} == {(12, 20)}
    assert np.argsort([image.mean() for image in small]).tolist() == np.argsort(levels).tolist()


def test_pixels_are_means_over_areas(tmp_path: Path) -> None:
    # A checkerboard of single pixels: picked pixels would be black or white, means are grey.
    board = np.indices((64, 64)).sum(0) % 2 * 255
    frame = np.repeat(board[..., None], 3, -1).astype(np.uint8)
    (image,) = thumbnails(write(tmp_path / "a.mp4", frame[None]), [], side=16)
    assert np.abs(image.astype(int) - 127).max() < 12


def test_small_videos_are_not_enlarged(tmp_path: Path) -> None:
    (image,) = thumbnails(write(tmp_path / "a.mp4", np.zeros((1, 32, 48, 3), np.uint8)), [])
    assert image.shape == (32, 48)


def test_damage_is_noted(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), np.uint8)
    path = write(tmp_path / "a.mkv", noise)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(5000) + content[middle + 5000 :])
    damage: list[str] = []
    assert len(list(thumbnails(path, damage))) > 0
    assert damage
