from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from vitruve.errors import InputError
from vitruve.formats import label3d
from vitruve.formats.calibration import FORMATS, read_cameras, write_cameras
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.geometry.triangulation import reprojection_errors, triangulate
from vitruve.structures.camera import Camera, stack_cameras


def cameras(count: int = 3, seed: int = 0) -> dict[str, Camera]:
    rng = np.random.default_rng(seed)
    found = {}
    for number in range(count):
        lens = np.zeros(8)
        lens[:5] = rng.normal(size=5) * 0.1
        matrix = np.array([[700 + rng.random(), rng.random(), 300.5], [0, 710, 200.25], [0, 0, 1]])
        turn = matrix_from_vector(rng.normal(size=3))
        found[f"Camera_{number}"] = Camera(matrix, turn, rng.normal(size=3) * 100, lens, np.array([640.0, 480.0]))
    return found


def _path(format: str, folder: Path) -> Path:
    return folder / f"rig{FORMATS[format][0]}"


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_comes_back(format: str, tmp_path: Path) -> None:
    wanted, path = cameras(), _path(format, tmp_path)
    write_cameras(wanted, path)
    found = read_cameras(path)
    assert list(found) == list(wanted)
    for name, camera in wanted.items():
        tolerance = 0 if format == "jarvis" else 1e-12
        for key in ("intrinsics", "rotation", "translation", "distortion"):
            np.testing.assert_allclose(getattr(found[name], key), getattr(camera, key), rtol=tolerance, atol=tolerance)
        sized = format in ("anipose", "panoptic")
        np.testing.assert_array_equal(found[name].size, camera.size if sized else [np.nan, np.nan])
        assert found[name].fisheye is None


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "anipose"])
@pytest.mark.parametrize(("last", "fisheye"), [(0.1, None), (0.0, np.array(1.0))])
def test_lenses_without_a_place_are_refused(
    format: str, last: float, fisheye: np.ndarray | None, tmp_path: Path
) -> None:
    camera = cameras(1)["Camera_0"]
    lens = camera.distortion.copy()
    lens[7] = last
    odd = Camera(camera.intrinsics, camera.rotation, camera.translation, lens, camera.size, fisheye)
    with pytest.raises(InputError, match=r"camera 'odd': .*; write anipose"):
        write_cameras({"odd": odd}, _path(format, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_jarvis_files_are_those_of_opencv(tmp_path: Path) -> None:
    """OpenCV, which JARVIS reads with, finds what is written, transposed."""
    wanted = cameras(2)
    write_cameras(wanted, tmp_path / "rig", "jarvis")
    for name, camera in wanted.items():
        storage = cv2.FileStorage(str(tmp_path / "rig" / f"{name}.yaml"), cv2.FILE_STORAGE_READ)
        np.testing.assert_array_equal(storage.getNode("intrinsicMatrix").mat(), camera.intrinsics.T)
        np.testing.assert_array_equal(storage.getNode("R").mat(), camera.rotation.T)
        np.testing.assert_array_equal(storage.getNode("T").mat(), camera.translation[:, None])
        np.testing.assert_array_equal(storage.getNode("distortionCoefficients").mat(), camera.distortion[None, :5])
    file = tmp_path / "cv.yaml"
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_WRITE)
    camera = wanted["Camera_1"]
    values = {"intrinsicMatrix": camera.intrinsics.T, "distortionCoefficients": camera.distortion[None, :5]}
    for key, value in (values | {"R": camera.rotation.T, "T": camera.translation[:, None]}).items():
        storage.write(key, np.ascontiguousarray(value))
    storage.release()
    np.testing.assert_array_equal(read_cameras(file)["cv"].rotation, camera.rotation)


def test_real_jarvis_files_are_written_as_they_were(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "jarvis_hand" / "calib_params" / "12Cam_Ralph"
    found = read_cameras(data_dir / "jarvis_hand")
    assert len(found) == 12 and list(found) == sorted(found)
    primary = found["Camera_T"]
    assert primary.rotation.tolist() == np.eye(3).tolist() and primary.translation.tolist() == [0, 0, 0]
    assert primary.intrinsics[0].tolist() == [762.14247015680655, 0, 631.62936983083205]
    write_cameras(found, tmp_path / "rig")
    for file in folder.iterdir():
        assert (tmp_path / "rig" / file.name).read_text() == file.read_text()


def test_the_mouse_of_dannce_is_seen_where_it_was_labelled(data_dir: Path) -> None:
    labels = label3d.read(data_dir / "dannce_mouse" / "label3d_dannce.mat")
    assert len(labels) == 81 and len(labels.view_names) == 6 and len(labels.skeleton) == 22
    assert labels[0].images[2].index == 27 and labels[0].images[2].path == Path("videos/Camera3/0.mp4")
    rig = stack_cameras(labels.cameras[labels[0].session])
    space = np.stack([frame.instances_3d.keypoints[0] for frame in labels])
    pixels = labels.keypoints()[:, :, 0]
    errors = reprojection_errors(rig, space, pixels)
    assert np.nanmax(errors) < 1e-9
    np.testing.assert_allclose(triangulate(rig, pixels), space, atol=1e-6)


@pytest.mark.parametrize("sequence", ["160906_band1", "160906_band2"])
def test_the_panoptic_studio_surrounds_people(sequence: str, data_dir: Path) -> None:
    found = read_cameras(data_dir / "panoptic" / sequence)
    assert len(found) == 520
    wide = found["00_00"]
    assert wide.size.tolist() == [1920, 1080]
    places = np.stack([-camera.rotation.T @ camera.translation for camera in found.values()])
    # The dome has a radius of 2.7 m: lengths are millimetres.
    assert 2000 < np.median(np.linalg.norm(places - np.median(places, 0), axis=1)) < 3500


def _mat(path: Path, **changes: object) -> Path:
    camera = next(iter(cameras().values()))
    fields = {
        "K": camera.intrinsics.T,
        "RDistort": np.zeros((1, 2)),
        "TDistort": np.zeros((1, 2)),
        "r": camera.rotation.T,
        "t": camera.translation[None],
    }
    cell = np.empty((2, 1), object)
    cell[:, 0] = [fields | {k: v for k, v in changes.items() if k in fields}, fields]
    content = {"params": cell} | {k: v for k, v in changes.items() if k not in fields}
    savemat(path, {key: value for key, value in content.items() if value is not None})
    return path


def test_label3d_cameras_without_names_are_numbered(tmp_path: Path) -> None:
    found = read_cameras(_mat(tmp_path / "x.mat"))
    assert list(found) == ["Camera1", "Camera2"]
    # MATLAB counts pixels from 1.
    assert found["Camera1"].intrinsics[:2, 2].tolist() == [299.5, 199.25]


YAML = """%YAML:1.0
---
intrinsicMatrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 7e2, 0., 0., 0., 710., 0., 300., 200., 1. ]
distortionCoefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
R: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]
T: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ 0., 0., 0. ]
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("intrinsicMatrix:", "intrinsicMatrices:", ".intrinsicMatrix: is missing; give 3x3 numbers"),
        ("7e2, 0., 0.", "7e2, 0., 300.", ".intrinsicMatrix: must be [[fx, 0, 0], [s, fy, 0], [cx, cy, 1]]"),
        ("[ 1., 0., 0., 0., 1.", "[ 1., 0., 0., 0., 2.", ".R: is no rotation"),
        ("[ 1., 0., 0., 0., 1.", "[ 1., 0., 0., 0., -1.", ".R: is no rotation"),
        ("[ 1., 0., 0., 0., 1.", "[ 1., 0., .Nan, 0., 1.", ".R: holds a value that is not finite"),
        ("data: [ 0., 0., 0. ]", "data: [ 0., 0. ]", "line 18: not YAML (a matrix needs rows, cols and"),
        ("T: !!opencv-matrix", "T: [1, 2", "not YAML"),
        ("T: !!opencv-matrix\n   rows: 3\n   cols: 1", "T: !!opencv-matrix\n   rows: 1\n   cols: 3", None),
    ],
)
def test_errors_of_jarvis_files_name_the_key(old: str, new: str, words: str | None, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    assert old in YAML
    file.write_text(YAML.replace(old, new))
    if words is None:
        assert read_cameras(file)["a"].translation.shape == (3,)
        return
    with pytest.raises(InputError) as caught:
        read_cameras(file)
    message = str(caught.value)
    assert message.startswith(str(file)) and words in message and "\n" not in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"K": np.eye(2)}, "params of Camera1.K: has 2x2 numbers; give 3x3"),
        ({"t": np.zeros((1, 4))}, "params of Camera1.t: has 1x4 numbers"),
        ({"params": None}, "holds neither params and labelData of DANNCE"),
        ({"params": np.zeros((2, 1))}, "params: must be a cell array"),
        ({"camnames": np.array([["a"]], object)}, "camnames: a for 2 cameras"),
    ],
)
def test_errors_of_label3d_files_name_the_field(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_cameras(_mat(tmp_path / "x.mat", **changes))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_labels_that_a_label3d_file_has_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="labelData: has 0 cameras; expected 2"):
        label3d.read(_mat(tmp_path / "x.mat"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "holds a list"),
        ("{}", "cameras: must be a list"),
        ('{"cameras": [3]}', "cameras[0].name"),
        ('{"cameras": [{"name": "a", "K": [1]}]}', "cameras[0].K: has 1 numbers; give 3x3"),
    ],
)
def test_errors_of_panoptic_files_name_the_key(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "calibration_x.json"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_cameras(tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_paths_that_are_no_calibration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such calibration; give Anipose's"):
        read_cameras(tmp_path / "absent.toml")
    with pytest.raises(InputError, match="holds no calibration; give Anipose's"):
        read_cameras(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"a\.txt: no known calibration"):
        read_cameras(tmp_path / "a.txt")
    for name in ("one", "two"):
        write_cameras(cameras(), tmp_path / "calib_params" / name)
    with pytest.raises(InputError, match=r"holds several calibrations \(one, two\); name one"):
        read_cameras(tmp_path)
    (tmp_path / "b.mat").write_bytes(b"no matrix at all")
    with pytest.raises(InputError, match=r"b\.mat: not a MATLAB file"):
        read_cameras(tmp_path / "b.mat")
    with pytest.raises(InputError, match=r"'anipos' \(did you mean 'anipose'\?\)"):
        write_cameras(cameras(), tmp_path / "c.toml", "anipos")
    with pytest.raises(InputError, match="no camera to write"):
        write_cameras({}, tmp_path / "c.toml")
