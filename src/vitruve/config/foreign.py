"""Settings of Lightning Pose files that stand elsewhere here, are said otherwise, or mean nothing any more."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vitruve.config.former import modernise, take
from vitruve.config.imgaug import from_imgaug, is_imgaug
from vitruve.errors import ConfigError

_STAMPS = ("creation_datetime", "model.lightning_pose_version", "hydra")
"""What Lightning Pose writes into the settings of a run, and what is Hydra's own: nothing that one sets."""

_RETIRED: Mapping[str, str] = {
    "data.num_targets": "two for each of data.num_keypoints",
    "data.image_orig_dims": "sizes are read from the images",
    "data.header_rows": "header rows are recognised",
    "training.gpu_id": "devices are found",
    "training.dropout_rate": "the networks have no dropout",
    "training.multiple_trainloader_mode": "an epoch sees all labelled frames once",
    "model.reach": "there is no such loss",
    "model.learn_weights": "weights are losses.*.log_weight",
    **{
        f"losses.{name}.{key}": reason
        for name in ("pca_multiview", "pca_singleview")
        for key, reason in (
            ("error_metric", "errors are distances from the subspace"),
            ("kept_eigenvectors", "they are found in the labels"),
            ("discarded_eigenvectors", "they are found in the labels"),
        )
    },
    "dali.general.num_threads": "threads are chosen by the videos",
    "dali.general.device_id": "devices are found",
    "dali.general.device": "videos are decoded on the processor",
    "dali.context.train.consecutive_sequences": "windows always are",
    "dali.context.predict.batch_size": "batches of prediction are inference.batch_size",
    "eval.create_labeled_video": "it is eval.save_vids_after_training",
    "eval.video_file_to_plot": "a script's argument",
    "eval.pred_csv_files_to_plot": "a script's argument",
    "eval.fifty_one_dataset_name": "it is eval.fiftyone.dataset_name",
    "eval.fiftyone_build_speed": "data sets are always built in full",
    "eval.fiftyone.build_speed": "data sets are always built in full",
    "eval.dali_parameters": "batches of prediction are inference.batch_size",
}
"""Settings that only older versions had, and why they are gone."""

_UNUSED: Mapping[str, str] = {"data.label_file_key": "label files are named by data.csv_file"}
"""Settings of newer versions that nothing here reads."""

_MOVED = {"model.backbone_pretrained": "training.backbone_pretrained"}
"""Settings that stand at another place here."""


@dataclass(frozen=True)
class Adopted:
    """The settings of a Lightning Pose file in this package's terms.

    Attributes:
        values: Settings as nested mappings.
        idle: Keys that stood there and have no effect, each with its reason.
        changed: One line for each setting whose value is another now.
    """

    values: dict[str, Any]
    idle: list[str]
    changed: list[str]


def adopt(mapping: Mapping[str, Any], overridden: Collection[str] = ()) -> Adopted:
    """Bring the settings of a Lightning Pose file to this package's places and terms.

    Args:
        mapping: Settings as they stand in a file. It is left as it is.
        overridden: Full keys that come from the command line instead.

    Returns:
        The settings without stamps, retired and moved keys, with older values brought to their present meaning.

    Raises:
        ConfigError: A setting is made at both its old and its new place, with different values; or imgaug operators
            are not written as such.
    """
    values = copy.deepcopy(dict(mapping))
    idle: list[str] = []
    retired: dict[str, Any] = {}
    for key, reason in (*_RETIRED.items(), *_UNUSED.items()):
        value = take(values, key)
        if key in _RETIRED and value is not None:
            retired[key] = value
        if _says_something(value):
            idle.append(f"{key} ({reason})")
    changed = modernise(values, retired, overridden)
    for key in _STAMPS:
        take(values, key)
    for old, new in _MOVED.items():
        moved = take(values, old)
        if moved is None:
            continue
        section, _, name = new.rpartition(".")
        target = values.setdefault(section, {})
        if isinstance(target, dict) and target.setdefault(name, moved) != moved:
            raise ConfigError(f"{old}={moved!r} and {new}={target[name]!r} are one setting; keep {new}")
    training, data = values.get("training"), values.get("data")
    if isinstance(training, dict) and is_imgaug(training.get("imgaug")):
        training["imgaug"], unmet, nearly = from_imgaug(training["imgaug"])
        told = ", ".join(f"{name}={value}" for name, value in training["imgaug"].items()) or "none"
        changed += [f"training.imgaug: imgaug operators become {told}", *nearly]
        idle += unmet
    if take(values, "data.use_bboxes") is False and isinstance(data, dict) and data.get("bbox_file"):
        data["bbox_file"] = None
        changed.append("data.bbox_file becomes null: data.use_bboxes is false")
    return Adopted(values, idle, changed)


def _says_something(value: Any) -> bool:
    """Whether a setting holds more than nulls, blanks and what is switched off."""
    if isinstance(value, Mapping):
        return any(_says_something(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_says_something(inner) for inner in value)
    return value is not None and value is not False and not (isinstance(value, str) and not value.strip())
