"""Analyses of points in space beside one another: those of several runs, and of other methods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.errors import InputError
from vitruve.evaluation.page_3d import METRICS
from vitruve.evaluation.report_3d import Report3D
from vitruve.formats.analysis_points import TRUTH, read_analysis_points
from vitruve.structures.skeleton import Skeleton
from vitruve.visualize import plots_3d
from vitruve.visualize.plots import save_png


def compare_histograms(folders: Sequence[Path], output: Path | None = None, cutoff: float | None = None) -> Path:
    """Draw the error histograms of analyses over one another.

    Args:
        folders: Of :func:`vitruve.pipeline.analyze_3d.analyze_validation`; tables
            ``points_<method>.csv`` that were put into one of them are drawn, too.
        output: The PNG file; ``error_histogram.png`` in the first folder by default.
        cutoff: Larger errors are in the last bin, in millimetres.

    Returns:
        The file.

    Raises:
        InputError: A folder holds no analysis.
    """
    errors = {name: report.errors[method] for name, method, report in _named_methods(folders)}
    path = output or folders[0] / "error_histogram.png"
    save_png(plots_3d.error_histogram(errors, cutoff), path)
    return path


def compare_keypoints(folders: Sequence[Path], output: Path | None = None) -> Path:
    """Draw the mean error of each keypoint of analyses beside one another.

    Args:
        folders: As for :func:`compare_histograms`, all of the same keypoints.
        output: The PNG file; ``error_per_keypoint.png`` in the first folder by default.

    Returns:
        The file.

    Raises:
        InputError: A folder holds no analysis, or other keypoints than the first.
    """
    means, names = {}, None
    for name, method, report in _named_methods(folders):
        names = names or report.skeleton.names
        if report.skeleton.names != names:
            raise InputError(f"{name}: has other keypoints than {folders[0]}; compare analyses of the same keypoints")
        table = report.per_keypoint
        means[name] = table.loc[table["method"] == method, "mpjpe_mm"].to_numpy(np.float64)
    path = output or folders[0] / "error_per_keypoint.png"
    save_png(plots_3d.keypoint_bars(means, names or ()), path)
    return path


def read_analysis(folder: Path) -> Report3D:
    """What an analysis has measured.

    Args:
        folder: Of :func:`vitruve.pipeline.analyze_3d.analyze_validation`, or of JARVIS.

    Returns:
        Names, truth and points; keypoints are numbered where ``metrics.json`` does not name them.

    Raises:
        InputError: The folder holds no analysis, or a damaged one.
    """
    names, methods = read_analysis_points(folder)
    truth = methods.pop(TRUTH)
    known = _metrics(folder)
    keypoints = known.get("keypoint_names") or [f"keypoint_{number}" for number in range(truth.shape[1])]
    if len(keypoints) != truth.shape[1]:
        raise InputError(f"{folder / METRICS}: {len(keypoints)} keypoint_names for {truth.shape[1]} keypoints")
    used = tuple(known.get("cameras") or ())
    return Report3D(Skeleton(tuple(keypoints)), names, truth, methods, np.zeros(truth.shape[:2], int), used=used)


def _metrics(folder: Path) -> dict[str, Any]:
    file = folder / METRICS
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: is damaged ({error}); analyze again") from error
    return found if isinstance(found, dict) else {}


def _named_methods(folders: Sequence[Path]) -> list[tuple[str, str, Report3D]]:
    """Name in the plot, method and report of everything in some folders."""
    found = []
    for folder in folders:
        report = read_analysis(folder)
        known = _metrics(folder)
        place = (
            f"{Path(str(known.get('Run', folder))).name}, {len(report.used)} cameras" if report.used else folder.name
        )
        for method in report.methods:
            found.append((f"{place}: {method}" if len(folders) > 1 else method, method, report))
    return found
