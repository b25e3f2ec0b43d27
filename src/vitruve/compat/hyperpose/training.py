"""HyperPose's function ``train``, by the core's own training."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from vitruve.compat.hyperpose import weights
from vitruve.compat.hyperpose.adapted import given
from vitruve.compat.hyperpose.anatomy import learned_skeleton
from vitruve.compat.hyperpose.base_dataset import Base_dataset, Pairs, added_data
from vitruve.compat.hyperpose.custom import has, name_of
from vitruve.compat.hyperpose.enums import TRAIN
from vitruve.compat.hyperpose.journal import Journal, newest, write_log
from vitruve.compat.hyperpose.network import BasicModel, weighed
from vitruve.compat.hyperpose.prepared import described, prepared_algorithm, visualizer_of
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.targets import labels_of, path_of, trained_and_watched
from vitruve.compat.hyperpose.translate import core_config, steps, target_folder, task_of
from vitruve.data.dataset import checked
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError, InputError, Interrupted, RunError
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels

_WATCHED = 32
"""Training images on which the loss is measured at the end."""
_SCRIPT = "VITRUVE_HYPERPOSE_STARTED"


def train(model: Any, dataset: Any, config: Configuration) -> None:
    """Train a model; goes on where an earlier call ended.

    Args:
        model: Of ``Model.get_model``.
        dataset: Of ``Dataset.get_dataset``, or the user's own.
        config: What ``Config.get_config()`` gave. ``save_dir/<model_name>`` gets all files; its ``model_dir`` is a run
            that ``vitruve predict`` takes as well.

    Raises:
        ConfigError: Settings, model and data set do not fit.
        InputError: An image or a target is not as it should be.
        RunError: The folder holds a model of other keypoints.
    """
    from vitruve.atomic import atomic_write
    from vitruve.training.fit import fit
    from vitruve.training.prepare import Prepared
    from vitruve.training.team import Team, processes_of

    team = Team.of_environment()
    if config.train.train_type is TRAIN.Parallel_train and team.size == 1:
        wanted = config.train.processes or processes_of(core_config(config).training)
        if wanted > 1:
            _start_together(wanted)
    core = core_config(config, team.size)
    task, run = task_of(config), RunFiles(config.model.model_dir)
    resume = _same_task(run, task.to_dict())
    cache = ImageCache(core.data.cache_gb)
    labels = checked(training_labels(dataset, config))
    labels = trained_and_watched(labels, max(_WATCHED, team.size))
    cache.fill(labels, [frame.first_image for frame in labels])
    algorithm = prepared_algorithm(model, config)
    visualizer = visualizer_of(config, config.train.vis_dir)
    if team.first:
        done = _steps_done(run) if resume else 0
        # What remains is the newest network, not an earlier one whose loss was lower.
        run.best.unlink(missing_ok=True)
        algorithm.places.watch = Journal(config, weighed(model), described(model, config), visualizer, done, team.size)
        _link(config)

    def begin() -> None:
        write_log(
            config,
            f"{'Continue' if resume else 'Start'} Training- model {config.model.model_name} total_step: "
            f"{steps(config)} batch_size: {core.training.train_batch_size} lr_init: "
            f"{core.training.optimizer_params.learning_rate} images: {len(labels.split('train'))}",
        )
        run.write_status("TRAINING", 0, 0)
        atomic_write(run.config, core.to_yaml())

    algorithm.train()
    try:
        fit(core, Prepared(labels, task, given(algorithm), cache), run, resume=resume, quiet=True, begin=begin)
    except Interrupted:
        raise Interrupted(f"{run.path}: training was stopped; the same program goes on with it") from None
    algorithm.places.watch = None
    if team.first:
        run.write_status("COMPLETED", *[run.read_status().completed] * 2)
        weights.save(weighed(model), newest(config))
        _save_discriminator(config, run)
        write_log(config, f"model save_path:{newest(config)} saved!")
    algorithm.eval()
    team.share()


def training_labels(dataset: Any, config: Configuration) -> Labels:
    """What a data set object has to learn from.

    Args:
        dataset: Has ``get_train_dataset``.
        config: What ``Config.get_config()`` gave.

    Returns:
        Labels of the model's keypoints.

    Raises:
        ConfigError: It has no such method.
        InputError: Its elements are not as they should be.
    """
    has(dataset, "get_train_dataset", f"dataset {name_of(dataset)}")
    pairs, convert = dataset.get_train_dataset(), None
    own = getattr(type(dataset), "get_train_dataset", None) is Base_dataset.get_train_dataset
    if not own and not isinstance(pairs, Pairs):
        getter = getattr(dataset, "get_input_kpt_cvter", None)
        convert = getter() if callable(getter) else None
        pairs = [*pairs, *Pairs(*added_data(config))]
    count = len(BasicModel(config).parts)
    return labels_of(pairs, learned_skeleton(config), count, f"dataset {name_of(dataset)}", convert)


def _same_task(run: RunFiles, task: dict[str, Any]) -> bool:
    """Whether a training goes on here."""
    if not run.last.is_file():
        return False
    check_task(run, task, "skeleton", "input_size")
    return True


def check_task(run: RunFiles, task: dict[str, Any], *keys: str) -> None:
    """Compare a model that is there already with the one that a configuration describes.

    Args:
        run: Its folder, which may hold none.
        task: What the configuration's model learns, as :meth:`vitruve.algorithms.base.Task.to_dict` gives it.
        *keys: What must be the same, such as ``skeleton``.

    Raises:
        RunError: It is not.
    """
    if not (run.model.is_file() and run.weights.is_file()):
        return
    before = run.read_model()["task"]
    for key in keys:
        if before[key] != task[key]:
            raise RunError(
                f"{run.path}: holds a model of another {key.replace('_', ' ')}; take another "
                "Config.set_model_name, or remove the folder"
            )


def _steps_done(run: RunFiles) -> int:
    rows = run.read_metrics()
    return int(float(rows[-1].get("step", 0))) if rows else 0


def _save_discriminator(config: Configuration, run: RunFiles) -> None:
    """What tells labelled images from those adapted to, which is no part of the model."""
    from vitruve.training.checkpoint import load_checkpoint

    if config.data.domainadapt_paths:
        state, mark = load_checkpoint(run.last)["state_dict"], "discriminator."
        learned = {name.partition(mark)[2]: value for name, value in state.items() if mark in name}
        weights.save(learned, newest(config).with_name("newest_discriminator.npz"))


def _link(config: Configuration) -> None:
    """Gather the images that are adapted to in one folder."""
    if not config.data.domainadapt_paths:
        return
    folder = target_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(config.data.domainadapt_paths):
        if not path_of(path).is_file():
            raise InputError(f"Config.set_domainadapt_dataset: {path}: no such image")
        link = folder / f"{number:07d}{Path(path).suffix}"
        if not link.is_symlink() and not link.exists():
            link.symlink_to(Path(path).resolve())


def _start_together(count: int) -> None:
    """Start this program anew, as so many processes under ``torchrun``.

    Raises:
        ConfigError: It is no program in a file.
    """
    script = Path(sys.argv[0])
    if not script.is_file() or os.environ.get(_SCRIPT):
        raise ConfigError(
            f"Config.TRAIN.Parallel_train: {count} processes are started by running a program again; put it in a file, "
            f"or start it by: torchrun --standalone --nproc-per-node {count} program.py"
        )
    os.environ[_SCRIPT] = "1"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *launcher, str(script), *sys.argv[1:]])
