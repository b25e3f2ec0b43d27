"""Evaluation of a run: its own labels and predictions, or those of another label file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitruve.config.schema import Config
from vitruve.evaluation.report import Report, evaluate
from vitruve.formats.hub import read_labels
from vitruve.media.images import read_image
from vitruve.pipeline.predict import labels_for, open_run
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels


def evaluate_run(directory: Path, labels: Path | None, output: Path | None) -> tuple[Report, dict[str, Path]]:
    """Compare predictions with labels and write the report.

    Args:
        directory: The run directory.
        labels: A label file to predict; None for the run's own labels and predictions.
        output: Folder of the report, or None.

    Returns:
        The report and its files.

    Raises:
        VitruveError: The run or the labels are not as they should be.
    """
    run = RunFiles(directory)
    run.read_model()
    if labels is None:
        config = Config.load(run.config)
        truth = _own_labels(config, run)
        paths = [run.predictions]
        if len(truth[0].images) > 1:
            paths = [run.path / f"predictions_{name}.csv" for name in truth.view_names]
        predictions = read_labels(
            paths[0] if len(paths) == 1 else paths, "lightning_pose", truth.root, truth.view_names
        )
        predictions = replace(predictions, skeleton=truth.skeleton)
        folder = output or run.evaluation
    else:
        # A label file is too short to be worth measuring runtimes for.
        opened = open_run(directory, frames_expected=0)
        config = opened.config
        truth = labels_for(opened, labels)
        predictions = replace(opened.predictor.predict_labels(truth), scorer=str(opened.record["scorer"]))
        folder = output or run.path / "evaluation" / labels.stem
    report = evaluate(truth, predictions)
    about = {**describe_run(run, config), **({} if labels is None else {"Labels": labels.name})}
    return report, report.write(folder, images=_pixels(truth), about=about)


def _pixels(labels: Labels) -> Callable[[Frame], np.ndarray] | None:
    """Reads the images of frames, where they are all still there."""
    if not all(labels.path(image).is_file() for frame in labels for image in frame.images):
        return None

    def read(frame: Frame) -> np.ndarray:
        return read_image(labels.path(frame.images[0]))

    return read


def _own_labels(config: Config, run: RunFiles) -> Labels:
    files = config.data.label_files()
    copies = [run.path / f"{file.stem}.csv" for file in files]
    found = copies if all(copy.is_file() for copy in copies) else list(files)
    return read_labels(found[0] if len(found) == 1 else found, None, config.data.data_dir, config.data.view_names or ())


def describe_run(run: RunFiles, config: Config) -> dict[str, str]:
    """What a report says first: which run, which algorithm, which labels.

    Args:
        run: The run directory.
        config: Its settings.

    Returns:
        Texts by their captions.
    """
    return {
        "Run": f"{run.path.parent.name}/{run.path.name}",
        "Algorithm": f"{config.model.model_type} on {config.model.backbone}",
        "Labels": ", ".join(file.name for file in config.data.label_files()),
    }
