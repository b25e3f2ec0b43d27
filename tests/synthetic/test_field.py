from __future__ import annotations

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.field import CLASSES, FieldScene
from vitruve.synthetic.plants import SPECIES, Plant

SMALL = {"size": (256, 192), "across": (12, 120)}


@pytest.fixture(scope="module")
def scene() -> FieldScene:
    return FieldScene(3, plants=14, **SMALL)


def _alone(species: int, radius: float, seed: int = 0) -> Canvas:
    canvas = Canvas(np.full((220, 220, 3), 100.0))
    middle = np.array([110.0, 110.0])
    plant = Plant.drawn(np.random.default_rng(seed), SPECIES[species], middle, radius)
    plant.paint(canvas, middle, 1.0, 0.0, (1.0, 1.0, 1.0), 1)
    return canvas


def test_there_are_eight_classes_of_different_names():
    assert len(set(CLASSES)) == 8


@pytest.mark.parametrize("species", range(8), ids=CLASSES)
def test_a_plant_is_as_large_as_it_is_said_to_be(species):
    for radius in (5.0, 30.0, 100.0):
        mine = _alone(species, radius).owners == 1
        rows, columns = np.nonzero(mine)
        reach = np.hypot(rows - 110, columns - 110).max()
        assert 0.75 * radius < reach < 1.15 * radius + 1.5 and mine.sum() > 10


def test_classes_differ_in_colour_or_in_shape():
    """Of every pair, the mean colour is another one, or the share of the box that is covered is."""
    looks = []
    for species in range(8):
        each = []
        for seed in range(4):
            canvas = _alone(species, 80.0, seed)
            mine = canvas.owners == 1
            rows, columns = np.nonzero(mine)
            cover = mine.sum() / (np.ptp(rows) * np.ptp(columns))
            color = canvas.pixels[mine].mean(0)
            each.append([*(100 * color / color.sum()), 60 * cover])
        looks.append(np.mean(each, 0))
    apart = np.linalg.norm(np.array(looks)[:, None] - np.array(looks), axis=-1) + 100 * np.eye(8)
    assert apart.min() > 2


def test_boxes_hold_the_plants_and_nothing_is_far_from_their_edges(scene):
    """Where a picture with plants differs from one without is in the boxes, and reaches each of their four sides."""
    image, plants = scene.render(4.0)
    bare = FieldScene(3, plants=14, **SMALL)
    bare._plants = ()
    soil, none = bare.render(4.0)
    assert none.boxes.shape == (1, 0, 4)
    green = (image[0].astype(int) - soil[0]).max(-1) > 25
    boxes = np.rint(plants.boxes[0]).astype(int)
    inside = np.zeros_like(green)
    for left, top, right, bottom in boxes:
        inside[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = True
    assert green.sum() > 500 and (green & ~inside).sum() < 0.01 * green.sum()
    assert (plants.boxes[0, :, :2] >= -0.5).all() and (plants.boxes[0, :, 2:] <= [255.5, 191.5]).all()
    sides = plants.boxes[0, :, 2:] - plants.boxes[0, :, :2]
    assert (sides == np.rint(sides)).all() and (plants.areas[0] <= sides.prod(-1)).all()


def test_plants_keep_class_and_identity_while_the_camera_moves_slowly(scene):
    before = None
    for time in (6.0, 6.5, 7.0):
        plants = scene.render(time)[1]
        now = {
            int(track): (int(kind), box)
            for track, kind, box in zip(plants.tracks[0], plants.categories[0], plants.boxes[0], strict=True)
        }
        assert len(now) == len(plants.tracks[0])
        if before is not None:
            both = now.keys() & before.keys()
            assert len(both) > 0.7 * len(now)
            assert all(now[track][0] == before[track][0] for track in both)
            moved = [now[t][1] - before[t][1] for t in both if (np.abs(now[t][1] - [127, 95, 127, 95]) < 60).all()]
            # The camera goes down the field by a twentieth of the picture's height a second.
            assert moved and abs(np.median(np.array(moved)[:, 1]) + 0.025 * 192) < 3
        before = now


def test_of_whom_hardly_anything_is_seen_is_a_crowd():
    found = [FieldScene(seed, plants=30, **SMALL).render(2.0)[1] for seed in range(3)]
    crowds = np.concatenate([each.crowds[0] for each in found])
    areas = np.concatenate([each.areas[0] for each in found])
    assert crowds.any() and crowds.mean() < 0.35
    assert np.median(areas[crowds]) < np.median(areas[~crowds]) and (areas[~crowds] >= 12).all()


def test_days_have_their_own_light_and_soil():
    def mean(seed: int, day: int) -> np.ndarray:
        return FieldScene(seed, plants=1, size=(96, 96), across=(12, 20), day=day).render(1.0)[0].mean((0, 1, 2))

    same = np.linalg.norm(mean(1, 0) - mean(2, 0))
    other = np.linalg.norm(mean(1, 0) - mean(1, 1))
    assert other > 3 * same


def test_what_cannot_be_is_refused(scene):
    with pytest.raises(InputError, match="from 50 to 20 px across; the first must be the smaller"):
        FieldScene(across=(50, 20))
    with pytest.raises(InputError, match=r"time 61\.0 s; the camera moves from 0 to 60 s"):
        scene.render(61.0)
