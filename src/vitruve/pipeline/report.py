"""Evaluation of a run: its own labels and predictions, or those of another label file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from vitruve.config.schema import Config
from vitruve.evaluation.report import Report, evaluate
from vitruve.evaluation.windows import read_windows, windows_of
from vitruve.formats.hub import read_labels
from vitruve.inference.open import open_run
from vitruve.media.images import read_image
from vitruve.pipeline.known_images import with_splits_of
from vitruve.pipeline.predict import labels_for
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels
from vitruve.training.crops import Cropping


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
        truth = own_labels(config, run)
        predictions = replace(own_predictions(run, truth), skeleton=truth.skeleton)
        windows = read_windows(run.windows, truth)
        folder = output or run.evaluation
    else:
        # A label file is too short to be worth measuring runtimes for.
        opened = open_run(directory, frames_expected=0)
        config = opened.config
        truth = Cropping(config).unseen(
            labels_for(run.path, opened.record, opened.predictor.algorithm.task.skeleton, labels)
        )
        predictions = replace(opened.predictor.predict_labels(truth), scorer=str(opened.record["scorer"]))
        algorithm = opened.predictor.algorithm
        windows = windows_of(predictions, algorithm.task.input_size, algorithm.likelihood_reach)
        truth = with_splits_of(truth, opened.record, config.data.data_dir, str(labels))
        folder = output or run.path / "evaluation" / labels.stem
    report = evaluate(truth, predictions, windows=windows)
    about = {**describe_run(run, config), **({} if labels is None else {"Labels": labels.name})}
    return report, report.write(folder, images=pixels_of(truth), about=about)


def pixels_of(labels: Labels) -> Callable[[Frame], np.ndarray] | None:
    """What reads the images of frames.

    Args:
        labels: The frames.

    Returns:
        The first view's image of a frame; None where not all images are there any more.
    """
    if not all(labels.path(image).is_file() for frame in labels for image in frame.images):
        return None

    def read(frame: Frame) -> np.ndarray:
        return read_image(labels.path(frame.images[0]))

    return read


def own_labels(config: Config, run: RunFiles) -> Labels:
    """The labels a run learned from: the copies it keeps or, without them, the files themselves.

    Args:
        config: Its settings.
        run: The run directory.

    Returns:
        The labels.

    Raises:
        InputError: They are damaged, or not there any more.
    """
    files = config.data.label_files()
    copies = [run.path / f"{file.stem}.csv" for file in files]
    found = copies if all(copy.is_file() for copy in copies) else list(files)
    return read_labels(found[0] if len(found) == 1 else found, None, config.data.data_dir, config.data.view_names or ())


def own_predictions(run: RunFiles, labels: Labels) -> Labels:
    """What a run predicted on the frames it learned from.

    Args:
        run: The run directory.
        labels: See :func:`own_labels`.

    Returns:
        The predictions, with keypoints in the order of the table.

    Raises:
        InputError: A table is damaged or missing.
    """
    paths = [run.predictions]
    if len(labels[0].images) > 1:
        paths = [run.path / f"predictions_{name}.csv" for name in labels.view_names]
    return read_labels(paths[0] if len(paths) == 1 else paths, "lightning_pose", labels.root, labels.view_names)


def outcome(directory: Path) -> list[str]:
    """What a training came to, in a few lines.

    Args:
        directory: The run directory.

    Returns:
        Mean and median error of each split, those first that the network did not learn from, and where report and
        predictions lie; only what is there.
    """
    run = RunFiles(directory)
    summary, page = run.evaluation / "summary.csv", run.evaluation / "report.html"
    lines = []
    if summary.is_file():
        rows = pd.read_csv(summary).set_index("split")
        order = [name for name in ("test", "validation", "train") if name in rows.index]
        errors = [
            f"{name} {mean:.2f} px (median {median:.2f})"
            for name, mean, median in rows.loc[order, ["mean_error_px", "median_error_px"]].itertuples()
            if mean == mean
        ]
        lines += [f"mean error: {', '.join(errors)}"] if errors else []
    views = (Config.load(run.config).data.view_names or ()) if run.config.is_file() else ()
    tables = [run.predictions, *(run.path / f"predictions_{view}.csv" for view in views)]
    named = [("report", page), *(("predictions", table) for table in tables)]
    return lines + [f"{kind}: {file}" for kind, file in named if file.is_file()]


def describe_run(run: RunFiles, config: Config) -> dict[str, str]:
    """What a report says first: which run, which algorithm, which labels.

    Args:
        run: The run directory.
        config: Its settings.

    Returns:
        Texts by their captions.
    """
    trained = next((each for each in (run, *run.members()) if each.model.is_file()), None)
    weights = None if trained is None else trained.read_model().get("backbone_weights")
    kind = None if weights is None else str(weights).partition(" ")[0]
    told = f"{weights} weights" if kind in ("random", "published") else f"the weights in {Path(str(weights)).name}"
    started = "" if weights is None else f", started from {told}"
    return {
        "Run": f"{run.path.parent.name}/{run.path.name}",
        "Algorithm": f"{config.model.model_type} on {config.model.backbone}{started}",
        "Labels": ", ".join(file.name for file in config.data.label_files()),
    }
