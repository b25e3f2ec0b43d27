"""Recommended settings are settings: they compose, all of them count, and they follow from the data and the machine."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tiny_project import write_project, write_video
from vitruve.config.compose import compose
from vitruve.errors import InputError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.labelling import recommend as recommend_here
from vitruve.pipeline.dataset_facts import Facts, find_facts
from vitruve.pipeline.memory import Machine, StepMemory
from vitruve.pipeline.recommend import Recommendation, input_size, recommend

CPU = Machine("cpu", "", 16_000_000_000, 4)
GPU = Machine("cuda", "Card 24", 24_000_000_000, 16)
SMALL_GPU = Machine("cuda", "Card 4", 4_000_000_000, 8)


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of a known size, and not built."""
    monkeypatch.setattr("vitruve.pipeline.recommend.step_memory", lambda *a: StepMemory(400_000_000, 150_000_000))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_project(tmp_path, frames=12)
    (tmp_path / "config.yaml").unlink()
    write_video(tmp_path / "videos" / "a.mp4", 3)
    return tmp_path


def made_of(monkeypatch: pytest.MonkeyPatch, project: Path, machine: Machine, **changes: object) -> Recommendation:
    facts = replace(find_facts(project), **changes)
    monkeypatch.setattr("vitruve.pipeline.recommend.find_facts", lambda dataset: facts)
    return recommend(project, project / "recommended.yaml", machine)


def check_composes(project: Path, made: Recommendation, caplog: pytest.LogCaptureFixture) -> None:
    """Every setting arrives, and none is said to be without effect."""
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error")
        config = compose(str(project), "recommended").config
    assert caplog.messages == []
    for setting in made.settings:
        value = config
        for part in setting.key.split("."):
            value = getattr(value, part)
        shown = [list(v) if isinstance(v, tuple) else v for v in value] if isinstance(value, tuple) else value
        wanted = str((project / setting.value).resolve()) if setting.key.endswith("_dir") else setting.value
        assert (str(shown) if isinstance(shown, Path) else shown) == wanted, setting.key
        assert setting.reason


@pytest.mark.parametrize("machine", [CPU, GPU, SMALL_GPU], ids=lambda machine: machine.name or "cpu")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"videos": None, "video_count": 0},
        {"context": 1.0},
        {"labelled": 600, "size": (1920, 1080), "turning": "all ways"},
        {"mirrors": ((0,), (1,))},
    ],
    ids=["plain", "no videos", "context", "many", "mirrors"],
)
def test_every_setting_composes_and_counts(
    machine: Machine,
    changes: dict[str, object],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    check_composes(project, made_of(monkeypatch, project, machine, **changes), caplog)


@pytest.mark.parametrize("machine", [CPU, GPU], ids=["cpu", "gpu"])
def test_several_views_compose(machine: Machine, project: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = read_labels(project)
    (project / "CollectedData.csv").unlink()
    for view in ("left", "right"):
        write_labels(labels, project / f"CollectedData_{view}.csv")
        write_video(project / "videos" / f"a_{view}.mp4", 3)
    made = recommend(project, project / "recommended.yaml", machine)
    assert made.facts.video_count == 1
    assert made.value("data.csv_file") == ["CollectedData_left.csv", "CollectedData_right.csv"]
    assert made.value("model.losses_to_use") == ["temporal", "pca_singleview", "pca_multiview"]
    if machine is GPU:
        assert made.value("model.model_type") == "heatmap_multiview_transformer"
        assert made.value("training.imgaug") == "dlc-mv"
    check_composes(project, made, caplog)


def test_another_format_composes(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_labels(read_labels(project), project / "labels.h5", "deeplabcut")
    made = recommend(project / "labels.h5", project / "recommended.yaml", CPU)
    assert made.value("data.label_format") == "deeplabcut"
    check_composes(project, made, caplog)


def test_what_follows_from_the_data(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def values(**changes: object) -> dict[str, object]:
        (project / "recommended.yaml").unlink(missing_ok=True)
        return {s.key: s.value for s in made_of(monkeypatch, project, CPU, **changes).settings}

    assert values()["model.losses_to_use"] == ["temporal", "pca_singleview"]
    weights = [f"losses.{name}.log_weight" for name in ("temporal", "pca_singleview")]
    assert [values()[key] for key in weights] == [4.0, 4.0]
    assert weights[1] not in values(labelled=6)
    assert values(labelled=6)["model.losses_to_use"] == ["temporal"]
    assert values(videos=None, video_count=0)["model.losses_to_use"] == []
    assert values(mirrors=((0,), (1,)))["data.mirrored_column_matches"] == [[0], [1]]
    assert values(coverage=(1.0, 0.1))["data.columns_for_singleview_pca"] == [0]
    assert [values(labelled=n)["training.max_epochs"] for n in (49, 50)] == [500, 300]
    assert values(labelled=49, turning="all ways")["training.max_epochs"] == 1000
    assert values(labelled=50, turning="all ways")["training.max_epochs"] == 500
    found = {name: values(turning=name)["training.imgaug"] for name in ("upright", "both ways", "all ways", "unknown")}
    assert found == {"upright": "dlc", "both ways": "dlc-lr", "all ways": "dlc-top-down", "unknown": "dlc"}


def test_what_follows_from_the_machine(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(machine: Machine, **changes: object) -> Recommendation:
        (project / "recommended.yaml").unlink(missing_ok=True)
        return made_of(monkeypatch, project, machine, labelled=2000, **changes)

    assert made(CPU).value("training.train_batch_size") == 8
    assert made(replace(CPU, cores=32)).value("training.train_batch_size") == 16
    assert made(GPU).value("training.train_batch_size") == 64
    # 0.8 * 4 GB less 0.4 GB are 18 images of 150 MB: 8 frames of video and 10 labelled ones.
    small = made(SMALL_GPU)
    assert (small.value("dali.base.train.sequence_length"), small.value("training.train_batch_size")) == (8, 8)
    assert made(GPU, context=1.0).value("model.model_type") == "heatmap_mhcrnn"
    assert made(CPU, context=1.0).value("model.model_type") == "heatmap"
    # At least ten steps an epoch.
    few = made(GPU)
    assert few.value("training.train_batch_size") * 10 <= 0.95 * 2000


def test_memory_is_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for gigabytes in (2, 4, 8, 16, 24, 80):
        (project / "recommended.yaml").unlink(missing_ok=True)
        machine = Machine("cuda", "Card", gigabytes * 10**9, 8)
        made = made_of(monkeypatch, project, machine, labelled=5000)
        images = made.value("training.train_batch_size") + made.value("dali.base.train.sequence_length")
        assert images == 9 or 0.4 + 0.15 * images <= 0.8 * gigabytes


@pytest.mark.parametrize(
    ("size", "labels", "expected"),
    [
        ((100, 100), 100, (96, 96)),
        ((180, 180), 100, (128, 128)),
        ((396, 406), 90, (256, 256)),
        ((640, 480), 90, (288, 224)),
        ((1920, 1080), 200, (352, 192)),
        ((1920, 1080), 501, (512, 288)),
        ((200, 40), 10, (192, 32)),
        ((20, 20), 10, (32, 32)),
    ],
)
def test_input_sizes(size: tuple[int, int], labels: int, expected: tuple[int, int]) -> None:
    found, reason = input_size(size, labels)
    assert found == expected
    assert reason


def test_nothing_is_overwritten_or_written_unasked(project: Path) -> None:
    before = sorted(project.rglob("*"))
    text = recommend_here(project).yaml
    assert sorted(project.rglob("*")) == before
    assert text.count("#") > 15
    (project / "recommended.yaml").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        recommend(project, project / "recommended.yaml", CPU)
    with pytest.raises(InputError, match=r"end in \.yaml"):
        recommend(project, project / "recommended.txt", CPU)


def test_each_line_has_its_reason(project: Path) -> None:
    lines = [line for line in recommend(project, None, CPU).yaml.splitlines() if line and not line.startswith("#")]
    # Lines without a reason only open a section within a section.
    bare = [line.strip() for line in lines if " # " not in line]
    assert all(line.endswith(":") for line in bare)


def test_real_labels(data_dir: Path) -> None:
    made = recommend(data_dir / "mirror_mouse", None, CPU)
    assert isinstance(made.facts, Facts)
    assert made.value("data.mirrored_column_matches") == [list(range(7)), list(range(8, 15))]
    assert made.value("data.columns_for_singleview_pca") == [*range(7), *range(8, 15)]
    assert made.value("model.losses_to_use") == ["temporal", "pca_singleview", "pca_multiview"]
    assert made.value("training.imgaug") == "dlc"
    assert np.prod(input_size(made.facts.size, made.facts.labelled)[0]) == 256 * 256
