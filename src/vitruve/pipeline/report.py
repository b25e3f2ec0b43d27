"""Evaluation of a run: its own labels and predictions, or those of another label file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.algorithms import registry
from vitruve.config.schema import Config
from vitruve.data.centers import center_labels
from vitruve.data.filters import filtered
from vitruve.data.images import ImageCache
from vitruve.data.object_boxes import box_labels
from vitruve.data.sources import own_skeleton_labels
from vitruve.errors import ConfigError, InputError
from vitruve.evaluation.boxes_page import write_box_report
from vitruve.evaluation.boxes_report import BoxReport, evaluate_boxes
from vitruve.evaluation.classes import ClassReport
from vitruve.evaluation.page import write_report
from vitruve.evaluation.report import Report, evaluate
from vitruve.evaluation.windows import read_windows, windows_of
from vitruve.formats.hub import read_labels
from vitruve.inference.open import open_run
from vitruve.pipeline.class_report import evaluate_classes
from vitruve.pipeline.ensemble_predict import finished_members
from vitruve.pipeline.ensemble_tables import median_labels
from vitruve.pipeline.known_images import with_splits_of
from vitruve.pipeline.label_predictions import write_coco_results, write_pictures
from vitruve.pipeline.predict import labels_for, with_keypoints_of
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels
from vitruve.tracking.track import track_labels
from vitruve.training.crops import Cropping


def evaluate_run(
    directory: Path,
    labels: Path | None = None,
    output: Path | None = None,
    *,
    locator: Path | None = None,
    boxes: Path | None = None,
    flip: bool | None = None,
    scales: Sequence[float] | None = None,
    pictures: int = 0,
) -> tuple[Report | BoxReport | ClassReport, dict[str, Path]]:
    """Compare predictions with labels and write the report; of an ensemble, the medians of its networks' predictions.

    Args:
        directory: The run directory.
        labels: A label file to predict, or a folder of classes; None for the run's own labels and predictions.
        output: Folder of the report, or None.
        locator: Run that says which part of an image is looked at; None for the one that the run keeps, if it does.
        boxes: A table of boxes, or a folder of them, in place of a locator.
        flip: Also look at mirror images; None as the run's settings say.
        scales: In which sizes images are looked at; None as the run's settings say.
        pictures: Of how many images the predictions are drawn, into ``eval_vis_dir`` of the report's folder.

    Returns:
        The report and its files. Where any number of instances is found, with COCO's results; where the labels have
        tracks, predictions are followed over time.

    Raises:
        ConfigError: How images are looked at is given without labels to predict.
        VitruveError: The run or the labels are not as they should be.
    """
    run = RunFiles(directory)
    members = finished_members(run) if run.members() else [run]
    record = members[0].read_model()
    config = Config.load(run.config)
    kind = registry.get(config.model.model_type)
    if kind.needs.classes:
        return evaluate_classes(run, config.model.model_name, labels, output)
    about = describe_run(run, config)
    if labels is None:
        given = {"locator": locator, "boxes": boxes, "flip": flip, "scales": scales}
        for name, value in given.items():
            if value is not None:
                raise ConfigError(f"--{name}: the run's own predictions are made already; give --labels to predict")
        truth = own_labels(config, run)
        predictions = own_predictions(run, truth)
        if not kind.needs.boxes:
            predictions = with_keypoints_of(predictions, truth.skeleton, str(run.path))
        # The networks of an ensemble look at the same part of each image, so they speak of the same window.
        windows = read_windows(members[0].windows, truth)
        folder = output or run.evaluation
    else:
        truth, predictions, windows = _predicted(members, labels, locator, boxes, flip, scales)
        truth = with_splits_of(truth, record, config.data.data_dir, str(labels))
        folder = output or run.evaluation / labels.stem
        about["Labels"] = labels.name
    read = pixels_of(truth)
    report: Report | BoxReport
    if kind.needs.boxes:
        report = evaluate_boxes(box_labels(truth), predictions)
        files = write_box_report(report, folder, images=read, about=about)
    else:
        several = kind.needs.instances
        tracked = track_labels(predictions) if several and _has_tracks(truth) else None
        report = evaluate(truth, predictions, windows=windows, several=several, tracked=tracked)
        files = write_report(report, folder, images=read, about=about)
    if kind.needs.instances:
        results = write_coco_results(predictions, folder, labels or _own_file(config, run), config.model.model_name)
        files |= {file.stem: file for file in results}
    if pictures and read is not None:
        drawn = write_pictures(
            predictions, folder / "eval_vis_dir", read, pictures, config.eval.confidence_thresh_for_vid
        )
        files |= {file.stem: file for file in drawn}
    return report, files


def _own_file(config: Config, run: RunFiles) -> Path | None:
    """The label file that a run learned from, or its copy; None where there are several, or none any more."""
    files = config.data.label_files()
    places = (files[0], run.path / files[0].name) if len(files) == 1 else ()
    return next((file for file in places if file.exists()), None)


def _has_tracks(labels: Labels) -> bool:
    """Whether who is who over time is known: in frames of videos."""
    return all(frame.instances.tracks is not None and frame.first_image.index is not None for frame in labels)


def _predicted(
    members: Sequence[RunFiles],
    file: Path,
    locator: Path | None,
    boxes: Path | None,
    flip: bool | None,
    scales: Sequence[float] | None,
) -> tuple[Labels, Labels, Float[np.ndarray, "F V 2"] | None]:
    """Labels of a file, what the networks say together of their images, and the windows their likelihood speaks of."""
    truth: Labels | None = None
    found = []
    for member in members:
        # A label file is too short to be worth measuring runtimes for.
        opened = open_run(member.path, frames_expected=0, locator=locator, boxes=boxes, flip=flip, scales=scales)
        algorithm = opened.predictor.algorithm
        if truth is None:
            truth = labels_for(member.path, opened.record, algorithm.task.skeleton, file, as_known=True)
            truth = filtered(truth, opened.config.data.filter)
            if locator is None and boxes is None:
                truth = Cropping(opened.config).unseen(truth)
        found.append(replace(opened.predictor.predict_labels(truth), scorer=str(opened.record["scorer"])))
    assert truth is not None
    predictions = with_keypoints_of(median_labels(found), truth.skeleton, str(file))
    return truth, predictions, windows_of(predictions, algorithm.task.input_size, algorithm.likelihood_reach)


def pixels_of(labels: Labels) -> Callable[[Frame], np.ndarray] | None:
    """What reads the images of frames.

    Args:
        labels: The frames.

    Returns:
        The first view's image of a frame; None where not all images are there any more.
    """
    if not all(image.missing or labels.path(image).is_file() for frame in labels for image in frame.images):
        return None

    cache = ImageCache(0)

    def read(frame: Frame) -> np.ndarray:
        return cache.read(labels, frame.images[0])

    return read


def own_labels(config: Config, run: RunFiles) -> Labels:
    """The labels a run learned from: the copies it keeps or, without them, the files themselves.

    Args:
        config: Its settings.
        run: The run directory.

    Returns:
        The labels; of a network that finds the middle of the animal, that.

    Raises:
        InputError: They are damaged, or not there any more.
    """
    files = config.data.label_files()
    copies = [run.path / f"{file.stem}.csv" for file in files]
    if config.data.sets or not all(copy.is_file() for copy in copies):
        data, kept = config.data, run.path / files[0].name
        lost = next((file for file in files if not file.exists()), None)
        if lost is not None and len(files) == 1 and kept.is_file():
            data = data.model_copy(update={"csv_file": str(kept.resolve())})
        elif lost is not None and not data.sets:
            raise InputError(f"{lost}: the labels of {run.path} are not there any more; say where they are: --labels")
        labels = own_skeleton_labels(data)
    else:
        source = copies[0] if len(copies) == 1 else copies
        labels = read_labels(source, None, config.data.data_dir, config.data.view_names or ())
    return center_labels(labels) if config.data.target == "center" else labels


def own_predictions(run: RunFiles, labels: Labels, stem: str = "predictions") -> Labels:
    """What a run predicted on labelled frames after training.

    Args:
        run: The run directory.
        labels: The frames, such as :func:`own_labels`.
        stem: Of the tables' names; by default of those on the frames it learned from.

    Returns:
        The predictions, with keypoints in the order of the table.

    Raises:
        InputError: A table is damaged or missing.
    """
    several = run.path / f"{stem}.json"
    if several.is_file():
        return read_labels(several, "coco", labels.root)
    names = [f"{stem}_{name}.csv" for name in labels.view_names] if len(labels[0].images) > 1 else [f"{stem}.csv"]
    paths = [run.path / name for name in names]
    return read_labels(paths[0] if len(paths) == 1 else paths, "lightning_pose", labels.root, labels.view_names)


def outcome(directory: Path) -> list[str]:
    """What a training came to, in a few lines.

    Args:
        directory: The run directory.

    Returns:
        Mean and median error of each split, those first that the network did not learn from, average precision or
        accuracy likewise, and where report and predictions lie; only what is there. Of a network in space, first the
        error in space: the others are those of its keypoints in the images.

    Raises:
        InputError: A table is damaged.
    """
    run = RunFiles(directory)
    summary, page = run.evaluation / "summary.csv", run.evaluation / "report.html"
    config = Config.load(run.config) if run.config.is_file() else None
    space = None if config is None else space_error(run, config)
    lines = [] if space is None else [f"mean error in space: {space}"]
    where = "" if space is None else " in the images"
    if summary.is_file():
        rows = _of_splits(summary, "mean_error_px", "median_error_px")
        order = [name for name in ("test", "validation", "train") if name in rows.index]
        errors = [
            f"{name} {mean:.2f} px (median {median:.2f})"
            for name, mean, median in rows.loc[order].itertuples()
            if mean == mean
        ]
        lines += [f"mean error{where}: {', '.join(errors)}"] if errors else []
    lines += _by_split(run.evaluation / "average_precision.csv", "AP", "average precision: {} percent")
    lines += _by_split(run.evaluation / "accuracy.csv", "top1_percent", "right at first: {} percent")
    views = () if config is None else config.data.view_names or ()
    tables = [run.predictions, *(run.path / f"predictions_{view}.csv" for view in views)]
    named = [("report", page), *(("predictions", table) for table in tables)]
    return lines + [f"{kind}: {file}" for kind, file in named if file.is_file()]


def _of_splits(table: Path, *columns: str) -> pd.DataFrame:
    """Figures of a table of an evaluation, by split."""
    try:
        return pd.read_csv(table).set_index("split")[list(columns)].astype(float)
    except (OSError, ValueError, KeyError) as error:
        said = str(error).strip().partition("\n")[0]
        raise InputError(f"{table}: not a table of an evaluation ({said}); evaluate the run again") from error


def _by_split(table: Path, column: str, text: str) -> list[str]:
    """One line with a figure of each split, those first that the network did not learn from; none without a table."""
    if not table.is_file():
        return []
    figures = _of_splits(table, column)[column].dropna()
    said = [f"{name} {figures[name]:.3g}" for name in ("test", "validation", "train") if name in figures]
    return [text.format(", ".join(said))] if said else []


def space_error(run: RunFiles, config: Config) -> str | None:
    """How far the points in space were from the truth in the epoch whose weights were kept.

    Args:
        run: The run directory.
        config: Its settings.

    Returns:
        In words, in millimetres; None where the network gives no points in space, or was not validated.
    """
    if not registry.get(config.model.model_type).needs.truth_3d or not run.metrics.is_file():
        return None
    rows = [row for row in run.read_metrics() if row.get("val_supervised_loss") and row.get("val_pixel_error")]
    kept = min(rows, key=lambda row: float(row["val_supervised_loss"]), default=None)
    return None if kept is None else f"validation {float(kept['val_pixel_error']):.2f} mm"


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
    space = space_error(run, config)
    return {
        "Run": "/".join(run.path.resolve().parts[-2:]),
        "Algorithm": f"{config.model.model_type} on {config.model.backbone}{started}",
        "Labels": ", ".join(file.name for file in config.data.label_files()),
        **({} if space is None else {"Mean error in space": f"{space}; below are those in the images"}),
    }
