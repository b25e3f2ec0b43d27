"""Windows of unlabelled video: which frames they hold, and that their geometry can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tiny_project import SIZE, random_points, write_video
from vitruve.data.augment import PRESETS, Augmentation
from vitruve.data.windows import VideoWindows, WindowPick
from vitruve.errors import ConfigError, InputError
from vitruve.geometry.affine import resize
from vitruve.geometry.warp import Warp
from vitruve.media.recordings import find_recordings
from vitruve.media.video import VideoReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of 12 and 9 frames and one that is too short."""
    place = tmp_path_factory.mktemp("videos")
    for name, frames in (("a.mp4", 12), ("b.mp4", 9), ("c.mp4", 3)):
        write_video(place / name, frames, seed=frames)
    return place


def _windows(folder: Path, augmentation: Augmentation = PRESETS["none"], names: str = "ab") -> VideoWindows:
    return VideoWindows([(folder / f"{name}.mp4",) for name in names], SIZE, 4, augmentation, seed=5)


def test_a_window_is_consecutive_frames_of_one_video(folder: Path) -> None:
    known = {}
    for name in "ab":
        with VideoReader(folder / f"{name}.mp4") as video:
            warp = Warp(resize(SIZE, SIZE), SIZE)
            known[name] = np.stack([warp.image(frame).transpose(2, 0, 1) for frame in video.frames()])
    seen = set()
    windows = _windows(folder)
    for step in range(60):
        images = windows[WindowPick(0, step, 0)].images
        assert images.shape == (1, 4, 3, SIZE[1], SIZE[0])
        fits = [
            (name, start)
            for name, frames in known.items()
            for start in range(len(frames) - 3)
            if np.array_equal(frames[start : start + 4], images[0])
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    # Every place of both videos comes up sooner or later, the last one too.
    assert {("a", 0), ("a", 8), ("b", 0), ("b", 5)} <= seen


def test_frames_come_from_the_reader_that_is_asked_for(folder: Path) -> None:
    class Dark(VideoReader):
        def read(self, indices: Sequence[int]) -> np.ndarray:
            return np.zeros_like(super().read(indices))

    windows = VideoWindows([(folder / "a.mp4",)], SIZE, 4, PRESETS["none"], 0, reader=Dark)
    assert not windows[WindowPick(0, 0, 0)].images.any()
    assert _windows(folder)[WindowPick(0, 0, 0)].images.any()


def test_a_pick_decides_the_window_and_nothing_else_does(folder: Path) -> None:
    one, two = _windows(folder, PRESETS["dlc"]), _windows(folder, PRESETS["dlc"])
    one[WindowPick(3, 1, 0)]
    for pick in (WindowPick(0, 0, 0), WindowPick(2, 5, 1)):
        a, b = one[pick], two[pick]
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.to_image, b.to_image)
    assert not np.array_equal(one[WindowPick(0, 0, 0)].images, one[WindowPick(0, 0, 1)].images)


def test_frames_of_a_window_are_moved_alike_and_to_image_moves_them_back(folder: Path) -> None:
    # Elastic changes and mirror images cannot be undone by a matrix, so windows must be spared them.
    strong = Augmentation(rotate=1.0, crop_pad=1.0, elastic=1.0, elastic_alpha=60, hflip=1.0)
    windows, truth = _windows(folder, strong, "a"), random_points(12, seed=12)
    compared = 0
    for step in range(8):
        sample = windows[WindowPick(0, step, 0)]
        found = np.array([_red_dot(image) for image in sample.images[0]])
        places = found @ sample.to_image[0, :2, :2].T + sample.to_image[0, :2, 2]
        errors = [np.linalg.norm(places - truth[start : start + 4, 0], axis=-1) for start in range(9)]
        best = min(errors, key=np.nanmax)
        assert np.nanmax(best) < 1.0
        compared += int(np.isfinite(best).sum())
    assert compared > 16


def _red_dot(image: np.ndarray) -> np.ndarray:
    """The middle of the red dot of an image ``(3, H, W)``; NaN where it is not there as a whole."""
    y, x = np.nonzero((image[0] > 150) & (image[1] < 120))
    edge = not len(x) or x.min() < 2 or y.min() < 2 or x.max() > SIZE[0] - 3 or y.max() > SIZE[1] - 3
    return np.full(2, np.nan) if edge or len(x) < 25 else np.array([x.mean(), y.mean()])


def test_short_videos_are_left_out_and_named(folder: Path) -> None:
    with pytest.warns(UserWarning, match=r"1 videos are shorter than a window of 4 frames.*c\.mp4 \(3 frames\)"):
        _windows(folder, names="abc")
    with pytest.raises(ConfigError, match=r"no video is as long as a window of 4 frames"):
        _windows(folder, names="c")


def test_views_of_different_lengths_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"b\.mp4: 9 frames, but .*a\.mp4 has 12"):
        VideoWindows([(folder / "a.mp4", folder / "b.mp4")], SIZE, 4, PRESETS["none"], 0)


def test_recordings_are_grouped_by_session(tmp_path: Path) -> None:
    for name in ("s1_top", "s1_bot", "s2_top", "s2_bot"):
        write_video(tmp_path / f"{name}.mp4", 2)
    found = find_recordings(tmp_path, ("top", "bot"))
    assert [[path.stem for path in each] for each in found] == [["s1_top", "s1_bot"], ["s2_top", "s2_bot"]]
    (tmp_path / "s2_bot.mp4").unlink()
    with pytest.raises(InputError, match=r"session 's2' has no video of view 'bot'"):
        find_recordings(tmp_path, ("top", "bot"))
    with pytest.raises(InputError, match=r"no such folder"):
        find_recordings(tmp_path / "nowhere")
