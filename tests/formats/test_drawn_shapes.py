"""What is drawn becomes what networks learn from, half a pixel moved, and goes back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotation.one_of_each import LABELS, TASK
from vitruve.errors import InputError
from vitruve.formats.notes import LabelsWarning
from vitruve.formats.shapes import box_of, labels_of, mask_of, task_of
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame, Track
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

FRAMES = tuple(TaskFrame(f"s/{n}.png", 40, 30) for n in range(5))
BOXES = (LabelSpec("b"), LabelSpec("a"))


def task(*shapes: Shape, labels: tuple[LabelSpec, ...] = BOXES, tracks: tuple[Track, ...] = ()) -> AnnotationTask:
    return AnnotationTask("t", labels, FRAMES, shapes, tracks)


def test_a_box_is_moved_by_half_a_pixel_and_classes_keep_their_order() -> None:
    found = labels_of(task(Shape("rectangle", "a", 1, (0.0, 0.0, 40.0, 30.0), score=0.5), Shape("tag", "a", 0)))
    assert found.categories == ("b", "a")
    assert found.skeleton.names == ()
    assert [len(f.instances.boxes[0]) for f in found] == [0, 1, 0, 0, 0]
    np.testing.assert_array_equal(found[1].instances.boxes[0], [[-0.5, -0.5, 39.5, 29.5]])
    assert found[1].instances.categories.tolist() == [[1]]
    assert found[1].instances.scores.tolist() == [[0.5]]
    assert found[1].instances.keypoints.shape == (1, 1, 0, 2)


def test_boxes_around_what_has_another_form() -> None:
    def box(kind: str, points: tuple[float, ...], rotation: float = 0.0) -> list[float]:
        return (box_of(Shape(kind, "a", 0, points, rotation=rotation)) + 0.5).tolist()

    assert box("polygon", (1, 2, 5, 0, 3, 9)) == [1, 0, 5, 9]
    assert box("points", (1, 2, 5, 0)) == [1, 0, 5, 2]
    np.testing.assert_allclose(box("rectangle", (0, 0, 10, 4), 90), [3, -3, 7, 7], atol=1e-12)
    half = 2 * math.sqrt(2)
    np.testing.assert_allclose(box("rectangle", (0, 0, 4, 4), 45), [2 - half, 2 - half, 2 + half, 2 + half])
    np.testing.assert_allclose(box("ellipse", (10, 10, 14, 7)), [6, 7, 14, 13])
    assert box("mask", (1, 2, 1, 3, 4, 4, 5)) == [3, 4, 5, 6]


def test_masks_cover_what_is_drawn() -> None:
    mask = mask_of(Shape("mask", "a", 0, (1, 2, 1, 3, 4, 4, 5)), (10, 8)).array()
    assert np.argwhere(mask).tolist() == [[4, 4], [5, 3]]
    assert mask_of(Shape("rectangle", "a", 0, (2, 3, 5, 7)), (10, 8)).area == 12
    assert mask_of(Shape("polygon", "a", 0, (2, 3, 5, 3, 5, 7, 2, 7)), (10, 8)).area == 12
    disc = mask_of(Shape("ellipse", "a", 0, (50, 50, 90, 10)), (100, 100)).area
    assert abs(disc / (math.pi * 40 * 40) - 1) < 0.01


def test_skeletons_are_read_by_name() -> None:
    found = labels_of(TASK)
    assert found.skeleton.names == ("nose", "tail", "ear")
    assert found.skeleton.edges == ((0, 1), (0, 2))
    assert found.categories == ("Dock", "any", "mouse")
    people = found[2].instances[0]
    n = int(np.flatnonzero((people.visible > 0).any(-1) & (people.categories == 2) & (people.tracks < 0))[0])
    np.testing.assert_array_equal(people.keypoints[n], [[1.0, 1.75], [np.nan, np.nan], [2.5, 3.5]])
    assert people.visible[n].tolist() == [1, 0, 2]
    assert people.keypoint_scores[n].tolist()[::2] == [0.3, 1.0]
    assert people.scores[n] == 0.75


def test_tracks_move_on_straight_lines() -> None:
    boxes = (
        Shape("rectangle", "a", 0, (0, 0, 4, 4)),
        Shape("rectangle", "a", 2, (4, 2, 8, 6), occluded=True),
        Shape("rectangle", "a", 4, (0, 0, 4, 4), outside=True),
    )
    found = labels_of(task(tracks=(Track("a", boxes), Track("b", boxes[:1]))))
    first = [f.instances.boxes[0][f.instances.tracks[0] == 0].tolist() for f in found]
    assert first == [
        [[-0.5, -0.5, 3.5, 3.5]],
        [[1.5, 0.5, 5.5, 4.5]],
        [[3.5, 1.5, 7.5, 5.5]],
        [[3.5, 1.5, 7.5, 5.5]],
        [],
    ]
    assert all((f.instances.tracks[0] == 1).sum() == 1 for f in found)


def test_parts_have_their_own_keyframes() -> None:
    mouse = LabelSpec("m", "skeleton", parts=(LabelSpec("p", "points"), LabelSpec("q", "points")))
    shapes = (
        Shape("skeleton", "m", 0, parts=(Shape("points", "p", 0, (1.5, 1.5)), Shape("points", "q", 0, (2.5, 2.5)))),
        Shape("skeleton", "m", 2, parts=(Shape("points", "p", 2, (5.5, 1.5)),), keyframe=False),
    )
    found = labels_of(task(labels=(mouse,), tracks=(Track("m", shapes),)))
    assert found.keypoints()[:, 0, 0, 0, 0].tolist() == [1, 3, 5, 5, 5]
    assert found.keypoints()[:, 0, 0, 1].tolist() == [[2, 2]] * 5


def test_single_points_are_keypoints_of_their_group() -> None:
    labels = (LabelSpec("nose", "points"), LabelSpec("tail", "points"))
    points = [("nose", 1, 0), ("tail", 2, 0), ("nose", 3, 7), ("tail", 4, 7), ("nose", 9, 0)]
    shapes = [Shape("points", name, 0, (x + 0.5, 0.5), group=group) for name, x, group in points]
    found = labels_of(task(*shapes, labels=labels))
    assert found.skeleton.names == ("nose", "tail")
    rows = sorted(found[0].instances.keypoints[0, :, :, 0].tolist(), key=lambda row: row[0])
    np.testing.assert_array_equal(rows, [[1, 2], [3, 4], [9, np.nan]])
    assert found.categories == ("object",)


def test_what_lies_outside_is_left_out_and_said() -> None:
    shapes = [Shape("rectangle", "a", 0, corners) for corners in [(41, 0, 50, 9), (-5, -5, -1, 9), (35, 20, 50, 50)]]
    with pytest.warns(LabelsWarning, match=r"2 shapes lie outside of their images and are left out \(first: s/0.png:"):
        found = labels_of(task(*shapes))
    np.testing.assert_array_equal(found[0].instances.boxes[0], [[34.5, 19.5, 49.5, 49.5]])


def test_deleted_images_are_left_out() -> None:
    some = replace(task(Shape("rectangle", "a", 2, (0, 0, 1, 1))), subset="Validation")
    some = replace(some, frames=(FRAMES[0], replace(FRAMES[1], deleted=True), FRAMES[2]))
    found = labels_of(some)
    assert [f.name for f in found] == ["s/0.png", "s/2.png"]
    assert len(found[1].instances.boxes[0]) == 1
    assert {f.split for f in found} == {"validation"}


def people(tracked: bool = False, boxed: bool = True) -> Labels:
    """Poses of two classes with and without boxes, keypoints and identities."""
    rng = np.random.default_rng(3)
    frames = []
    for number in range(4):
        keypoints = rng.uniform(2, 28, (1, 3, 4, 2))
        keypoints[0, 0, 1] = np.nan
        keypoints[0, 2] = np.nan
        boxes = rng.uniform(1, 9, (1, 3, 4))
        boxes[..., 2:] += 15
        boxes[0, 1] = np.nan
        found = Instances.from_keypoints(
            keypoints,
            scores=rng.uniform(0.1, 0.9, (1, 3)),
            keypoint_scores=rng.uniform(0.1, 0.9, (1, 3, 4)),
            boxes=boxes if boxed else None,
            categories=np.array([[0, 1, 1]]),
            tracks=np.array([[4, 2, 9]]) if tracked else None,
        )
        if tracked and number == 1:
            found = found[:, 1:]
        elif not boxed:
            found = found[:, :2]
        frames.append(Frame((ImageRef(Path(f"s/{number}.png"), None, (40, 30)),), found, "s"))
    return Labels(Skeleton.from_names(("a", "b", "c", "d"), ((0, 1), (1, 3))), tuple(frames), categories=("m", "n"))


@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_poses_go_and_come_back(tracked: bool, boxed: bool) -> None:
    wanted = people(tracked, boxed)
    found = labels_of(task_of(wanted, "t", source="auto"))
    assert found.skeleton == wanted.skeleton
    assert found.categories == wanted.categories
    for here, there in zip(found, wanted, strict=True):
        seen, truth = here.instances[0], there.instances[0]
        truth = truth[np.asarray(truth.present)]
        names = {4: 1, 2: 0, 9: 2}

        def order(item: Instances) -> list[int]:
            place = np.nan_to_num(item.keypoints[:, 0, 0], nan=99.0)
            return np.lexsort([place]).tolist()

        seen, truth = seen[order(seen)], truth[order(truth)]
        np.testing.assert_allclose(seen.keypoints, truth.keypoints, atol=1e-12)
        np.testing.assert_array_equal(seen.visible, truth.visible)
        np.testing.assert_array_equal(seen.categories, truth.categories)
        np.testing.assert_allclose(seen.scores, truth.scores)
        known = truth.visible > 0
        np.testing.assert_allclose(seen.keypoint_scores[known], truth.keypoint_scores[known])
        assert (seen.boxes is None) == (truth.boxes is None)
        if boxed:
            np.testing.assert_allclose(seen.boxes, truth.boxes, atol=1e-12)
        if tracked:
            assert seen.tracks.tolist() == [names[t] for t in truth.tracks.tolist()]


def test_labels_of_the_task_decide_what_is_drawn() -> None:
    poses = tuple(LabelSpec(name, "skeleton", parts=tuple(LabelSpec(p, "points") for p in "abcd")) for name in "mn")
    with pytest.warns(LabelsWarning, match="task t: has no label for the boxes around 4 instances, .* called 'm box'"):
        drawn = task_of(people(), "t", poses)
    kinds = [(s.kind, s.label) for s in drawn.shapes if s.frame == 0]
    # The third has a box alone, for which there is a label only if somebody made one; a push says which is missing.
    assert kinds == [("skeleton", "m"), ("skeleton", "n"), ("rectangle", "n box")]
    assert drawn.labels == poses


def test_detections_are_boxes_of_their_class() -> None:
    found = Instances(
        np.zeros((1, 1, 0, 2)),
        np.zeros((1, 1, 0), np.int8),
        boxes=np.array([[[0.0, 0, 9, 9]]]),
        categories=np.array([[1]]),
    )
    labels = Labels(Skeleton(()), (Frame((ImageRef(Path("v.mp4"), 7),), found),), categories=("x", "y"))
    drawn = task_of(labels, "t")
    assert drawn.frames == (TaskFrame("v.mp4", 0, 0, index=7),)
    assert [(s.kind, s.label, s.points) for s in drawn.shapes] == [("rectangle", "y", (0.5, 0.5, 9.5, 9.5))]
    assert [label.kind for label in drawn.labels] == ["rectangle", "rectangle"]


def test_several_views_are_refused() -> None:
    image = ImageRef(Path("a.png"))
    labels = Labels(Skeleton(()), (Frame((image, image), Instances.empty(0, (2,))),))
    with pytest.raises(InputError, match="an annotation server shows one view, not 2"):
        task_of(labels, "t")


def test_labels_without_shapes_are_labels_all_the_same() -> None:
    found = labels_of(AnnotationTask("t", LABELS[:1], FRAMES))
    assert len(found) == 5 and found.categories == ("Dock",)
    assert not found[0].instances.present.any()
