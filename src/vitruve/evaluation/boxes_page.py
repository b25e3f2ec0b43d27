"""A report of boxes as files: tables, pictures, OBDB's files, and a page that shows them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, SupportsInt

import numpy as np
from jaxtyping import UInt8

from vitruve.atomic import atomic_files
from vitruve.evaluation.boxes_grid import METRICS, Grid
from vitruve.evaluation.boxes_report import CONFIDENCE, BoxReport, judge_confident
from vitruve.evaluation.verdicts import Kind
from vitruve.media.images import encoded_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame
from vitruve.visualize import plots
from vitruve.visualize.box_plots import confusion_picture, svg_text, threshold_curves
from vitruve.visualize.boxes import draw_boxes
from vitruve.visualize.html import data_uri, render_page

_NONE = "\N{EN DASH}"
_METRICS = "class_metrics"
_WORST = "worst.jpg"
_LABELS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
_COUNTED = ("split", "images", "objects")
_RIGHT, _WRONG, _MISSED = (0, 158, 115), (213, 94, 0), (240, 228, 66)
_FALSE = (Kind.DUPLICATE, Kind.WRONG_CLASS, Kind.MISLOCALISED, Kind.SPURIOUS)


def write_box_report(
    report: BoxReport,
    directory: str | Path,
    *,
    images: Callable[[Frame], np.ndarray] | None = None,
    about: Mapping[str, str] | None = None,
    created: datetime | None = None,
) -> dict[str, Path]:
    """Write tables, plots and a page that needs no other file.

    Args:
        report: What :func:`vitruve.evaluation.boxes_report.evaluate_boxes` gave.
        directory: Made when missing.
        images: Gives the pixels ``(H, W, 3)`` RGB of the first view of a frame, to show the worst ones; None leaves
            them out.
        about: What the page says first.
        created: The date on the page and in the name of OBDB's file; None for now.

    Returns:
        The files by the stem of their names: ``average_precision``, ``per_class``, ``kinds`` and ``confusion_table`` as
        CSV, ``precision_recall`` and ``confusion`` as PNG, the worst images as JPEG, ``report`` as HTML, and, as OBDB
        has them, ``class_metrics`` with the pictures beside it (:func:`metric_files`), ``AveragePrecision_<date>``.

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    created = created or datetime.now().astimezone()
    pictures = {
        "precision_recall": plots.png_bytes(plots.precision_recall(report.curves)),
        "confusion": plots.png_bytes(confusion_picture(report.confusion)),
    }
    worst = report.worst()
    if images is not None:
        for place, number in enumerate(worst["frame"], 1):
            truth, found = report.pairs[int(number)]
            drawn = draw_verdicts(images(truth), truth.instances[0], found.instances[0], report.names)
            pictures[f"worst_{place}"] = encoded_image(_WORST, drawn)
    content: dict[str, str | bytes] = {
        "average_precision.csv": report.average_precision.to_csv(index=False, float_format="%.4f"),
        "per_class.csv": report.by_class.to_csv(index=False, float_format="%.4f"),
        "kinds.csv": report.kinds.to_csv(index=False),
        "confusion_table.csv": report.confusion.to_csv(),
        **{name + _suffix(name): picture for name, picture in pictures.items()},
        precision_name(created): precision_json(report.voc),
        "report.html": _render(report, pictures, about or {}, created),
    }
    written = atomic_files(directory, content)
    metrics = atomic_files(Path(directory) / _METRICS, metric_files(report.grid, report.names))
    return written | {_METRICS: metrics[_METRICS]}


def metric_files(grid: Grid, names: Sequence[str]) -> dict[str, str | bytes]:
    """``class_metrics.json``, and ``<class>_precision.svg``, ``<class>_recall.svg``, ``<class>_f1.svg`` of each class.

    Args:
        grid: The figures.
        names: Of the classes.

    Returns:
        The content of the files by name.
    """
    # The name of a class is the user's; in the name of a file it must not lead to another folder.
    stems = [re.sub(r"[^\w.-]+", "_", name) for name in names]
    content: dict[str, str | bytes] = {f"{_METRICS}.json": json.dumps(grid.content(names), indent=1) + "\n"}
    for number, name in enumerate(names):
        for metric in METRICS:
            values = getattr(grid, metric)[number]
            title = f"{_LABELS[metric]} of {name}"
            figure = threshold_curves(values, grid.confidences, grid.ious, title, _LABELS[metric])
            stem = stems[number] if stems.count(stems[number]) == 1 else f"{stems[number]}_{number}"
            content[f"{stem}_{metric}.svg"] = svg_text(figure)
    return content


def precision_name(created: datetime) -> str:
    """``AveragePrecision_<Y_M_D_H_M_S>.json``, as OBDB calls it."""
    return f"AveragePrecision_{created:%Y_%m_%d_%H_%M_%S}.json"


def precision_json(figures: Mapping[str, float]) -> str:
    """Average precision by class, from 0 to 1; null where none is labelled."""
    plain = {name: None if math.isnan(value) else value for name, value in figures.items()}
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def draw_verdicts(
    image: UInt8[np.ndarray, "H W 3"], truth: Instances, found: Instances, names: Sequence[str]
) -> UInt8[np.ndarray, "H W 3"]:
    """Predictions of a score of at least 0.5: the right ones in green, the others in red; what is missing in yellow.

    Args:
        image: RGB; it is not changed.
        truth: ``(N, ...)`` of one view.
        found: ``(M, ...)`` of the same view.
        names: Of the classes.

    Returns:
        A drawn copy.
    """
    found, verdicts = judge_confident(truth, found)
    missing, right = truth[verdicts.missing], found[verdicts.kinds == Kind.CORRECT]
    wrong = found[np.isin(verdicts.kinds, _FALSE)]
    for each, color in ((missing, _MISSED), (right, _RIGHT), (wrong, _WRONG)):
        assert each.boxes is not None and each.categories is not None
        scores = None if each is missing else each.scores
        image = draw_boxes(image, each.boxes, each.categories, names, scores, CONFIDENCE, color=color)
    return image


def _render(report: BoxReport, pictures: Mapping[str, bytes], about: Mapping[str, str], created: datetime) -> str:
    summary = report.average_precision.to_dict("records")
    figures = [str(name) for name in report.average_precision.columns if name not in _COUNTED]
    splits = [row["split"] for row in summary]
    cells = {(row["class"], row["split"]): row for row in report.by_class.to_dict("records")}
    for row in cells.values():
        row["bar"] = 0.0 if math.isnan(row["AP50"]) else round(row["AP50"], 1)
    seen = ", ".join(report.unseen)
    captions = {
        "precision_recall": "The mean over classes. Higher and further right is better.",
        "confusion": f"Objects by class ({seen}), predictions of a score of at least {CONFIDENCE:g}.",
    }
    worst = report.worst().to_dict("records")
    return render_page(
        (files("vitruve.evaluation") / "templates" / "boxes.html").read_text(encoding="utf-8"),
        "Evaluation",
        about or {"Classes": ", ".join(report.names)},
        created=created,
        filters={"percent": _percent, "count": _count},
        headline=_headline(summary),
        summary=summary,
        figures=figures,
        most=next(name for name in reversed(figures) if name[2:].isdigit()),
        splits=splits,
        classes=[{"name": name, "cells": [cells[name, split] for split in splits]} for name in report.names],
        kinds=report.kinds.to_dict("records"),
        confidence=f"{CONFIDENCE:g}",
        plots=[(data_uri(pictures[name]), caption) for name, caption in captions.items()],
        worst=[
            (data_uri(pictures[f"worst_{n}"], "image/jpeg"), row)
            for n, row in enumerate(worst, 1)
            if f"worst_{n}" in pictures
        ],
    )


def _headline(summary: Sequence[Mapping[Any, Any]]) -> Mapping[Any, Any]:
    """Of the frames that say the most about new ones."""
    measured = [row for row in summary if row["objects"]] or list(summary)
    for name in ("test", "validation"):
        for row in measured:
            if row["split"] == name:
                return row
    return measured[0]


def _suffix(name: str) -> str:
    return Path(_WORST).suffix if name.startswith("worst_") else ".png"


def _percent(value: float) -> str:
    return f"{value:.1f} %" if math.isfinite(value) else _NONE


def _count(value: SupportsInt) -> str:
    return f"{int(value):,}"
