from __future__ import annotations

import numpy as np

from vitruve.structures.instances import OCCLUDED, VISIBLE
from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.mouse import MOUSE, MouseScene
from vitruve.synthetic.obstacles import Passers, scatter

SIZE = (80, 60)


def _marked(leaves: Passers, time: float, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A black picture with pixels marked on a grid: its colours, and which marks are hidden."""
    canvas = Canvas(np.zeros((SIZE[1], SIZE[0], 3), np.float32))
    names = [(x, y) for y in range(0, SIZE[1], step) for x in range(0, SIZE[0], step)]
    for name in names:
        canvas.mark(name, np.array(name, float))
    leaves.paint(canvas, time)
    return canvas.pixels, (canvas.truth(names)[1] == OCCLUDED).reshape(-1, SIZE[0] // step)


def test_what_is_hidden_is_what_is_painted_over() -> None:
    leaves, covered = Passers((0, 4), 20, SIZE), 0
    for time in (0.0, 1.3, 7.7):
        pixels, hidden = _marked(leaves, time)
        lit = pixels.max(-1) > 60  # shadows leave black pixels dark; at the outline a pixel is covered in part
        assert (lit == hidden).mean() > 0.97 and hidden[pixels.max(-1) > 110].all()
        assert not hidden[pixels.max(-1) < 30].any()
        covered += int(hidden.sum())
    assert covered > 300


def test_a_leaf_hides_a_point_for_three_frames_at_most() -> None:
    leaf, longest, seen = Passers((1, 4), 1, SIZE), 0, 0
    run = np.zeros((SIZE[1] // 4, SIZE[0] // 4), int)
    for frame in range(120):
        hidden = _marked(leaf, frame / 25, 4)[1]
        run = np.where(hidden, run + 1, 0)
        longest, seen = max(longest, int(run.max())), seen + int(hidden.any())
    assert 2 <= longest <= 3 and 20 < seen < 110


def test_scattered_things_look_like_the_parts_they_are_named_after() -> None:
    black = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    colors = ((255.0, 0.0, 0.0), (255.0, 255.0, 0.0), (0.0, 255.0, 0.0), (0.0, 0.0, 255.0), (255.0, 0.0, 255.0))
    for count, channels in ((1, (0, 1)), (2, (0, 1)), (3, (0, 1, 2)), (4, (0, 1, 2))):
        canvas = Canvas(black)
        scatter(canvas, np.random.default_rng(4), count, colors)
        assert {c for c in range(3) if canvas.pixels[..., c].max() > 150} == set(channels), count
    one, two = Canvas(black), Canvas(black)
    scatter(one, np.random.default_rng(5), 9, colors)
    scatter(two, np.random.default_rng(5), 9, colors)
    np.testing.assert_array_equal(one.pixels, two.pixels)


def test_clutter_and_leaves_change_the_picture_but_not_the_mouse() -> None:
    plain, full = MouseScene(2), MouseScene(2, clutter=60, leaves=24)
    counts = np.zeros(2, int)
    for time in np.linspace(1, 299, 40).tolist():
        (before, truth), (after, hard) = plain.render(time), full.render(time)
        np.testing.assert_array_equal(truth.keypoints, hard.keypoints)
        assert (before != after).any(-1).mean() > 0.1
        assert (hard.visible[truth.visible < VISIBLE] == truth.visible[truth.visible < VISIBLE]).all()
        counts += (truth.visible == OCCLUDED).sum(), (hard.visible == OCCLUDED).sum()
    assert counts[1] > 0.1 * 40 * len(MOUSE) and counts[1] > 2 * counts[0]
