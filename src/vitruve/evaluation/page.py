"""A report as files: tables, pictures, and a page that shows them."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, SupportsInt

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitruve.atomic import atomic_files
from vitruve.evaluation import tables
from vitruve.evaluation.matching import labelled_keypoints
from vitruve.evaluation.people import precision_curves
from vitruve.evaluation.report import Report
from vitruve.evaluation.windows import WINDOW_GAP
from vitruve.structures.instances import VISIBLE
from vitruve.structures.labels import Frame
from vitruve.visualize import plots
from vitruve.visualize.html import render_page
from vitruve.visualize.overlay import overlay

_NONE = "\N{EN DASH}"

_PLOTS = {
    "precision_recall": "A prediction is right where it is alike enough (OKS). Higher and further right is better.",
    "pck_curve": "Higher and further left is better. Missed keypoints never count as within.",
    "error_distribution": "One dot a keypoint of an image.",
    "error_against_confidence": "Where errors fall as confidence rises, a threshold on confidence helps.",
    "error_over_threshold": "What a threshold on confidence gains in error and costs in keypoints.",
    "calibration_curve": "95 % Wilson intervals. On the dotted line, confidence is the share as near as it says.",
}


def write_report(
    report: Report,
    directory: str | Path,
    *,
    images: Callable[[Frame], np.ndarray] | None = None,
    about: Mapping[str, str] | None = None,
    created: datetime | None = None,
) -> dict[str, Path]:
    """Write tables, plots and a page that needs no other file.

    Every file is replaced in one step.

    Args:
        report: What :func:`vitruve.evaluation.report.evaluate` gave.
        directory: Made when missing.
        images: Gives the pixels ``(H, W)`` or ``(H, W, 3)`` RGB of a frame that has one view, to show the
            worst frames; None leaves them out.
        about: What the page says first, such as ``{"Run": ..., "Labels": ...}``; None names the scorers.
        created: The date on the page; None for now.

    Returns:
        The files by the stem of their names: ``summary``, ``per_keypoint``, ``error_by_confidence``,
        ``error_vs_threshold``, ``calibration`` and ``pixel_error`` (``pixel_error_<view>`` where there
        are several) as CSV, the plots and worst frames as PNG, and ``report`` as HTML. Where any number of people is
        found also ``average_precision``, ``average_precision_by_threshold`` and, where there are figures, ``pckh`` and
        ``identities``.

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    content: dict[str, str | bytes] = {
        f"{name}.csv": getattr(report, name).to_csv(index=False)
        for name in (
            "summary",
            "per_keypoint",
            "error_by_confidence",
            "error_vs_threshold",
            "calibration",
        )
    }
    if report.people is not None:
        found = {
            "average_precision": report.people.average_precision,
            "average_precision_by_threshold": report.people.by_threshold,
            "pckh": report.people.pckh,
            "identities": report.people.identities,
        }
        content |= {f"{name}.csv": table.to_csv(index=False) for name, table in found.items() if len(table)}
    views = list(report.errors["view"].unique())
    for view in views:
        # The name of a view is the user's; in the name of a file it must not lead to another folder.
        suffix = "_" + re.sub(r"[^\w.-]+", "_", view) if len(views) > 1 else ""
        content[f"pixel_error{suffix}.csv"] = report.pixel_error_table(view).to_csv()
    pictures = plots_of(report) | worst_frames(report, images)
    content |= {f"{name}.png": picture for name, picture in pictures.items()}
    content["report.html"] = render(report, pictures, about or {}, created or datetime.now().astimezone())
    return atomic_files(directory, content)


def plots_of(report: Report) -> dict[str, bytes]:
    """All plots of a report.

    Args:
        report: The report.

    Returns:
        The content of PNG files by name.
    """
    count = len(report.keypoints)
    visible = (report.errors["visible"] == VISIBLE).to_numpy()
    error = np.where(visible, report.errors["error"].to_numpy(), np.nan)
    reached = np.where(visible & np.isnan(error), np.inf, error)
    split = report.errors["split"].to_numpy()

    def grouped(values: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[split == name] for name in report.splits}

    def tabled(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
        return {name: table[table["split"] == name] for name in report.splits}

    by_keypoint = {name: values.reshape(-1, count) for name, values in grouped(error).items()}
    scores = grouped(report.errors["score"].to_numpy())
    figures: dict[str, Figure] = {
        "pck_curve": plots.pck_curve(grouped(reached), tables.PIXELS),
        "error_distribution": plots.error_distribution(by_keypoint, report.keypoints),
        "error_against_confidence": plots.error_against_confidence(
            grouped(error), scores, tabled(report.error_by_confidence)
        ),
        "error_over_threshold": plots.error_over_threshold(tabled(report.error_vs_threshold)),
        "calibration_curve": plots.calibration_curve(tabled(report.calibration), report.near),
    }
    if report.people is not None:
        figures["precision_recall"] = plots.precision_recall(precision_curves(report.people))
    return {name: plots.png_bytes(figure) for name, figure in figures.items()}


def worst_frames(report: Report, images: Callable[[Frame], np.ndarray] | None, count: int = 6) -> dict[str, bytes]:
    """The worst frames with labels and predictions drawn on them.

    Args:
        report: The report.
        images: Gives the pixels of a frame that has one view; None for no pictures.
        count: How many at most.

    Returns:
        The content of PNG files by name: ``worst_1`` and so on.
    """
    pictures: dict[str, bytes] = {}
    if images is None:
        return pictures
    worst = report.worst(count)
    for place, (frame, view) in enumerate(zip(worst["frame"], worst["view_number"], strict=True), start=1):
        shown = report.truth[int(frame)]
        single = replace(shown, images=(shown.images[view],), instances=shown.instances[[view]], instances_3d=None)
        truth = labelled_keypoints(shown.instances.numpy())[view]
        found = report.predictions[int(frame)].instances.keypoints[view]
        pictures[f"worst_{place}"] = plots.png_bytes(overlay(images(single), truth, found))
    return pictures


def render(report: Report, pictures: Mapping[str, bytes], about: Mapping[str, str], created: datetime) -> str:
    """The page, with everything it shows inside it.

    Args:
        report: The report.
        pictures: What :func:`plots_of` and :func:`worst_frames` gave.
        about: What is said first; empty names the scorers.
        created: The date on the page.

    Returns:
        HTML.
    """
    encoded = {name: base64.b64encode(content).decode() for name, content in pictures.items()}
    worst = report.worst().to_dict("records")
    return render_page(
        (files("vitruve.evaluation") / "templates" / "report.html").read_text(encoding="utf-8"),
        "Evaluation",
        about or {"Labels": report.truth.scorer, "Predictions": report.predictions.scorer},
        created=created,
        filters={"px": _pixels, "percent": _percent, "count": _count},
        summary=report.summary.to_dict("records"),
        headline=_headline(report),
        per_keypoint=_keypoint_rows(report),
        splits=report.splits,
        plots=[(encoded[name], caption) for name, caption in _PLOTS.items() if name in encoded],
        people=_people(report),
        worst=[(encoded[f"worst_{n}"], row) for n, row in enumerate(worst, 1) if f"worst_{n}" in encoded],
        near=report.near,
        stated=report.gap == WINDOW_GAP,
        gap=report.gap,
        occluded=bool(report.summary["occluded"].any()),
        missed=bool(report.summary["missed"].any()),
    )


def _people(report: Report) -> dict[str, list[dict[Hashable, Any]]] | None:
    people = report.people
    if people is None:
        return None
    listed = {"found": people.average_precision, "heads": people.pckh, "identities": people.identities}
    return {name: table.to_dict("records") for name, table in listed.items()}


def _headline(report: Report) -> dict[str, Any]:
    measured = report.summary[report.summary["keypoints"] > 0]
    for name in ("test", "validation"):
        if name in set(measured["split"]):
            measured = measured[measured["split"] == name]
            break
    first = (measured if len(measured) else report.summary).iloc[0]
    return {str(name): value for name, value in first.items()}


def _keypoint_rows(report: Report) -> list[dict[str, Any]]:
    longest = report.per_keypoint["mean_error_px"].max()
    cells = {
        (row["keypoint"], row["split"]): {**row, "bar": _share(row["mean_error_px"], longest)}
        for _, row in report.per_keypoint.iterrows()
    }
    return [
        {"keypoint": keypoint, "cells": [cells[keypoint, split] for split in report.splits]}
        for keypoint in report.keypoints
    ]


def _share(value: float, longest: float) -> float:
    return round(100 * value / longest, 1) if math.isfinite(value) and longest > 0 else 0.0


def _pixels(value: float) -> str:
    if not math.isfinite(value):
        return _NONE
    return f"{value:.2f} px" if value < 9.995 else f"{value:.1f} px" if value < 99.95 else f"{value:,.0f} px"


def _percent(value: float) -> str:
    return f"{value:.1f} %" if math.isfinite(value) else _NONE


def _count(value: SupportsInt) -> str:
    return f"{int(value):,}"
