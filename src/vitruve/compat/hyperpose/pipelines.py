"""HyperPose's functions ``train``, ``evaluate``, ``test`` and ``export``, each by the core's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitruve.algorithms import registry
from vitruve.compat.hyperpose import weights
from vitruve.compat.hyperpose.adapted import Adapted, Places, adapt_network, check_places, given
from vitruve.compat.hyperpose.anatomy import MISSING, NameConverter, learned_skeleton
from vitruve.compat.hyperpose.base_dataset import Base_dataset, Pairs, added_data
from vitruve.compat.hyperpose.custom import array, call, construct, has, name_of
from vitruve.compat.hyperpose.dialect import dialect_of
from vitruve.compat.hyperpose.enums import TRAIN
from vitruve.compat.hyperpose.human import humans_of
from vitruve.compat.hyperpose.journal import Journal, newest, write_log
from vitruve.compat.hyperpose.network import BasicModel, Preset, weighed
from vitruve.compat.hyperpose.processors import Visualizer
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.targets import bare_labels, labels_of, path_of, trained_and_watched
from vitruve.compat.hyperpose.translate import core_config, steps, target_folder, task_of
from vitruve.data.dataset import PoseDataset, checked, collate
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError, InputError, RunError
from vitruve.inference.device import pick_device
from vitruve.inference.predictor import Predictor
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels

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
    done = run.read_status().completed if resume and run.status.is_file() else 0
    if team.first:
        saved, done = weighed(model), _steps_done(run) if resume else done
        algorithm.places.watch = Journal(config, saved, model, visualizer, done, team.size)
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
    fit(core, Prepared(labels, task, given(algorithm), cache), run, resume=resume, quiet=True, begin=begin)
    algorithm.places.watch = None
    if team.first:
        run.write_status("COMPLETED", *[run.read_status().completed] * 2)
        weights.save(weighed(model), newest(config))
        write_log(config, f"model save_path:{newest(config)} saved!")
    algorithm.eval()
    team.share()


def evaluate(
    model: Any,
    dataset: Any,
    config: Configuration,
    vis_num: int = 30,
    total_eval_num: int | None = None,
    enable_multiscale_search: bool = False,
) -> Any:
    """Measure a trained model as the data set's own evaluation does, over all images.

    Args:
        model: Of ``Model.get_model``; its weights become those of ``newest_model.npz``.
        dataset: Of ``Dataset.get_dataset``, or the user's own.
        config: What ``Config.get_config()`` gave.
        vis_num: So many images are drawn into ``eval_vis_dir``.
        total_eval_num: At most so many images; None for all.
        enable_multiscale_search: Not offered.

    Returns:
        What ``dataset.official_eval`` gives: figures by name.

    Raises:
        RunError: The model is not trained, or has other keypoints.
    """
    if enable_multiscale_search:
        raise ConfigError("evaluate: enable_multiscale_search=True is not offered; images are looked at in one size")
    return _looked_at(model, dataset, config, "eval", vis_num, total_eval_num)


def test(model: Any, dataset: Any, config: Configuration, vis_num: int = 30, total_test_num: int | None = None) -> Any:
    """Find people in test images and write what the data set's server takes; arguments as for :func:`evaluate`."""
    return _looked_at(model, dataset, config, "test", vis_num, total_test_num)


def export(model: Any, config: Configuration, path: str | Path | None = None) -> Path:
    """Write a model as ONNX: uint8 images of the input's size in, maps out.

    Args:
        model: Of ``Model.get_model``, with the weights that it has now.
        config: What ``Config.get_config()`` gave.
        path: The file; ``save_dir/<model_name>/frozen_<model_name>.onnx`` by default.

    Returns:
        The file.
    """
    from vitruve.inference.runtimes.export_onnx import export_onnx

    folder, name = config.model.save_dir, config.model.model_name
    file = folder / f"frozen_{name}.onnx" if path is None else Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    algorithm = prepared_algorithm(model, config).eval()
    export_onnx(algorithm.network, algorithm.example_input(1), file)
    return file


def prepared_algorithm(model: Any, config: Configuration) -> Adapted:
    """The core's algorithm of a model, with the user's own parts in their places.

    Args:
        model: A preset, or a network of the user's own.
        config: Has the user's classes.

    Returns:
        The algorithm; of a preset always the same.

    Raises:
        ConfigError: A class lacks what is asked of it.
    """
    core, task = core_config(config), task_of(config)
    if is_preset(model):
        algorithm: Adapted = model.algorithm
        if algorithm.task.skeleton.names != task.skeleton.names or type(model).TYPE is not config.model.model_type:
            raise ConfigError(
                f"model {name_of(model)} of {len(algorithm.task.skeleton)} keypoints was built for another "
                "configuration; give the one that Model.get_model was called with"
            )
    else:
        kind = registry.get(config.model.model_type.value)
        algorithm = adapt_network(kind, core.model, task, dialect_of(config.model.model_type), model)
    custom = config.model
    values = {
        **{name: getattr(model, name, None) for name in ("parts", "limbs", "colors", "hin", "win", "hout", "wout")},
        "data_format": "channels_first",
        "config": config,
    }
    places = {
        label: None if thing is None else construct(thing, f"Config.set_custom_{label}", **values)
        for label, thing in (
            ("augmentor", custom.custom_augmentor),
            ("preprocessor", custom.custom_preprocessor),
            ("postprocessor", custom.custom_postprocessor),
        )
    }
    count = len(BasicModel(config).parts)
    algorithm.places = Places(count, **places)
    check_places(algorithm.places)
    return algorithm


def is_preset(model: Any) -> bool:
    """Whether a model is one of HyperPose's as it is, not one whose forward or loss the user has written."""
    same = (getattr(type(model), name, None) is getattr(Preset, name) for name in ("forward", "cal_loss"))
    return isinstance(model, Preset) and all(same)


def visualizer_of(config: Configuration, folder: Path) -> Any:
    """The user's visualiser, or ours.

    Args:
        config: Has the user's class.
        folder: Where pictures go.

    Returns:
        The object.
    """
    if config.model.custom_visualizer is None:
        return Visualizer(folder)
    where = "Config.set_custom_visualizer"
    found = construct(config.model.custom_visualizer, where, save_dir=str(folder), config=config)
    for method in ("visualize", "visualize_compare"):
        has(found, method, where)
    if callable(getattr(found, "set_save_dir", None)):
        found.set_save_dir(str(folder))
    return found


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


def _looked_at(model: Any, dataset: Any, config: Configuration, part: str, vis_num: int, most: int | None) -> Any:
    """Load the newest weights, predict, draw, and hand the rows to the data set."""
    from vitruve.training.team import Team

    if not Team.of_environment().first:
        return None
    where = f"dataset {name_of(dataset)}"
    has(dataset, f"get_{part}_dataset", where)
    weights.load(weighed(model), newest(config))
    algorithm = prepared_algorithm(model, config).eval()
    pairs = list(getattr(dataset, f"get_{part}_dataset")())[:most]
    labels = bare_labels(pairs, algorithm.task.skeleton, where)
    folder: Path = getattr(config, part).vis_dir
    folder.mkdir(parents=True, exist_ok=True)
    device = pick_device(core_config(config).training.device, "training.device")
    algorithm.to(device)
    cache = ImageCache(0)
    found = Predictor(algorithm, getattr(config, part).batch_size, device).predict_labels(labels, cache)
    _draw(algorithm, labels[:vis_num], found[:vis_num], config, folder, model, device)
    algorithm.to("cpu")
    rows = _rows(found, dataset)
    identities = [frame.id if frame.id is not None else frame.session for frame in found]
    official = getattr(dataset, f"official_{part}", None)
    if not callable(official):
        return _left(rows, folder, where, part)
    where_to = {"eval": "eval_dir", "test": "test_dir"}[part]
    if isinstance(dataset, Base_dataset):
        return call(official, pd_anns=rows, image_ids=identities, **{where_to: str(folder)})
    return official({"annotations": rows}, str(folder))


def _rows(found: Labels, dataset: Any) -> list[dict[str, Any]]:
    """People as HyperPose's rows, keypoints as the data set has them."""
    getter = getattr(dataset, "get_output_kpt_cvter", None)
    convert: Callable[[Any], Any] | None = getter() if callable(getter) else None
    ours = isinstance(convert, NameConverter)
    rows: list[dict[str, Any]] = []
    for frame in found:
        people = frame.instances[0].numpy()
        for n in np.flatnonzero((people.visible > 0).any(-1)).tolist():
            points = np.where(np.isfinite(people.keypoints[n]), people.keypoints[n], MISSING).astype(np.float64)
            likelihood = np.ones(len(points)) if people.keypoint_scores is None else people.keypoint_scores[n]
            there = points[:, 0] > MISSING
            # Ours keep the likelihoods; the user's take pairs, as HyperPose's did.
            sure = np.where(there, np.clip(np.nan_to_num(likelihood), 1e-6, 1), 0)
            whole = np.concatenate([points, sure[:, None]], 1)
            keypoints = whole if convert is None else convert(whole if ours else points.tolist())
            box = np.concatenate([points[there].min(0), points[there].max(0)])
            rows.append(
                {
                    "category_id": 1,
                    "image_id": frame.session if frame.id is None else frame.id,
                    "id": len(rows),
                    "area": float((box[2] - box[0]) * (box[3] - box[1])),
                    "score": 1.0 if people.scores is None else float(people.scores[n]),
                    "keypoints": np.asarray(keypoints, np.float64).ravel().tolist(),
                }
            )
    return rows


def _left(rows: list[dict[str, Any]], folder: Path, where: str, part: str) -> Path:
    """A user's data set without an evaluation of its own: the rows as JSON."""
    import json

    from vitruve.atomic import atomic_write

    path = folder / "result.json"
    atomic_write(path, json.dumps(rows) + "\n")
    print(f"{path}: {len(rows)} people; {where} has no official_{part}, so nothing is measured")
    return path


def _draw(
    algorithm: Adapted, labels: Labels, found: Labels, config: Configuration, folder: Path, model: Any, device: str
) -> None:
    """Pictures of the first images: people in the image, and the maps."""
    from vitruve.media.images import read_image

    visualizer = visualizer_of(config, folder)
    own = Visualizer(folder)
    data = PoseDataset(labels, algorithm.task.input_size, algorithm.needs, ImageCache(0))
    parts = getattr(model, "parts", None) or BasicModel(config).parts
    colors, edges = getattr(model, "colors", None), algorithm.task.skeleton.edges
    for n, (frame, people) in enumerate(zip(labels, found, strict=True)):
        name = frame.session if frame.id is None else str(frame.id)
        humans = humans_of(people.instances[0], parts, edges, colors)
        result = getattr(visualizer, "visualize_result", own.visualize_result)
        result(read_image(labels.path(frame.first_image)), humans, str(folder / f"{name}_result.png"))
        batch = collate([data[n]]).to(device)
        with torch.inference_mode():
            outputs = algorithm(batch)
        inside = _in_input(people, batch.to_image[0, 0].cpu().numpy())
        visualizer.visualize(
            image_batch=array(batch.images[:, 0, 0]) / 255,
            predict_x=algorithm.arrays(outputs),
            humans_list=[humans_of(inside, parts, edges, colors)],
            name=f"{name}_heatmaps",
        )


def _in_input(frame: Frame, to_image: np.ndarray) -> Any:
    return frame.instances.transformed(np.linalg.inv(to_image))[0]


def _same_task(run: RunFiles, task: dict[str, Any]) -> bool:
    """Whether a training goes on here."""
    if not run.last.is_file():
        return False
    if run.model.is_file() and run.weights.is_file():
        before = run.read_model()["task"]
        for key in ("skeleton", "input_size"):
            if before[key] != task[key]:
                raise RunError(
                    f"{run.path}: holds a model of another {key.replace('_', ' ')}; take another "
                    "Config.set_model_name, or remove the folder"
                )
    return True


def _steps_done(run: RunFiles) -> int:
    rows = run.read_metrics()
    return int(float(rows[-1].get("step", 0))) if rows else 0


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
