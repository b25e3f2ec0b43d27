"""OBDB's settings file: networks to train in order, each with or without a search before."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitruve.errors import ConfigError, nearest

_log = logging.getLogger(__name__)

PARAMETERS = {
    "lr": "training.optimizer_params.learning_rate",
    "momentum": "training.optimizer_params.momentum",
    "weight_decay": "training.optimizer_params.weight_decay",
    "step_size": "training.lr_scheduler_params.step.step_size",
    "gamma": "training.lr_scheduler_params.step.gamma",
}
"""What OBDB searches, by its names there, with our keys."""

_WHOLE = "step_size"
_NETWORKS = {
    **{f"resnet{depth}": ("faster_rcnn", f"resnet{depth}") for depth in (18, 34, 50, 101, 152)},
    "retina_net": ("retinanet", "resnet50"),
    "resnet18_weeds_pretrained": ("faster_rcnn", "resnet18"),
}
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
}
_ELSEWHERE = {
    "default_class_map": "classes are those of the data, and every run keeps its own",
    "full_hd": "images are cut into tiles with data.tiles",
    "start_on_checkpoint": "a run that was broken off goes on by itself",
    "confidence_threshold_save_img": "for the metrics",
}
_RANGES = ("metrics_confidence_range", "metrics_iou_range")
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
    given = _read(path)
    reader = _Reader(path, given)
    ranges = reader.ranges()
    variants = reader.variants(bool(ranges))
    reader.check_keys()
    points = given.get("num_initial_data_points", "infer")
    if points != "infer":
        points = reader.number("num_initial_data_points", least=1)
    seconds = given.get("hpo_timeout")
    tasks = reader.tasks(task_list)
    save_dir = reader.folder("save_dir", "train/pickled_weed")
    return ObdbSettings(
        path,
        variants,
        ranges,
        len(ranges) + 1 if points == "infer" else max(points, len(ranges) + 1),
        reader.number("max_num_trials", 16, least=1),
        reader.number("hpo_timeout", least=1) / 3600 if seconds else None,
        reader.number("search_epochs", 10, least=1),
        reader.number("max_train_epochs", 300, least=1),
        reader.number("max_plateau_count", 20, least=1),
        tasks,
        save_dir,
        reader.folder("writer_dir", str(save_dir.parent / "runs")),
        reader.folder("dataset_dir", "."),
        reader.number("fake_dataset_len", least=2) if given.get("fake_dataset_len") else None,
        reader.words("excluded_frames"),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give the settings of OBDB as JSON") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: holds {type(given).__name__}; an object with 'variants' is needed")
    return given


class _Reader:
    """Looks things up in one file, and says what is wrong with them."""

    def __init__(self, path: Path, given: dict[str, Any]) -> None:
        self._path, self._given = path, given

    def wrong(self, key: str, text: str) -> ConfigError:
        return ConfigError(f"{self._path}: {key}: {text}")

    def number(self, key: str, default: int | None = None, *, least: int) -> int:
        value = self._given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(key, f"{value!r} must be an integer of at least {least}")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        value = self._given.get(key) or []
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.wrong(key, "must be a list of names")
        return tuple(value)

    def folder(self, key: str, default: str) -> Path:
        value = self._given.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, f"{value!r} must be a folder")
        return Path(value).expanduser().absolute()

    def tasks(self, key: str) -> tuple[str, ...]:
        if key not in self._given and key == "annotations_list":
            key = "annotation_list"
        if key not in self._given and key != "annotation_list":
            lists = [name for name, value in self._given.items() if isinstance(value, list) and name != "variants"]
            raise self.wrong(key, f"there is no such list of tasks{nearest(key, lists)}")
        return self.words(key)

    def ranges(self) -> dict[str, tuple[float, float]]:
        names = [name for name in ("sherpa_parameters", "hpo_parameters") if name in self._given]
        if len(names) == 2:
            raise self.wrong(" and ".join(names), "are two names of the same; leave one out")
        if not names:
            return {}
        given, found = self._given[names[0]], {}
        if not isinstance(given, dict):
            raise self.wrong(names[0], "must hold [low, high] by name")
        for name, limits in given.items():
            key = f"{names[0]}.{name}"
            if name not in PARAMETERS:
                raise self.wrong(key, f"unknown{nearest(name, PARAMETERS)}; there are {', '.join(PARAMETERS)}")
            if not isinstance(limits, list) or len(limits) != 2 or not all(_is_number(each) for each in limits):
                raise self.wrong(key, f"{limits!r} must be [low, high]")
            low, high = limits
            if low >= high:
                raise self.wrong(key, f"[{low}, {high}] is reversed or empty; low must be less than high")
            if low <= 0:
                raise self.wrong(key, f"low={low} must be more than 0")
            if name == _WHOLE and (low != int(low) or high != int(high)):
                raise self.wrong(key, f"[{low}, {high}] must be integers")
            found[name] = (low, high)
        return found

    def variants(self, ranged: bool) -> tuple[Variant, ...]:
        names = self.words("variants")
        if not names:
            raise self.wrong("variants", f"name the networks to train, such as {list(_NETWORKS)[:2]}")
        return tuple(self._variant(name, ranged) for name in names)

    def _variant(self, name: str, ranged: bool) -> Variant:
        if name not in _NETWORKS:
            raise self.wrong(
                "variants", f"unknown '{name}'{nearest(name, _NETWORKS)}; there are {', '.join(_NETWORKS)}"
            )
        entry = self._given.get(name)
        if not isinstance(entry, dict) or entry.get("run_hpo") not in (0, 1):
            raise self.wrong(name, 'must say {"run_hpo": 1} to search for settings, or 0 with optimal_hpo_settings')
        for key in entry:
            if key not in _OF_VARIANTS:
                raise self.wrong(
                    f"{name}.{key}", f"unknown{nearest(key, _OF_VARIANTS)}; there are {', '.join(_OF_VARIANTS)}"
                )
        search, from_file = bool(entry["run_hpo"]), bool(entry.get("use_settings_file", 0))
        if search and not ranged:
            raise self.wrong("sherpa_parameters", f"is missing, and {name}.run_hpo=1 needs it")
        settings = entry.get("optimal_hpo_settings")
        if settings is not None:
            settings = self._settings(f"{name}.optimal_hpo_settings", settings)
        elif not search and not from_file:
            raise self.wrong(
                f"{name}.optimal_hpo_settings", "is missing, and run_hpo=0 needs it; set run_hpo to 1 to search"
            )
        algorithm, backbone = _NETWORKS[name]
        pretrained = entry.get("pretrained_model_path") or None
        return Variant(name, algorithm, backbone, search, settings, from_file and not search, pretrained)

    def _settings(self, key: str, given: Any) -> dict[str, float]:
        if not isinstance(given, dict):
            raise self.wrong(key, "must hold numbers by name")
        return checked_settings(f"{self._path}: {key}", given)

    def check_keys(self) -> None:
        """Name what is misspelt; lists of tasks and class maps may be called anything."""
        for key, value in self._given.items():
            if key in _KEYS or key in _NETWORKS or key.startswith(_RANGES):
                continue
            if key in _ELSEWHERE:
                _log.warning("%s: %s: no effect here; %s", self._path, key, _ELSEWHERE[key])
                continue
            hint = nearest(key, _KEYS | set(_ELSEWHERE) | set(_NETWORKS))
            if isinstance(value, list) and all(isinstance(each, str) for each in value) and not hint:
                continue
            if key.endswith("_class_map") or key.startswith("annotations_list_"):
                continue
            raise self.wrong(key, f"unknown key{hint}")


def checked_settings(where: str, given: Mapping[str, Any]) -> dict[str, float]:
    """The five numbers that OBDB trains with.

    Args:
        where: For messages.
        given: Numbers by OBDB's names; more is left out where a search wrote it.

    Returns:
        The five.

    Raises:
        ConfigError: One is missing or no number, or there is one that is none of them.
    """
    written = {"Trial-ID", "Iteration", "Objective", "best_value"}
    for name in given:
        if name not in PARAMETERS and name not in written:
            raise ConfigError(f"{where}: unknown {name}{nearest(name, PARAMETERS)}; there are {', '.join(PARAMETERS)}")
    missing = [name for name in PARAMETERS if name not in given]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} missing; all of {', '.join(PARAMETERS)} are needed")
    for name in PARAMETERS:
        if not _is_number(given[name]):
            raise ConfigError(f"{where}: {name}={given[name]!r} must be a number")
    return {name: int(given[name]) if name == _WHOLE else float(given[name]) for name in PARAMETERS}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
