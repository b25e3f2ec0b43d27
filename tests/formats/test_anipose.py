from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.anipose import read_calibration, write_calibration
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.camera import Camera

CAMERA = """[cam_0]
name = "left"
size = [640, 480]
matrix = [[600.0, 0.0, 320.0], [0.0, 610.0, 240.0], [0.0, 0.0, 1.0]]
distortions = [-0.2, 0.1, 0.01, 0.02, 0.03]
rotation = [0.1, -0.2, 0.3]
translation = [1.0, 2.0, 300.0]
"""


def test_a_file_is_read_as_it_says(tmp_path: Path) -> None:
    file = tmp_path / "calibration.toml"
    second = (
        CAMERA.replace("cam_0", "cam_10").replace("left", "a").replace("[-0.2, 0.1, 0.01, 0.02, 0.03]", "[1,2,3,4]")
    )
    file.write_text(CAMERA + second + "[metadata]\nerror = 0.5\n")
    cameras = read_calibration(file)
    assert list(cameras) == ["left", "a"]
    left = cameras["left"]
    assert left.intrinsics.tolist() == [[600, 0, 320], [0, 610, 240], [0, 0, 1]]
    assert left.distortion.tolist() == [-0.2, 0.1, 0.01, 0.02, 0.03, 0, 0, 0]
    assert cameras["a"].distortion.tolist() == [1, 2, 3, 4, 0, 0, 0, 0]
    assert left.size.tolist() == [640, 480]
    assert left.translation.tolist() == [1, 2, 300]
    np.testing.assert_array_equal(left.rotation, matrix_from_vector(np.array([0.1, -0.2, 0.3])))


@pytest.mark.parametrize("coefficients", [5, 8])
def test_what_is_written_comes_back(coefficients: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cameras = {}
    for name in ('top "1"', "Üben\\2", "z", "a"):
        distortion = np.zeros(8)
        distortion[:coefficients] = rng.normal(size=coefficients)
        matrix = np.array([[700.0 + rng.random(), 0, 300], [0, 710, 200], [0, 0, 1]])
        turn = matrix_from_vector(rng.normal(size=3))
        cameras[name] = Camera(matrix, turn, rng.normal(size=3), distortion, np.array([640.0, 480.0]))
    write_calibration(cameras, tmp_path / "c.toml", {"adjusted": True, "error": 1.5})
    back = read_calibration(tmp_path / "c.toml")
    assert list(back) == list(cameras)
    for name, camera in cameras.items():
        for key in ("intrinsics", "translation", "distortion", "size"):
            np.testing.assert_array_equal(getattr(back[name], key), getattr(camera, key))
        np.testing.assert_allclose(back[name].rotation, camera.rotation, atol=1e-14)
    assert "adjusted = true\nerror = 1.5" in (tmp_path / "c.toml").read_text()


def test_a_fisheye_lens_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "calibration.toml"
    file.write_text(CAMERA.replace("[-0.2, 0.1, 0.01, 0.02, 0.03]", "[0.1, 0.02, 0.003, 0.0004]") + "fisheye = true\n")
    left = read_calibration(file)["left"]
    assert left.fisheye == 1 and left.distortion.tolist() == [0.1, 0.02, 0.003, 0.0004, 0, 0, 0, 0]
    write_calibration({"left": left}, tmp_path / "again.toml")
    assert "fisheye = true" in (tmp_path / "again.toml").read_text()
    again = read_calibration(tmp_path / "again.toml")["left"]
    assert again.fisheye == 1 and again.distortion.tolist() == left.distortion.tolist()


def test_a_size_that_is_not_known_cannot_be_written(tmp_path: Path) -> None:
    camera = Camera(np.eye(3), np.eye(3), np.zeros(3), np.zeros(8), np.full(2, np.nan))
    with pytest.raises(InputError, match="camera 'a': its width and height are not known"):
        write_calibration({"a": camera}, tmp_path / "c.toml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "left"', "", "cam_0.name"),
        ('name = "left"', "name = 3", "cam_0.name"),
        ("size = [640, 480]", "size = [640]", "cam_0.size: has 1 numbers; give 2"),
        ("size = [640, 480]", "size = [0, 480]", "cam_0.size"),
        ("matrix", "matrx", "cam_0.matrix: is missing"),
        ("[0.0, 0.0, 1.0]]", "[0.0, 0.0, 2.0]]", "cam_0.matrix: must be"),
        ("600.0, 0.0, 320.0", "600.0, 0.0", "cam_0.matrix: must be 3x3 numbers"),
        ("distortions = [-0.2, 0.1, 0.01, 0.02, 0.03]", "distortions = [0.1]", "cam_0.distortions: has 1 numbers"),
        ("rotation = [0.1", "rotation = [nan", "cam_0.rotation: holds a value that is not finite"),
        ("translation = [1.0, 2.0, 300.0]", "translation = 'far'", "cam_0.translation"),
        (
            'name = "left"',
            'name = "left"\nfisheye = true',
            "cam_0.distortions: has 5 numbers; give 4",
        ),
        ("[cam_0]", "[cam_0", "not TOML"),
        ("[cam_0]", "cam_9 = 3\n[cam_0]", "cam_9: is no table"),
    ],
)
def test_errors_name_file_table_and_key(old: str, new: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "calibration.toml"
    file.write_text(CAMERA.replace(old, new))
    with pytest.raises(InputError) as caught:
        read_calibration(file)
    message = str(caught.value)
    assert message.startswith(str(file)) and words in message and "\n" not in message


def test_errors_of_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "calibration.toml"
    with pytest.raises(InputError, match="cannot be read"):
        read_calibration(file)
    file.write_text("[metadata]\nerror = 1.0\n")
    with pytest.raises(InputError, match="holds no camera"):
        read_calibration(file)
    file.write_text(CAMERA + CAMERA.replace("cam_0", "cam_1"))
    with pytest.raises(InputError, match=r"cam_1\.name: 'left' is the name of two cameras"):
        read_calibration(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_calibration(file)


def test_the_fly_has_three_cameras(data_dir: Path) -> None:
    cameras = read_calibration(data_dir / "eks_fly" / "calibration.toml")
    assert list(cameras) == ["Cam-A", "Cam-B", "Cam-C"]
    assert cameras["Cam-C"].distortion[0] == -6468.60716369641
