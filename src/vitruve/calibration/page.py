"""The report of a calibration as files: JSON, pictures, and a page that holds them all."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_files, atomic_json
from vitruve.calibration.intrinsics import coverage
from vitruve.calibration.recordings import FIGURES
from vitruve.calibration.solve import Solution
from vitruve.visualize import calibration_plots
from vitruve.visualize.html import data_uri, render_page
from vitruve.visualize.plots import png_bytes

_KINDS = {"checkerboard": "checkerboard", "charuco": "ChArUco"}


def write_report(solution: Solution, report: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Write the figures of a calibration, its pictures, and a page that needs no other file.

    Args:
        solution: The calibration.
        report: What :func:`vitruve.calibration.report.describe` gave.
        folder: Made when missing.

    Returns:
        The files by the stem of their names: ``report`` (HTML), ``figures`` (JSON), ``rig``, ``residuals`` and
        ``coverage_<camera>`` (PNG).

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    pictures = pictures_of(solution)
    content: dict[str, str | bytes] = {f"{name}.png": picture for name, picture in pictures.items()}
    content["report.html"] = _page(report, pictures)
    paths = atomic_files(folder, content)
    paths["figures"] = folder / FIGURES
    atomic_json(paths["figures"], report)
    return paths


def pictures_of(solution: Solution) -> dict[str, bytes]:
    """All pictures of a calibration.

    Args:
        solution: The calibration.

    Returns:
        The content of PNG files by name.
    """
    views, seen = solution.views, solution.sightings
    residuals = solution.bundle.residuals(seen)
    bundle = solution.bundle
    middles = bundle.rotation @ views.board.middle + bundle.translation
    found = {"rig": calibration_plots.rig(solution.cameras, middles, views.names[solution.primary])}
    clouds = {}
    for number, name in enumerate(views.names):
        mine = seen.camera == number
        known = ~np.isnan(residuals[mine]).any(-1)
        clouds[name] = residuals[mine][known]
        size = (int(views.sizes[number, 0]), int(views.sizes[number, 1]))
        found[_file_name(name)] = calibration_plots.corner_coverage(
            size, seen.pixels[mine][known], clouds[name], coverage(seen.pixels[mine], size), name
        )
    found["residuals"] = calibration_plots.residual_clouds(clouds)
    return {name: png_bytes(figure) for name, figure in found.items()}


def _file_name(camera: str) -> str:
    """The name is the user's; in the name of a file it must not lead to another folder."""
    return "coverage_" + re.sub(r"[^\w-]+", "_", camera)


def _page(report: dict[str, Any], pictures: dict[str, bytes]) -> str:
    board, encoded = report["board"], {name: data_uri(content) for name, content in pictures.items()}
    columns, rows = board["squares"]
    about = {
        "Board": f"{_KINDS[board['kind']]}, {columns} x {rows} squares of {board['square_mm']:g} mm",
        "World's frame": f"that of {report['primary']}, in millimetres",
    }
    return render_page(
        (files("vitruve.calibration") / "templates" / "report.html").read_text(encoding="utf-8"),
        f"Calibration of {len(report['cameras'])} cameras",
        about,
        **{name: value for name, value in report.items() if name != "board"},
        rig=encoded["rig"],
        residuals=encoded["residuals"],
        coverages={camera["name"]: encoded[_file_name(camera["name"])] for camera in report["cameras"]},
    )
