"""Keys of Lightning Pose files that stand elsewhere here or mean nothing any more."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from vitruve.errors import ConfigError

_STAMPS = ("creation_datetime", "model.lightning_pose_version", "hydra")
"""What Lightning Pose writes into the settings of a run, and what is Hydra's own: nothing that one sets."""

_RETIRED = (
    "data.image_orig_dims",
    "training.gpu_id",
    "eval.video_file_to_plot",
    "eval.pred_csv_files_to_plot",
)
"""Settings of older versions whose purpose is gone: sizes are read from the images, devices are found."""

_MOVED = {"model.backbone_pretrained": "training.backbone_pretrained"}
"""Settings that stand at another place here."""


def adopt(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Bring the settings of a Lightning Pose file to this package's places.

    Args:
        mapping: Settings as they stand in a file. It is left as it is.

    Returns:
        The settings without stamps, retired and moved keys; and the retired keys that were there.

    Raises:
        ConfigError: A setting is made at both its old and its new place, with different values.
    """
    values = copy.deepcopy(dict(mapping))
    for key in _STAMPS:
        _take(values, key)
    retired = [key for key in _RETIRED if _take(values, key) is not None]
    for old, new in _MOVED.items():
        moved = _take(values, old)
        if moved is None:
            continue
        section, _, name = new.rpartition(".")
        target = values.setdefault(section, {})
        if isinstance(target, dict) and target.setdefault(name, moved) != moved:
            raise ConfigError(f"{old}={moved!r} and {new}={target[name]!r} are one setting; keep {new}")
    return values, retired


def _take(values: dict[str, Any], key: str) -> Any:
    section, _, name = key.rpartition(".")
    holder = values.get(section) if section else values
    return holder.pop(name, None) if isinstance(holder, dict) else None
