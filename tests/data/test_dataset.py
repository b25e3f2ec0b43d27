"""The one dataset: what it shows and what it says are the same, whatever was drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rendered import SKELETON, dot_place, label_set, picture

from vitruve.algorithms.base import Needs
from vitruve.data.augment import PRESETS, Augmentation
from vitruve.data.dataset import Pick, PoseDataset, checked, collate
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.camera import Camera
from vitruve.structures.instances import OCCLUDED, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

SIZE = (128, 96)
SINGLE = Needs()
GEOMETRY = {
    "none": Augmentation(),
    "rotate": Augmentation(rotate=1.0),
    "crop_pad": Augmentation(crop_pad=1.0),
    "half turn": Augmentation(quarter_turns=(180,)),
    "quarter turn": Augmentation(quarter_turns=(90,)),
    "hflip": Augmentation(hflip=1.0),
    "zoom": Augmentation(zoom=1.0, zoom_factor=1.3),
    "elastic": Augmentation(elastic=1.0),
    "strong elastic": Augmentation(elastic=1.0, elastic_alpha=40.0, elastic_sigma=8.0),
    "everything": replace(PRESETS["dlc-top-down"], rotate=0.7, crop_pad=0.7, hflip=0.5, elastic=0.8),
}


def _dataset(
    labels: Labels, augmentation: Augmentation | None = None, needs: Needs = SINGLE, seed: int = 0
) -> PoseDataset:
    return PoseDataset(labels, SIZE, needs, ImageCache(0.1), augmentation, seed)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    return label_set(tmp_path_factory.mktemp("small"), 4, (200, 150), 2.5)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """Five times the input's size, and not in its proportions: sampled after averaging blocks."""
    return label_set(tmp_path_factory.mktemp("large"), 2, (643, 480), 7.5, views=2)


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("which", ["small", "large"])
def test_every_dot_is_where_the_truth_in_the_input_says(name: str, which: str, request: pytest.FixtureRequest) -> None:
    labels: Labels = request.getfixturevalue(which)
    dataset = _dataset(labels, GEOMETRY[name])
    found, mirrored, worst = 0, 0, 0.0
    for epoch in range(6 if name != "none" else 1):
        batch = collate([dataset[Pick(epoch, i)] for i in range(len(labels))])
        truth = batch.truth_in_input
        assert truth is not None
        for b, v in np.ndindex(*batch.images.shape[:2]):
            flipped = bool(torch.linalg.det(batch.to_image[b, v].double()) < 0)
            mirrored += flipped
            for keypoint, channel in enumerate((0, 2, 1) if flipped else (0, 1, 2)):
                place = truth.keypoints[b, v, 0, keypoint].numpy()
                if (place < 9).any() or (place > np.array(SIZE) - 10).any():
                    continue
                seen = dot_place(batch.images[b, v, 0, channel].numpy())
                worst = max(worst, float(np.abs(seen - place).max()))
                found += 1
    assert found > (10 if name == "none" else 50)
    assert worst < 0.3, f"{worst:.3f} px"
    assert (mirrored > 0) == (name in ("hflip", "everything"))


def test_partners_change_places_with_their_visibility(small: Labels) -> None:
    visible = np.array([[[2, 1, 0]]], np.int8)
    labels = replace(small, frames=(replace(small[0], instances=replace(small[0].instances, visible=visible)),))
    plain = collate([_dataset(labels)[0]]).truth
    mirrored = collate([_dataset(labels, Augmentation(hflip=1.0))[0]]).truth
    assert plain is not None and mirrored is not None
    assert plain.visible.flatten().tolist() == [2, 1, 0]
    assert mirrored.visible.flatten().tolist() == [2, 0, 1]
    torch.testing.assert_close(mirrored.keypoints[0, 0, 0], plain.keypoints[0, 0, 0, [0, 2, 1]])


def test_without_augmentation_the_whole_image_is_shown(small: Labels) -> None:
    sample = _dataset(small)[1]
    assert sample.images.shape == (1, 1, 3, 96, 128) and sample.images.dtype == np.uint8
    corners = sample.to_image[0] @ np.array([[-0.5, 127.5], [-0.5, 95.5], [1, 1]])
    np.testing.assert_allclose(corners[:2], [[-0.5, 199.5], [-0.5, 149.5]], atol=1e-4)
    assert sample.truth is not None
    np.testing.assert_array_equal(sample.truth.keypoints, small[1].instances.keypoints)


def test_seed_epoch_and_index_alone_decide_the_draw(small: Labels) -> None:
    dataset = _dataset(small, Augmentation(rotate=1.0), seed=3)
    wanted = dataset[Pick(5, 2)]
    for pick in (Pick(0, 0), Pick(5, 1)):
        dataset[pick]
    again = _dataset(small, Augmentation(rotate=1.0), seed=3)[Pick(5, 2)]
    np.testing.assert_array_equal(wanted.images, again.images)
    np.testing.assert_array_equal(wanted.to_image, again.to_image)
    for other in (dataset[Pick(6, 2)], _dataset(small, Augmentation(rotate=1.0), seed=4)[Pick(5, 2)]):
        assert not np.array_equal(wanted.to_image, other.to_image)


def test_views_are_drawn_on_their_own_and_stay_in_order(large: Labels) -> None:
    batch = collate([_dataset(large, Augmentation(rotate=1.0))[Pick(0, i)] for i in range(2)])
    assert batch.images.shape == (2, 2, 1, 3, 96, 128) and batch.to_image.shape == (2, 2, 3, 3)
    assert not torch.equal(batch.to_image[0, 0], batch.to_image[0, 1])
    assert batch.truth is not None
    np.testing.assert_allclose(batch.truth.keypoints, large.keypoints(), atol=1e-3)


def test_instances_are_filled_up_with_missing_ones(small: Labels) -> None:
    rng = np.random.default_rng(0)
    frames = []
    for frame, count in zip(small[:3], (1, 3, 0), strict=True):
        many = Instances.from_keypoints(
            rng.uniform(10, 90, (1, count, 3, 2)),
            boxes=rng.uniform(0, 90, (1, count, 4)),
            categories=np.zeros((1, count), np.int64),
            tracks=np.arange(count)[None],
        )
        frames.append(replace(frame, instances=many))
    batch = collate([_dataset(replace(small, frames=tuple(frames)))[i] for i in range(3)])
    truth = batch.truth
    assert truth is not None and truth.keypoints.shape == (3, 1, 3, 3, 2)
    assert truth.keypoints.dtype == torch.float32 and batch.to_image.dtype == torch.float32
    assert truth.present[:, 0].tolist() == [[True, False, False], [True] * 3, [False] * 3]
    assert truth.keypoints[0, 0, 1:].isnan().all() and not truth.visible[2].any()
    assert truth.categories is not None and truth.categories[0, 0].tolist() == [0, -1, -1]
    assert truth.tracks is not None and truth.tracks[1, 0].tolist() == [0, 1, 2]
    assert truth.boxes is not None and truth.boxes[0, 0, 1:].isnan().all()


def test_no_instance_anywhere_still_makes_one_empty_place(small: Labels) -> None:
    empty = replace(small, frames=(replace(small[0], instances=Instances.empty(3)),))
    truth = collate([_dataset(empty, PRESETS["dlc"])[0]]).truth
    assert truth is not None and truth.keypoints.shape == (1, 1, 1, 3, 2) and not truth.visible.any()


def test_boxes_that_only_some_frames_have_are_left_out(small: Labels) -> None:
    boxed = replace(small[0], instances=replace(small[0].instances, boxes=np.zeros((1, 1, 4))))
    for frames in ((boxed, small[1]), (small[1], boxed)):
        labels = replace(small, frames=frames)
        truth = collate([_dataset(labels)[i] for i in range(2)]).truth
        assert truth is not None and truth.boxes is None


def test_cameras_and_points_in_space_come_along(large: Labels) -> None:
    camera = Camera(np.eye(3), np.eye(3), np.zeros(3), np.zeros(8), np.array([643.0, 480.0]))
    space = Instances.from_keypoints(np.zeros((1, 3, 3)))
    frames = tuple(replace(frame, session="s", instances_3d=space) for frame in large)
    labels = replace(large, frames=frames, cameras={"s": (camera, camera)})
    batch = collate([_dataset(labels, needs=Needs(cameras=True))[i] for i in range(2)])
    assert batch.cameras is not None and batch.cameras.intrinsics.shape == (2, 2, 3, 3)
    assert batch.cameras.intrinsics.dtype == torch.float32
    assert batch.truth_3d is not None and batch.truth_3d.keypoints.shape == (2, 1, 3, 3)
    assert collate([_dataset(labels)[0]]).cameras is None


def _grey(folder: Path, names: list[str]) -> None:
    for name in names:
        number = int("".join(c for c in Path(name).stem.split("_")[-1] if c.isdigit()))
        write_image(folder / name, np.full((20, 30, 3), 10 * number, np.uint8))


def _shown(labels: Labels, reach: int = 2) -> list[int]:
    images = _dataset(labels, needs=Needs(context=reach))[0].images
    assert images.shape[:2] == (1, 2 * reach + 1)
    return [round(int(image[0, 48, 64]) / 10) for image in images[0]]


@pytest.mark.parametrize(
    ("there", "middle", "expected"),
    [
        ([f"a/img{n:04d}.png" for n in range(3, 8)], "a/img0005.png", [3, 4, 5, 6, 7]),
        ([f"img{n}.png" for n in range(8, 13)], "img10.png", [8, 9, 10, 11, 12]),  # 9 is no 09 without padding
        ([f"img{n:02d}.png" for n in range(8, 13)], "img10.png", [8, 9, 10, 11, 12]),
        (["img05.png", "img06.png"], "img05.png", [5, 5, 5, 6, 5]),  # what is missing is replaced by the image itself
        ([f"img{n:02d}.png" for n in range(4)], "img01.png", [0, 0, 1, 2, 3]),  # numbers start at 0
        ([f"cam2_{n:03d}.png" for n in range(1, 6)], "cam2_003.png", [1, 2, 3, 4, 5]),  # the last number counts
        (["img7x.png", "img8x.png"], "img7x.png", [7, 7, 7, 8, 7]),
    ],
)
def test_neighbours_in_time(tmp_path: Path, there: list[str], middle: str, expected: list[int]) -> None:
    _grey(tmp_path, there)
    frame = Frame((ImageRef(Path(middle)),), Instances.empty(3))
    assert _shown(Labels(SKELETON, (frame,), root=tmp_path)) == expected


def test_an_image_without_a_number_is_its_own_neighbour(tmp_path: Path) -> None:
    write_image(tmp_path / "nose.png", np.full((20, 30, 3), 50, np.uint8))
    frame = Frame((ImageRef(Path("nose.png")),), Instances.empty(3))
    assert _shown(Labels(SKELETON, (frame,), root=tmp_path), 1) == [5, 5, 5]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    folder = tmp_path_factory.mktemp("video")
    with VideoWriter(folder / "v.mp4", 25, crf=5) as writer:
        for n in range(6):
            writer.write(np.full((48, 64, 3), 30 + 10 * n, np.uint8))
    frames = tuple(
        Frame((ImageRef(Path("v.mp4"), n),), Instances.from_keypoints(np.full((1, 1, 3, 2), 9.0))) for n in range(6)
    )
    return Labels(SKELETON, frames, root=folder)


@pytest.mark.parametrize(("index", "expected"), [(0, [0, 0, 0, 1, 2]), (3, [1, 2, 3, 4, 5]), (5, [3, 4, 5, 5, 5])])
def test_neighbours_in_a_video_end_with_it(video: Labels, index: int, expected: list[int]) -> None:
    assert [n - 3 for n in _shown(video[[index]])] == expected


def test_frames_of_videos_are_checked_like_images(video: Labels) -> None:
    assert {image.size for frame in checked(video) for image in frame.images} == {(64, 48)}
    gone = replace(video, frames=(replace(video[0], images=(ImageRef(Path("w.mp4"), 0),)),))
    with pytest.raises(InputError, match=r"w\.mp4: no such video, but the labels name it"):
        checked(gone)


def test_keypoints_outside_their_image_are_counted_and_unlabelled(small: Labels) -> None:
    points = np.array([[[[-0.6, 5], [199.5, 149.5], [50, 149.6]]]], np.float32)  # the edge itself is inside
    frames = (replace(small[0], instances=Instances.from_keypoints(points)), *small.frames[1:])
    with pytest.warns(UserWarning, match=r"^2 keypoints lie outside their image \(first: view0/img000\.png: nose\)"):
        found = checked(replace(small, frames=frames))
    assert found[0].instances.visible.tolist() == [[[0, 2, 0]]]
    assert np.isnan(found[0].instances.keypoints[0, 0, [0, 2]]).all()
    np.testing.assert_array_equal(found[0].instances.keypoints[0, 0, 1], (199.5, 149.5))
    assert found[0].instances.keypoints.dtype == np.float32
    assert all(frame.images[0].size == (200, 150) for frame in found)


def test_labels_within_their_images_are_left_as_they_are(small: Labels, recwarn: pytest.WarningsRecorder) -> None:
    found = checked(small)
    np.testing.assert_array_equal(found.keypoints(), small.keypoints())
    assert not recwarn.list
    occluded = np.full((1, 1, 3), OCCLUDED, np.int8)
    nowhere = Instances(np.full((1, 1, 3, 2), np.nan, np.float32), occluded)
    assert (checked(replace(small, frames=(replace(small[0], instances=nowhere),)))[0].instances.visible == 1).all()
    assert not recwarn.list


@pytest.mark.parametrize("sized", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such image, but the labels name it; copy it there or remove its row"),
        (b"", "empty"),
        (b"no picture at all", "not an image"),
    ],
)
def test_an_image_that_is_none(tmp_path: Path, content: bytes | None, message: str, sized: bool) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    frame = Frame((ImageRef(Path("a.png"), size=(9, 9) if sized else None),), Instances.empty(3))
    labels = Labels(SKELETON, (frame,), root=tmp_path)
    with pytest.raises(InputError, match=rf"a\.png: .*{message}") as caught:
        checked(labels)
        _dataset(labels)[0]
    assert "\n" not in str(caught.value)


def test_a_truncated_image_is_found_when_it_is_read(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", picture(np.full((3, 2), 20.0), (64, 64), 3))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    labels = Labels(SKELETON, (Frame((ImageRef(Path("a.png")),), Instances.empty(3)),), root=tmp_path)
    with pytest.raises(InputError, match=r"a\.png: the image file is cut short"):
        ImageCache(1).fill(checked(labels), [labels[0].images[0]])
