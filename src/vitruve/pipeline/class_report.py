"""Evaluation of a run that tells classes: its own images, or those of another folder of classes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vitruve.errors import InputError
from vitruve.evaluation.classes import ClassReport, class_table, write_class_report
from vitruve.formats import class_folders
from vitruve.inference.open import open_run
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels


def evaluate_classes(
    run: RunFiles, title: str, labels: Path | None = None, output: Path | None = None
) -> tuple[ClassReport, dict[str, Path]]:
    """Compare what a run says of images with their classes.

    Args:
        run: A run of the algorithm ``classifier``.
        title: Of the report's page.
        labels: A folder of classes; None for what the run said of its own images.
        output: Folder of the report; None takes ``evaluation`` in the run, and ``evaluation/<folder>`` with labels.

    Returns:
        The report and its files.

    Raises:
        InputError: The folder has other classes, or a table is damaged.
        RunError: The run is not finished.
    """
    if labels is None:
        run.read_model()
        report = ClassReport(_own_table(run))
        return report, write_class_report(report, output or run.evaluation, title)
    opened = open_run(run.path, frames_expected=0)
    truth = _with_classes_of(opened.predictor.algorithm.task.categories, class_folders.read(labels), labels)
    report = ClassReport(class_table(truth, opened.predictor.predict_labels(truth)))
    return report, write_class_report(report, output or run.evaluation / labels.resolve().name, title)


def _own_table(run: RunFiles) -> pd.DataFrame:
    try:
        table = pd.read_csv(run.predictions, dtype={"image": str, "class": str, "predicted": str, "set": str})
        return table.set_index("image")[["class", "predicted", "score", "rank", "set"]].astype({"rank": float})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{run.predictions}: not the table of classes that training wrote ({error}); give --labels, a folder of "
            "classes, to predict anew"
        ) from error


def _with_classes_of(known: tuple[str, ...], truth: Labels, folder: Path) -> Labels:
    """The labels with the numbers that a run gives the classes."""
    strange = next((name for name in truth.categories if name not in known), None)
    if strange is not None:
        raise InputError(f"{folder / strange}: a class that the run did not learn; it knows {', '.join(known)}")
    return truth.with_categories(known)
