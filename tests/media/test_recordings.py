from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.media.recordings import Recording, find_recordings, frame_count, group_views
from vitruve.media.video import VideoWriter

VIEWS = ("top", "side")


def _video(path: Path, frames: int, shade: int = 0) -> Path:
    with VideoWriter(path, 25, crf=10) as writer:
        for index in range(frames):
            writer.write(np.full((32, 48, 3), shade + 10 * index, np.uint8))
    return path


def _touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


def test_views_of_a_session_belong_together_in_the_order_of_the_views(tmp_path: Path) -> None:
    paths = _touch(tmp_path, "b_side.mp4", "a_top.mp4", "b_top.mp4", "a_side.avi")
    b_side, a_top, b_top, a_side = paths
    assert group_views(paths, VIEWS) == [(b_top, b_side), (a_top, a_side)]
    assert find_recordings(tmp_path, VIEWS) == [(a_top, a_side), (b_top, b_side)]
    assert find_recordings(tmp_path) == [(path,) for path in sorted(paths)]


def test_a_view_is_the_last_part_of_the_name(tmp_path: Path) -> None:
    paths = _touch(tmp_path, "mouse_top_1_top.mp4", "mouse_top_1_side.mp4", "mouse_top_1_left_top.mp4")
    assert group_views(paths, (*VIEWS, "left_top")) == [(paths[0], paths[1], paths[2])]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a_top.mp4", "a_front.mp4"], r"a_front\.mp4: is of no view; .* the views are top, side"),
        (["a_top.mp4"], r"a_top\.mp4: session 'a' has no video of view 'side'; add a_side\.mp4"),
        (["a_top.mp4", "a_top.avi", "a_side.mp4"], r"a_top\.avi: view 'top' of session 'a' is .*a_top\.mp4 already"),
    ],
)
def test_videos_that_make_no_whole_recording(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        group_views(_touch(tmp_path, *names), VIEWS)


def test_folders_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_recordings(tmp_path / "none", VIEWS)
    _touch(tmp_path, "a.png")
    with pytest.raises(InputError, match="holds no video"):
        find_recordings(tmp_path, VIEWS)
    _touch(tmp_path, "a.mp4")
    with pytest.raises(InputError, match="no video is named SESSION_VIEW with a view of top, side"):
        find_recordings(tmp_path, VIEWS)


def test_frames_come_in_step(tmp_path: Path) -> None:
    recording = Recording((_video(tmp_path / "a_top.mp4", 6), _video(tmp_path / "a_side.mp4", 6, 120)))
    assert frame_count(recording) == 6
    shades = [[round(float(image.mean()) / 10) for image in images] for images in recording.frames(2)]
    assert shades == [[index, index + 12] for index in range(2, 6)]


@pytest.mark.parametrize("lengths", [(6, 4), (4, 6)])
def test_views_of_different_lengths(lengths: tuple[int, int], tmp_path: Path) -> None:
    paths = [_video(tmp_path / f"a_{view}.mp4", count) for view, count in zip(VIEWS, lengths, strict=True)]
    message = rf"a_side\.mp4: {lengths[1]} frames, but .*a_top\.mp4 has {lengths[0]}; .* must show the same instants"
    with pytest.raises(InputError, match=message):
        frame_count(paths)
    short = "side" if lengths[1] < lengths[0] else "top"
    with pytest.raises(InputError, match=rf"a_{short}\.mp4: 4 frames, but .* goes on"):
        list(Recording(paths).frames())
