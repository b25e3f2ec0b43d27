from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibrated_scene import VIEWS, rig, scene_labels
from vitruve.data.calibrations import with_cameras
from vitruve.errors import ConfigError, InputError
from vitruve.formats.anipose import write_calibration
from vitruve.formats.calibration import FORMATS, write_cameras
from vitruve.structures.labels import Labels


def _write(path: Path, names: tuple[str, ...] = VIEWS, shift: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cameras = {
        name: replace(camera, translation=camera.translation + shift)
        for name, camera in zip(names, rig(len(names)), strict=True)
    }
    write_calibration(cameras, path)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return replace(scene_labels(6, sessions=("walk", "run"), calibrated=False), root=tmp_path)


def _shift(labels: Labels, session: str) -> float:
    return float(labels.cameras[session][0].translation[0] - rig()[0].translation[0])


def test_each_session_has_its_own_file_or_the_common_one(labels: Labels, tmp_path: Path) -> None:
    assert with_cameras(labels).cameras == {}
    _write(tmp_path / "calibration.toml", shift=1.0)
    assert [_shift(with_cameras(labels), session) for session in ("walk", "run")] == pytest.approx([1, 1])
    _write(tmp_path / "calibrations" / "run.toml", shift=2.0)
    assert [_shift(with_cameras(labels), session) for session in ("walk", "run")] == pytest.approx([1, 2])
    found = with_cameras(labels).cameras["walk"]
    for camera, wanted in zip(found, rig(), strict=True):
        np.testing.assert_allclose(camera.rotation, wanted.rotation, atol=1e-9)
        np.testing.assert_allclose(camera.distortion, wanted.distortion)


def test_cameras_come_in_the_order_of_the_views(labels: Labels, tmp_path: Path) -> None:
    path = tmp_path / "calibration.toml"
    turned = dict(zip(reversed(VIEWS), reversed(rig()), strict=True))
    write_calibration(turned, path)
    for camera, wanted in zip(with_cameras(labels).cameras["walk"], rig(), strict=True):
        np.testing.assert_allclose(camera.intrinsics, wanted.intrinsics)


@pytest.mark.parametrize("by_name_alone", [False, True])
def test_a_table_of_images_and_calibrations(labels: Labels, tmp_path: Path, by_name_alone: bool) -> None:
    for number, session in enumerate(("walk", "run")):
        _write(tmp_path / "elsewhere" / f"{session}.toml", shift=float(number))
    rows = [(f"labeled-data/{f.session}/{f.images[0].path.name}", f"elsewhere/{f.session}.toml") for f in labels]
    if by_name_alone:
        rows = [(Path(image).name, file) for image, file in rows]
    text = ",file\n" + "".join(f"{image},{file}\n" for image, file in reversed(rows))
    (tmp_path / "calibrations.csv").write_text(text)
    found = with_cameras(labels, params_file="calibrations.csv")
    assert [_shift(found, session) for session in ("walk", "run")] == pytest.approx([0, 1])


def test_one_named_file_is_for_all_sessions(labels: Labels, tmp_path: Path) -> None:
    _write(tmp_path / "rig.toml", shift=4.0)
    found = with_cameras(labels, params_file="rig.toml")
    assert [_shift(found, session) for session in ("walk", "run")] == pytest.approx([4, 4])


@pytest.mark.parametrize("format", ["anipose", "jarvis", "label3d", "panoptic"])
def test_calibrations_of_any_kind_are_understood(labels: Labels, tmp_path: Path, format: str) -> None:
    usual = {name: replace(camera, distortion=np.zeros(8)) for name, camera in zip(VIEWS, rig(), strict=True)}
    place = f"rig{FORMATS[format][0]}"
    write_cameras(dict(reversed(usual.items())) | {"spare": usual[VIEWS[0]]}, tmp_path / place)
    found = with_cameras(labels, params_file=place)
    for camera, wanted in zip(found.cameras["walk"], usual.values(), strict=True):
        np.testing.assert_allclose(camera.translation, wanted.translation)
    if format == "jarvis":
        write_cameras(usual, tmp_path / "calibrations" / "walk")
        write_cameras(usual, tmp_path / "calibration.toml")
        assert len(with_cameras(labels).cameras) == 2


TABLE = ",file\nlabeled-data/walk/img000.png,a.toml\n"


@pytest.mark.parametrize(
    ("prepare", "named", "error", "message"),
    [
        (
            lambda place: _write(place / "calibration.toml", ("left", "middle", "top")),
            None,
            InputError,
            r"calibration\.toml: has the cameras left, middle, top, but the views are left, middle, right",
        ),
        (
            lambda place: _write(place / "calibrations" / "run.toml"),
            None,
            ConfigError,
            r"walk\.toml: no such calibration, but 1 other sessions have one",
        ),
        (lambda place: None, "rig.toml", InputError, r"rig\.toml: no such file; data\.camera_params_file"),
        (lambda place: (place / "c.csv").write_text(",calibration\n"), "c.csv", InputError, r"c\.csv: row 1: must be"),
        (lambda place: (place / "c.csv").write_text(",file\nimg,\n"), "c.csv", InputError, r"c\.csv: row 2: must name"),
        (
            lambda place: (place / "c.csv").write_text(TABLE.replace("walk", "walks").replace("img000", "img009")),
            "c.csv",
            InputError,
            r"c\.csv: no row for image labeled-data/walk/img000\.png \(did you mean",
        ),
        (
            lambda place: (place / "c.csv").write_text(
                ",file\n"
                + "".join(f"labeled-data/{s}/img{i:03d}.png,{i}.toml\n" for i in range(6) for s in ("walk", "run"))
            ),
            "c.csv",
            InputError,
            r"c\.csv: .*walk/img002\.png has 2\.toml, but .*walk/img000\.png of the same session has another",
        ),
    ],
)
def test_what_does_not_fit(
    labels: Labels,
    tmp_path: Path,
    prepare: Callable[[Path], object],
    named: str | None,
    error: type[Exception],
    message: str,
) -> None:
    prepare(tmp_path)
    with pytest.raises(error, match=message) as caught:
        with_cameras(labels, params_file=named)
    assert "\n" not in str(caught.value)


def test_one_view_has_no_use_for_cameras(tmp_path: Path) -> None:
    single = replace(scene_labels(2, views=1, calibrated=False), view_names=(), root=tmp_path)
    _write(tmp_path / "calibration.toml")
    assert with_cameras(single).cameras == {}
    with pytest.raises(ConfigError, match=r"data\.camera_params_file=calibration\.toml: cameras belong to views"):
        with_cameras(single, params_file="calibration.toml")
