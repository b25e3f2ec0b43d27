"""Frames to label: one of each kind, none twice, none that is labelled, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from vitruve.data.selection import Candidates, choose, doubt_of, gather

SIDE = 24


def scene(place: int, noise: int = 0) -> np.ndarray:
    """A bright square at one of 16 places; coding noise of up to 2 grey levels."""
    image = np.full((SIDE, SIDE), 60, np.uint8)
    row, column = divmod(place, 4)
    image[row * 6 : row * 6 + 6, column * 6 : column * 6 + 6] = 200
    return image + np.random.default_rng(noise).integers(0, 3, image.shape, np.uint8)


def video(places: list[int]) -> list[np.ndarray]:
    return [scene(place, noise=index) for index, place in enumerate(places)]


def test_one_frame_of_each_kind_is_chosen() -> None:
    # Eight poses, each returned to many times for a while.
    rng = np.random.default_rng(0)
    places = [int(place) for place in rng.integers(0, 8, 40) for _ in range(10)]
    for seed in range(5):
        chosen = choose(gather(video(places)), 8, seed=seed)
        assert sorted(places[index] for index in chosen) == list(range(8))


def test_frames_that_look_the_same_are_chosen_once() -> None:
    chosen = choose(gather(video([0] * 50 + [5] * 50 + [0] * 50)), 10)
    assert len(chosen) == 2
    assert {index // 50 % 2 for index in chosen} == {0, 1}


def test_a_small_moving_thing_is_seen() -> None:
    frames = [np.full((SIDE, SIDE), 60, np.uint8) for _ in range(60)]
    for index, frame in enumerate(frames):
        frame[12, index // 3] = 90  # one pixel of the small image
    assert len(choose(gather(frames), 10)) == 10


def test_labelled_frames_and_what_looks_like_them_are_not_chosen() -> None:
    places = [0] * 30 + [1] * 30 + [2] * 30
    chosen = choose(gather(video(places), labelled=[35]), 5)
    assert {places[index] for index in chosen} == {0, 2}


def test_the_same_seed_gives_the_same_frames() -> None:
    frames = [np.random.default_rng(i).integers(0, 255, (SIDE, SIDE), np.uint8) for i in range(200)]
    first = choose(gather(frames), 10, seed=1)
    assert choose(gather(frames), 10, seed=1) == first
    assert choose(gather(frames), 10, seed=2) != first


def test_chosen_frames_lie_apart() -> None:
    frames = [np.random.default_rng(i).integers(0, 255, (SIDE, SIDE), np.uint8) for i in range(100)]
    assert np.diff(choose(gather(frames), 12, apart=5)).min() >= 5
    # In a video too short for that, there are still as many as asked for.
    assert len(choose(gather(frames[:12]), 12, apart=5)) == 12


def test_memory_is_bounded_and_motion_is_kept() -> None:
    # Every 16th frame shows something quite different from the frame before.
    def frame(index: int) -> np.ndarray:
        base = np.full((SIDE, SIDE), 100 + index % 7 * 7, np.uint8)
        if index % 16 == 5:
            base[:12] = 250
        return base

    found = gather((frame(index) for index in range(1600)), most=100)
    assert len(found.indices) <= 100
    assert found.total == 1600
    assert (np.diff(found.indices) > 0).all()
    stretch = 16
    assert len(set(found.indices // stretch)) == len(found.indices) == 100
    # The frame with the bright half, or the one after it: both change as much.
    assert set(found.indices % 16) <= {5, 6}


def test_doubtful_frames_come_first() -> None:
    places = [index // 5 % 16 for index in range(400)]
    doubt = np.zeros(400)
    doubt[200:240] = 1.0
    chosen = choose(gather(video(places)), 4, doubt=doubt)
    assert len(chosen) == 4
    assert all(200 <= index < 240 for index in chosen)


def test_nothing_to_choose_from() -> None:
    assert choose(gather([]), 3) == []
    assert choose(gather(video([3] * 10), labelled=range(10)), 3) == []
    assert isinstance(gather([]), Candidates)


def test_unlikely_leaping_and_missing_keypoints_raise_doubt() -> None:
    frames = 50
    smooth = np.stack([np.linspace(0, 100, frames), np.zeros(frames)], -1)
    noise = np.random.default_rng(0).normal(0, 0.1, (frames, 2, 2))
    keypoints = np.stack([smooth, smooth + 5], 1) + noise
    scores = np.full((frames, 2), 0.9)
    scores[10] = 0.2
    keypoints[20, 0] += 40
    keypoints[30, 1] = np.nan
    doubt = doubt_of(keypoints, scores)
    assert doubt[10] == pytest.approx(0.8)
    assert doubt[20] == pytest.approx(0.1 + 0.5)
    assert doubt[30] == pytest.approx((0.1 + 1) / 2)
    calm = np.delete(doubt, [10, 19, 20, 21, 29, 30, 31])
    assert np.allclose(calm, 0.1)
    assert doubt_of(keypoints, None)[10] == 0
