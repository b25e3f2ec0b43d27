"""A choice of images, and its files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from curation.pictures import clips
from curation.runs import write_run
from tiny_project import SKELETON, write_video
from vitruve.curation.choice import STRATEGIES
from vitruve.curation.label_next import label_next
from vitruve.errors import ConfigError, InputError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.shapes import task_of
from vitruve.media.images import read_image
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton

NO_WEIGHTS = {"backbone": "test_resnet", "pretrained": False, "device": "cpu"}


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    return clips(tmp_path_factory.mktemp("clips"), count=3)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("detector")
    return write_run(place, "retinanet", Skeleton(()), ("a", "b"), fpn_channels=16, score_threshold=0.0)


@pytest.fixture(scope="module")
def poser(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [write_run(tmp_path_factory.mktemp(f"pose{i}"), "heatmap", SKELETON, seed=i) for i in range(2)]


def folders(labels: Labels) -> list[Path]:
    return sorted({labels.path(frame.images[0]).parent for frame in labels})


def test_a_detector_chooses_among_clips_and_labelled_images_are_left_out(
    labels: Labels, detector: Path, tmp_path: Path
) -> None:
    known = labels[[0, 5]]
    write_labels(known, labels.root / "known.json", format="coco")
    done = label_next(
        folders(labels), tmp_path, 4, runs=detector, labels=labels.root / "known.json", apart=14, device="cpu"
    )
    assert done.among == 13
    rows = list(csv.DictReader(done.list.open()))
    assert len(rows) == 4
    assert all(float(row["doubt"]) > 0 for row in rows)
    for row in rows:
        assert (read_image(tmp_path / row["image"]) == read_image(row["source"])).all()
        assert Path(row["source"]) not in [known.path(frame.images[0]) for frame in known]
    for clip in {Path(row["source"]).parent for row in rows}:
        numbers = sorted(int(Path(r["source"]).stem[-3:]) for r in rows if Path(r["source"]).parent == clip)
        assert (np.diff(numbers) >= 14).all()
    task = task_of(read_labels(done.labels), "next")
    assert [label.name for label in task.labels] == ["a", "b"]
    assert len(task.frames) == 4
    assert not task.shapes


@pytest.mark.parametrize("by", STRATEGIES)
def test_networks_of_poses_choose_frames_of_a_video(by: str, poser: list[Path], tmp_path: Path) -> None:
    write_video(tmp_path / "dots.mp4", 12)
    done = label_next(tmp_path / "dots.mp4", tmp_path / "out", 3, runs=poser, by=by, apart=3, device="cpu")
    names = sorted(path.name for path in (tmp_path / "out" / "images" / "dots").iterdir())
    assert names == sorted(f"img{frame.images[0].index:08d}.png" for frame in done.chosen)
    numbers = sorted(frame.images[0].index or 0 for frame in done.chosen)
    assert (np.diff(numbers) >= 3).all()
    assert np.isfinite(done.doubt).all()
    again = label_next(tmp_path / "dots.mp4", tmp_path / "out", 3, runs=poser, by=by, apart=3, device="cpu")
    assert [f.name for f in again.chosen] == [f.name for f in done.chosen]
    assert read_labels(done.labels).skeleton.names == SKELETON.names


def test_without_a_network_images_that_differ_are_chosen(labels: Labels, tmp_path: Path) -> None:
    done = label_next(folders(labels), tmp_path, 3, apart=100, **NO_WEIGHTS)
    assert len({frame.session for frame in done.chosen}) == 3
    assert np.isnan(done.doubt).all()


def test_a_folder_of_clips_is_its_clips(labels: Labels, tmp_path: Path) -> None:
    done = label_next(labels.root, tmp_path, 3, apart=100, **NO_WEIGHTS)
    assert done.among == len(labels)
    assert {frame.session for frame in done.chosen} == {str(folder) for folder in folders(labels)}


def test_images_of_one_name_from_two_clips_are_both_kept(labels: Labels, tmp_path: Path) -> None:
    for part in "xy":
        for source in folders(labels)[:1]:
            target = tmp_path / part / "clip"
            target.mkdir(parents=True)
            for image in source.iterdir():
                (target / image.name).write_bytes(image.read_bytes())
    done = label_next([tmp_path / p / "clip" for p in "xy"], tmp_path / "out", 10, by="random", **NO_WEIGHTS)
    assert len(list(done.images.rglob("*.png"))) == 10


def test_what_cannot_be_chosen_is_said(labels: Labels, detector: Path, poser: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--by entropy: needs a network"):
        label_next(folders(labels), tmp_path, by="entropy")
    with pytest.raises(ConfigError, match="--by spread: 1 network cannot disagree"):
        label_next(folders(labels), tmp_path, by="spread", runs=detector)
    with pytest.raises(ConfigError, match="no such way"):
        label_next(folders(labels), tmp_path, by="bald")
    with pytest.raises(ConfigError, match="other keypoints or classes"):
        label_next(folders(labels), tmp_path, runs=[detector, poser[0]])
    with pytest.raises(InputError, match="n=0"):
        label_next(folders(labels), tmp_path, 0)
    with pytest.raises(InputError, match="no such file or folder"):
        label_next(tmp_path / "no", tmp_path, **NO_WEIGHTS)
    write_labels(labels, labels.root / "all.json", format="coco")
    with pytest.raises(InputError, match="all of it is labelled already"):
        label_next(folders(labels), tmp_path, labels=labels.root / "all.json", **NO_WEIGHTS)
    assert not list(tmp_path.iterdir())
