"""The rule that sizes follow from labels by, on numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.hub import read_labels
from vitruve.project.sizes import crop_size, cube_size, larger_than
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton.from_names(("a", "b", "c"))


def in_images(*extents: tuple[float, float]) -> Labels:
    """One image an extent: two keypoints at the corners of a box, the third is missing."""
    frames = []
    for number, (width, height) in enumerate(extents):
        points = np.array([[700.0, 300.0], [700.0 + width, 300.0 + height], [np.nan, np.nan]])
        frames.append(Frame((ImageRef(Path(f"{number}.jpg")),), Instances.from_keypoints(points[None, None])))
    return Labels(SKELETON, tuple(frames))


def in_space(*extents: tuple[float, float, float]) -> Labels:
    """One frameset an extent, far from the origin, with a missing point that JARVIS would put there."""
    frames = []
    for number, extent in enumerate(extents):
        corner = np.array([500.0, -400.0, 900.0])
        points = np.stack([corner, corner + extent, np.full(3, np.nan)])
        nothing = Instances.from_keypoints(np.full((2, 1, 3, 2), np.nan))
        refs = (ImageRef(Path(f"A/{number}.jpg")), ImageRef(Path(f"B/{number}.jpg")))
        frames.append(Frame(refs, nothing, instances_3d=Instances.from_keypoints(points[None])))
    return Labels(SKELETON, tuple(frames), view_names=("A", "B"))


@pytest.mark.parametrize(
    ("extent", "pixels"), [(10.0, 64), (53.3, 64), (53.4, 128), (213.3, 256), (213.4, 320), (266.0, 320)]
)
def test_a_crop_is_1_2_times_the_animal_up_to_the_next_multiple_of_64(extent: float, pixels: int) -> None:
    for size in ((extent, 1.0), (1.0, extent)):
        assert crop_size(in_images(*[size] * 5)).pixels == pixels


def test_the_98th_percentile_counts_and_is_exact() -> None:
    widths = np.random.default_rng(3).permutation(101).astype(float)
    found = crop_size(in_images(*[(width, 1.0) for width in widths]))
    assert found.extent == pytest.approx(98.0)  # the 99th smallest of 0 to 100
    assert (found.pixels, found.images, found.fitting) == (128, 101, 101)
    assert "100% of 101" in found.reason


def test_images_that_do_not_fit_are_counted() -> None:
    found = crop_size(in_images(*[(50.0, 20.0)] * 99, (50.0, 500.0)))
    assert (found.pixels, found.images, found.fitting) == (64, 100, 99)
    assert "99.0% of 100" in found.reason


@pytest.mark.parametrize(
    ("extent", "edge", "spacing"),
    [
        (120.0, 144.0, 2.0),  # the example of JARVIS' manual
        (70.0, 84.0 + 4.0, 2.0),  # 84 up to 88; 88 mm make 44 voxels
        (66.0, 80.0, 1.0),
        (144.0, 180.0, 3.0),  # 172.8 up to 176; four times 3 mm divides 180
        (3.0, 8.0, 0.1),
        (20.0, 24.0, 0.3),
    ],
)
def test_a_cube_is_1_2_times_the_animal_with_85_voxels_or_fewer(extent: float, edge: float, spacing: float) -> None:
    for axis in range(3):
        size = [1.0, 1.0, 1.0]
        size[axis] = extent
        found = cube_size(in_space(*[tuple(size)] * 4))  # type: ignore[list-item]
        assert (found.edge, found.spacing) == (edge, spacing)


def test_every_cube_holds_its_animal_and_is_divisible() -> None:
    for extent in np.random.default_rng(0).uniform(1.0, 900.0, 300):
        found = cube_size(in_space((extent, 1.0, 1.0)))
        voxels = found.edge / found.spacing
        assert found.edge >= 1.2 * extent
        assert voxels / 4 == pytest.approx(round(voxels / 4), abs=1e-9)
        assert 32 <= voxels <= 88
        assert found.fitting == 1


def test_missing_points_do_not_count_and_framesets_without_two_are_told() -> None:
    labels = in_space((100.0, 50.0, 30.0), (100.0, 50.0, 30.0))
    empty = replace(labels.frames[0], instances_3d=Instances.from_keypoints(np.full((1, 3, 3), np.nan)))
    found = cube_size(replace(labels, frames=(*labels.frames, empty)))
    assert found.extent == pytest.approx(100.0)  # with (0, 0, 0) for the missing point it would be 900
    assert (found.framesets, found.skipped) == (2, 1)
    assert "1 have fewer than two points" in found.reason


def test_framesets_larger_than_a_cube_are_named() -> None:
    labels = in_space((100.0, 50.0, 30.0), (100.0, 250.0, 30.0))
    assert larger_than(labels, 200.0) == ["A/1.jpg"]
    assert larger_than(labels, 300.0) == []


def test_points_are_triangulated_where_only_images_are_labelled() -> None:
    truth = np.array([[0.0, 0.0, 1000.0], [90.0, -30.0, 1060.0], [-10.0, 40.0, 1020.0]])
    matrix = np.array([[900.0, 0.0, 320.0], [0.0, 900.0, 240.0], [0.0, 0.0, 1.0]])
    rig = tuple(
        Camera(matrix, np.eye(3), np.array([shift, 0.0, 0.0]), np.zeros(8), np.array([640.0, 480.0]))
        for shift in (0.0, -300.0)
    )
    seen = np.stack([camera.project(truth) for camera in rig])
    frame = Frame((ImageRef(Path("A/0.jpg")), ImageRef(Path("B/0.jpg"))), Instances.from_keypoints(seen[:, None]), "s")
    found = cube_size(Labels(SKELETON, (frame,), cameras={"s": rig}, view_names=("A", "B")))
    assert found.extent == pytest.approx(100.0, abs=1e-3)


def test_labels_without_any_extent_are_told() -> None:
    with pytest.raises(InputError, match="two labelled keypoints"):
        crop_size(in_images((np.nan, np.nan)))
    with pytest.raises(InputError, match="two cameras see"):
        cube_size(in_images((10.0, 10.0)))


def test_jarvis_own_hand(data_dir: Path) -> None:
    labels = read_labels(data_dir / "jarvis_hand" / "annotations" / "instances_val.json")
    crop, cube = crop_size(labels), cube_size(labels)
    # The manual's own project of this hand has a crop of 256 px and a cube of 144 mm in steps of 2 mm.
    assert crop.pixels in (192, 256, 320) and crop.fitting == crop.images
    assert 100 <= cube.edge <= 200 and cube.spacing in (2.0, 3.0) and cube.fitting == cube.framesets
