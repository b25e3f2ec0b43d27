"""Videos and cameras that do not fit together are said in one line, before anything is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ball_rig import write_recording
from calibrated_scene import SIZE, VIEWS, rig
from vitruve.errors import InputError
from vitruve.formats.calibration import read_cameras, write_cameras
from vitruve.inference.shots import shots
from vitruve.media.images import write_image
from vitruve.pipeline.rig_recording import find_cameras, open_recording
from vitruve.structures.camera import Camera

CAMERAS = dict(zip(VIEWS, rig(), strict=True))


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("balls")
    write_recording(folder, 6, lengths={"middle": 4}, calibration=False)
    return folder


@pytest.fixture
def copied(balls: Path, tmp_path: Path) -> Path:
    shutil.copytree(balls, tmp_path / "recording")
    return tmp_path / "recording"


def test_the_order_is_that_of_the_calibration_and_the_size_that_of_the_video(balls: Path) -> None:
    unsized = {n: replace(CAMERAS[n], size=np.full(2, np.nan)) for n in ("right", "left")}
    opened = open_recording(balls, unsized, ["left", "right"], frame_start=2)
    assert list(opened.cameras) == ["right", "left"] == [path.stem for path in opened.source.videos]
    assert (opened.start, opened.count, opened.source.stop) == (2, 4, 6)
    assert all(tuple(camera.size) == SIZE for camera in opened.cameras.values())


def test_a_name_ends_at_its_first_full_stop(copied: Path) -> None:
    (copied / "left.mp4").rename(copied / "left.2024-05-01.run1.mp4")
    assert open_recording(copied, CAMERAS, ["left", "right"]).source.videos[0].name == "left.2024-05-01.run1.mp4"


def test_the_shortest_video_ends_the_recording_only_when_told(balls: Path) -> None:
    with pytest.raises(InputError, match=r"longest has 6 frames, middle.mp4 4 \(2 fewer\).*--shortest"):
        open_recording(balls, CAMERAS)
    opened = open_recording(balls, CAMERAS, shortest=True)
    assert opened.count == 4 and [shot.frame.images[0].index for shot in shots(opened.source, 2)] == [2, 3]


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / f"{name}.mp4").unlink()


def also(name: str) -> Callable[[Path], None]:
    def copy(folder: Path) -> None:
        shutil.copy(folder / "left.mp4", folder / name)

    return copy


def nothing(folder: Path) -> None:
    """All is as it was."""


def sized(factor: float) -> dict[str, Camera]:
    lens = CAMERAS["left"].intrinsics * np.array([[factor], [factor], [1]])
    return {**CAMERAS, "left": replace(CAMERAS["left"], intrinsics=lens, size=np.full(2, np.nan))}


@pytest.mark.parametrize(
    ("spoil", "cameras", "options", "words"),
    [
        (without("left"), CAMERAS, {}, "no video of camera left; add it as left.mp4"),
        (also("top.mp4"), CAMERAS, {}, "camera 'top' is not calibrated.*left, middle, right"),
        (also("left.b.mp4"), CAMERAS, {}, "camera 'left' has left.b.mp4 already|camera 'left' has left.mp4 already"),
        (nothing, CAMERAS, {"chosen": ["lefd"]}, "'lefd' is not calibrated .did you mean 'left'"),
        (nothing, CAMERAS, {"chosen": ["left"]}, "1 camera; points in space need two"),
        (nothing, CAMERAS, {"chosen": ["left", "right"], "frame_start": 6}, "--frame-start 6: .* has frames 0 to 5"),
        (
            nothing,
            CAMERAS,
            {"chosen": ["left", "right"], "number_frames": 7},
            "--number-frames 7: .* has 6 from frame 0",
        ),
        (nothing, CAMERAS, {"chosen": ["left", "right"], "number_frames": 0}, "--number-frames 0"),
        (
            nothing,
            {**CAMERAS, "left": replace(CAMERAS["left"], size=np.array([192.0, 160]))},
            {"chosen": ["left", "right"]},
            "left.mp4: 96x80 px, but camera 'left' was calibrated at 192x160 px",
        ),
        (nothing, sized(2.1), {"chosen": ["left", "right"]}, "seems to be calibrated at another resolution; give"),
    ],
)
def test_what_does_not_fit(
    copied: Path,
    spoil: Callable[[Path], None],
    cameras: dict[str, Camera],
    options: dict[str, object],
    words: str,
) -> None:
    spoil(copied)
    with pytest.raises(InputError, match=words) as raised:
        open_recording(copied, cameras, **options)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_a_lens_far_off_the_middle_is_suspected_of_another_resolution(balls: Path) -> None:
    with pytest.warns(UserWarning, match="middle at .* another resolution"):
        open_recording(balls, sized(0.5), ["left", "right"])


@pytest.fixture
def training_set(tmp_path: Path) -> Path:
    for name, count in (("monday", 3), ("tuesday", 2)):
        cameras = dict(list(CAMERAS.items())[:count])
        write_cameras(cameras, tmp_path / "set" / "calib_params" / name, "jarvis")
    return tmp_path / "set"


def test_calibrations_are_chosen_by_the_name_of_the_dataset_or_by_path(training_set: Path, balls: Path) -> None:
    cameras, place = find_cameras("tuesday", balls, training_set)
    assert list(cameras) == ["left", "middle"] and place.name == "tuesday"
    other, _ = find_cameras(training_set / "calib_params" / "monday", balls, training_set)
    assert list(other) == sorted(VIEWS)
    with pytest.raises(InputError, match=r"holds 2 calibrations; choose one with --dataset-name: monday, tuesday"):
        find_cameras(None, balls, training_set)
    with pytest.raises(
        InputError, match=r"mondy: neither .* \(did you mean 'monday'\?\); its datasets are monday, tue"
    ):
        find_cameras("mondy", balls, training_set)
    shutil.rmtree(training_set / "calib_params" / "monday")
    assert find_cameras(None, balls, training_set)[1].name == "tuesday"


def test_a_calibration_of_a_training_set_is_for_the_resolution_of_its_images(training_set: Path, balls: Path) -> None:
    for name, size in (("left", (192, 160)), ("middle", (SIZE[0], SIZE[1]))):
        image = training_set / "train" / "tuesday" / "trial" / name / "Frame_3.png"
        image.parent.mkdir(parents=True)
        write_image(image, np.zeros((size[1], size[0], 3), np.uint8))
    cameras, _ = find_cameras("tuesday", balls, training_set)
    assert tuple(cameras["middle"].size) == SIZE
    with pytest.raises(InputError, match=r"left.mp4: 96x80 px, but camera 'left' was calibrated at 192x160 px"):
        open_recording(balls, cameras, ["left", "middle"])
    other, _ = find_cameras("monday", balls, training_set)
    assert all(np.isnan(camera.size).all() for camera in other.values())


def test_names_of_datasets_may_hold_any_signs(training_set: Path, balls: Path) -> None:
    name = next(iter(CAMERAS))
    (training_set / "calib_params" / "monday").rename(training_set / "calib_params" / "day [1]")
    write_image(training_set / "val" / "day [1]" / "trial" / name / "Frame_3.png", np.zeros((40, 30, 3), np.uint8))
    cameras, _ = find_cameras("day [1]", balls, training_set)
    assert cameras[name].size.tolist() == [30, 40]


def test_without_a_training_set_the_calibration_may_lie_with_the_videos(copied: Path) -> None:
    with pytest.raises(InputError, match="no calibration was named, and here is none"):
        find_cameras(None, copied)
    write_cameras(CAMERAS, copied / "calibration.toml")
    assert list(find_cameras(None, copied)[0]) == list(read_cameras(copied)) == list(VIEWS)
