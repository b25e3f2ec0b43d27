from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.synthetic.mouse import MOUSE, Coat, MouseScene

TIMES = (3.0, 41.7, 120.4, 171.9, 250.0)


scene_size = MouseScene(0).size


def between(image: np.ndarray, x: float, y: float) -> float:
    column, row = int(x), int(y)
    across, down = x - column, y - row
    four = image[row : row + 2, column : column + 2]
    return float(np.array([1 - down, down]) @ four @ np.array([1 - across, across]))


@pytest.fixture(scope="module")
def scene() -> MouseScene:
    return MouseScene(0)


def test_images_and_truth_have_the_promised_shapes(scene: MouseScene) -> None:
    images, truth = scene.render(10.0)
    width, height = scene.size
    assert images.shape == (1, height, width, 3) and images.dtype == np.uint8
    assert truth.keypoints.shape == (1, 1, len(MOUSE), 2) and truth.visible.shape == (1, 1, len(MOUSE))
    assert {(MOUSE.names[a], MOUSE.names[b]) for a, b in MOUSE.swaps} == {
        ("ear_left", "ear_right"),
        ("paw_left", "paw_right"),
    }


@pytest.mark.parametrize(("part", "names"), [("ear", ("ear_left", "ear_right")), ("nose", ("nose",))])
def test_parts_are_painted_exactly_at_their_keypoints(scene: MouseScene, part: str, names: tuple[str, ...]) -> None:
    # Two renderings that differ in the colour of one part alone show where that part is.
    dyed = MouseScene(0, replace(Coat(), **{part: (255.0, 255.0, 255.0)}))
    dark = MouseScene(0, replace(Coat(), **{part: (0.0, 0.0, 0.0)}))
    checked = 0
    for time in TIMES:
        images, truth = dyed.render(time)
        weight = np.clip(images[0].astype(float) - dark.render(time)[0][0], 0, None).sum(-1)
        np.testing.assert_array_equal(truth.keypoints, scene.render(time)[1].keypoints)
        for name in names:
            x, y = np.nan_to_num(truth.keypoints[0, 0, MOUSE.index(name)], nan=0.0)
            near = np.s_[max(int(y) - 7, 0) : int(y) + 9, max(int(x) - 7, 0) : int(x) + 9]
            patch = weight[near]
            rows, columns = np.mgrid[near]
            whole = patch.max() > 0 and min(x, y) > 10 and x < scene.size[0] - 10 and y < scene.size[1] - 10
            clear = abs(x - 148 - 28 * (y + 12) / 216) > 14
            if whole and clear and truth.visible[0, 0, MOUSE.index(name)] == 2:
                found = (columns * patch).sum() / patch.sum(), (rows * patch).sum() / patch.sum()
                assert found == pytest.approx((x, y), abs=0.05)
                checked += 1
    assert checked >= len(names) * 3


def test_paws_show_where_they_are_visible_and_not_where_they_are_occluded() -> None:
    white, black = (MouseScene(0, replace(Coat(), paw=(tone, tone, tone))) for tone in (255.0, 0.0))
    shown: dict[int, list[float]] = {1: [], 2: []}
    for time in np.arange(0.5, 290, 4.1).tolist():
        images, truth = white.render(time)
        change = np.clip(images[0].astype(float) - black.render(time)[0][0], 0, None).mean(-1)
        for name in ("paw_left", "paw_right"):
            visible = int(truth.visible[0, 0, MOUSE.index(name)])
            x, y = np.nan_to_num(truth.keypoints[0, 0, MOUSE.index(name)], nan=0.0)
            if visible and 1 < x < scene_size[0] - 2 and 1 < y < scene_size[1] - 2:
                shown[visible].append(between(change, x, y))
    assert len(shown[2]) > 80 and np.percentile(shown[2], 2) > 90 and np.median(shown[2]) > 180
    assert len(shown[1]) > 5 and np.max(shown[1]) < 140


def test_left_is_left_of_the_mouse(scene: MouseScene) -> None:
    for time in TIMES:
        points = scene.render(time)[1].keypoints[0, 0]
        nose, left, right, neck = (points[MOUSE.index(n)] for n in ("nose", "ear_left", "ear_right", "neck"))
        forward, across = nose - neck, right - left
        # With y down, a turn from forward to the right is clockwise on the screen: a positive cross product.
        assert forward[0] * across[1] - forward[1] * across[0] > 0 or np.isnan(points).any()


def test_most_keypoints_are_seen_and_the_mouse_goes_everywhere(scene: MouseScene) -> None:
    truths = [scene.render(float(t))[1] for t in np.linspace(0, 300, 120)]
    visible = np.concatenate([truth.visible[0] for truth in truths])
    keypoints = np.concatenate([truth.keypoints[0] for truth in truths])
    assert (visible == 2).mean() > 0.9 and (visible == 1).any(0).all() and (visible == 0).mean() < 0.02
    assert (np.isnan(keypoints).any(-1) == (visible == 0)).all()
    forward = keypoints[:, MOUSE.index("nose")] - keypoints[:, MOUSE.index("tail_base")]
    turns = np.histogram(np.arctan2(forward[:, 1], forward[:, 0]), bins=8, range=(-np.pi, np.pi))[0]
    assert turns.min() > 3


def test_standing_paws_do_not_slide(scene: MouseScene) -> None:
    index = MOUSE.index("paw_left")
    steps = [scene.render(t)[1].keypoints[0, 0, index] for t in np.arange(20, 22, 0.02)]
    moves = np.linalg.norm(np.diff(steps, axis=0), axis=-1)
    assert (moves < 1e-9).mean() > 0.4 and moves.max() > 0.5


def test_the_same_seed_and_time_give_the_same_pixels(scene: MouseScene) -> None:
    first, second = scene.render(33.3)[0], MouseScene(0).render(33.3)[0]
    np.testing.assert_array_equal(first, second)
    assert (first != MouseScene(1).render(33.3)[0]).mean() > 0.5
    assert (first != scene.render(33.34)[0]).mean() > 0.3


def test_times_outside_the_scene_are_refused(scene: MouseScene) -> None:
    for time in (-0.1, scene.duration + 0.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 300 s"):
            scene.render(time)
    scene.render(scene.duration)
