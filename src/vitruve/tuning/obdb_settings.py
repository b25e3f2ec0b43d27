"""OBDB's settings file: networks to train in order, each with or without a search before."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitruve.errors import nearest
from vitruve.evaluation.boxes_grid import CONFIDENCES, IOUS
from vitruve.tuning.obdb_values import Values, checked_settings, read_values

_log = logging.getLogger(__name__)

_NETWORKS = {
    **{f"resnet{depth}": ("faster_rcnn", f"resnet{depth}") for depth in (18, 34, 50, 101, 152)},
    "retina_net": ("retinanet", "resnet50"),
    "resnet18_weeds_pretrained": ("faster_rcnn", "resnet18"),
}
_DRAWN = "confidence_threshold_save_img"
_KEYS = {
    "variants",
    "sherpa_parameters",
    "hpo_parameters",
    "num_initial_data_points",
    "max_num_trials",
    "hpo_timeout",
    "search_epochs",
    "max_train_epochs",
    "max_plateau_count",
    "annotations_list",
    "annotation_list",
    "save_dir",
    "writer_dir",
    "dataset_dir",
    "fake_dataset_len",
    "excluded_frames",
    _DRAWN,
}
_ELSEWHERE = {
    "default_class_map": "classes are those of the data, and every run keeps its own",
    "full_hd": "images are cut into tiles with data.tiles",
    "start_on_checkpoint": "a run that was broken off goes on by itself",
}
_SMALL = (0.5, 0.9)
THRESHOLDS = {
    "metrics_confidence_range": CONFIDENCES,
    "metrics_iou_range": IOUS,
    "metrics_confidence_range_small": _SMALL,
    "metrics_iou_range_small": _SMALL,
}
"""Thresholds of the metrics, by the names of their keys, where a file does not say them."""

DRAWN_FROM = 0.5
"""Least score of what is drawn, where a file does not say it."""

_OF_VARIANTS = ("run_hpo", "optimal_hpo_settings", "use_settings_file", "pretrained_model_path")


@dataclass(frozen=True)
class Variant:
    """One network.

    Attributes:
        name: For example ``resnet18``.
        algorithm: ``model.model_type``.
        backbone: ``model.backbone``.
        search: Whether settings are searched before it is trained.
        settings: The best known ones, by OBDB's names, or None.
        from_file: Whether they are read from the file that an earlier search left.
        pretrained: Weights to begin with, or None.
    """

    name: str
    algorithm: str
    backbone: str
    search: bool
    settings: Mapping[str, float] | None
    from_file: bool
    pretrained: str | None


@dataclass(frozen=True)
class ObdbSettings:
    """The whole file.

    Attributes:
        path: The file.
        variants: In the order in which they run.
        ranges: Least and largest values, by OBDB's names.
        initial_points: Random trials before proposals build on them.
        max_trials: Trials of each search.
        max_hours: Time of each search, or None.
        search_epochs: Epochs of a trial.
        train_epochs: Most epochs of the training after it.
        patience: Epochs without a lower validation loss before that ends.
        tasks: Names of the annotation tasks that are the data.
        save_dir: Folder of the labels; networks lie in the folder it is in.
        writer_dir: Folder of the trials.
        dataset_dir: Folder of the images.
        train_frames: Images that trials train on, or None for all.
        excluded: Names of images that are left out.
        thresholds: Of the metrics, by the names of the file's keys.
        drawn_from: Least score of what is drawn, 0 to 1.
    """

    path: Path
    variants: tuple[Variant, ...]
    ranges: Mapping[str, tuple[float, float]]
    initial_points: int
    max_trials: int
    max_hours: float | None
    search_epochs: int
    train_epochs: int
    patience: int
    tasks: tuple[str, ...]
    save_dir: Path
    writer_dir: Path
    dataset_dir: Path
    train_frames: int | None
    excluded: tuple[str, ...]
    thresholds: Mapping[str, tuple[float, ...]]
    drawn_from: float


def read_obdb_settings(path: Path, task_list: str = "annotations_list") -> ObdbSettings:
    """Read a settings file of OBDB as it stands.

    Args:
        path: JSON.
        task_list: The key whose task names are the data.

    Returns:
        What it says.

    Raises:
        ConfigError: The file is missing or broken, names an unknown network or parameter, reverses a range, or leaves
            out the settings of a network that is not searched for.
    """
    given = read_values(path)
    ranges = _ranges(given)
    variants = _variants(given, bool(ranges))
    _check_keys(given)
    points = given["num_initial_data_points"]
    least = len(ranges) + 1
    seconds = given.bound("hpo_timeout", least=1)
    save_dir = given.folder("save_dir", "train/pickled_weed")
    return ObdbSettings(
        path,
        variants,
        ranges,
        least if points in (None, "infer") else max(given.number("num_initial_data_points", least=1), least),
        given.number("max_num_trials", 16, least=1),
        None if seconds is None else seconds / 3600,
        given.number("search_epochs", 10, least=1),
        given.number("max_train_epochs", 300, least=1),
        given.number("max_plateau_count", 20, least=1),
        _tasks(given, task_list),
        save_dir,
        given.folder("writer_dir", str(save_dir.parent / "runs")),
        given.folder("dataset_dir", "."),
        given.bound("fake_dataset_len", least=2),
        given.words("excluded_frames"),
        {key: given.thresholds(key, usual) for key, usual in THRESHOLDS.items()},
        given.fraction(_DRAWN, DRAWN_FROM),
    )


def _tasks(given: Values, key: str) -> tuple[str, ...]:
    if key not in given and key == "annotations_list":
        key = "annotation_list"
    if key not in given and key != "annotation_list":
        lists = [name for name, value in given.items() if isinstance(value, list) and name != "variants"]
        raise given.wrong(key, f"there is no such list of tasks{nearest(key, lists)}")
    return given.words(key)


def _ranges(given: Values) -> dict[str, tuple[float, float]]:
    names = [name for name in ("sherpa_parameters", "hpo_parameters") if name in given]
    if len(names) == 2:
        raise given.wrong(" and ".join(names), "are two names of the same; leave one out")
    return given.ranges(names[0]) if names else {}


def _variants(given: Values, ranged: bool) -> tuple[Variant, ...]:
    names = given.words("variants")
    if not names:
        raise given.wrong("variants", f"name the networks to train, such as {list(_NETWORKS)[:2]}")
    return tuple(_variant(given, name, ranged) for name in names)


def _variant(given: Values, name: str, ranged: bool) -> Variant:
    if name not in _NETWORKS:
        raise given.wrong("variants", f"unknown '{name}'{nearest(name, _NETWORKS)}; there are {', '.join(_NETWORKS)}")
    entry = given[name]
    if not isinstance(entry, dict) or entry.get("run_hpo") not in (0, 1):
        raise given.wrong(name, 'must say {"run_hpo": 1} to search for settings, or 0 with optimal_hpo_settings')
    for key in entry:
        if key not in _OF_VARIANTS:
            raise given.wrong(
                f"{name}.{key}", f"unknown{nearest(key, _OF_VARIANTS)}; there are {', '.join(_OF_VARIANTS)}"
            )
    search = bool(entry["run_hpo"])
    from_file = given.truth(f"{name}.use_settings_file", entry, "use_settings_file")
    if search and not ranged:
        raise given.wrong("sherpa_parameters", f"is missing, and {name}.run_hpo=1 needs it")
    settings = entry.get("optimal_hpo_settings")
    if settings is not None:
        settings = checked_settings(f"{given.path}: {name}.optimal_hpo_settings", settings)
    elif not search and not from_file:
        raise given.wrong(
            f"{name}.optimal_hpo_settings", "is missing, and run_hpo=0 needs it; set run_hpo to 1 to search"
        )
    algorithm, backbone = _NETWORKS[name]
    pretrained = _weights(given, f"{name}.pretrained_model_path", entry.get("pretrained_model_path"))
    return Variant(name, algorithm, backbone, search, settings, from_file and not search, pretrained)


def _weights(given: Values, key: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise given.wrong(key, f"{value!r} must be the folder of a run, or a safetensors file")
    if value.endswith((".pth", ".pt")):
        raise given.wrong(
            key, f"{value} holds code in a pickle, so it is not read; give the folder of a run of Vitruve"
        )
    return value


def _check_keys(given: Values) -> None:
    """Name what is misspelt or of another kind; lists of tasks and class maps may be called anything."""
    for key, value in given.items():
        if key in _KEYS or key in _NETWORKS or key in THRESHOLDS:
            continue
        if key.endswith("_class_map") or key.startswith("annotations_list_"):
            given.words(key)
        elif key == "full_hd":
            given.truth(key)
        elif key == "start_on_checkpoint":
            given.bound(key, least=1)
        else:
            hint = nearest(key, _KEYS | set(_ELSEWHERE) | set(_NETWORKS) | set(THRESHOLDS))
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or hint:
                raise given.wrong(key, f"unknown key{hint}")
        if key in _ELSEWHERE:
            _log.warning("%s: %s: no effect here; %s", given.path, key, _ELSEWHERE[key])
