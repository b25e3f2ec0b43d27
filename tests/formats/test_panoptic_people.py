from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibrated_scene import rig
from vitruve.errors import InputError
from vitruve.formats.calibration import write_cameras
from vitruve.formats.panoptic_people import NAMES, read_people
from vitruve.geometry.triangulation import triangulate
from vitruve.structures.camera import stack_cameras


def sequence(root: Path, bodies: object) -> Path:
    cameras = {f"00_0{n}": replace(camera, distortion=np.zeros(8)) for n, camera in enumerate(rig())}
    write_cameras(cameras, root / f"calibration_{root.name}.json")
    folder = root / "hdPose3d_stage1_coco19"
    folder.mkdir(parents=True)
    (folder / "body3DScene_00000012.json").write_text(json.dumps({"bodies": bodies}))
    return root


def test_people_in_space_and_in_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    joints = np.concatenate([rng.uniform(-3, 3, (19, 3)), np.full((19, 1), 0.5)], -1)
    joints[4, 3] = -1
    labels = read_people(sequence(tmp_path / "s", [{"id": 7, "joints19": joints.ravel().tolist()}]), ["00_02", "00_00"])
    frame = labels[0]
    assert frame.images[0].path == Path("hdVideos/hd_00_02.mp4") and frame.images[0].index == 12
    wanted = np.where(joints[:, 3:] < 0, np.nan, joints[:, :3] * 10)
    np.testing.assert_allclose(frame.instances_3d.keypoints[0], wanted)
    assert frame.instances_3d.tracks.tolist() == [7] and np.isnan(frame.instances_3d.keypoint_scores[0, 4])
    seen = triangulate(stack_cameras(labels.cameras["s"]), frame.instances.keypoints[:, 0])
    known = np.isfinite(seen).all(-1)
    assert known.sum() > 10 and not known[4]
    np.testing.assert_allclose(seen[known], wanted[known], atol=1e-6)


def test_an_instant_without_people(tmp_path: Path) -> None:
    frame = read_people(sequence(tmp_path / "s", []), ["00_00"])[0]
    assert frame.instances.keypoints.shape == (1, 0, 19, 2) and frame.instances_3d.keypoints.shape == (0, 19, 3)


@pytest.mark.parametrize(
    ("bodies", "views", "words"),
    [
        ({}, ["00_00"], "bodies: must be a list of people"),
        ([{"id": 1, "joints19": [1]}], ["00_00"], "bodies[0]: must have an id and joints19"),
        ([], ["00_9"], "holds no camera '00_9' (did you mean '00_0"),
        ([], [], "no view is named"),
    ],
)
def test_errors(bodies: object, views: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_people(sequence(tmp_path / "s", bodies), views)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_the_band_has_the_size_of_people(data_dir: Path) -> None:
    labels = read_people(data_dir / "panoptic" / "160906_band1", [f"00_{n:02d}" for n in range(0, 30, 6)])
    assert len(labels) == 2 and len(labels.view_names) == 5
    points = labels[0].instances_3d.keypoints
    thigh = np.linalg.norm(points[:, NAMES.index("left_hip")] - points[:, NAMES.index("left_knee")], axis=-1)
    assert 300 < np.nanmedian(thigh) < 550
    cameras = stack_cameras(labels.cameras["160906_band1"])
    for person, space in enumerate(points):
        seen = triangulate(cameras, labels[0].instances.keypoints[:, person])
        known = np.isfinite(seen).all(-1)
        np.testing.assert_allclose(seen[known], space[known], atol=1e-3)
