from __future__ import annotations

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.draw import contact_sheet, draw_instances, keypoint_colors

PAIR = Skeleton.from_names(("a", "b"), edges=((0, 1),))
ONE = Skeleton.from_names(("a",))
WHITE = np.array([[255, 255, 255]])


def grey(width: int = 80, height: int = 60) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def points(*places: tuple[float, float], scores: list[float] | None = None) -> Instances:
    found = None if scores is None else np.array([scores])
    return Instances.from_keypoints(np.array([places], float), keypoint_scores=found)


def changed(drawn: np.ndarray) -> np.ndarray:
    return (drawn != 128).any(-1)


@pytest.mark.parametrize("place", [(20.0, 30.0), (20.5, 30.0), (33.3, 21.8), (40.75, 11.25)])
def test_a_disc_lies_exactly_on_its_keypoint(place: tuple[float, float]) -> None:
    drawn = draw_instances(grey(), points(place), ONE, radius=5, colors=WHITE)
    weight = np.abs(drawn.astype(float) - 128).sum(-1)
    y, x = np.mgrid[:60, :80]
    found = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
    # OpenCV's anti-aliasing itself wavers by about a tenth of a pixel.
    assert found == pytest.approx(place, abs=0.15)


def test_the_image_is_not_changed_and_may_be_read_only() -> None:
    image = grey()
    image.flags.writeable = False
    assert changed(draw_instances(image, points((20, 20), (50, 40)), PAIR)).any()
    assert (image == 128).all()


@pytest.mark.parametrize(
    "hidden", [(np.nan, np.nan), (np.nan, 20.0), (-3.0, 20.0), (81.0, 20.0), (20.0, 60.0), (1e12, 1e12)]
)
def test_missing_and_outside_keypoints_are_left_out_with_their_limbs(hidden: tuple[float, float]) -> None:
    drawn = draw_instances(grey(), points(hidden, (40, 30)), PAIR, radius=3)
    alone = draw_instances(grey(), points((40, 30)), ONE, radius=3, colors=keypoint_colors(PAIR)[1:])
    np.testing.assert_array_equal(drawn, alone)


def test_only_confident_keypoints_are_drawn() -> None:
    instances = points((20, 30), (60, 30), scores=[0.95, 0.85])
    low = changed(draw_instances(grey(), instances, PAIR, threshold=0.9, radius=3))
    assert low[30, 20] and not low[30, 60] and not low[30, 40]
    high = changed(draw_instances(grey(), instances, PAIR, threshold=0.8, radius=3))
    assert high[30, 20] and high[30, 60] and high[30, 40]
    unsure = points((20, 30), (60, 30), scores=[np.nan, 0.95])
    assert not changed(draw_instances(grey(), unsure, PAIR, radius=3))[30, 20]


def test_unlabelled_keypoints_are_left_out_even_with_coordinates() -> None:
    instances = Instances(np.array([[[20.0, 30.0], [60.0, 30.0]]]), np.array([[0, 1]], np.int8))
    drawn = changed(draw_instances(grey(), instances, PAIR, radius=3))
    assert not drawn[30, 20] and drawn[30, 60]


def test_colors_of_keypoints_and_of_instances() -> None:
    one = draw_instances(grey(), points((20, 30), (60, 30)), PAIR, colors=np.array([[255, 0, 0], [0, 0, 255]]))
    assert one[30, 20].tolist() == [255, 0, 0] and one[30, 60].tolist() == [0, 0, 255]
    two = Instances.from_keypoints(np.array([[[20.0, 30.0]], [[60.0, 30.0]]]))
    drawn = draw_instances(grey(), two, ONE, colors=np.array([[[255, 0, 0]], [[0, 255, 0]]]))
    assert drawn[30, 20].tolist() == [255, 0, 0] and drawn[30, 60].tolist() == [0, 255, 0]


def test_names_are_written_beside_their_keypoints() -> None:
    bare = draw_instances(grey(), points((20, 30)), ONE)
    named = draw_instances(grey(), points((20, 30)), ONE, labels=True)
    assert (bare != named).any(-1)[:, 21:].sum() > 5


def test_discs_grow_with_the_image() -> None:
    small = changed(draw_instances(grey(200, 200), points((50, 50)), ONE)).sum()
    large = changed(draw_instances(grey(800, 800), points((50, 50)), ONE)).sum()
    assert large > 8 * small


def test_no_instance_draws_nothing() -> None:
    assert not changed(draw_instances(grey(), Instances.empty(2, ()), PAIR)).any()


@pytest.mark.parametrize(
    ("image", "instances", "colors"),
    [
        (np.zeros((9, 9), np.uint8), points((1, 1)), None),
        (np.zeros((9, 9, 3), np.float32), points((1, 1)), None),
        (grey(), points((1, 1), (2, 2)), None),
        (grey(), points((1, 1)), np.zeros((3, 3))),
        (grey(), Instances.from_keypoints(np.zeros((1, 1, 1, 2))), None),
    ],
)
def test_wrong_shapes_are_refused(image: np.ndarray, instances: Instances, colors: np.ndarray | None) -> None:
    with pytest.raises(InputError, match=r"^draw: "):
        draw_instances(image, instances, ONE, colors=colors)


def test_colors_follow_the_colormap_or_the_skeleton() -> None:
    cool = keypoint_colors(Skeleton.from_names(("a", "b", "c")))
    assert cool.dtype == np.uint8
    # 'cool' runs in a straight line from cyan to magenta.
    np.testing.assert_allclose(cool, [[0, 255, 255], [128, 127, 255], [255, 0, 255]], atol=1)
    own = Skeleton(("a",), colors=((1, 2, 3),))
    assert keypoint_colors(own, "viridis").tolist() == [[1, 2, 3]]
    assert keypoint_colors(Skeleton(())).shape == (0, 3)


def test_an_unknown_colormap_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"colormap 'viridiss'.*did you mean 'viridis'"):
        keypoint_colors(ONE, "viridiss")


def test_contact_sheet_places_every_image() -> None:
    images = [np.full((4, 6, 3), value, np.uint8) for value in (50, 100, 150)] + [np.full((2, 2, 3), 200, np.uint8)]
    sheet = contact_sheet(images, 3)
    assert sheet.shape == (2 * 8 + 4, 3 * 10 + 4, 3)
    for value, count in ((50, 24), (100, 24), (150, 24), (200, 4)):
        assert (sheet[..., 0] == value).sum() == count
    assert sheet[4, 14, 0] == 100 and sheet[13, 6, 0] == 200
    assert contact_sheet(images[:1], 5).shape == (12, 14, 3)
    with pytest.raises(InputError, match="at least one"):
        contact_sheet([], 2)
