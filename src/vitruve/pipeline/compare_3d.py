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


def plot_error_histogram(
    folders: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    cutoff: float | None = None,
    *,
    each_keypoint: bool = False,
) -> Path:
    """Draw the error histograms of one or several analyses over one another.

    Args:
        folders: Of :func:`vitruve.analyze_validation`; tables ``points_<method>.csv`` that were put into one of them
            are drawn, too.
        output: The PNG file; ``error_histogram.png``, or ``error_histogram_per_keypoint.png``, in the first folder by
            default.
        cutoff: Larger errors are in the last bin, in millimetres.
        each_keypoint: Draw one plot a keypoint, instead of one of all.

    Returns:
        The file.

    Raises:
        InputError: A folder holds no analysis, or where each keypoint is drawn, other keypoints than the first.
    """
    places = _paths(folders)
    found = _named_methods(places)
    errors = {name: report.errors[method] for name, method, report in found}
    if each_keypoint:
        figure = plots_3d.keypoint_histograms(errors, _keypoints(found), cutoff)
    else:
        figure = plots_3d.error_histogram(errors, cutoff)
    path = Path(output or places[0] / f"error_histogram{'_per_keypoint' * each_keypoint}.png")
    save_png(figure, path)
    return path


def plot_error_per_keypoint(folders: str | Path | Sequence[str | Path], output: str | Path | None = None) -> Path:
    """Draw the mean error of each keypoint of one or several analyses.

    Args:
        folders: As for :func:`plot_error_histogram`, all of the same keypoints.
        output: The PNG file; ``error_per_keypoint.png`` in the first folder by default.

    Returns:
        The file.

    Raises:
        InputError: A folder holds no analysis, or other keypoints than the first.
    """
    places = _paths(folders)
    found = _named_methods(places)
    keypoints = _keypoints(found)
    tables = {name: (method, report.per_keypoint) for name, method, report in found}
    means = {
        name: table.loc[table["method"] == method, "mpjpe_mm"].to_numpy(np.float64)
        for name, (method, table) in tables.items()
    }
    path = Path(output or places[0] / "error_per_keypoint.png")
    save_png(plots_3d.keypoint_bars(means, keypoints), path)
    return path


def read_analysis(folder: Path) -> Report3D:
    """What an analysis has measured.

    Args:
        folder: Of :func:`vitruve.analyze_validation`, or of JARVIS.

    Returns:
        Names, truth and points; keypoints are numbered where ``metrics.json`` does not name them.

    Raises:
        InputError: The folder holds no analysis, or a damaged one.
    """
    names, methods = read_analysis_points(folder)
    truth = methods.pop(TRUTH)
    if not methods:
        raise InputError(f"{folder}: holds no points_<method>.csv beside that of the truth; analyze again")
    known = read_figures(folder)
    keypoints = known.get("keypoint_names") or [f"keypoint_{number}" for number in range(truth.shape[1])]
    if len(keypoints) != truth.shape[1]:
        raise InputError(f"{folder / METRICS}: {len(keypoints)} keypoint_names for {truth.shape[1]} keypoints")
    used = tuple(known.get("cameras") or ())
    return Report3D(Skeleton(tuple(keypoints)), names, truth, methods, np.zeros(truth.shape[:2], int), used=used)


def read_figures(folder: Path) -> dict[str, Any]:
    """All figures that an analysis has written to ``metrics.json``.

    Args:
        folder: Of :func:`vitruve.analyze_validation`, or of JARVIS.

    Returns:
        What the file holds; nothing where there is none.

    Raises:
        InputError: It is damaged.
    """
    file = folder / METRICS
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: is damaged ({error}); analyze again") from error
    return found if isinstance(found, dict) else {}


def _paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(given)] if isinstance(given, (str, Path)) else [Path(each) for each in given]


def _keypoints(found: Sequence[tuple[str, str, Report3D]]) -> tuple[str, ...]:
    """Those of all analyses."""
    first, _, report = found[0]
    names = report.skeleton.names
    other = next((name for name, _, each in found if each.skeleton.names != names), None)
    if other is not None:
        raise InputError(f"{other}: has other keypoints than {first}; compare analyses of the same keypoints")
    return names


def _named_methods(folders: Sequence[Path]) -> list[tuple[str, str, Report3D]]:
    """Name in the plot, method and report of everything in some folders."""
    reports = [read_analysis(folder) for folder in folders]
    places = [_place(folder, report) for folder, report in zip(folders, reports, strict=True)]
    found = []
    for number, (place, report) in enumerate(zip(places, reports, strict=True)):
        if places.count(place) > 1:
            place = f"{place}, analysis {number + 1}"
        for method in report.methods:
            found.append((f"{place}: {method}" if len(folders) > 1 else method, method, report))
    return found


def _place(folder: Path, report: Report3D) -> str:
    run = Path(str(read_figures(folder).get("Run", folder))).name
    return f"{run}, {len(report.used)} cameras" if report.used else folder.name
