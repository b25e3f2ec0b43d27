"""The geometric draws: how often and how strongly, measured over many of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from vitruve.data.augment import PRESETS, Augmentation, augmentation, draw
from vitruve.errors import ConfigError
from vitruve.geometry.affine import resize

SIZE = (64, 64)
DRAWS = 3000


def _matrices(settings: Augmentation, size: tuple[int, int] = SIZE, count: int = DRAWS) -> np.ndarray:
    return np.stack([draw(settings, np.eye(3), size, np.random.default_rng(i)).warp.matrix for i in range(count)])


def _changed(matrices: np.ndarray) -> np.ndarray:
    return np.abs(matrices - np.eye(3)).max((1, 2)) > 1e-9


def test_the_presets_are_as_documented() -> None:
    dlc = {
        "rotate": 0.4, "rotate_degrees": 25.0,
        "motion_blur": 0.5, "blur_size": 5,
        "dropout": 0.5, "dropout_share": 0.02,
        "salt": 0.5, "pepper": 0.5, "salt_share": 0.01,
        "elastic": 0.5, "elastic_alpha": 10.0, "elastic_sigma": 5.0,
        "equalize": 0.1, "clahe": 0.1, "emboss": 0.1,
        "crop_pad": 0.4, "crop_pad_share": 0.15,
        "zoom": 0.0, "zoom_factor": 2.0,
        "quarter_turns": (), "hflip": 0.0,
    }  # fmt: skip
    assert asdict(PRESETS["dlc"]) == dlc
    assert asdict(PRESETS["dlc-lr"]) == {**dlc, "quarter_turns": (0, 180)}
    assert asdict(PRESETS["dlc-top-down"]) == {**dlc, "quarter_turns": (0, 90, 180, 270)}
    none = Augmentation()
    assert PRESETS["none"] == PRESETS["default"] == none
    assert not any(value for name, value in asdict(none).items() if asdict(Augmentation())[name] == 0.0)


def test_none_changes_nothing() -> None:
    base = resize((200, 100), SIZE)
    for seed in range(50):
        drawn = draw(PRESETS["none"], base, SIZE, np.random.default_rng(seed))
        np.testing.assert_array_equal(drawn.warp.matrix, base)
        assert drawn.warp.displacement is None and not drawn.mirrored and drawn.warp.size == SIZE


def test_rotations() -> None:
    matrices = _matrices(replace(Augmentation(), rotate=PRESETS["dlc"].rotate))
    turned = _changed(matrices)
    assert turned.mean() == pytest.approx(0.4, abs=0.03)
    degrees = np.degrees(np.arctan2(matrices[turned, 1, 0], matrices[turned, 0, 0]))
    assert degrees.min() == pytest.approx(-25, abs=0.5) and degrees.max() == pytest.approx(25, abs=0.5)
    assert np.abs(degrees).max() <= 25
    assert degrees.std() == pytest.approx(25 / np.sqrt(3), rel=0.05)
    middle = matrices @ [31.5, 31.5, 1]
    np.testing.assert_allclose(middle[:, :2], 31.5)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)


def test_crops_and_pads() -> None:
    size = (100, 60)
    matrices = _matrices(replace(Augmentation(), crop_pad=PRESETS["dlc"].crop_pad), size)
    moved = _changed(matrices)
    assert moved.mean() == pytest.approx(0.4, abs=0.03)
    inverse = np.linalg.inv(matrices[moved])
    low = (inverse @ [-0.5, -0.5, 1])[:, :2]
    high = (inverse @ [99.5, 59.5, 1])[:, :2]
    # Each border of what is shown lies up to 15 % of the side in or out of the border of the image.
    shares = np.concatenate([(low + 0.5) / size, (high - (99.5, 59.5)) / size], 1)
    assert np.abs(shares).max() <= 0.15 + 1e-9
    np.testing.assert_allclose(np.abs(shares).max(0), 0.15, atol=0.002)
    np.testing.assert_allclose(shares.std(0), 0.15 / np.sqrt(3), rtol=0.06)
    assert np.abs(np.corrcoef(shares.T) - np.eye(4)).max() < 0.1


@pytest.mark.parametrize(("preset", "turns"), [("dlc-lr", 2), ("dlc-top-down", 4)])
@pytest.mark.parametrize("size", [(64, 64), (96, 32)])
def test_quarter_turns_are_taken_equally_often(preset: str, turns: int, size: tuple[int, int]) -> None:
    quarters = PRESETS[preset].quarter_turns
    matrices = _matrices(replace(Augmentation(), quarter_turns=quarters), size, 1500)
    corners = matrices @ [-0.5, -0.5, 1]
    _, counts = np.unique(corners.round(6), axis=0, return_counts=True)
    assert len(counts) == turns
    np.testing.assert_allclose(counts / 1500, 1 / turns, atol=0.05)
    box = {(-0.5, -0.5), (size[0] - 0.5, -0.5), (-0.5, size[1] - 0.5), (size[0] - 0.5, size[1] - 0.5)}
    assert {tuple(corner[:2].round(6)) for corner in corners} <= box  # the input stays filled


def test_mirror_images() -> None:
    settings = augmentation("none", hflip=True)
    drawn = [draw(settings, np.eye(3), SIZE, np.random.default_rng(i)) for i in range(DRAWS)]
    mirrored = np.array([d.mirrored for d in drawn])
    assert mirrored.mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_array_equal(mirrored, [np.linalg.det(d.warp.matrix) < 0 for d in drawn])


def test_elastic_changes() -> None:
    settings = replace(Augmentation(), elastic=PRESETS["dlc"].elastic)
    fields = [draw(settings, np.eye(3), SIZE, np.random.default_rng(i)).warp.displacement for i in range(600)]
    found = np.stack([field for field in fields if field is not None])
    assert len(found) / 600 == pytest.approx(0.5, abs=0.06)
    assert found.shape[1:] == (64, 64, 2) and found.dtype == np.float32
    inner = found[:, 16:-16, 16:-16].astype(np.float64)
    # White noise from -1 to 1, smoothed with sigma 5, times a strength from 0 to 10.
    noise, smoothing, strength = 1 / np.sqrt(3), 1 / (2 * 5 * np.sqrt(np.pi)), 10 / np.sqrt(3)
    assert np.sqrt((inner**2).mean()) == pytest.approx(noise * smoothing * strength, rel=0.08)
    beside = (inner[:, :, 5:] * inner[:, :, :-5]).mean() / (inner**2).mean()
    assert beside == pytest.approx(np.exp(-(5**2) / (4 * 5**2)), abs=0.05)  # one sigma away


def test_everything_together_happens_as_often_as_alone() -> None:
    settings = augmentation("dlc", hflip=True)
    drawn = [draw(settings, np.eye(3), SIZE, np.random.default_rng(i)) for i in range(1000)]
    assert np.mean([d.mirrored for d in drawn]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([d.warp.displacement is not None for d in drawn]) == pytest.approx(0.5, abs=0.05)
    moved = _changed(np.stack([d.warp.matrix for d in drawn if not d.mirrored]))
    assert moved.mean() == pytest.approx(1 - 0.6 * 0.6, abs=0.06)


def test_the_same_chance_gives_the_same_draw_and_one_probability_shifts_no_other() -> None:
    base = resize((90, 70), SIZE)
    for seed in range(20):
        one, two = (draw(PRESETS["dlc"], base, SIZE, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one.warp.matrix, two.warp.matrix)
        still = draw(replace(PRESETS["dlc"], rotate=0.0), base, SIZE, np.random.default_rng(seed))
        assert (still.warp.displacement is None) == (one.warp.displacement is None)
        if one.warp.displacement is not None:
            np.testing.assert_array_equal(still.warp.displacement, one.warp.displacement)


def test_settings_by_name_and_by_value() -> None:
    assert augmentation("dlc") == PRESETS["dlc"]
    assert augmentation("dlc", hflip=True).hflip == 0.5
    given = augmentation({"preset": "dlc", "rotate": 1, "quarter_turns": [0, 90], "hflip": 0.2}, hflip=True)
    assert (given.rotate, given.quarter_turns, given.hflip, given.elastic) == (1, (0, 90), 0.2, 0.5)
    assert augmentation({"salt": 0.3}) == replace(Augmentation(), salt=0.3)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("dcl", r"imgaug='dcl': no such preset \(did you mean 'dlc'\?\)"),
        ({"preset": "x"}, "no such preset"),
        ({"rotat": 0.5}, r"imgaug\.rotat: unknown key \(did you mean 'rotate'\?\)"),
        ({"rotate": 1.5}, r"imgaug\.rotate=1.5: must lie between 0 and 1"),
        ({"rotate": -0.1}, "must be a number of at least 0"),
        ({"rotate": True}, "must be a number of at least 0"),
        ({"rotate": "0.5"}, "must be a number of at least 0"),
        ({"elastic_alpha": float("nan")}, "must be a number of at least 0"),
        ({"elastic_alpha": float("inf")}, "must be a number of at least 0"),
        ({"elastic_sigma": 0}, "must be above 0"),
        ({"dropout_share": 2}, "must lie between 0 and 1"),
        ({"crop_pad_share": 0.5}, "must be below 0.5"),
        ({"blur_size": 4}, "must be an odd whole number"),
        ({"blur_size": 5.0}, "must be an odd whole number"),
        ({"quarter_turns": [45]}, "must be a list of 0, 90, 180 and 270"),
        ({"quarter_turns": 90}, "must be a list of 0, 90, 180 and 270"),
        ({"quarter_turns": [[0]]}, "must be a list of 0, 90, 180 and 270"),
    ],
)
def test_what_is_wrong_with_a_setting_is_said(setting: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        augmentation(setting)
    assert str(caught.value).startswith("training.imgaug") and "\n" not in str(caught.value)


def test_a_zoom_is_as_often_in_as_out_and_stays_within_the_image() -> None:
    matrices = _matrices(replace(Augmentation(), zoom=0.5, zoom_factor=3.0))
    zoomed = _changed(matrices)
    assert zoomed.mean() == pytest.approx(0.5, abs=0.03)
    scale = matrices[zoomed, 0, 0]
    np.testing.assert_allclose(scale, matrices[zoomed, 1, 1])
    assert scale.min() == pytest.approx(1 / 3, rel=0.01) and scale.max() == pytest.approx(3, rel=0.01)
    assert np.log(scale).mean() == pytest.approx(0, abs=0.05)
    # The point that does not move lies in the image, and anywhere in it.
    still = matrices[zoomed, :2, 2] / (1 - scale)[:, None]
    assert (still > -0.5 - 1e-9).all() and (still < 63.5 + 1e-9).all()
    assert np.ptp(still, axis=0).min() > 60


def test_a_zoom_factor_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training.imgaug.zoom_factor=0.5: must be at least 1"):
        augmentation({"zoom": 1.0, "zoom_factor": 0.5})
