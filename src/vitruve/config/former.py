"""Values of older Lightning Pose files whose meaning has changed since, brought to today's.

What tells a file's age: the version and the time that training stamps into it, settings that only older versions had,
and values that only they made sense of.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard

from vitruve.errors import ConfigError

_OWN = (
    "inference",
    "crop",
    "ensemble",
    "resume",
    "training.split",
    "training.device",
    "training.precision",
    "data.cache_gb",
)
"""Settings that Lightning Pose does not have: a file with one of them was written for this package."""

_SECTIONS = ("data", "training", "model", "dali", "losses", "eval", "callbacks")
"""The sections of a whole Lightning Pose file."""

_WEIGHTED_ONCE_SINCE = "2026-02-06"
"""The day Lightning Pose ceased to multiply each unsupervised term by its weight twice (its pull request 376)."""

_FIRST_OF_MAJOR = 2
_NEW_WEIGHT = 10.0
_USUAL_OLD_WEIGHTS = (4.5, 8.0)

_BACKBONES = {
    "resnet50_animalpose_apose": "resnet50_animal_apose",
    "vit_b_sam": "vitb_sam",
    "vit_h_sam": "samvit_huge_patch16.sa1b",
}
_MOVED = {
    "training.rng_seed_data_dali": "dali.general.seed",
    "training.unlabeled_sequence_length": "dali.base.train.sequence_length",
    "losses.pca_singleview.min_variance_explained": "losses.pca_singleview.components_to_keep",
    "model.resnet_version": "model.backbone",
}
"""Settings of 2021 and 2022 that stand elsewhere today; the last was the number alone."""

_PRESETS = {"dlc-light": "dlc"}


def modernise(values: dict[str, Any], retired: Mapping[str, Any], overridden: Collection[str] = ()) -> list[str]:
    """Bring the values of an older file to what they mean today.

    * Settings of 2022 go to their present places.
    * ``log_weight`` L of an unsupervised term becomes 2 L + ln 2: the weight 1 / (2 exp L) was applied twice.
    * ``empirical_epsilon_percentile`` of at most 1 was meant as a share and becomes a percentile.
    * Backbones and augmentation presets get their present names; ``model.do_context`` becomes a model type.

    Args:
        values: Settings as nested mappings; changed in place.
        retired: The retired settings that stood there, by their keys.
        overridden: Full keys that come from the command line: what is typed today means what it means today.

    Returns:
        One line a changed setting.

    Raises:
        ConfigError: Two settings of the file contradict one another.
    """
    _check_targets(values, retired.get("data.num_targets"), overridden)
    old, unsure = _age(values, [*retired, *(key for key in _MOVED if _look(values, key) is not None)], overridden)
    changed = list(_move(values, overridden))
    changed += _rename(values, "model.backbone", _BACKBONES, overridden)
    changed += _rename(values, "training.imgaug", _PRESETS, overridden)
    if old or unsure:
        changed += _weights(values, overridden, -math.inf if old else _USUAL_OLD_WEIGHTS[0], old)
    changed += _percentiles(values, overridden)
    changed += _context(values)
    return changed


def _age(values: Mapping[str, Any], retired: Collection[str], overridden: Collection[str]) -> tuple[bool, bool]:
    """Whether a file is certainly older than the change of weights; and whether it may be."""
    if any(key not in overridden for name in _OWN for key in _leaf_keys(_look(values, name), name)):
        return False, False
    version = str(_look(values, "model.lightning_pose_version") or "")
    major = version.partition(".")[0]
    made = str(values.get("creation_datetime") or "")
    if made and made[:10] >= _WEIGHTED_ONCE_SINCE:
        return False, False
    share = any(_is_share(term.get("empirical_epsilon_percentile")) for _, term in _terms(values))
    old = bool(set(retired) - set(overridden) or share or made or (major.isdigit() and int(major) < _FIRST_OF_MAJOR))
    return old, not version and all(name in values for name in _SECTIONS)


def take(values: dict[str, Any], key: str) -> Any:
    """Take a setting out.

    Args:
        values: Settings as nested mappings; changed in place.
        key: Its full key.

    Returns:
        What it was; None where it is not there.
    """
    *path, name = key.split(".")
    holder: Any = values
    for part in path:
        holder = holder.get(part) if isinstance(holder, dict) else None
    return holder.pop(name, None) if isinstance(holder, dict) else None


def _check_targets(values: Mapping[str, Any], targets: Any, overridden: Collection[str]) -> None:
    """Compare the number of coordinates that older files hold with the keypoints they name."""
    names = _look(values, "data.keypoint_names")
    keypoints = _look(values, "data.num_keypoints") or (len(names) if isinstance(names, list) else None)
    if targets is None or not isinstance(keypoints, int) or "data.num_keypoints" in overridden:
        return
    names = _look(values, "data.view_names")
    views = max(1, len(names)) if isinstance(names, list) else 1
    if targets != 2 * keypoints * views:
        among = f" in {views} views" if views > 1 else ""
        raise ConfigError(
            f"data.num_targets={targets}: {keypoints} keypoints{among} are {2 * keypoints * views} coordinates; "
            "mend data.num_keypoints, or leave num_targets out"
        )


def _move(values: dict[str, Any], overridden: Collection[str]) -> Iterator[str]:
    for old, new in _MOVED.items():
        before = take(values, old)
        if before is None:
            continue
        value = f"resnet{before}" if old == "model.resnet_version" else before
        *path, name = new.split(".")
        holder: Any = values
        for part in path:
            # An empty section is read as null.
            if isinstance(holder, dict):
                holder[part] = holder.get(part) or {}
                holder = holder[part]
        if not isinstance(holder, dict):
            continue
        if new in overridden and old not in overridden:
            yield f"{old}: {before} gives way to {new}={holder[name]}"
        elif holder.setdefault(name, value) != value:
            raise ConfigError(f"{old}={before} and {new}={holder[name]} are one setting; keep {new}")
        else:
            yield f"{old}: {before} becomes {new}={value}"


def _weights(values: dict[str, Any], overridden: Collection[str], least: float, certain: bool) -> Iterator[str]:
    most = _NEW_WEIGHT if certain else _USUAL_OLD_WEIGHTS[1]
    for name, term in _terms(values):
        key = f"losses.{name}.log_weight"
        weight = term.get("log_weight")
        if key in overridden or not _is_number(weight) or not least <= weight < most:
            continue
        term["log_weight"] = round(2 * weight + math.log(2), 4)
        yield (
            f"{key}: {weight:g} becomes {term['log_weight']:g}, the same weight as before: "
            "until 2026 it was applied twice"
        )


def _percentiles(values: dict[str, Any], overridden: Collection[str]) -> Iterator[str]:
    for name, term in _terms(values):
        key, share = f"losses.{name}.empirical_epsilon_percentile", term.get("empirical_epsilon_percentile")
        if key not in overridden and _is_share(share):
            term["empirical_epsilon_percentile"] = round(100.0 * share, 6)
            yield f"{key}: {share:g} becomes {100.0 * share:g}: percentiles go from 0 to 100"


def _rename(values: dict[str, Any], key: str, names: Mapping[str, str], overridden: Collection[str]) -> Iterator[str]:
    section, _, name = key.rpartition(".")
    holder = values.get(section)
    if isinstance(holder, dict) and key not in overridden and isinstance(holder.get(name), str):
        before = holder[name]
        if before in names:
            holder[name] = names[before]
            yield f"{key}: {before} becomes {names[before]}"


def _context(values: dict[str, Any]) -> Iterator[str]:
    """Older versions had one model type for heatmaps, and a switch for the neighbouring frames."""
    model = values.get("model")
    if isinstance(model, dict) and model.get("do_context") is True and model.get("model_type", "heatmap") == "heatmap":
        model["model_type"] = "heatmap_mhcrnn"
        yield "model.do_context=true: model.model_type=heatmap becomes heatmap_mhcrnn"


def _terms(values: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The unsupervised terms of the section ``losses``."""
    losses = values.get("losses")
    for name, term in losses.items() if isinstance(losses, dict) else ():
        if isinstance(term, dict) and not str(name).startswith("supervised_"):
            yield str(name), term


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_share(value: Any) -> TypeGuard[float]:
    return _is_number(value) and 0 < value <= 1


def _look(values: Any, key: str) -> Any:
    for name in key.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _leaf_keys(value: Any, key: str) -> Iterator[str]:
    """Full keys of all that is set below a key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaf_keys(inner, f"{key}.{name}")
    elif value is not None:
        yield key
