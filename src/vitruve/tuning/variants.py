"""The networks of OBDB's settings file, searched for and trained one after the other."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vitruve.atomic import atomic_json, atomic_write
from vitruve.config.compose import compose, overridden
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, Interrupted, TrainingError
from vitruve.formats.hub import write_labels
from vitruve.pipeline.ensemble import resume_networks, train_networks
from vitruve.run import RunFiles, read_json
from vitruve.structures.labels import Labels
from vitruve.tuning.folder import StudyFiles
from vitruve.tuning.obdb_settings import ObdbSettings, Variant, read_obdb_settings
from vitruve.tuning.obdb_values import PARAMETERS, WHOLE, checked_settings
from vitruve.tuning.search import Tuned, begin_search, resume_search
from vitruve.tuning.space import read_space, value_at, with_values

_log = logging.getLogger(__name__)

_VALIDATION = 10
_BATCH = 4


@dataclass(frozen=True)
class VariantDone:
    """What became of one network.

    Attributes:
        variant: Its name.
        settings: The file of the best settings; None where none were searched for.
        run: The trained run; None where only settings were searched for.
    """

    variant: str
    settings: Path | None
    run: Path | None


def tune_variants(
    file: str | Path,
    overrides: Sequence[str] = (),
    *,
    store: str | None = None,
    task_list: str = "annotations_list",
    train: bool = True,
    quiet: bool = False,
) -> list[VariantDone]:
    """Search for settings and train, as OBDB's settings file says.

    What is there already is kept and gone on with, so that the same call ends what was broken off.

    Args:
        file: The settings file.
        overrides: Settings of ours that differ, for all networks; with ``data.data_dir``, the annotation tasks that the
            file names are not asked for.
        store: Address of the annotation store that holds the tasks; None for the one in use.
        task_list: The key of the file whose tasks are the data.
        train: Whether to train after the search.
        quiet: Say nothing.

    Returns:
        One for each network. In the folder that holds ``save_dir`` lie ``<variant>_settings.json`` and the runs
        ``<variant>_model``; the trials lie in ``writer_dir/<variant>``.

    Raises:
        VitruveError: The file, the data or a setting is not as it should be.
        Interrupted: Ctrl-C, or the page.
    """
    given = read_obdb_settings(Path(file), task_list)
    there = overridden(overrides)
    method = there.get("training.split.method", "").partition("=")[2]
    data = {} if "data.data_dir" in there else _data(given, store, method)
    # All are checked before the first begins, which may take days.
    made = [(each, _config(given, each, data, overrides)) for each in given.variants]
    for number, (variant, config) in enumerate(made):
        _check(given, variant, config, {each.name for each in given.variants[:number]})
    try:
        return [_run(given, variant, config, train=train, quiet=quiet) for variant, config in made]
    except Interrupted as stop:
        raise Interrupted(f"{str(stop).partition(';')[0]}; the same command goes on") from None


def _run(given: ObdbSettings, variant: Variant, config: Config, *, train: bool, quiet: bool) -> VariantDone:
    file, run = _settings_file(given, variant), RunFiles(_run_folder(given, variant.name))
    if not quiet:
        _log.info("%s: %s", variant.name, "search" if variant.search else "training")
    if variant.search:
        _write_settings(file, config, _search(given, variant, config, quiet=quiet))
    if not train:
        return VariantDone(variant.name, file if variant.search else None, None)
    if not run.config.is_file():
        train_networks(_final(config, _known(given, variant)), run.path, quiet=quiet)
    elif run.read_status().status != "COMPLETED":
        resume_networks(run.path, quiet=quiet)
    elif not quiet:
        _log.info("%s: is trained already; remove it to train again", run.path)
    return VariantDone(variant.name, file if variant.search else None, run.path)


def _check(given: ObdbSettings, variant: Variant, config: Config, earlier: Collection[str]) -> None:
    """Make sure of what can be known before anything is trained; ``earlier`` are the variants that will be by then."""
    if variant.search:
        read_space(config)
    else:
        _final(config, _known(given, variant))
    weights = variant.pretrained
    if weights is None or Path(weights).exists():
        return
    if Path(weights).absolute() not in [_run_folder(given, name) for name in earlier]:
        raise ConfigError(
            f"{given.path}: {variant.name}.pretrained_model_path: {weights}: no such file or folder; give the folder "
            "of a run, or a safetensors file"
        )


def _known(given: ObdbSettings, variant: Variant) -> Mapping[str, float]:
    """The best known settings: of the search, or as the file says."""
    if variant.settings is not None and not (variant.search or variant.from_file):
        return variant.settings
    file = _settings_file(given, variant)
    if not file.is_file():
        raise ConfigError(f"{given.path}: {variant.name}.use_settings_file=1, but there is no {file}; set run_hpo to 1")
    return checked_settings(str(file), read_json(file))


def _final(config: Config, known: Mapping[str, float]) -> Config:
    return with_values(config, {PARAMETERS[name]: value for name, value in known.items()})


def _run_folder(given: ObdbSettings, name: str) -> Path:
    return given.save_dir.parent / f"{name}_model"


def _settings_file(given: ObdbSettings, variant: Variant) -> Path:
    return given.save_dir.parent / f"{variant.name}_settings.json"


def _search(given: ObdbSettings, variant: Variant, config: Config, *, quiet: bool) -> Tuned:
    files = StudyFiles(given.writer_dir / variant.name)
    fewer = {} if given.train_frames is None else {"training.train_frames": given.train_frames}
    searched = with_values(config, fewer).model_copy(update={"tune": config.tune})
    search = resume_search if files.settings.is_file() else begin_search
    found = search(searched, files.path, quiet=quiet)
    if found.best is None:
        raise TrainingError(
            f"{files.path}: none of {found.trials} trials was carried out to its end; see its trials.csv"
        )
    return found


def _write_settings(file: Path, config: Config, found: Tuned) -> None:
    """The best settings under the keys of both of OBDB's searches, Sherpa's and Optuna's, which count from 1."""
    plain = config.model_dump(mode="json")
    values = {name: found.values.get(key, value_at(plain, key)) for name, key in PARAMETERS.items()}
    if values["weight_decay"] is None:
        # Left to the optimiser; OBDB's files have a number.
        values["weight_decay"] = config.training.weight_decay
    number, epoch = (found.trial or 0) + 1, (found.epoch or 0) + 1
    record = {"Trial-ID": number, "Iteration": epoch, **values, "Objective": found.value}
    atomic_json(file, {**record, "best_value": found.value})


def _data(given: ObdbSettings, store: str | None, method: str = "") -> dict[str, Any]:
    """The labels of the tasks as a file beside which all runs learn, and how they are split."""
    if not given.tasks:
        raise ConfigError(f"{given.path}: annotations_list: names no task, so there is nothing to train on")
    labels = _labels(given.tasks, given.dataset_dir, store)
    excluded = set(given.excluded)
    names = [frame.name for frame in labels]
    labels = labels[[i for i, name in enumerate(names) if not excluded & {name, Path(name).name}]]
    file = given.save_dir / "labels.json"
    write_labels(labels, file, "coco")
    if not method and len({frame.name.rpartition("/")[0] for frame in labels}) < 2:
        # Frames of one recording are alike: what is measured on every tenth is better than it is elsewhere.
        _log.warning("%s: one folder of images, so every %dth frame validates", given.path, _VALIDATION)
        method = "every_nth"
    return {
        "data": {"data_dir": str(given.dataset_dir), "csv_file": str(file), "label_format": "coco"},
        "training": _split(method or "group"),
    }


def _split(method: str) -> dict[str, Any]:
    """One frame in ten validates."""
    if method in ("given", "file"):
        return {}
    if method == "every_nth":
        # OBDB's: the first of each ten.
        return {"split": {"method": method, "every_nth": {"validation": _VALIDATION, "test": 0, "offset": 0}}}
    share = 1 / _VALIDATION
    return {"split": {"method": method}, "train_prob": 1 - share, "val_prob": share}


def _labels(tasks: tuple[str, ...], images: Path, store: str | None) -> Labels:
    from vitruve.annotation.store.store import open_store

    with open_store(store) as opened:
        return opened.labels(tasks, images)


def _config(given: ObdbSettings, variant: Variant, data: Mapping[str, Any], overrides: Sequence[str]) -> Config:
    """All settings of one network: what OBDB fixes, what its file says, and what the command line says."""
    model: dict[str, Any] = {"model_type": variant.algorithm, "backbone": variant.backbone, "model_name": variant.name}
    if variant.pretrained is not None:
        model["checkpoint"] = variant.pretrained
    training = {
        "optimizer": "SGD",
        "optimizer_params": {"nesterov": False},
        "lr_scheduler": "step",
        "max_epochs": given.train_epochs,
        "early_stopping": True,
        "early_stop_patience": given.patience,
        "check_val_every_n_epoch": 1,
        "train_batch_size": _BATCH,
        "val_batch_size": _BATCH,
        "imgaug_hflip": True,
        **data.get("training", {}),
    }
    settings: dict[str, Any] = {"data": data.get("data", {}), "model": model, "training": training}
    if variant.search:
        settings["tune"] = _tune(given, variant)
    place = given.save_dir / f"{variant.name}.yaml"
    atomic_write(place, yaml.safe_dump(settings, sort_keys=False))
    # What is said of the search is not for those that are not searched.
    given_here = [line for key, line in overridden(overrides).items() if variant.search or not key.startswith("tune.")]
    return compose(str(place), None, given_here).config


def _tune(given: ObdbSettings, variant: Variant) -> dict[str, Any]:
    space: dict[str, Any] = {}
    for name, (low, high) in given.ranges.items():
        space[PARAMETERS[name]] = {"low": low, "high": high, **({} if name == WHOLE else {"log": True})}
    known = {
        PARAMETERS[name]: value
        for name, value in (variant.settings or {}).items()
        if name in given.ranges and given.ranges[name][0] <= value <= given.ranges[name][1]
    }
    return {
        "space": space,
        "objective": "val_supervised_loss",
        "pruner": "none",
        "initial_points": given.initial_points,
        "known": [known] if known else [],
        "begin_with_settings": False,
        "max_trials": given.max_trials,
        "max_hours": given.max_hours,
        "epochs": given.search_epochs,
        "name": variant.name,
    }
