"""Splits that part no group, and what leaks through those that do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from typer.testing import CliRunner

from curation.pictures import clips, colors
from vitruve.cli.main import build
from vitruve.curation.crops import crops_of
from vitruve.curation.embedding import Embedder
from vitruve.curation.files import split, summary
from vitruve.curation.leakage import worst_pairs
from vitruve.curation.split import Split, SplitPlan, groups_of, joined, proposed_method, split_labels
from vitruve.errors import ConfigError, InputError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.split_file import splits_of_file
from vitruve.structures.labels import Labels
from vitruve.training.prepare import draw_split
from vitruve.training.settings import SplitSettings, TrainingSettings

PLAN = SplitPlan(validation=0.25)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    return clips(tmp_path_factory.mktemp("clips"))


def parted(made: Split) -> int:
    splits: dict[str, set[str | None]] = {}
    for frame in made.labels:
        splits.setdefault(frame.session, set()).add(frame.split)
    return sum(len(names) > 1 for names in splits.values())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", ["clusters", "group"])
def test_no_clip_is_parted_and_nothing_leaks(labels: Labels, seed: int, method: str) -> None:
    made = split_labels(labels, replace(PLAN, seed=seed, method=method), colors())
    assert parted(made) == 0
    assert made.leakage.share("similar") == made.leakage.share("same_clip") == 0
    # Two clips look alike and are one group: dealt out at random, they may be more than the share.
    assert len(made.labels.split("validation")) in ((10,) if method == "clusters" else (5, 10, 15))
    assert np.isnan(made.leakage.table["frames_apart"]).all()


def test_each_split_has_its_share_of_clusters_and_classes(labels: Labels) -> None:
    made = split_labels(labels, PLAN, colors())
    assert made.map.count == 2
    for kind in ("cluster", "class"):
        assert (
            made.shares(kind)["train"]
            == made.shares(kind)["validation"]
            == dict.fromkeys(made.shares(kind)["train"], 0.5)
        )


def test_every_nth_frame_leaks_and_the_report_shows_it(labels: Labels) -> None:
    made = split_labels(labels, replace(PLAN, method="every-nth", nth=5), colors())
    assert [frame.split for frame in made.labels][:6] == [
        "validation",
        "train",
        "train",
        "train",
        "train",
        "validation",
    ]
    assert made.leakage.share("similar") == made.leakage.share("same_clip") == 1
    assert (made.leakage.table["frames_apart"] == 7).all()
    rows = made.leakage.table
    assert (rows["image"].str.rpartition("/")[0] == rows["nearest"].str.rpartition("/")[0]).all()
    assert (rows["distance"].diff().dropna() >= 0).all()
    pairs = worst_pairs(made.labels, made.leakage, count=3)
    assert pairs is not None
    assert pairs.shape == (2 * 52 + 4, 4 * 68 + 4, 3)
    assert summary(made)["groups_parted"] == 8


def test_near_duplicates_are_kept_together_whatever_they_are_called(labels: Labels) -> None:
    nameless = replace(labels, frames=tuple(replace(frame, session=f"s{i}") for i, frame in enumerate(labels)))
    made = split_labels(nameless, PLAN, colors())
    truth = [frame.session for frame in labels]
    for clip in set(truth):
        assert len({f.split for f, t in zip(made.labels, truth, strict=True) if t == clip}) == 1
    apart = split_labels(nameless, replace(PLAN, near=False), colors())
    assert apart.leakage.share("similar") > 0.5


def test_the_same_seed_gives_the_same_split(labels: Labels) -> None:
    first, second = (split_labels(labels, replace(PLAN, method="group", seed=5), colors()) for _ in range(2))
    assert [f.split for f in first.labels] == [f.split for f in second.labels]
    assert (first.map.points == second.map.points).all()


def test_groups_by_clip_folder_day_and_pattern(labels: Labels) -> None:
    assert groups_of(labels, "session") == [frame.session for frame in labels]
    assert groups_of(labels, "folder")[0] == "images/clip0 20200510"
    assert groups_of(labels, "day")[:15:5] == ["20200510", "20200510", "20200511"]
    assert set(groups_of(labels, r"clip(\d)")) == set("01234567")
    assert joined(["a", "a", "b", "c"], ["1", "2", "2", "3"]) == ["a", "a", "a", "c"]
    made = split_labels(labels, replace(PLAN, group="day"), colors())
    days = groups_of(labels, "day")
    assert all(len({f.split for f, d in zip(made.labels, days, strict=True) if d == day}) == 1 for day in set(days))


def _unused(images: object) -> None:
    raise AssertionError("images are looked at")


def test_the_method_is_proposed_by_the_data(labels: Labels) -> None:
    assert proposed_method(labels, PLAN)[0] == "clusters"
    assert proposed_method(labels[:5], PLAN) == ("random", "all frames are of one session: 2 splits cannot but part it")
    two = labels[:10]
    assert proposed_method(two, PLAN)[0] == "clusters"
    assert proposed_method(two, replace(PLAN, test=0.1)) == (
        "random",
        "there are 2 groups by session: 3 splits cannot but part it",
    )


def test_near_duplicates_in_all_groups_do_not_keep_a_map_from_being_made(
    labels: Labels, caplog: pytest.LogCaptureFixture
) -> None:
    # One clip under the names of two: whatever is near one of them is near the other.
    named = tuple(replace(frame, session=f"s{number % 2}") for number, frame in enumerate(labels[:10]))
    same = [replace(frame, images=labels[0].images) for frame in named]
    made = split_labels(replace(labels, frames=tuple(same)), PLAN, colors())
    assert parted(made) == 0
    assert made.leakage.share("similar") == 1
    assert "they are not kept together" in caplog.text


def test_what_is_looked_at_is_counted(labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, int | None, int]] = []

    @contextmanager
    def reported(title: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
        counts: list[int] = []
        yield counts.append
        said.append((title, total, sum(counts)))

    monkeypatch.setattr("vitruve.inference.progress.reported", reported)
    split_labels(labels, PLAN, colors())
    crops = len(crops_of(labels))
    assert said == [
        ("Comparing frames", len(labels), len(labels)),
        ("Embedding what is on the map", crops, crops),
        (f"Placing {crops} on the map", None, 0),
    ]


def test_what_cannot_be_split_is_said(labels: Labels) -> None:
    unused = cast(Embedder, _unused)
    with pytest.raises(ConfigError, match=r"--group='clip\(': not a regular expression"):
        split_labels(labels, replace(PLAN, group="clip("), colors())
    with pytest.raises(ConfigError, match="--group='nowhere': does not match image images/clip0"):
        split_labels(labels, replace(PLAN, group="nowhere"), colors())
    # Said before any image is looked at.
    with pytest.raises(ConfigError, match="--group session: 1 group for 2 splits"):
        split_labels(labels[:5], PLAN, unused)
    with pytest.raises(ConfigError, match="--group images: 1 group for 2 splits"):
        split_labels(labels, replace(PLAN, group="images", near=False), unused)
    with pytest.raises(InputError, match="hold no frame"):
        split_labels(labels[:0], PLAN, colors())
    with pytest.raises(InputError, match="--clusters 99: there are 40 different crops"):
        split_labels(labels, replace(PLAN, clusters=99), colors())
    for wrong in ({"method": "tsne"}, {"validation": 0.0}, {"test": 0.9}, {"nth": 1}, {"method": "list"}):
        with pytest.raises(ConfigError, match="--"):
            replace(PLAN, **wrong)


def test_the_command_writes_what_training_takes(labels: Labels, tmp_path: Path) -> None:
    file = labels.root / "labels.json"
    write_labels(labels, file, format="coco")
    words = ["split", str(file), "-o", str(tmp_path), "--validation", "0.25", "--backbone", "test_resnet", "--random"]
    done = CliRunner().invoke(build(), [*words, "--labels", str(labels.root / "with.json")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "30 train, 10 validation; 8 groups, 0 parted" in done.output
    settings = TrainingSettings(split=SplitSettings(method="file", file=str(tmp_path / "split.csv")))
    names = draw_split(read_labels(file), settings)
    assert names == splits_of_file(labels, tmp_path / "split.csv")
    assert names == [frame.split for frame in read_labels(labels.root / "with.json")]
    assert json.loads((tmp_path / "split.json").read_text())["leakage"]["validation"]["clip_in_train"] == 0
    page = (tmp_path / "map.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/jpeg;base64,") == 1
    assert {path.name for path in tmp_path.iterdir()} == {
        *("split.csv", "split.json", "leakage.csv", "leakage.png"),
        *("map.csv", "map.html", "map.png", "map_pictures.png", "map_thumbnails.jpg"),
    }


def test_a_list_is_taken_as_it_is(labels: Labels, tmp_path: Path) -> None:
    np.save(tmp_path / "val.npy", np.array([f"/weed_data/{labels[i].name}" for i in (3, 17)]))
    plan = replace(PLAN, method="list", validation_list=tmp_path / "val.npy")
    made = split_labels(labels, plan, colors())
    assert [i for i, frame in enumerate(made.labels) if frame.split == "validation"] == [3, 17]


def test_an_image_that_is_not_there_is_named(labels: Labels, tmp_path: Path) -> None:
    lost = replace(labels, root=tmp_path)
    with pytest.raises(InputError, match="40 of the 40 images that are labelled are not there"):
        split(lost, tmp_path / "out", backbone="test_resnet", pretrained=False)
    assert not (tmp_path / "out").exists()
