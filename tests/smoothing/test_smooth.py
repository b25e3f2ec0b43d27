from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import vitruve
from smoothing.walks import members, names, read_numbers, read_rows, rmse, walk, write_cameras, write_table
from vitruve.cli.main import build
from vitruve.errors import InputError
from vitruve.formats import lightning_pose
from vitruve.formats.hub import read_labels, write_labels

FRAMES = 300
NINE = [
    *("x", "y", "likelihood", "x_ens_median", "y_ens_median"),
    *("x_ens_var", "y_ens_var", "x_posterior_var", "y_posterior_var"),
]


def _ensemble(folder: Path, truth: np.ndarray, stem: str = "net", count: int = 4, seed: int = 1) -> np.ndarray:
    drawn = members(truth, count, seed=seed).round(4)
    for number, member in enumerate(drawn):
        write_table(folder / f"{stem}{number}.csv", member)
    return drawn


def test_one_camera_through_the_command_line(tmp_path: Path) -> None:
    truth = walk(FRAMES, 3)
    drawn = _ensemble(tmp_path / "nets", truth)
    labelled = truth.copy()
    labelled[::2] = np.nan
    labels = write_table(tmp_path / "labels.csv", labelled, ["part0", "part1", "other"])
    words = ["smooth", str(tmp_path / "nets"), "--labels", str(labels)]
    done = CliRunner().invoke(build(), words)
    assert done.exit_code == 0, done.output
    table = tmp_path / "smoothed" / "net.csv"
    head = read_rows(table)[:4]
    assert head[0] == ["scorer", *["ensemble-kalman_tracker"] * 27]
    assert head[1] == ["bodyparts", *np.repeat(names(3), 9)]
    assert head[2] == ["coords", *NINE * 3]
    assert head[3][0] == "0"
    values = read_numbers(table, 9)
    np.testing.assert_allclose(values[..., 3:5], np.median(drawn, 0), atol=1e-3)
    np.testing.assert_allclose(values[..., 5:7], drawn.var(0) / 0.9, rtol=1e-4)
    np.testing.assert_allclose(values[..., 2], 0.9)
    assert rmse(values[..., :2] - truth) < 0.8 * rmse(np.median(drawn, 0) - truth)
    rows = read_rows(tmp_path / "smoothed" / "net_coverage.csv")
    assert [row[:2] for row in rows[1:]] == [["part0", "150"], ["part1", "150"], ["part2", "0"], ["all", "300"]]
    within = float(rows[-1][rows[0].index("within_95_percent_interval")])
    assert 0.9 < within < 0.99 and f"95 % intervals hold {within:.1%}" in done.output
    back = read_labels(table)
    np.testing.assert_allclose(back.keypoints()[:, 0, 0], values[..., :2])
    assert back.scorer == "ensemble-kalman_tracker"
    again = read_rows(table)
    assert CliRunner().invoke(build(), words).exit_code == 0  # its own table it may replace
    assert read_rows(table) == again


def test_calibrated_and_learned_views_write_one_table_a_camera(tmp_path: Path) -> None:
    calibration = tmp_path / "calibration.toml"
    cameras = write_cameras(calibration)
    space = walk(FRAMES, 2, dims=3) - 200
    seen = {name: camera.project(space) for name, camera in cameras.items()}
    for seed, (name, pixels) in enumerate(seen.items()):
        _ensemble(tmp_path / "nets", pixels, f"fly_{name}_", 3, seed)
    (done,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", calibration=calibration)
    assert {name: path.name for name, path in done.tables.items()} == {name: f"fly_{name}.csv" for name in seen}
    assert done.table_3d is not None and done.table_3d.name == "fly_3d.csv"
    coords = ["x", "y", "z", "x_posterior_var", "y_posterior_var", "z_posterior_var"]
    assert read_rows(done.table_3d)[2] == ["coords", *coords * 2]
    points = read_numbers(done.table_3d, 6)
    away = np.abs(points[..., :3] - space) / np.sqrt(points[..., 3:])
    assert 0.9 < (away < 1.96).mean() < 0.99
    (learned,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "pca", camera_names=["Cam-A", "Cam-C", "Cam-B"])
    assert list(learned.tables) == ["Cam-A", "Cam-C", "Cam-B"] and learned.table_3d is None
    for found in (done, learned):
        for name, pixels in seen.items():
            assert rmse(read_numbers(found.tables[name], 9)[..., :2] - pixels) < 1.2


def test_folders_of_members_need_no_names_where_cameras_are_calibrated(tmp_path: Path) -> None:
    calibration = tmp_path / "calibration.toml"
    cameras = write_cameras(calibration)
    space = walk(60, 4, dims=3) - 200 + np.arange(4)[:, None] * 40
    for member in range(2):
        for name, camera in cameras.items():
            pixels = members(camera.project(space), 1, seed=member)[0]
            write_table(tmp_path / f"member_{member}" / f"fly_{name}.csv", pixels)
    folders = [tmp_path / "member_0", tmp_path / "member_1"]
    (done,) = vitruve.smooth(folders, output=tmp_path / "out", calibration=calibration)
    assert list(done.tables) == list(cameras) and done.table_3d is not None


def test_mirrors_are_smoothed_together_and_the_rest_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    space = walk(FRAMES, 2, dims=3) - 200
    top, bottom = (np.einsum("ij,tkj->tki", rng.normal(size=(2, 3)), space) + 300 for _ in range(2))
    truth = np.concatenate([top, walk(FRAMES, 1), bottom], 1)
    parts = ["paw_top", "nose_top", "obstacle", "paw_bot", "nose_bot"]
    for number, member in enumerate(members(truth, 4)):
        write_table(tmp_path / "nets" / f"v{number}.csv", member, parts)
    (named,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "a", camera_names=["top", "bot"])
    (listed,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "b", mirrored_columns=[[0, 1], [3, 4]])
    (single,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "c")
    values = [read_numbers(done.tables[""], 9) for done in (named, listed, single)]
    np.testing.assert_array_equal(values[0], values[1])
    assert read_rows(named.tables[""])[1] == ["bodyparts", *np.repeat(parts, 9)]
    pairs = [0, 1, 3, 4]
    errors = [rmse((found[..., :2] - truth)[:, pairs]) for found in values]
    assert errors[0] < errors[2]
    np.testing.assert_array_equal(values[0][:, 2], values[2][:, 2])


def test_options_reach_the_model(tmp_path: Path) -> None:
    _ensemble(tmp_path / "nets", walk(FRAMES, 3))
    nets = tmp_path / "nets"
    (given,) = vitruve.smooth(nets, output=tmp_path / "a", s=0.5, bodyparts=["part2", "part0"])
    assert given.motion == {"part2": 0.5, "part0": 0.5}
    (shared,) = vitruve.smooth(nets, output=tmp_path / "b", blocks=[["part0", 2]])
    assert shared.motion["part0"] == shared.motion["part2"] != shared.motion["part1"]
    (some,) = vitruve.smooth(nets, output=tmp_path / "c", s_frames=[(0, 100), (150, 200)])
    assert some.motion["part0"] != vitruve.smooth(nets, output=tmp_path / "d")[0].motion["part0"]
    (plain,) = vitruve.smooth(nets, output=tmp_path / "e" / "one.csv", variance="plain")
    weighted = read_numbers(tmp_path / "d" / "net.csv", 9)[..., 5]
    np.testing.assert_allclose(read_numbers(plain.tables[""], 9)[..., 5], weighted * 0.9, rtol=1e-4)
    words = ["smooth", str(nets), "-o", str(tmp_path / "f"), "--s", "0.5", "--bodyparts", "part2,part0"]
    assert CliRunner().invoke(build(), words).exit_code == 0
    assert (tmp_path / "f" / "net.csv").read_text() == (tmp_path / "a" / "net.csv").read_text()


def test_videos_of_several_networks(tmp_path: Path) -> None:
    for seed, net in enumerate(("one", "two", "three")):
        for video in ("a", "b"):
            write_table(tmp_path / net / f"{video}.csv", members(walk(60, 2), 1, seed=seed)[0])
    done = vitruve.smooth([tmp_path / net for net in ("one", "two", "three")], output=tmp_path / "out")
    assert [item.tables[""].name for item in done] == ["a.csv", "b.csv"]


def test_single_members_of_other_programs_are_smoothed_by_their_confidence(tmp_path: Path) -> None:
    truth = walk(FRAMES, 2)
    file = write_table(tmp_path / "videoDLC_resnet50.csv", members(truth, 1)[0], score=0.5)
    (done,) = vitruve.smooth(file)
    assert done.tables[""] == tmp_path / "smoothed" / "videoDLC_resnet50.csv"
    values = read_numbers(done.tables[""], 9)
    assert rmse(values[..., :2] - truth) < 0.8 * rmse(values[..., 3:5] - truth)
    np.testing.assert_allclose(values[..., 5:7], 2)


def test_a_folder_of_cameras_without_their_names_is_pointed_out(tmp_path: Path) -> None:
    animal = walk(60, 4) + np.random.default_rng(0).normal(size=(4, 2)) * 30
    for number, name in enumerate(("a", "b", "c")):
        write_table(tmp_path / "nets" / f"fly_{name}.csv", animal + 70 * number)
    with pytest.warns(UserWarning, match=r"px apart.*--camera-names"):
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out")


def test_names_of_several_cameras_far_apart_are_refused(tmp_path: Path) -> None:
    animal = walk(60, 4) + np.random.default_rng(0).normal(size=(4, 2)) * 30
    for number, name in enumerate(("left", "right", "top")):
        write_table(tmp_path / "nets" / f"fly_{name}.csv", animal + 70 * number)
    with pytest.raises(InputError, match="give --camera-names left,right,top or") as caught:
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
    with pytest.warns(UserWarning, match=r"px apart.*--camera-names"):
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", mode="single")


def test_the_medians_of_an_ensemble_are_not_its_members(tmp_path: Path) -> None:
    drawn = _ensemble(tmp_path / "preds", walk(60, 2), count=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = CliRunner().invoke(build(), ["smooth", str(tmp_path / "preds")])
    assert "net0: mode single, 1 member, 60 frames\n" in done.output
    for number in range(2):
        write_table(tmp_path / "preds" / f"member_{number}" / "net0.csv", drawn[0])
    with pytest.warns(UserWarning, match=r"1 member, .* folders member_0, member_1 below"):
        vitruve.smooth(tmp_path / "preds", output=tmp_path / "out")


def test_a_table_of_other_predictions_is_not_written_over(tmp_path: Path) -> None:
    for day in ("one", "two"):
        _ensemble(tmp_path / day, walk(60, 2), count=2)
    out = tmp_path / "out"
    vitruve.smooth(tmp_path / "one", output=out)
    before = (out / "net.csv").read_text()
    with pytest.raises(InputError, match=r"net\.csv: was made of other predictions \(\.\./one/net0\.csv\)"):
        vitruve.smooth(tmp_path / "two", output=out)
    assert (out / "net.csv").read_text() == before
    _ensemble(tmp_path / "one", walk(60, 2), count=3)
    vitruve.smooth(tmp_path / "one", output=out)  # one more member of the same recording
    assert (out / "net.csv").read_text() != before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"calibration": "calibration.toml", "camera_names": ["Cam-A", "Cam-D"]},
            "holds no camera 'Cam-D' .*it has Cam-A",
        ),
        ({"calibration": "calibration.toml", "camera_names": ["Cam-A"]}, "one camera .'Cam-A'. is not enough"),
        ({"calibration": "calibration.toml"}, "no file of camera 'Cam-C'"),
        ({"calibration": "calibration.toml", "mode": "multi"}, "has no effect in mode multi"),
        ({"mode": "calibrated"}, "needs the cameras' calibration"),
        ({"mode": "multi"}, "at least two cameras, none is given"),
        ({"mode": "multi", "camera_names": ["Cam-A"]}, "at least two cameras, only 'Cam-A'"),
        ({"camera_names": ["Cam-A", "Cam-B"]}, "camera 'Cam-B' has 50 frames, but 'Cam-A' has 60"),
        ({"camera_names": ["Cam-A", "Cam-A"]}, "given twice"),
        ({"mode": "mono"}, "mode: 'mono' is none of"),
        ({"variance": "big"}, "variance: 'big' is none of"),
        ({"latents": 0}, "latents=0"),
    ],
)
def test_what_does_not_go_together(options: dict[str, object], words: str, tmp_path: Path) -> None:
    write_cameras(tmp_path / "calibration.toml")
    for name, frames in (("Cam-A", 60), ("Cam-B", 50)):
        _ensemble(tmp_path / "nets", walk(frames, 2), f"fly_{name}_", 2)
    if "calibration" in options:
        options = {**options, "calibration": tmp_path / "calibration.toml"}
    with pytest.raises(InputError, match=words) as caught:
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"camera_names": ["left", "right"]}, "part neither of the file names nor of the keypoints"),
        ({"bodyparts": ["part9"]}, "no keypoint 'part9'"),
        ({"blocks": [["part0", "7"]]}, "no keypoint '7'"),
        ({"s": [1.0, 2.0]}, "one for each of the 3"),
        ({"s": -1.0}, "above 0"),
        ({"s_frames": [(0, 90)]}, "0:90 is no stretch of the frames 0:60"),
        ({"labels": "nets/net0.csv.none"}, "no such file"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], words: str, tmp_path: Path) -> None:
    _ensemble(tmp_path / "nets", walk(60, 3), count=2)
    with pytest.raises(InputError, match=words):
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_predictions_are_not_written_over(tmp_path: Path) -> None:
    file = write_table(tmp_path / "video.csv", walk(60, 2))
    before = file.read_text()
    with pytest.raises(InputError, match="was not written by the smoother"):
        vitruve.smooth(file, output=tmp_path)
    assert file.read_text() == before


def test_labels_of_other_frames_or_keypoints(tmp_path: Path) -> None:
    _ensemble(tmp_path / "nets", walk(60, 2), count=2)
    other = write_table(tmp_path / "other.csv", walk(60, 2), ["a", "b"])
    with pytest.raises(InputError, match="none of the keypoints part0, part1"):
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", labels=other)
    images = tmp_path / "images.csv"
    images.write_text("scorer,s,s\nbodyparts,part1,part1\ncoords,x,y\nlabeled-data/net/img0042.png,1,2\n")
    (done,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", labels=images)
    assert [row["labelled"] for row in done.covered[""]] == [0, 1, 1]
    images.write_text(images.read_text().replace("img0042", "img0099"))
    with pytest.raises(InputError, match="none of its 1 frames"):
        vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", labels=images)


def test_labels_of_other_videos_never_count(tmp_path: Path) -> None:
    _ensemble(tmp_path / "nets", walk(60, 2), "clip_seed=", 2)
    head = "scorer,s,s\nbodyparts,part1,part1\ncoords,x,y\n"
    labels = tmp_path / "labels.csv"
    labels.write_text(head + "labeled-data/other/img0042.png,1,2\nlabeled-data/clip_2/img0043.png,1,2\n")
    with pytest.warns(UserWarning, match="no label of 'clip' among 2 frames of clip_2, other; .*folder"):
        (done,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", labels=labels)
    assert not done.coverage and done.tables[""].exists()
    labels.write_text(labels.read_text() + "labeled-data/clip/img0044.png,1,2\n")
    (done,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", labels=labels)
    assert done.covered[""][-1]["labelled"] == 1
    for video, count in (("clip", 2), ("other", 0)):
        plain = write_table(tmp_path / "plain.csv", walk(60, 2)[:2])
        file = tmp_path / f"{video}.slp"
        write_labels(lightning_pose.read(plain, video=Path(f"{video}.mp4")), file, "sleap")
        (done,) = vitruve.smooth(tmp_path / "nets", output=tmp_path / "out", labels=file)
        assert [row["labelled"] for row in done.covered.get("", [])][:1] == ([count] if count else [])


def test_labels_in_the_folder_of_a_view_or_of_the_session_count(tmp_path: Path) -> None:
    labels = []
    for name in ("left", "right"):
        _ensemble(tmp_path / "nets", walk(60, 2), f"{name}_day1_net", 2)
        labels.append(tmp_path / f"labels_{name}.csv")
        rows = (f"labeled-data/{folder}/img000{n}.png,1,2" for n, folder in enumerate(("day1", f"day1_{name}", "day2")))
        labels[-1].write_text("\n".join(["scorer,s,s", "bodyparts,part1,part1", "coords,x,y", *rows, ""]))
    nets, out = tmp_path / "nets", tmp_path / "out"
    (done,) = vitruve.smooth(nets, output=out, labels=labels, camera_names=["left", "right"])
    assert [rows[-1]["labelled"] for rows in done.covered.values()] == [2, 2]
