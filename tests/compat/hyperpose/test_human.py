"""``Human``: scores that stay the same, boxes, and drawing in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.compat.hyperpose import Model
from vitruve.compat.hyperpose.anatomy import enumeration
from vitruve.compat.hyperpose.human import Human, humans_of, instances_of
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances

PARTS = enumeration(("nose", "left_ear", "right_ear"))


def human() -> Human:
    body = {0: Model.BodyPart(PARTS, 0, 0, 10.0, 20.0, 0.5), 2: Model.BodyPart(PARTS, 1, 2, 30.0, 60.0, 1.0, 4.0, 8.0)}
    return Model.Human(PARTS, [(0, 1), (0, 2)], [[255, 0, 0]] * 3, body)


def test_scores_do_not_add_up() -> None:
    one = human()
    assert one.get_score() == one.get_score() == 0.75
    one.score = 0.2
    assert one.get_score() == 0.2
    assert Model.Human(PARTS, []).get_score() == 0


def test_box_and_area() -> None:
    one = human()
    assert one.get_bbx() == [20, 40, 20, 40] and one.get_area() == 800
    assert one.get_partnum() == 2 and one.body_parts[2].get_part_name().name == "REar"
    assert np.isnan(Model.Human(PARTS, []).get_bbx()).all()


def test_padding_and_scaling_are_taken_back() -> None:
    one = human()
    one.scale(2, 3)
    one.bias(5, 7)
    one.unpad([7, 0, 5, 0])
    one.unscale((2, 3))
    assert (one.body_parts[2].x, one.body_parts[2].y) == (30, 60)
    assert (one.body_parts[2].w, one.body_parts[2].h) == (4, 8) and one.body_parts[0].w == -1


def test_an_image_fitted_into_the_input_is_found_again(tmp_path: Path) -> None:
    image = np.zeros((30, 80, 3), np.uint8)
    image[10:20, 40:60] = 255
    write_image(tmp_path / "a.png", image)
    processor = Model.get_imageprocessor()(input_h=96, input_w=128)
    read = processor.read_image_rgb_float(tmp_path / "a.png")
    fitted, scale, pad = processor.image_pad_and_scale(read)
    assert fitted.shape == (96, 128, 3) and scale == 1.6 and read.max() == 1
    y, x = (np.flatnonzero(fitted[..., 0].any(axis)).mean() for axis in (1, 0))
    one = Model.Human(PARTS, [], None, {0: Model.BodyPart(PARTS, 0, 0, x, y, 1.0)})
    one.unpad(pad)
    one.unscale(scale)
    assert (one.body_parts[0].x, one.body_parts[0].y) == pytest.approx((49.5, 14.5), abs=0.4)
    processor.write_image_rgb_float(read, tmp_path / "b.png")
    assert np.array_equal(processor.read_image_rgb_float(tmp_path / "b.png"), read)


@pytest.mark.parametrize("kind", ["bytes", "fractions", "first"])
def test_drawing_changes_the_image_that_is_given(kind: str) -> None:
    image = np.zeros((80, 60, 3), np.uint8 if kind == "bytes" else np.float32)
    image = image.transpose(2, 0, 1) if kind == "first" else image
    assert human().draw(image) is image
    shown = image.transpose(1, 2, 0) if kind == "first" else image
    assert shown[20, 10, 0] == pytest.approx(255 if kind == "bytes" else 1) and shown[20, 10, 2] == 0
    assert shown[40, 20].any(), "the limb between both"
    assert not shown[:, 45:].any()
    assert Human.draw is Human.draw_human


def test_people_become_instances_and_again_people() -> None:
    points = np.full((2, 3, 2), np.nan)
    points[0, :2], points[1, 2] = [[1, 2], [3, 4]], [5, 6]
    given = Instances.from_keypoints(
        points, keypoint_scores=np.array([[0.9, 0.8, 0], [0, 0, 0.3]]), scores=np.r_[0.2, 0.7]
    )
    people = humans_of(given, PARTS, [], None)
    assert [each.get_score() for each in people] == [0.2, 0.7]
    again = instances_of(people, 3)
    assert again.scores is not None and again.scores.tolist() == pytest.approx([0.7, 0.2]), "the surest first"
    np.testing.assert_allclose(again.keypoints, points[::-1])
