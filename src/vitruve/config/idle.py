"""Find settings that were made but have no effect in the run at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from vitruve.config.sections import Sections
from vitruve.losses.settings import DOMAIN

if TYPE_CHECKING:
    from vitruve.algorithms.base import Needs

_SEVERAL_CAMERAS = (
    "data.camera_params_file",
    "training.imgaug_3d",
    "losses.supervised_reprojection_heatmap_mse",
    "losses.supervised_pairwise_projections",
)
_LOOKS = ("inference.flip", "inference.scales")
_VIDEOS = ("eval.save_vids_after_training", "eval.predict_vids_after_training_save_heatmaps")


def idle_settings(config: Sections, needs: Needs) -> list[str]:
    """The settings that differ from their defaults although nothing in this run reads them.

    Args:
        config: Validated settings.
        needs: What the algorithm of ``config.model`` asks of the data.

    Returns:
        Full keys with the reason, such as ``"training.optimizer_params.momentum (with AdamW)"``.
        A section that idles as a whole is named once.
    """
    return [key + (f" ({why})" if why else "") for key, why in _idle(config, needs) if _changed(config, key)]


def _idle(config: Sections, needs: Needs) -> Iterator[tuple[str, str]]:
    training, named = config.training, config.model.losses_to_use
    videos = [loss for loss in named if loss != DOMAIN]
    for loss in type(config.losses).model_fields:
        if loss not in named and not loss.startswith("supervised_"):
            yield f"losses.{loss}", "not in model.losses_to_use"
    if not named and not needs.views:
        yield "callbacks.anneal_weight", "no unsupervised loss"
    if DOMAIN not in named:
        yield "data.target_dir", f"{DOMAIN} is not in model.losses_to_use"
    if not videos:
        yield "dali", "no unlabelled video; batches of prediction are inference.batch_size"
    else:
        used, unused = ("context", "base") if needs.context else ("base", "context")
        yield f"dali.{unused}", f"{config.model.model_type} reads dali.{used}"
        yield f"dali.{used}.predict", "batches of prediction are inference.batch_size"
    if not needs.views:
        yield from ((key, f"{config.model.model_type} sees views one by one") for key in _SEVERAL_CAMERAS)
        if isinstance(config.data.csv_file, str):
            yield "data.view_names", "one label file"
    if needs.views or needs.cameras or needs.truth_3d or needs.classes:
        yield from ((key, f"{config.model.model_type} does not find keypoints in single images") for key in _LOOKS)
    if not needs.boxes:
        yield from ((key, f"{config.model.model_type} is no detector") for key in ("data.tiles", "inference.tiles"))
    if needs.instances or needs.classes:
        yield "data.downsample_factor", "settings of model give its maps their size"
    if not needs.masking:
        yield "training.patch_mask", f"{config.model.model_type} learns from whole images"
    yield "data.image_delimiter", "frame numbers are the last digits of an image's name"
    if not config.cropped:
        yield "crop", "whole images: set crop.locator, crop.from_labels or data.bbox_file"
    elif not config.crop.from_labels:
        yield "crop.jitter", "from_labels is false"
    elif config.data.bbox_file is not None:
        yield "crop.from_labels", "data.bbox_file has the boxes"
    if not config.eval.predict_vids_after_training:
        yield from ((key, "predict_vids_after_training is false") for key in _VIDEOS)
    if not config.tune.space:
        yield "tune", "for vitruve tune, which needs tune.space"
    yield "eval.fiftyone", "training makes no data set: see vitruve fiftyone"
    yield "eval.hydra_paths", "for scripts/predict_new_vids.py and scripts/create_fiftyone_dataset.py"
    if config.model.do_context and not needs.context:
        yield "model.do_context", f"{config.model.model_type} sees single frames"
    if training.optimizer != "SGD":
        yield from (
            (f"training.optimizer_params.{key}", f"with {training.optimizer}") for key in ("momentum", "nesterov")
        )
    for scheduler in type(training.lr_scheduler_params).model_fields:
        if scheduler != training.lr_scheduler:
            yield f"training.lr_scheduler_params.{scheduler}", f"lr_scheduler is {training.lr_scheduler}"
    if not training.early_stopping:
        yield "training.early_stop_patience", "early_stopping is false"
    method = training.split.method
    if method in ("every_nth", "given", "file"):
        yield from ((f"training.{key}", f"split.method is {method}") for key in ("train_prob", "val_prob"))
    if method != "every_nth":
        yield "training.split.every_nth", f"split.method is {method}"
    if method != "group":
        yield "training.split.group_pattern", f"split.method is {method}"


def _changed(config: BaseModel, key: str) -> bool:
    value: Any = config
    default: Any = None
    for name in key.split("."):
        default = type(value).model_fields[name].get_default(call_default_factory=True)
        value = getattr(value, name)
    return bool(value != default)
