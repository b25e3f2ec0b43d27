"""``Model.get_pretrain``: the backbone alone learns the classes of images, in the core's own training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitruve.compat.hyperpose import weights
from vitruve.compat.hyperpose.enums import MODEL
from vitruve.compat.hyperpose.network import Preset
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.translate import backbone_name, checked_settings, pretrained_run
from vitruve.config.schema import Config
from vitruve.errors import ConfigError
from vitruve.networks.weights import load_matching, read_weights
from vitruve.run import RunFiles

_SIDE = 224
_STRIDES = {MODEL.PoseProposal: 32, MODEL.Pifpaf: 16}


def pretrain(model: Any = None, dataset: Any = None, *, config: Configuration) -> Path:
    """Train the configuration's backbone on folders of classes.

    ``save_dir/pretrain_backbone/newest_<backbone>.npz`` gets its weights, and the folder beside it is a run of the
    core, with its report. Models of configurations with ``Config.set_pretrain(True)`` begin with them.

    Args:
        model: A model that takes the weights at once, or None.
        dataset: A folder in place of ``Config.set_pretrain_dataset_path``, or None.
        config: What ``Config.get_config()`` gave.

    Returns:
        The weight file.

    Raises:
        ConfigError: There is no such folder.
        InputError: It holds no classes.
    """
    from vitruve.pipeline.train import train_run

    folder = Path(dataset) if isinstance(dataset, (str, Path)) else config.pretrain.dataset_path
    if not folder.is_dir():
        raise ConfigError(f"Config.set_pretrain_dataset_path({str(folder)!r}): no such folder; it holds train/<class>/")
    run = RunFiles(pretrained_run(config))
    train_run(_settings(config, folder), run.path, resume=run.config.is_file(), quiet=True)
    from vitruve.inference.load import load_run

    backbone = load_run(run.path).algorithm.backbone
    assert backbone is not None
    file = run.path.with_name(f"newest_{backbone_name(config)}.npz")
    weights.save(backbone, file)
    if isinstance(model, Preset):
        load_matching(model.backbone, read_weights(run.weights), run.weights)
    return file


def _settings(config: Configuration, folder: Path) -> Config:
    section = config.pretrain
    values: dict[str, Any] = {
        "model": {
            "model_type": "classifier",
            "model_name": config.model.model_name,
            "backbone": backbone_name(config),
            "backbone_stride": _STRIDES.get(config.model.model_type, 8),
        },
        "data": {
            "data_dir": str(folder.resolve()),
            "label_format": "class_folders",
            "image_resize_dims": {"width": _SIDE, "height": _SIDE},
        },
        "training": {
            "backbone_pretrained": False,
            "train_batch_size": section.batch_size,
            "max_steps": section.total_step,
            "val_check_interval": min(section.val_interval, section.total_step),
            "optimizer": "Adam",
            "optimizer_params": {"learning_rate": section.lr_init, "weight_decay": section.weight_decay_factor},
            "lr_scheduler": "plateau",
            "lr_scheduler_params": {"plateau": {"factor": 0.2, "patience": 2}},
            "split": {"method": "given" if (folder / "train").is_dir() else "random"},
        },
    }
    return checked_settings(values, config.core)
