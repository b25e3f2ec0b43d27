"""The ordinary settings that each network of a project is trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitruve.project.config_file import ProjectConfig
from vitruve.project.folder import Stage

# JARVIS begins its learning rate's cycle at a hundredth of the highest.
_FIRST_OF_CYCLE = 100.0
_FINETUNING = 0.1


def stage_settings(
    stage: Stage,
    config: ProjectConfig,
    dataset: Path,
    *,
    views: int = 1,
    epochs: int | None = None,
    weights: Path | None = None,
    center: Path | None = None,
    mode: str = "3D_only",
    finetune: bool = False,
) -> dict[str, Any]:
    """Settings of one training, as nested mappings; what is not said has its default.

    * ``CenterDetect`` looks at whole images and learns the middle of the animal.
    * ``KeypointDetect`` looks at crops of that middle, and learns on crops around the labels.
    * ``HybridNet`` takes the network of ``KeypointDetect`` into space.

    Args:
        stage: The network.
        config: The project's settings.
        dataset: The training set.
        views: How many images a frame of it has; JARVIS' batches of the first two networks count images.
        epochs: In place of ``NUM_EPOCHS``.
        weights: Run or weight file to start from.
        center: Run that finds the animal in prediction; for all but ``CenterDetect``.
        mode: What ``HybridNet`` learns.
        finetune: With a tenth of the learning rate.

    Returns:
        The settings.
    """
    section = getattr(config, stage.section)
    three_d = stage is Stage.HYBRID
    batch = section.BATCH_SIZE if three_d else max(1, round(section.BATCH_SIZE / views))
    side = config.CENTERDETECT.IMAGE_SIZE if stage is Stage.CENTER else config.KEYPOINTDETECT.BOUNDING_BOX_SIZE
    rate = section.MAX_LEARNING_RATE * (_FINETUNING if finetune else 1.0)
    settings: dict[str, Any] = {
        "data": {
            "data_dir": str(dataset),
            "csv_file": ".",
            "label_format": "jarvis",
            "target": "center" if stage is Stage.CENTER else "keypoints",
            "image_resize_dims": {"height": side, "width": side},
            "downsample_factor": 1,
            "num_keypoints": config.KEYPOINTDETECT.NUM_JOINTS,
        },
        "training": {
            "split": {"method": "given"},
            "train_batch_size": batch,
            "val_batch_size": batch,
            "test_batch_size": batch,
            "num_workers": config.DATALOADER_NUM_WORKERS,
            "max_epochs": epochs or section.NUM_EPOCHS,
            "check_val_every_n_epoch": 1,
            "ckpt_every_n_epochs": section.CHECKPOINT_SAVE_INTERVAL,
            "unfreezing_epoch": 0,
            "optimizer_params": {"learning_rate": rate},
            "lr_scheduler": "onecycle",
            "lr_scheduler_params": {"onecycle": {"div_factor": _FIRST_OF_CYCLE}},
        },
        "model": {
            "model_type": "hybridnet" if three_d else "efficienttrack",
            "model_name": stage.value,
            "model_size": (config.CENTERDETECT if stage is Stage.CENTER else config.KEYPOINTDETECT).MODEL_SIZE,
            "checkpoint": None if weights is None else str(weights),
        },
        "eval": {"predict_vids_after_training": False},
    }
    if stage is not Stage.CENTER:
        settings["crop"] = {
            "from_labels": True,
            "size": float(side),
            "locator": None if center is None else str(center),
        }
    if weights is not None:
        settings["training"]["backbone_pretrained"] = False
    if three_d:
        settings["model"] |= {
            "roi_cube_size": config.HYBRIDNET.ROI_CUBE_SIZE,
            "grid_spacing": config.HYBRIDNET.GRID_SPACING,
            "mode": mode,
        }
    return settings
