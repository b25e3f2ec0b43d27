from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.example_project import write_example
from vitruve.formats.calibration import read_cameras
from vitruve.formats.coordinates_3d import read_coordinates
from vitruve.formats.hub import read_labels
from vitruve.geometry.triangulation import triangulate
from vitruve.media.images import read_image
from vitruve.media.recordings import Recording
from vitruve.structures.camera import stack_cameras
from vitruve.synthetic.rig_files import RigExtent, _spread, rig_labels

SMALL = {"cameras": 3, "width": 96, "height": 80, "train": 3, "val": 2, "sessions": 2, "frames": 3, "occluders": 4}
EXTENT = RigExtent(**SMALL, seed=2)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_example("rig", tmp_path_factory.mktemp("example") / "rig", seed=2, **SMALL)


def test_the_layout_is_that_of_a_training_set_beside_calibration_and_recording(rig: Path) -> None:
    files = {path.relative_to(rig).as_posix() for path in rig.rglob("*") if path.is_file()}
    cameras = ("Camera_A", "Camera_B", "Camera_C")
    images = {file for file in files if file.endswith(".jpg")}
    assert files - images == {
        "example.json",
        "TrainingSet/annotations/instances_train.json",
        "TrainingSet/annotations/instances_val.json",
        *(f"TrainingSet/calib_params/rig/{camera}.yaml" for camera in cameras),
        *(f"calibration/{camera}.yaml" for camera in cameras),
        *(f"recording/{camera}.mp4" for camera in cameras),
        "TrainingSet_truth3D.csv",
        "recording_truth3D.csv",
    }
    assert len(images) == 3 * (3 + 2)
    assert {tuple(Path(file).parts[:5]) for file in images} == {
        ("TrainingSet", split, "rig", f"{split}0{session}", camera)
        for split in ("train", "val")
        for session in range(2)
        for camera in cameras
    }


def test_reading_the_training_set_gives_the_labels_that_were_rendered(rig: Path) -> None:
    found = read_labels(rig / "TrainingSet")
    rendered = rig_labels(rig.parent / "again", EXTENT)
    assert found.skeleton.names == rendered.skeleton.names and found.view_names == rendered.view_names
    assert found.skeleton.edges == rendered.skeleton.edges
    assert len(found) == len(rendered) == 5
    for one, two in zip(found, rendered, strict=True):
        assert (one.session, one.split) == (two.session, two.split)
        assert [image.path for image in one.images] == [image.path for image in two.images]
        for image in one.images:
            assert np.array_equal(read_image(found.path(image)), read_image(rendered.path(image)))
        # Whole pixels are all that JARVIS stores.
        np.testing.assert_allclose(one.instances.keypoints, two.instances.keypoints, atol=0.5 + 1e-9)
        for camera, other in zip(found.cameras[one.session], rendered.cameras[two.session], strict=True):
            for name in ("intrinsics", "rotation", "translation", "distortion", "size"):
                np.testing.assert_allclose(getattr(camera, name), getattr(other, name), atol=1e-6)


def test_however_many_framesets_there_are_each_is_another_frame() -> None:
    for count, apart in ((100, 2), (5000, 1)):
        frames = np.array(_spread(count, 300.0, np.random.default_rng(0)))
        assert np.diff(frames).min() >= apart and frames[0] >= 0 and frames[-1] < 300 * 25


def test_labels_are_the_truth_of_their_recordings() -> None:
    scene = EXTENT.scene(0)
    seen, space = scene.seen(12.0), scene.in_space(12.0)
    pixels = stack_cameras(scene.cameras).project(space.keypoints[0])
    shown = seen.visible[:, 0] > 0
    np.testing.assert_allclose(seen.keypoints[:, 0][shown], pixels[shown])
    assert not np.allclose(space.keypoints, EXTENT.scene(100).in_space(12.0).keypoints, atol=20)


def test_the_truth_beside_is_what_the_videos_show(rig: Path) -> None:
    truth = read_coordinates(rig / "recording_truth3D.csv")
    cameras = read_cameras(rig / "calibration")
    shown = list(Recording([rig / "recording" / f"{name}.mp4" for name in cameras]).frames())
    scene = EXTENT.scene(200)
    assert len(shown) == len(truth) == 3
    for number, (images, frame) in enumerate(zip(shown, truth, strict=True)):
        assert frame.images[0].index == number and frame.instances_3d is not None
        rendered, seen = scene.render(number / 25)
        assert np.abs(np.stack(images).astype(float) - rendered).mean() < 8
        found = triangulate(stack_cameras(tuple(cameras.values())), seen.keypoints[:, 0])
        np.testing.assert_allclose(found, frame.instances_3d.keypoints[0], atol=1e-3)


def test_the_truth_of_the_framesets_is_in_their_order(rig: Path) -> None:
    labels, truth = read_labels(rig / "TrainingSet"), read_coordinates(rig / "TrainingSet_truth3D.csv")
    for frame, exact in zip(labels, truth, strict=True):
        assert exact.instances_3d is not None
        points = exact.instances_3d.keypoints[0]
        found = triangulate(stack_cameras(labels.cameras[frame.session]), frame.instances.keypoints[:, 0])
        # Pixels of five millimetres, rounded.
        assert np.nanmedian(np.linalg.norm(found - points, axis=-1)) < 4


@pytest.mark.parametrize(
    ("extent", "message"),
    [
        ({"cameras": 13}, "cameras=13; it must be from 2 to 12"),
        ({"occluders": -1}, "occluders=-1; it must be from 0 to 60"),
        ({"seed": -1}, "seed=-1"),
        ({"camera": 3}, r"example rig: no 'camera' \(did you mean 'cameras'\?\); there are: cameras, width"),
    ],
)
def test_wrong_numbers_are_refused(tmp_path: Path, extent: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_example("rig", tmp_path / "rig", **extent)
    assert not list(tmp_path.iterdir())
