"""Whatever is wrong with what the user gives: exit code 2, one line that says where and what, nothing written."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tiny_project import settings, write_project, write_video
from vitruve.algorithms.heatmap.algorithm import Heatmap
from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.media.images import write_image
from vitruve.run import RunFiles
from vitruve.training.callbacks import save_weights
from vitruve.training.fit import fit
from vitruve.training.prepare import prepare

Refused = Callable[..., str]

FIRST = "labeled-data/dots/img000.png"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, a video and a trained run, to be copied."""
    folder = write_project(tmp_path_factory.mktemp("origin"), frames=12, max_epochs=1)
    write_video(folder / "videos" / "clip.mp4", 6)
    config = Config.from_mapping(settings(folder, max_epochs=1))
    ready, run = prepare(config), RunFiles(folder / "run")
    fit(config, ready, run, quiet=True)
    atomic_write(run.config, config.to_yaml())
    return folder


@pytest.fixture
def place(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(origin, folder)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    values["data"]["data_dir"] = str(folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    return folder


def train(place: Path, *more: str) -> list[str]:
    return ["train", "--config-path", str(place), "--config-name", "config.yaml", *more]


def labels(place: Path) -> Path:
    return place / "CollectedData.csv"


def change(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def rows(place: Path, edit: Callable[[list[str]], list[str]]) -> None:
    labels(place).write_text("\n".join(edit(labels(place).read_text().splitlines())) + "\n")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.max_epoch=5", r"training\.max_epoch.*did you mean '(training\.)?max_epochs'"),
        ("trainin.max_epochs=5", r"trainin.*did you mean 'training"),
        ("training.max_epochs=many", r"training\.max_epochs.*many"),
        ("training.max_epochs=0", r"training\.max_epochs"),
        ("model.model_type=heatmaps", r"model\.model_type.*heatmaps.*did you mean 'heatmap'"),
        ("model.backbone=resnet81", r"model\.backbone.*resnet81.*did you mean 'resnet"),
        ("training.imgaug=dcl", r"training\.imgaug.*dcl.*did you mean 'dlc'"),
        ("data.num_keypoints=5", r"data\.num_keypoints=5: the label file has 2"),
        ("data.keypoint_names=[red,gren]", r"data\.keypoint_names: 'gren' is not in the label file.*'green'"),
        ("data.csv_file=Colected.csv", r"Colected\.csv.*no such file"),
        ("data.image_resize_dims.height=100", r"data\.image_resize_dims\.height"),
        ("training.train_prob=0.01", r"training\.train_prob.*none is left for training|at least"),
        ("model.checkpoint=old.ckpt", r"old\.ckpt: no such weight file"),
        ("training.rng_seed_data_pt=-1", r"training\.rng_seed_data_pt"),
        ("resume=nowhere", r"resume"),
    ],
)
def test_settings(place: Path, refused: Refused, override: str, message: str) -> None:
    refused(train(place, override), message)


def without_header(place: Path) -> None:
    rows(place, lambda lines: lines[3:])


def with_one_header_row_less(place: Path) -> None:
    rows(place, lambda lines: [lines[0], *lines[2:]])


def with_an_image_twice(place: Path) -> None:
    rows(place, lambda lines: [*lines, lines[3]])


def with_words(place: Path) -> None:
    rows(
        place,
        lambda lines: [*lines[:4], ",".join([lines[4].split(",")[0], "left", *lines[4].split(",")[2:]]), *lines[5:]],
    )


def with_a_short_row(place: Path) -> None:
    rows(place, lambda lines: [*lines[:4], lines[4].rsplit(",", 2)[0], *lines[5:]])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_header, r"CollectedData\.csv"),
        (with_one_header_row_less, r"CollectedData\.csv"),
        (with_an_image_twice, rf"CollectedData\.csv.*{FIRST}"),
        (with_words, r"CollectedData\.csv.*row 5.*left"),
        (with_a_short_row, r"CollectedData\.csv.*row 5"),
        (lambda place: labels(place).write_text(""), r"CollectedData\.csv"),
        (lambda place: rows(place, lambda lines: lines[:3]), r"CollectedData\.csv"),
        (lambda place: labels(place).write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00"), r"CollectedData\.csv"),
        (lambda place: (place / FIRST).unlink(), rf"{FIRST}: no such image"),
        (lambda place: (place / FIRST).write_bytes(b""), rf"{FIRST}: the image file is empty"),
        (lambda place: (place / FIRST).write_bytes(b"hello"), rf"{FIRST}: not an image"),
        (lambda place: (place / FIRST).write_bytes((place / FIRST).read_bytes()[:-40]), rf"{FIRST}: .*cut short"),
    ],
)
def test_labels_and_images(place: Path, refused: Refused, damage: Callable[[Path], object], message: str) -> None:
    damage(place)
    refused(train(place), message)


def test_keypoints_outside_their_image_are_counted_and_left_out(place: Path) -> None:
    def move(lines: list[str]) -> list[str]:
        name, _, *rest = lines[3].split(",")
        return [*lines[:3], ",".join([name, "500.0", *rest]), *lines[4:]]

    rows(place, move)
    with pytest.warns(UserWarning, match=rf"1 keypoints lie outside their image \(first: {FIRST}: red\)"):
        ready = prepare(Config.from_mapping(settings(place)))
    first = next(frame for frame in ready.labels if frame.name == FIRST)
    assert first.instances.visible[0, 0].tolist() == [0, 2]
    assert np.isnan(first.instances.keypoints[0, 0, 0]).all()


def test_no_labelled_frame_left_in_a_split(place: Path, refused: Refused) -> None:
    rows(place, lambda lines: lines[:4])
    refused(train(place), r"training\.train_prob, training\.val_prob: of 1 labelled frames none is left for")


def test_no_keypoint_left_in_a_split(place: Path, refused: Refused) -> None:
    rows(place, lambda lines: [*lines[:3], *(line.split(",")[0] + "," * line.count(",") for line in lines[3:])])
    refused(train(place), r"no keypoint|CollectedData\.csv")


def test_a_run_is_not_overwritten(place: Path, refused: Refused) -> None:
    refused(train(place, f"hydra.run.dir={place / 'run'}"), "holds a run already; choose another hydra.run.dir")
    # A project is no run, although it has a config.yaml.
    refused(["train", f"resume={place}"], r"resume=.*no status\.json there, so there is no run to go on with")


def test_nan(place: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Heatmap.loss
    monkeypatch.setattr(
        Heatmap, "loss", lambda *a: {k: v * (float("nan") if a[0].training else 1) for k, v in whole(*a).items()}
    )
    out = place.parent / "nan"
    refused(train(place, f"hydra.run.dir={out}"), r"epoch 0, batch 0: the loss is not a number .*img\d+\.png", True)
    assert json.loads((out / "status.json").read_text())["status"] == "FAILED"
    assert not (out / "model.safetensors").exists()


def no_frames(path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"clip\.mp4: no such file"),
        (lambda path: path.write_bytes(b"0123456789"), r"clip\.mp4"),
        (lambda path: path.write_bytes(b""), r"clip\.mp4.*empty"),
        (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 3]), r"clip\.mp4"),
        (no_frames, r"clip\.mp4"),
    ],
)
def test_videos(place: Path, refused: Refused, damage: Callable[[Path], object], message: str) -> None:
    video = place / "videos" / "clip.mp4"
    damage(video)
    refused(["predict", str(place / "run"), str(video)], message)


def another_network(run: RunFiles) -> None:
    config = Config.from_mapping(settings(run.path.parent, {"backbone": "test_efficientnet"}))
    ready = prepare(config)
    save_weights(ready.kind(config.model, ready.task), run.weights)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: run.weights.unlink(), r"model\.safetensors: missing"),
        (another_network, r"model\.safetensors: weights of another network"),
        (lambda run: run.weights.write_bytes(pickle.dumps([1])), r"model\.safetensors: this is a Python pickle"),
        (lambda run: run.weights.write_bytes(run.weights.read_bytes()[:-5]), r"model\.safetensors: not a whole"),
        (lambda run: run.model.write_text('{"format": 1'), r"model\.json: not readable as JSON"),
        (lambda run: run.config.unlink(), r"config\.yaml"),
        (lambda run: shutil.rmtree(run.path), r"run: no such run directory"),
    ],
)
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_runs(place: Path, refused: Refused, damage: Callable[[RunFiles], object], message: str, verb: str) -> None:
    damage(RunFiles(place / "run"))
    if verb == "predict":
        refused(["predict", str(place / "run"), str(place / "videos" / "clip.mp4")], message)
    else:
        refused(["evaluate", str(place / "run"), "--labels", str(labels(place))], message)


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_labels_of_other_keypoints(place: Path, refused: Refused, verb: str) -> None:
    change(labels(place), "green", "blue", 99)
    arguments = [str(labels(place))] if verb == "predict" else ["--labels", str(labels(place))]
    refused(
        [verb, str(place / "run"), *arguments],
        r"CollectedData\.csv: other keypoints than the run's: has blue beyond them and lacks green",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runtime", "tensorflow"], r"runtime.*tensorflow"),
        (["--format", "xls"], r"--format xls: not known"),
        (["notes.txt"], r"notes\.txt"),
        (["nothing"], r"nothing: no such file or folder"),
    ],
)
def test_how_a_prediction_is_asked_for(place: Path, refused: Refused, arguments: list[str], message: str) -> None:
    (place.parent / "notes.txt").write_text("no labels\n")
    video = [] if not arguments[0].startswith("--") else [str(place / "videos" / "clip.mp4")]
    refused(["predict", str(place / "run"), *video, *arguments], message)


def test_a_full_disk(place: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def full(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().suffix == ".part":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    out = place.parent / "out"
    refused(
        ["predict", str(place / "run"), str(place / "videos" / "clip.mp4"), "-o", str(out)],
        r"clip\.csv\.part: cannot be written \(No space left on device\); free some space",
        True,
    )
    assert not (out / "clip.csv").exists()


def test_outputs_of_another_source(place: Path, refused: Refused) -> None:
    (place.parent / "out").mkdir()
    (place.parent / "out" / "clip.csv").write_text("mine\n")
    refused(
        ["predict", str(place / "run"), str(place / "videos" / "clip.mp4"), "-o", str(place.parent / "out")],
        r"clip\.csv: is there already and was not written by 'vitruve predict'; give --overwrite",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv", "new.csv"], r"nothing\.csv: no such file"),
        (["project/CollectedData.csv", "new.csv", "--to", "slaep"], r"slaep.*did you mean 'sleap'"),
        (["project/config.yaml", "new.csv"], r"config\.yaml"),
    ],
)
def test_conversion(place: Path, refused: Refused, arguments: list[str], message: str) -> None:
    refused(["convert", *arguments], message)


def test_examples_and_lists(place: Path, refused: Refused) -> None:
    refused(["example", "mose"], r"no example 'mose' \(did you mean 'mouse'\?\)")
    write_image(place.parent / "taken" / "a.png", np.zeros((8, 8, 3), np.uint8))
    refused(["example", "mouse", str(place.parent / "taken")], "taken: already holds something else")


def test_a_mapping_is_checked_as_a_file_is(place: Path) -> None:
    from vitruve import api
    from vitruve.errors import ConfigError

    values: dict[str, Any] = settings(place)
    values["training"]["max_epoch"] = 3
    with pytest.raises(ConfigError, match="did you mean"):
        api.train(values, run_dir=place.parent / "new")
    with pytest.raises(ConfigError, match="overrides go with a settings file"):
        api.train(settings(place), ["training.max_epochs=2"])
    assert not (place.parent / "new").exists()
