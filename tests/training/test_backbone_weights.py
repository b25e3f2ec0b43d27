"""A run says what its backbone started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
from huggingface_hub import constants
from safetensors.torch import save_file

from tiny_project import settings, write_project
from vitruve import api
from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.config.schema import Config
from vitruve.data.augment import Augmentation
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton
from vitruve.training.assemble import assemble
from vitruve.training.module import PoseModule
from vitruve.training.optim import Plan
from vitruve.training.prepare import prepare


def trained(folder: Path, **model: Any) -> tuple[RunFiles, str]:
    values = settings(write_project(folder), model=model, max_epochs=1, backbone_pretrained=True)
    (path,) = api.train(values, run_dir=folder / "run", quiet=True)
    return RunFiles(path), (path / "evaluation" / "report.html").read_text()


def test_random_weights_in_place_of_published_ones_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.warns(UserWarning, match="starting from random ones"):
        run, report = trained(tmp_path)
    assert "backbone_pretrained: true" in run.config.read_text()
    assert run.read_model()["backbone_weights"] == "random"
    assert "heatmap on test_resnet, started from random weights" in report


def test_weights_of_a_file_are_recorded(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    run, report = trained(tmp_path, backbone_checkpoint=str(file))
    assert run.read_model()["backbone_weights"] == str(file)
    assert "heatmap on test_resnet, started from the weights in mine.safetensors" in report


@pytest.mark.parametrize(("name", "waits"), [("heatmap", True), ("faster_rcnn", False)])
def test_the_backbone_of_a_detector_learns_from_the_beginning(name: str, waits: bool, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    small = {} if waits else {"fpn_channels": 16, "head_channels": 32}
    model = {"model_type": name, "backbone_checkpoint": str(file), **small}
    config = Config.from_mapping(settings(write_project(tmp_path), model=model, max_epochs=30))
    plan = assemble(config, prepare(config)).module.plan
    assert plan.unfreeze == (20 * plan.steps_per_epoch if waits else 0)


def test_a_training_that_goes_on_still_knows() -> None:
    config = Config.from_mapping({"model": {"backbone": "test_resnet"}})
    algorithm = registry.get("heatmap")(config.model, Task(Skeleton(("a",)), (64, 64)))

    def module(weights: str) -> PoseModule:
        plan = Plan(1, 1, 0)
        return PoseModule(
            algorithm, config.training, plan, Augmentation(), lambda epoch, batch: [], backbone_weights=weights
        )

    checkpoint: dict[str, Any] = {}
    module("published").on_save_checkpoint(checkpoint)
    resumed = module("random")
    resumed.on_load_checkpoint(checkpoint)
    assert resumed.backbone_weights == "published"
    # Batch normalisation of a detector stays frozen when its training goes on, without the weights' being fetched.
    assert algorithm.backbone is not None and algorithm.backbone.pretrained
