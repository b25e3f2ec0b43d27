from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("a", "b", "c"))


def _frame(name: str, views: int = 1, count: int = 1, split: str | None = None, index: int | None = None) -> Frame:
    rng = np.random.default_rng(sum(map(ord, name)))
    keypoints = rng.uniform(0, 50, (views, count, 3, 2))
    images = tuple(ImageRef(Path(f"view{v}") / name, index) for v in range(views))
    return Frame(images, Instances.from_keypoints(keypoints), split=split)


def _camera(focal: float) -> Camera:
    intrinsics = np.array([[focal, 0.0, 50], [0, focal, 40], [0, 0, 1]])
    return Camera(intrinsics, np.eye(3), np.zeros(3), np.zeros(8), np.array([100.0, 80.0]))


@pytest.fixture
def labels() -> Labels:
    names = ("train", "train", "validation", "test", "unused")
    return Labels(SKELETON, tuple(_frame(f"{i}.png", split=split) for i, split in enumerate(names)))


def test_frames_are_taken_like_those_of_a_list(labels: Labels) -> None:
    assert len(labels) == 5 and [f.name for f in labels] == [f"view0/{i}.png" for i in range(5)]
    assert labels[-1] is labels.frames[4] and labels[np.int64(1)] is labels.frames[1]
    assert labels[1:3].frames == labels.frames[1:3]
    assert labels[[3, 0]].frames == (labels.frames[3], labels.frames[0])
    assert labels[np.array([True, False, True, False, False])].frames == (labels.frames[0], labels.frames[2])
    with pytest.raises(IndexError, match="a mask of 2 for 5 frames"):
        labels[np.array([True, False])]


def test_splits(labels: Labels) -> None:
    assert len(labels.split("train")) == 2
    assert labels.split("val").frames == labels.split("validation").frames == (labels.frames[2],)
    assert len(labels.split("nothing")) == 0
    other = labels.with_splits(["test"] * 5)
    assert len(other.split("test")) == 5 and len(labels.split("test")) == 1
    with pytest.raises(ValueError):
        labels.with_splits(["test"] * 4)


def test_arrays_are_filled_up_with_nan() -> None:
    frames = (_frame("a", views=2, count=1), _frame("b", views=2, count=3))
    scored = replace(frames[1].instances, keypoint_scores=np.full((2, 3, 3), 0.5))
    labels = Labels(SKELETON, (frames[0], replace(frames[1], instances=scored)))
    keypoints = labels.keypoints()
    assert keypoints.shape == (2, 2, 3, 3, 2)
    np.testing.assert_array_equal(keypoints[0, :, :1], frames[0].instances.keypoints)
    np.testing.assert_array_equal(keypoints[1], frames[1].instances.keypoints)
    assert np.isnan(keypoints[0, :, 1:]).all()
    scores, visible = labels.keypoint_scores(), labels.visible()
    assert np.isnan(scores[0]).all() and (scores[1] == 0.5).all()
    assert (visible[0, :, 0] == 2).all() and np.isnan(visible[0, :, 1:]).all()


def test_centers_are_the_middles_of_the_boxes_around_the_keypoints() -> None:
    keypoints = np.array([[[[0, 10], [np.nan, np.nan], [30, 20]], [[np.nan] * 2] * 3]])
    labels = Labels(SKELETON, (Frame((ImageRef(Path("a")),), Instances.from_keypoints(keypoints)),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        centers = labels.centers()
    np.testing.assert_array_equal(centers, [[[[15, 15], [np.nan, np.nan]]]])


def test_no_frame_has_no_keypoints() -> None:
    with pytest.raises(InputError, match="hold no frame"):
        Labels(SKELETON, ()).keypoints()


def test_names_of_images_and_frames_of_videos() -> None:
    assert ImageRef(Path("a") / "b.png").name == "a/b.png"
    assert ImageRef(Path("v.mp4"), 17).name == "17"
    assert Labels(SKELETON, (), root=Path("root")).path(ImageRef(Path("a.png"))) == Path("root/a.png")


def test_merged_sets_keep_frames_and_find_their_images(tmp_path: Path) -> None:
    one = Labels(SKELETON, (_frame("a.png"),), root=tmp_path / "one", scorer="me")
    two = Labels(SKELETON, (_frame("a.png"), _frame("b.png")), root=tmp_path / "two")
    merged = Labels.merge([one, two])
    assert merged.scorer == "me" and len(merged) == 3
    paths = [merged.path(f.images[0]) for f in merged]
    assert paths == [tmp_path / "one/view0/a.png", tmp_path / "two/view0/a.png", tmp_path / "two/view0/b.png"]


def test_frames_of_one_video_are_different_images() -> None:
    video = Labels(SKELETON, tuple(_frame("v.mp4", index=i) for i in range(3)))
    assert len(Labels.merge([video[:1], video[1:]])) == 3
    with pytest.raises(InputError, match=r"v\.mp4: labelled in more than one"):
        Labels.merge([video[:2], video[1:]])


def test_what_does_not_merge_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = Labels(SKELETON, (_frame("a.png"),), root=tmp_path)
    with pytest.raises(InputError, match="nothing to merge"):
        Labels.merge([])
    with pytest.raises(InputError, match="keypoints x, b, c; the first set has a, b, c"):
        Labels.merge([labels, replace(labels, skeleton=Skeleton(("x", "b", "c")), frames=(_frame("b.png"),))])
    with pytest.raises(InputError, match=r"2 views, but view0/a\.png has 1"):
        Labels.merge([labels, replace(labels, frames=(_frame("b.png", views=2),))])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="labelled in more than one of the merged sets"):
        Labels.merge([labels, replace(labels, root=Path())])


def test_cameras_of_a_session_must_be_the_same() -> None:
    one = Labels(SKELETON, (_frame("a.png"),), cameras={"s": (_camera(100),)})
    two = Labels(SKELETON, (_frame("b.png"),), cameras={"s": (_camera(100),), "t": (_camera(90),)})
    assert set(Labels.merge([one, two]).cameras) == {"s", "t"}
    with pytest.raises(InputError, match="session 's': the merged sets have different cameras"):
        Labels.merge([one, replace(two, cameras={"s": (_camera(101),)})])
