"""What was sent once is not sent again, what others changed is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotation.one_of_each import FRAMES, LABELS, SHAPES, TASK, TRACKS
from vitruve.annotation.cvat.diff import alike, difference
from vitruve.errors import InputError
from vitruve.structures.annotation import AnnotationTask, Shape, TaskFrame, Track


def numbered(task: AnnotationTask) -> AnnotationTask:
    shapes = tuple(replace(shape, id=100 + n) for n, shape in enumerate(task.shapes))
    return replace(task, shapes=shapes, tracks=tuple(replace(t, id=100 + n) for n, t in enumerate(task.tracks)), id=1)


THERE = numbered(TASK)


def box(x: float, number: int | None = None) -> Shape:
    return Shape("rectangle", "Dock", 0, (x, 1.0, x + 5, 9.0), id=number)


def some(*shapes: Shape, frames: tuple[TaskFrame, ...] = FRAMES, tracks: tuple[Track, ...] = ()) -> AnnotationTask:
    return AnnotationTask("t", LABELS, frames, shapes, tracks, id=1)


@pytest.mark.parametrize("wanted", [THERE, TASK])
def test_the_same_differs_in_nothing(wanted: AnnotationTask) -> None:
    found = difference(THERE, wanted)
    assert (found.add, found.update, found.extra, found.lost) == ((), (), (), ())
    assert found.same == len(SHAPES) + len(TRACKS)


def test_each_of_several_equal_ones_counts() -> None:
    found = difference(some(box(1, 5), box(1, 6)), some(box(1), box(1), box(1)))
    assert (len(found.add), found.same, len(found.extra)) == (1, 2, 0)


def test_two_decimals_are_enough() -> None:
    there = some(Shape("rectangle", "Dock", 0, (1.23456, 2.0, 3.0, 4.0), score=0.333333, id=1))
    assert difference(there, some(Shape("rectangle", "Dock", 0, (1.23, 2.0, 3.0, 4.0), score=0.3333))).same == 1
    assert difference(there, some(Shape("rectangle", "Dock", 0, (1.26, 2.0, 3.0, 4.0), score=0.3333))).same == 0


def test_numbers_tell_what_was_moved_and_what_is_gone() -> None:
    found = difference(some(box(1, 5), box(2, 6)), some(box(9, 5), box(3, 7), box(4)))
    assert found.update == (box(9, 5),)
    assert found.add == (box(4),)
    assert found.lost == (box(3, 7),)
    assert found.extra == (box(2, 6),)
    lines = list(found.lines(FRAMES, ["shape-6"]))
    assert [line[0] for line in lines] == ["+", "~", "-", "!"]
    assert lines[2] == "- shape-6 a.png: rectangle Dock (2.0, 1.0, 7.0, 9.0)"
    assert lines[3].endswith("(changed or removed on the server since it was read)")
    assert found.named(["shape-6"]) == [box(2, 6)]
    with pytest.raises(InputError, match=r"--remove shape-5: not among what only the server has \(shape-6\)"):
        found.named(["shape-5"])


def test_a_server_that_numbered_anew_is_understood() -> None:
    # An update gives new numbers: what was read before has the old ones.
    found = difference(some(box(1, 50), box(2, 60)), some(box(1, 5), box(2, 6)))
    assert (found.same, found.lost, found.extra) == (2, (), ())


@pytest.mark.parametrize(
    "change",
    [
        {"label": "any"},
        {"points": (1.0, 2.0, 33.4, 4.1)},
        {"occluded": True},
        {"outside": True},
        {"score": 0.8},
        {"attributes": (("health", "good"),)},
        {"group": 0},
        {"z_order": 2},
        {"rotation": 12.0},
    ],
)
def test_every_property_counts(change: dict) -> None:
    assert alike(SHAPES[1], SHAPES[1])
    assert not alike(SHAPES[1], replace(SHAPES[1], **change))


@pytest.mark.parametrize("change", [{"points": (9.0, 9.0)}, {"occluded": False}, {"outside": True}, {"score": 0.9}])
def test_every_property_of_a_part_counts(change: dict) -> None:
    pose = SHAPES[-1]
    other = replace(pose, parts=(replace(pose.parts[0], **change), *pose.parts[1:]))
    assert not alike(pose, other)
    assert alike(pose, replace(pose, parts=pose.parts[::-1]))


def test_tracks_are_compared_by_keyframes() -> None:
    first, second = TRACKS
    between = replace(second.shapes[0], frame=2, keyframe=False, points=(1.5, 1.0, 5.5, 5.0))
    dense = replace(second, shapes=(second.shapes[0], *second.shapes[1:]))
    assert alike(second, replace(dense, shapes=tuple(sorted((*dense.shapes, between), key=lambda s: s.frame))))
    assert not alike(second, replace(second, shapes=second.shapes[:2]))
    assert not alike(second, replace(second, attributes=(("health", "good"),)))
    moved = replace(first.shapes[1].parts[0], points=(9.0, 9.0))
    shapes = (first.shapes[0], replace(first.shapes[1], parts=(moved,)), first.shapes[2])
    assert alike(first, first)
    assert not alike(first, replace(first, shapes=shapes))


def test_images_are_known_by_the_end_of_their_path() -> None:
    there = some(frames=(TaskFrame("a.png", 1, 1), TaskFrame("d/b.png", 1, 1)))
    wanted = some(replace(box(1), frame=1), frames=(TaskFrame("x/a.png", 1, 1), TaskFrame("c/d/b.png", 1, 1)))
    assert difference(there, wanted).add[0].frame == 1  # type: ignore[union-attr]
    twins = some(frames=(TaskFrame("d/b.png", 1, 1), TaskFrame("e/b.png", 1, 1)))
    with pytest.raises(
        InputError, match=r"1 images drawn on are not in it, or several have its name \(first: b\.png\)"
    ):
        difference(twins, some(box(1), frames=(TaskFrame("b.png", 1, 1),)))


def test_tracks_need_the_order_of_images() -> None:
    with pytest.raises(InputError, match="a track of mouse goes over images that stand in another order"):
        difference(replace(THERE, frames=FRAMES[::-1]), TASK)
