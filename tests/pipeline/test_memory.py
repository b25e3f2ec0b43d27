"""The memory of a training step: counted tensors against what they must be."""

from __future__ import annotations

import pytest

from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.pipeline.memory import StepMemory, step_memory, this_machine
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(tuple("abcd"))


def memory(name: str, backbone: str, size: tuple[int, int]) -> StepMemory:
    kind = registry.get(name)
    return step_memory(
        kind, kind.Config.model_validate({"model_type": name, "backbone": backbone}), Task(SKELETON, size)
    )


def test_memory_grows_with_the_pixels() -> None:
    small, large = (memory("heatmap", "test_resnet", size) for size in ((128, 128), (256, 512)))
    assert large.per_image == pytest.approx(8 * small.per_image, rel=0.01)
    assert large.fixed == small.fixed


def test_what_is_measured_small_holds_for_the_real_size(monkeypatch: pytest.MonkeyPatch) -> None:
    guessed = memory("heatmap", "test_resnet", (224, 224))
    monkeypatch.setattr("vitruve.pipeline.memory._SMALL", 224)
    assert guessed.per_image == pytest.approx(memory("heatmap", "test_resnet", (224, 224)).per_image, rel=0.05)


def test_published_figures_are_met() -> None:
    # Lightning Pose measured 232 images of 256 x 256 for a ViT-S in 24 GB, and 76 in 8 GB.
    found = memory("heatmap", "vit_small_patch16_224", (256, 256))
    assert found.images(24e9) == pytest.approx(232, rel=0.15)
    assert found.images(8e9) == pytest.approx(76, rel=0.15)


def test_images_that_fit() -> None:
    step = StepMemory(fixed=1000, per_image=100)
    assert [step.images(budget) for budget in (500, 1000, 1099, 1100, 2050)] == [0, 0, 0, 1, 10]


def test_this_machine_has_memory_and_cores() -> None:
    machine = this_machine()
    assert machine.memory > 1e8
    assert machine.cores >= 1
