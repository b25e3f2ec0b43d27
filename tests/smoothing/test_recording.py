"""Tables of pupils, of cameras that are not synchronous, and of errors beside labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import vitruve
from smoothing.test_pupils import pupil_points, pupil_states
from smoothing.walks import members, read_numbers, read_rows, rmse, walk, write_cameras, write_table
from vitruve.cli.main import build
from vitruve.errors import InputError

PUPIL = ["pupil_right_r", "pupil_top_r", "tube_left", "pupil_bottom_r", "pupil_left_r"]

PUPIL_COLUMNS = [
    *("diameter", "center_x", "center_y"),
    *("diameter_posterior_var", "center_x_posterior_var", "center_y_posterior_var"),
]


def test_pupils_through_the_command_line(tmp_path: Path) -> None:
    states = pupil_states(300)
    top, bottom, left, right = pupil_points(states)[:, :, 0].swapaxes(0, 1)
    truth = np.stack([right, top, walk(300, 1)[:, 0], bottom, left], 1)
    for number, member in enumerate(members(truth, 4)):
        write_table(tmp_path / "nets" / f"eye{number}.csv", member, PUPIL)
    labels = write_table(tmp_path / "labels.csv", truth, PUPIL)
    words = ["smooth", str(tmp_path / "nets"), "--mode", "ibl-pupil", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(build(), [*words, "--diameter-s", "0.99", "--com-s", "0.9", "--labels", str(labels)])
    assert done.exit_code == 0, done.output
    assert read_rows(tmp_path / "out" / "eye.csv")[1] == ["bodyparts", *np.repeat(PUPIL, 9)]
    values = read_numbers(tmp_path / "out" / "eye.csv", 9)
    for k, name in enumerate(PUPIL):
        # Every column is that of its own keypoint, whatever the order; EKS mixes up the variances.
        away = values[:, k, :2] - truth[:, k]
        assert rmse(away) < 0.85 * rmse(values[:, k, 3:5] - truth[:, k]), name
        assert (np.abs(away) < 1.96 * np.sqrt(values[:, k, 7:])).mean() > 0.85, name
    pupil = tmp_path / "out" / "eye_pupils.csv"
    assert read_rows(pupil)[1:3] == [
        ["bodyparts", *["pupil_r"] * 6],
        ["coords", *PUPIL_COLUMNS],
    ]
    assert rmse(read_numbers(pupil, 6)[..., :3] - states) < 1
    assert "mean error" in done.output
    assert "eye_pupils.csv: 300 frames, pupil_r diameter_s 0.99 com_s 0.9\n" in done.output


def test_cameras_that_are_not_synchronous_keep_their_frames_and_their_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times = {"left": np.arange(200) / 60, "right": 0.05 + np.arange(480) / 150}
    fine = np.linspace(0, 4, 4001)
    space = np.cumsum(rng.normal(size=(4001, 2, 3)) * 0.1, 0)
    seen = {}
    for name, size in (("left", 1.0), ("right", 0.5)):
        at = np.stack([np.interp(times[name], fine, c) for c in space.reshape(4001, -1).T], -1).reshape(-1, 2, 3)
        seen[name] = np.einsum("ij,tkj->tki", rng.normal(size=(2, 3)) * size, at) + 200
        np.save(_made(tmp_path / "nets") / f"x.timestamps.{name}.npy", times[name])
    seen["right"] = seen["right"][:, ::-1]  # the paw that is left in one view is right in the other
    for seed, (name, truth) in enumerate(seen.items()):
        for number, member in enumerate(members(truth, 4, seed=seed)):
            write_table(tmp_path / "nets" / f"x.{name}.rng={number}.csv", member, ["paw_l", "paw_r"])
    (done,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", mode="ibl-paw")
    assert done.frames == {"left": 200, "right": 480}
    for name, truth in seen.items():
        values = read_numbers(done.tables[name], 9)
        assert rmse(values[..., :2] - truth) < 0.85 * rmse(values[..., 3:5] - truth)
    labels = [write_table(tmp_path / f"labels_{name}.csv", truth, ["paw_l", "paw_r"]) for name, truth in seen.items()]
    stamps = [str(path) for path in sorted((tmp_path / "nets").glob("*.npy"))]
    words = ["smooth", str(tmp_path / "nets"), "-o", str(tmp_path / "again"), "--s-frames", "10:150"]
    words += [word for path in stamps for word in ("--timestamps", path)]
    words += [word for path in labels for word in ("--labels", str(path))]
    again = CliRunner().invoke(build(), words)
    assert again.exit_code == 0, again.output
    assert ": 200 frames" in again.output and ": 480 frames" in again.output
    assert again.output.count("mean error") == 2


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_labels_of_several_cameras_tell_errors_in_pixels_and_in_space(tmp_path: Path) -> None:
    cameras = write_cameras(tmp_path / "calibration.toml")
    space = walk(200, 2, dims=3) - 200
    labels = []
    for seed, (name, camera) in enumerate(cameras.items()):
        pixels = camera.project(space)
        for number, member in enumerate(members(pixels, 3, seed=seed)):
            write_table(tmp_path / "nets" / f"fly_{name}_{number}.csv", member)
        labelled = pixels.copy()
        labelled[seed::4] = np.nan
        labels.append(write_table(tmp_path / f"labels_{name}.csv", labelled))
    options = {"output": tmp_path / "out", "calibration": tmp_path / "calibration.toml"}
    (done,) = vitruve.smooth(tmp_path / "nets", labels=labels, **options)  # type: ignore[arg-type]
    assert done.coverage_3d is not None and done.table_3d is not None
    assert done.coverage_3d.name == "fly_3d_coverage.csv"
    points = read_numbers(done.table_3d, 6)[..., :3]
    rows = {row["keypoint"]: row for row in done.covered_3d}
    # Every frame is labelled in two of three views at least.
    assert [rows[name]["labelled"] for name in ("part0", "part1", "all")] == [200, 200, 400]
    distance = np.linalg.norm(points - space, axis=-1)
    assert rows["part0"]["error"] == pytest.approx(distance[:, 0].mean(), abs=1e-3)
    assert rows["all"]["rmse"] == pytest.approx(rmse(points - space), abs=1e-3)
    assert float(rows["all"]["error"]) < 0.8 * float(rows["all"]["median_error"])
    assert 0.9 < float(rows["all"]["within_95_percent_interval"]) < 0.99
    for name, camera in cameras.items():
        smoothed = read_numbers(done.tables[name], 9)
        away = (smoothed[..., :2] - camera.project(space))[list(cameras).index(name) == np.arange(200) % 4]
        assert done.covered[name][-1]["labelled"] == 300 and len(away) == 50
        kept = np.arange(200) % 4 != list(cameras).index(name)
        error = np.linalg.norm((smoothed[..., :2] - camera.project(space))[kept], axis=-1).mean()
        assert done.covered[name][-1]["error_px"] == pytest.approx(error, abs=1e-3)
    (one,) = vitruve.smooth(tmp_path / "nets", labels=labels[:1], **options)  # type: ignore[arg-type]
    assert one.coverage_3d is None and list(one.coverage) == ["Cam-A"]
    words = [
        "smooth",
        str(tmp_path / "nets"),
        "--calibration",
        str(options["calibration"]),
        "-o",
        str(tmp_path / "cli"),
    ]
    printed = CliRunner().invoke(build(), [*words, *(w for path in labels for w in ("--labels", str(path)))])
    assert printed.exit_code == 0 and printed.output.count(" px (median of the networks: ") == 3
    assert f"_3d_coverage.csv: 400 labels, mean error {rows['all']['error']:.4g} (median" in printed.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "ibl-pupil"}, "no keypoints are named as the four points of a pupil"),
        ({"diameter_s": 1.0}, "diameter_s=1: give a number from 0 to below 1"),
        ({"com_s": 0.5, "mode": "single"}, "com_s: it has no effect in mode single"),
        ({"mirrored_columns": [[0], [1]], "mode": "single"}, "mirrored columns: they have no effect in mode single"),
        ({"timestamps": "t.npy", "mode": "multi"}, "time stamps: they have no effect in mode multi"),
        ({"mode": "ibl-paw", "camera_names": ["a"]}, "takes two cameras, 1 are named"),
        ({"mode": "ibl-paw"}, "names none of the cameras"),
        ({"mode": "ibl-pupil", "camera_names": ["a", "b"]}, "no effect in mode ibl-pupil"),
        ({"s": float("nan")}, "above 0"),
        ({"blocks": [["part0"], ["part0", "part1"]]}, "keypoint 'part0' stands in two places"),
    ],
)
def test_options_of_other_models(options: dict[str, object], words: str, tmp_path: Path) -> None:
    for number, member in enumerate(members(walk(20, 2), 2)):
        write_table(tmp_path / "nets" / f"net{number}.csv", member)
    with pytest.raises(InputError, match=words) as caught:
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
