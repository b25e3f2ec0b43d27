"""From a HyperPose configuration to the core's settings, task and algorithm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Task
from vitruve.compat.hyperpose.anatomy import learned_skeleton
from vitruve.compat.hyperpose.enums import BACKBONE, MODEL, TRAIN
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.config.schema import Config
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton


@dataclass(frozen=True)
class Usual:
    """What HyperPose takes for an algorithm where nothing is set.

    Attributes:
        size: Height and width of the input, in pixels.
        batch_size: Images a step.
        factor: By which the learning rate falls.
        steps: Training steps.
        save_interval: Steps between two savings of the weights.
        log_interval: Steps between two lines of the log.
    """

    size: tuple[int, int] = (368, 432)
    batch_size: int = 8
    factor: float = 0.666
    steps: int = 1_000_000
    save_interval: int = 5000
    log_interval: int = 100


_USUAL = {
    MODEL.Openpose: Usual(batch_size=4),
    MODEL.LightweightOpenpose: Usual(),
    MODEL.MobilenetThinOpenpose: Usual(),
    MODEL.PoseProposal: Usual((384, 384), 22, 0.9, 1_040_000, 2000),
    MODEL.Pifpaf: Usual(batch_size=4, factor=0.2),
}
_LR, _VIS_INTERVAL = 1e-4, 1000


def usual(config: Configuration) -> Usual:
    """The values of the configuration's algorithm."""
    return _USUAL[config.model.model_type]


def input_size(config: Configuration) -> tuple[int, int]:
    """Width and height of the network's input, in pixels."""
    height, width = usual(config).size
    return config.model.win or width, config.model.hin or height


def steps(config: Configuration) -> int:
    """Training steps in all."""
    return config.train.n_step or usual(config).steps


def intervals(config: Configuration) -> tuple[int, int, int]:
    """Steps between two lines of the log, two savings, and two pictures."""
    values = usual(config)
    return (
        config.log.log_interval or values.log_interval,
        config.train.save_interval or values.save_interval,
        config.train.vis_interval or _VIS_INTERVAL,
    )


def core_config(config: Configuration, processes: int = 1) -> Config:
    """All settings of the core.

    Args:
        config: What has been set.
        processes: How many train together; each does its share of the steps.

    Returns:
        The settings, checked.

    Raises:
        ConfigError: A setting given by ``Config.set_core`` is unknown, or a backbone.
    """
    train, count = config.train, max(1, steps(config) // processes)
    width, height = input_size(config)
    values: dict[str, Any] = {
        "model": {"model_type": config.model.model_type.value, "model_name": config.model.model_name},
        "training": {
            "imgaug": "crowd" if config.model.custom_augmentor is None else "none",
            "train_batch_size": train.batch_size or usual(config).batch_size,
            "val_batch_size": config.eval.batch_size,
            "test_batch_size": config.test.batch_size,
            "split": {"method": "given"},
            "max_steps": count,
            # One validation, of the network that remains: what is kept is the newest, as in HyperPose.
            "val_check_interval": count,
            "unfreezing_step": 0,
            "log_every_n_steps": intervals(config)[0],
            "optimizer": train.optim_type.value,
            "optimizer_params": {
                "learning_rate": train.lr_init or _LR,
                "weight_decay": train.weight_decay_factor,
            },
            "lr_scheduler": "multisteplr",
            "lr_scheduler_params": {
                "multisteplr": {
                    "milestone_steps": [step // processes for step in train.lr_decay_steps],
                    "gamma": train.lr_decay_factor or usual(config).factor,
                }
            },
            "parallel": {
                "strategy": train.kungfu_option.value,
                "processes": processes if train.train_type is TRAIN.Parallel_train else None,
            },
        },
    }
    backbone = config.model.model_backbone
    if backbone is not BACKBONE.Default:
        values["model"]["backbone"] = backbone.value if isinstance(backbone, BACKBONE) else backbone
    if config.model.custom_limbs is not None:
        more = {MODEL.Pifpaf: "bridges", MODEL.PoseProposal: "spokes"}.get(config.model.model_type)
        values["model"] |= {} if more is None else {more: False}
    if config.pretrain.enable:
        values["model"]["backbone_checkpoint"] = str(pretrained_run(config))
    if width % 32 == 0 and height % 32 == 0:
        values["data"] = {"image_resize_dims": {"width": width, "height": height}}
    if config.data.domainadapt_paths:
        values["model"]["losses_to_use"] = ["domain"]
        values.setdefault("data", {})["target_dir"] = str(target_folder(config))
    return checked_settings(values, config.core)


def checked_settings(values: dict[str, Any], core: Mapping[str, Any]) -> Config:
    """Settings of the core with others, given by their full names, in place of some of them.

    Args:
        values: Sections as nested mappings; they are changed.
        core: ``{"training.precision": "32"}``.

    Returns:
        The settings, checked.
    """
    for name, value in core.items():
        *sections, last = name.split(".")
        inner = values
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return Config.examine(values)[0]


def backbone_name(config: Configuration) -> str:
    """The backbone by the core's name."""
    backbone = config.model.model_backbone
    if backbone is BACKBONE.Default:
        kind = registry.get(config.model.model_type.value)
        return str(kind.Config.model_fields["backbone"].default)
    return str(backbone.value if isinstance(backbone, BACKBONE) else backbone)


def pretrained_run(config: Configuration) -> Path:
    """Where ``Model.get_pretrain`` leaves the run of the configuration's backbone."""
    return config.model.save_root / "pretrain_backbone" / backbone_name(config)


def target_folder(config: Configuration) -> Path:
    """Where the images that are adapted to are linked from."""
    return config.model.model_dir / "domainadapt_images"


def task_of(config: Configuration) -> Task:
    """What the configuration's network is built for."""
    return Task(learned_skeleton(config), input_size(config), categories=("person",))


class Limbs(list[tuple[int, int]]):
    """The limbs that an algorithm has maps of, in the order of its channels.

    Args:
        learned: Pairs of keypoint numbers.
        edges: Those of the skeleton among them, which are drawn.
        alone: They are all: the algorithm adds none of its own.
    """

    def __init__(self, learned: Iterable[tuple[int, int]], edges: Sequence[tuple[int, int]], alone: bool) -> None:
        super().__init__(learned)
        self.edges = tuple(edges)
        self.alone = alone


def limbs_of(algorithm: Any, alone: bool) -> Limbs:
    """The limbs of an algorithm.

    Args:
        algorithm: Any of HyperPose's.
        alone: It has none beside those of its skeleton.

    Returns:
        The limbs; of Pose Proposal also those that lead from a person's box.
    """
    layout, ends = getattr(algorithm, "layout", None), getattr(algorithm, "ends", None)
    pairs = layout.limbs if layout is not None else algorithm.limbs if ends is None else ends.tolist()
    return Limbs(((int(a), int(b)) for a, b in pairs), algorithm.task.skeleton.edges, alone)


@lru_cache(maxsize=8)
def codec(
    model_type: MODEL, names: tuple[str, ...], edges: tuple[tuple[int, int], ...], alone: bool = False
) -> Algorithm:
    """An algorithm for its targets and its decoding alone, on a network that is as small as can be.

    Args:
        model_type: The algorithm.
        names: The keypoints.
        edges: The limbs between them.
        alone: The algorithm adds no limbs of its own.

    Returns:
        The same object each time; nobody trains it.
    """
    kind = registry.get(model_type.value)
    fields = kind.Config.model_fields
    least: dict[str, Any] = {"num_stages": 1, "head_channels": 8}
    least |= dict.fromkeys(("bridges", "spokes"), not alone)
    values: dict[str, Any] = {"model_type": model_type.value, "backbone": "vggtiny"}
    values |= {name: value for name, value in least.items() if name in fields}
    task = Task(Skeleton.from_names(names, edges), (64, 64), categories=("person",))
    return kind(kind.Config.model_validate(values), task).eval()


def bare_batch(count: int, size: tuple[int, int], truth: Instances | None = None, known: Any = None) -> Batch:
    """A batch of which only the sizes matter, in pixels of the input.

    Args:
        count: Images.
        size: Width and height.
        truth: ``(count, N, ...)`` as torch tensors, or None.
        known: ``(count, H, W)`` True where something is to be learned, or None for all.

    Returns:
        The batch.
    """
    width, height = size
    return Batch(
        torch.zeros(1, 1, 1, 1, 1, 1, dtype=torch.uint8).expand(count, 1, 1, 3, height, width),
        torch.eye(3).expand(count, 1, 3, 3),
        None if truth is None else truth.map(lambda array: array[:, None]),
        ignore=None if known is None else ~torch.as_tensor(known, dtype=torch.bool)[:, None],
    )
