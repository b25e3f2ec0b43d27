"""Errors of a project's networks in space, where JARVIS keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitruve.project.folder import LATEST, Project, Stage, timestamp
from vitruve.project.outputs import find

if TYPE_CHECKING:
    from vitruve.pipeline.analyze_3d import Analyzed

_PREFIX = "Validation_Predictions"


def analyze_validation(
    project: Project,
    *,
    weights_center_detect: str | Path = LATEST,
    weights_hybridnet: str | Path = LATEST,
    **options: Any,
) -> Analyzed:
    """Measure a project's errors on its training set, into ``analysis/Validation_Predictions_<time>``.

    Args:
        project: The project.
        weights_center_detect: Run that finds the animal: ``latest``, its name or its folder.
        weights_hybridnet: Run that gives the points.
        options: As for :func:`vitruve.analyze_validation`.

    Returns:
        As :func:`vitruve.analyze_validation`.

    Raises:
        VitruveError: A run is missing, or as for :func:`vitruve.analyze_validation`.
    """
    from vitruve.pipeline.analyze_3d import analyze_validation as analyze

    return analyze(
        project.run(Stage.HYBRID, weights_hybridnet),
        project.dataset("3D"),
        output=project.analysis / f"{_PREFIX}_{timestamp()}",
        locator=project.locator(weights_center_detect),
        **options,
    )


def analysis(project: Project, which: str | Path = LATEST) -> Path:
    """The folder of an analysis.

    Args:
        project: The project.
        which: ``latest``, its name or its folder.

    Returns:
        The folder.

    Raises:
        InputError: There is none.
    """
    make = f"vitruve jarvis analyze analyze-validation-data {project.name}"
    return find(project.analysis, which, "analysis", _PREFIX, make)
