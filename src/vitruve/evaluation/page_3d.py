"""A report of points in space as files: tables, figures, pictures, and a page that shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vitruve.atomic import atomic_files, atomic_json
from vitruve.evaluation.metrics_3d import THRESHOLDS_MM
from vitruve.evaluation.report_3d import Report3D
from vitruve.formats.analysis_points import TRUTH, write_analysis_points
from vitruve.visualize import plots_3d
from vitruve.visualize.html import data_uri, render_page
from vitruve.visualize.plots import png_bytes

METRICS = "metrics.json"
TRIANGULATED = "Triangulated"
"""Name of the method that every other one is compared with."""

_NONE = "\N{EN DASH}"
_CAPTIONS = {
    "error_histogram": "Further left is better. Box: middle half, with the median; line: 5th to 95th percentile.",
    "pck3d_curve": "Higher and further left is better. Missed keypoints are within no distance.",
    "error_per_keypoint": "Shorter is better.",
    "error_per_camera_count": "By the number of cameras that were used in which the keypoint is labelled.",
    "error_with_fewer_cameras": "What the methods find when they are given only so many cameras.",
    "bone_lengths": "An animal's bones keep their length: closer to the truth's variation is better.",
}
_FIGURES = (
    ("mpjpe_mm", "Mean", "mm"),
    ("median_mm", "Median", "mm"),
    ("p90_mm", "90th percentile", "mm"),
    ("p95_mm", "95th percentile", "mm"),
    *((f"pck3d_{limit:g}mm_percent", f"PCK3D @ {limit:g} mm", "%") for limit in THRESHOLDS_MM),
)
_COLUMNS = {
    "summary": (("method", "Method", ""), ("keypoints", "Keypoints", ""), ("missed", "Missed", ""), *_FIGURES),
    "fewer": (("method", "Method", ""), ("cameras", "Cameras", ""), ("missed", "Missed", ""), *_FIGURES),
    "reprojection": (
        ("method", "Method", ""),
        ("view", "Camera", ""),
        ("points", "Points", ""),
        ("mean_px", "Mean", "px"),
        ("median_px", "Median", "px"),
        ("p95_px", "95th percentile", "px"),
    ),
}


def write_report_3d(
    report: Report3D, folder: Path, about: Mapping[str, str], truth: str, cutoff: float | None = None
) -> dict[str, Path]:
    """Write the tables of JARVIS' analysis, ``metrics.json``, plots, and a page that needs no other file.

    Every file is replaced in one step.

    Args:
        report: The report.
        folder: Made when missing.
        about: What the page says first.
        truth: Where the truth comes from, in a sentence.
        cutoff: See :func:`vitruve.visualize.plots_3d.error_histogram`.

    Returns:
        ``report`` (HTML), ``metrics`` (JSON), and the plots by their names.

    Raises:
        InputError: The folder cannot be written.
    """
    write_analysis_points(folder, report.names, {**report.methods, TRUTH: report.truth})
    pictures = {name: png_bytes(figure) for name, figure in plots_of(report, cutoff).items()}
    content: dict[str, str | bytes] = {f"{name}.png": picture for name, picture in pictures.items()}
    content["report.html"] = _page(report, about, truth, pictures)
    atomic_json(folder / METRICS, {**about, **report.to_dict()})
    return {"metrics": folder / METRICS, **atomic_files(folder, content)}


def plots_of(report: Report3D, cutoff: float | None = None) -> dict[str, Figure]:
    """All plots of a report.

    Args:
        report: The report.
        cutoff: See :func:`vitruve.visualize.plots_3d.error_histogram`.

    Returns:
        Figures by name.
    """
    errors, names = report.errors, report.skeleton.names
    figures = {
        "error_histogram": plots_3d.error_histogram(errors, cutoff),
        "pck3d_curve": plots_3d.pck3d_curves(errors),
        "error_per_keypoint": plots_3d.keypoint_bars(_by_method(report.per_keypoint, "mpjpe_mm"), names),
    }
    if len(report.per_camera_count) and report.per_camera_count["cameras"].nunique() > 1:
        figures["error_per_camera_count"] = plots_3d.error_over_cameras(
            report.per_camera_count, "Error by cameras that see a keypoint", "Cameras in which the keypoint is labelled"
        )
    if len(report.with_fewer_cameras):
        figures["error_with_fewer_cameras"] = plots_3d.error_over_cameras(
            report.with_fewer_cameras, "Error by cameras given", "Cameras"
        )
    if report.skeleton.edges:
        bones = report.bones
        listed = bones.loc[bones["method"] == TRUTH, "bone"].tolist()
        figures["bone_lengths"] = plots_3d.bone_bars(_by_method(bones, "coefficient"), listed)
    return figures


def _by_method(table: Any, column: str) -> dict[str, np.ndarray]:
    return {str(name): rows[column].to_numpy(np.float64) for name, rows in table.groupby("method", sort=False)}


def _page(report: Report3D, about: Mapping[str, str], truth: str, pictures: Mapping[str, bytes]) -> str:
    return render_page(
        (files("vitruve.evaluation") / "templates" / "analysis.html").read_text(encoding="utf-8"),
        "Analysis",
        about,
        filters={"shown": _shown},
        summary=report.summary.to_dict("records"),
        fewer=report.with_fewer_cameras.to_dict("records"),
        reprojection=report.reprojection_errors.to_dict("records"),
        columns=_COLUMNS,
        plots=[(data_uri(content), _CAPTIONS[name]) for name, content in pictures.items()],
        framesets=len(report.names),
        located=len(report.names) + len(report.dropped),
        dropped=report.dropped,
        truth=truth,
        triangulated=TRIANGULATED in report.methods and len(report.methods) > 1,
    )


def _shown(value: Any, unit: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return _NONE
    if not unit:
        return f"{value:,}" if isinstance(value, int) else str(value)
    text = f"{value:.1f}" if unit == "%" or value >= 99.95 else f"{value:.2f}"
    return f"{text} {unit}"
