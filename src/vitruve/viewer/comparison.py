"""What is shown of several runs: their labels, and what each predicted on them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.config.schema import Config
from vitruve.errors import InputError, RunError
from vitruve.evaluation.matching import labelled_keypoints, match_instances
from vitruve.evaluation.metrics import pixel_error
from vitruve.pipeline.predict import with_keypoints_of
from vitruve.pipeline.report import own_labels, own_predictions
from vitruve.run import RunFiles, read_json
from vitruve.structures.labels import Frame, Labels
from vitruve.structures.skeleton import Skeleton


@dataclass(frozen=True)
class Model:
    """One of the runs that are compared.

    Attributes:
        title: What people call it.
        field: The same as part of field names: letters, digits and underscores.
        run: Its files.
        config: Its settings.
        skeleton: The keypoints it predicts.
    """

    title: str
    field: str
    run: RunFiles
    config: Config
    skeleton: Skeleton


@dataclass(frozen=True, eq=False)
class Comparison:
    """Labels of several runs and what they predicted on them.

    Attributes:
        truth: Each labelled frame once, as the first run that has it labelled it; image paths are absolute.
        predictions: For each model, by its field, what it predicted, by the name of the frame.
        names: The name of each frame of ``truth``, by which predictions are found.
    """

    truth: Labels
    predictions: Mapping[str, Mapping[str, Frame]]
    names: tuple[str, ...]


def models_of(runs: Sequence[Path], titles: Sequence[str] | None = None) -> list[Model]:
    """The runs with the names they are shown under.

    Args:
        runs: Run directories.
        titles: One name a run; None for the names of the folders, with those above them where they are the same.

    Returns:
        One model a run, in their order.

    Raises:
        InputError: There is no run, another number of names, or two names give the same fields.
        RunError: A directory holds no run.
    """
    if not runs:
        raise InputError("no run given; name at least one run directory")
    for run in map(RunFiles, runs):
        missing = next((file.name for file in (run.config, run.model) if not file.is_file()), None)
        if missing is not None:
            raise RunError(f"{run.path}: no {missing} there; give the folder that 'vitruve train' printed")
    if titles is None:
        titles = _folder_titles(runs)
    if len(titles) != len(runs):
        raise InputError(f"{len(titles)} model names ({', '.join(titles)}) for {len(runs)} runs; give one a run")
    models: dict[str, Model] = {}
    for path, title in zip(runs, titles, strict=True):
        field = re.sub(r"[^A-Za-z0-9]+", "_", title).strip("_")
        if not field:
            raise InputError(f"model name '{title}': has neither letter nor digit; fields could not be named after it")
        if field in models:
            raise InputError(
                f"model names '{models[field].title}' and '{title}' would share the field {field}_preds; "
                "give names that differ in letters or digits"
            )
        run = RunFiles(path)
        skeleton = Skeleton.from_dict(read_json(run.model)["task"]["skeleton"])
        models[field] = Model(title, field, run, Config.load(run.config), skeleton)
    return list(models.values())


def _folder_titles(runs: Sequence[Path]) -> list[str]:
    parts = [path.absolute().parts[1:] or ("run",) for path in runs]
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts) and depth < max(map(len, parts)):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def compare(models: Sequence[Model], images: Path | None = None) -> Comparison:
    """Read what several runs learned from and what they predicted on it.

    Args:
        models: See :func:`models_of`.
        images: The folder that image names start from; None as each run's ``data.data_dir`` says.

    Returns:
        All of it, by frames.

    Raises:
        InputError: The runs have other keypoints or views, a table is damaged, or an image was predicted that is
            not among the labels.
        RunError: A run has no predictions.
    """
    found = [own_labels(model.config, model.run) for model in models]
    first = found[0]
    frames: dict[str, Frame] = {}
    for model, labels in zip(models, found, strict=True):
        if labels.view_names != first.view_names:
            raise InputError(
                f"{model.run.path}: has {_views(labels)}, but {models[0].run.path} has {_views(first)}; "
                "compare runs of the same views"
            )
        root = (images or labels.root).absolute()
        for frame in with_keypoints_of(labels, models[0].skeleton, str(model.run.path)):
            absolute = tuple(replace(image, path=root / image.path) for image in frame.images)
            frames.setdefault(frame.name, replace(frame, images=absolute))
    predictions = {
        model.field: _predictions(model, labels, models[0].skeleton, frames)
        for model, labels in zip(models, found, strict=True)
    }
    truth = replace(first, skeleton=models[0].skeleton, frames=tuple(frames.values()), root=Path())
    return Comparison(truth, predictions, tuple(frames))


def _predictions(model: Model, labels: Labels, skeleton: Skeleton, known: Mapping[str, Frame]) -> dict[str, Frame]:
    found = own_predictions(model.run, labels)
    for frame in found:
        if frame.name not in known:
            raise InputError(f"{model.run.predictions}: {frame.name} is not among the run's labels; predict them again")
    ordered = with_keypoints_of(found, skeleton, str(model.run.predictions))
    return {frame.name: frame for frame in ordered}


def _views(labels: Labels) -> str:
    return f"views {', '.join(labels.view_names)}" if labels.view_names else "one view"


def errors_of(truth: Frame, predicted: Frame, view: int) -> Float[np.ndarray, "M K"]:
    """How far each predicted keypoint is from the label of the same animal.

    Args:
        truth: The labels.
        predicted: M instances a view.
        view: Which of the V views.

    Returns:
        ``(M, K)`` in original pixels, NaN where a keypoint is unlabelled or missing, or the animal is not labelled.
    """
    target = labelled_keypoints(truth.instances.numpy())[view]
    keypoints = np.asarray(predicted.instances.numpy().keypoints[view], np.float64)
    errors = np.full(keypoints.shape[:2], np.nan)
    match = match_instances(target, keypoints)
    there = match >= 0
    errors[match[there]] = pixel_error(keypoints[match[there]], target[there])
    return errors
