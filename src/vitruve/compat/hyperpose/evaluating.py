"""HyperPose's functions ``evaluate``, ``test`` and ``export``, by the core's own prediction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitruve.compat.hyperpose import weights
from vitruve.compat.hyperpose.adapted import Adapted
from vitruve.compat.hyperpose.anatomy import MISSING, NameConverter
from vitruve.compat.hyperpose.base_dataset import Base_dataset
from vitruve.compat.hyperpose.custom import array, call, has, name_of
from vitruve.compat.hyperpose.human import humans_of
from vitruve.compat.hyperpose.journal import newest
from vitruve.compat.hyperpose.network import weighed
from vitruve.compat.hyperpose.prepared import described, prepared_algorithm, visualizer_of
from vitruve.compat.hyperpose.processors import Visualizer
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.targets import bare_labels
from vitruve.compat.hyperpose.training import check_task
from vitruve.compat.hyperpose.translate import core_config, task_of
from vitruve.data.dataset import PoseDataset, collate
from vitruve.data.images import ImageCache
from vitruve.inference.device import pick_device
from vitruve.inference.looks import Looks
from vitruve.inference.predictor import Predictor
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels

_SCALES = (0.5, 1.0, 1.5, 2.0)


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
        enable_multiscale_search: Look at each image in HyperPose's four sizes, 0.5 to 2; else in those of
            ``inference.scales`` (``Config.set_core``).

    Returns:
        What ``dataset.official_eval`` gives: figures by name.

    Raises:
        RunError: The model is not trained, or has other keypoints.
    """
    return _looked_at(model, dataset, config, "eval", vis_num, total_eval_num, enable_multiscale_search)


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


def _looked_at(
    model: Any, dataset: Any, config: Configuration, part: str, vis_num: int, most: int | None, sizes: bool = False
) -> Any:
    """Load the newest weights, predict, draw, and hand the rows to the data set."""
    from vitruve.training.team import Team

    if not Team.of_environment().first:
        return None
    where = f"dataset {name_of(dataset)}"
    has(dataset, f"get_{part}_dataset", where)
    check_task(RunFiles(config.model.model_dir), task_of(config).to_dict(), "skeleton")
    weights.load(weighed(model), newest(config))
    algorithm = prepared_algorithm(model, config).eval()
    pairs = list(getattr(dataset, f"get_{part}_dataset")())[:most]
    labels = bare_labels(pairs, algorithm.task.skeleton, where)
    folder: Path = getattr(config, part).vis_dir
    folder.mkdir(parents=True, exist_ok=True)
    core = core_config(config)
    device = pick_device(core.training.device, "training.device")
    looks = Looks(core.inference.flip, _SCALES) if sizes else Looks.of(core.inference, algorithm.needs)
    algorithm.to(device)
    cache = ImageCache(0)
    found = Predictor(algorithm, getattr(config, part).batch_size, device, looks=looks).predict_labels(labels, cache)
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
    about, edges = described(model, config), algorithm.task.skeleton.edges
    parts, colors = about.parts, about.colors
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
