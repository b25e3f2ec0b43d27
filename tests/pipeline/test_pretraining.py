from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tiny_project import settings, write_project
from vitruve.algorithms.base import Task
from vitruve.algorithms.registry import get
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError
from vitruve.evaluation.classes import ClassReport
from vitruve.media.images import write_image
from vitruve.pipeline.plan import PredictOptions
from vitruve.pipeline.predict import predict_sources
from vitruve.pipeline.report import evaluate_run, outcome
from vitruve.pipeline.train import train_run
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton
from vitruve.training.assemble import assemble
from vitruve.training.prepare import prepare


def stripes(folder: Path, each: int = 8) -> Path:
    """Three classes: stripes across, stripes down, none."""
    rng = np.random.default_rng(0)
    for split, count in (("train", each), ("val", 3)):
        for name, axis in (("across", 0), ("down", 1), ("plain", None)):
            for index in range(count):
                image = rng.integers(60, 120, (64, 64, 1)) * np.ones((1, 1, 3))
                if axis is not None:
                    wave = 60 * np.sin(np.arange(64) * rng.uniform(0.6, 0.9) + rng.uniform(0, 6))
                    image = image + (wave[:, None, None] if axis == 0 else wave[None, :, None])
                path = folder / split / name / f"{index}.png"
                write_image(path, np.clip(image, 0, 255).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stripes(tmp_path_factory.mktemp("classes"))


def pretraining(folder: Path, model: dict[str, Any] | None = None, **training: Any) -> Config:
    given = {"model_type": "classifier", **(model or {})}
    values = settings(folder, given, split={"method": "given"}, train_batch_size=8, **training)
    values["data"]["label_format"] = "class_folders"
    return Config.from_mapping(values)


@pytest.fixture(scope="module")
def pretrained(classes: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    run = tmp_path_factory.mktemp("pretrained") / "run"
    train_run(pretraining(classes, max_epochs=20), run, quiet=True)
    return RunFiles(run)


def test_classes_are_learned_and_reported(pretrained: RunFiles) -> None:
    last = pretrained.read_metrics()[-1]
    assert float(last["val_top1"]) >= 0.8 and float(last["val_top5"]) == 1
    table = pd.read_csv(pretrained.predictions).set_index("image")
    assert table.loc["val/down/0.png", "class"] == "down"
    assert table["set"].value_counts().to_dict() == {"train": 24, "validation": 9}
    accuracy = pd.read_csv(pretrained.evaluation / "accuracy.csv").set_index("split")
    right = (table["class"] == table["predicted"])[table["set"] == "validation"]
    assert accuracy.loc["validation", "top1_percent"] == pytest.approx(100 * right.mean(), abs=0.01)
    assert accuracy.loc["validation", "top1_percent"] >= 80
    assert "top1_percent" in (pretrained.evaluation / "report.html").read_text()
    said = f"right at first: validation {accuracy.loc['validation', 'top1_percent']:.3g}, train "
    assert outcome(pretrained.path)[0].startswith(said)
    assert pretrained.read_status().status == "COMPLETED"


def test_a_run_of_classes_is_evaluated_again(pretrained: RunFiles, classes: Path, tmp_path: Path) -> None:
    own, files = evaluate_run(pretrained.path, output=tmp_path / "own")
    assert isinstance(own, ClassReport)
    for name in ("accuracy.csv", "accuracy_per_class.csv", "report.html"):
        assert (tmp_path / "own" / name).read_text() == (pretrained.evaluation / name).read_text()
    assert files["report"] == tmp_path / "own" / "report.html"
    # Two of the three classes: their numbers in this folder are not those of the run.
    for name in ("down", "plain"):
        (tmp_path / "others").mkdir(exist_ok=True)
        (tmp_path / "others" / name).symlink_to(classes / "val" / name)
    others, _ = evaluate_run(pretrained.path, tmp_path / "others")
    assert isinstance(others, ClassReport)
    kept = own.table[(own.table["set"] == "validation") & own.table["class"].isin(("down", "plain"))]
    for column in ("predicted", "rank"):
        assert list(others.table[column]) == list(kept[column])
    assert (pretrained.evaluation / "others" / "accuracy.csv").is_file()
    (tmp_path / "others" / "dotted").symlink_to(classes / "val" / "plain")
    with pytest.raises(InputError, match="dotted: a class that the run did not learn; it knows across, down, plain"):
        evaluate_run(pretrained.path, tmp_path / "others")


def tensors(run: RunFiles) -> dict[str, torch.Tensor]:
    found = load_file(run.weights)
    return {
        name.removeprefix("network.backbone."): t for name, t in found.items() if name.startswith("network.backbone.")
    }


def test_the_pose_network_begins_with_the_pretrained_backbone(pretrained: RunFiles, tmp_path: Path) -> None:
    config = Config.from_mapping(
        settings(write_project(tmp_path), {"backbone_checkpoint": str(pretrained.path)}, backbone_pretrained=True)
    )
    parts = assemble(config, prepare(config))
    own = {name: tensor.cpu() for name, tensor in parts.module.algorithm.backbone.state_dict().items()}
    learned = tensors(pretrained)
    matches = [
        next(
            (n for n, t in learned.items() if n.endswith(f".{name.removeprefix('net.')}") and torch.equal(t, tensor)),
            None,
        )
        for name, tensor in own.items()
        if name.startswith("net.")
    ]
    assert matches and all(matches), "each tensor of the backbone is the pretrained one"
    assert parts.module.backbone_weights == str(pretrained.path)
    assert parts.module.plan.unfreeze > 0, "a pretrained backbone is frozen at first"


@pytest.mark.parametrize("backbone", ["vggtiny", "mobilenet_thin", "resnet18"])
@pytest.mark.parametrize("kind", ["openpose", "pose_proposal"])
def test_hyperposes_backbones_go_over_as_well(backbone: str, kind: str, tmp_path: Path) -> None:
    from vitruve.training.callbacks import save_weights

    stride = 32 if kind == "pose_proposal" else 8
    first = get("classifier")
    task = Task(Skeleton(()), (64, 64), categories=("a", "b"))
    torch.manual_seed(1)
    source = first(first.Config(model_type="classifier", backbone=backbone, backbone_stride=stride), task)
    save_weights(source, tmp_path / "run" / "model.safetensors")
    second = get(kind)
    pose = Task(Skeleton(("a", "b", "c"), ((0, 1), (1, 2))), (64, 64))
    network = second(second.Config(model_type=kind, backbone=backbone, backbone_checkpoint=tmp_path / "run"), pose)
    assert network.backbone is not None
    given, found = source.network.backbone.state_dict(), network.backbone.state_dict()
    assert given.keys() == found.keys()
    assert all(torch.equal(given[name], found[name]) for name in given)


def test_keypoints_and_classes_are_not_mistaken_for_one_another(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="learns keypoints, but these labels have none"):
        prepare(pretraining(classes, {"model_type": "heatmap"}))
    keypoints = Config.from_mapping(settings(write_project(tmp_path), {"model_type": "classifier"}))
    with pytest.raises(ConfigError, match="learns classes, but these labels do not have one each"):
        prepare(keypoints)


def test_a_classifier_predicts_no_videos(pretrained: RunFiles, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="tells classes"):
        predict_sources(pretrained.path, [tmp_path], PredictOptions())
