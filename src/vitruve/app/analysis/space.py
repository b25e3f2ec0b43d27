"""Analyses of points in space: which a project has, how one is made, and what they say of each frameset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.app.analysis.pictures import DOT, LABEL, LINE, RING, Mark, Picture, image_part
from vitruve.app.projects import RIG, AppProject, RunEntry
from vitruve.app.workspace import Workspace
from vitruve.evaluation.metrics_3d import figures_3d
from vitruve.evaluation.report_3d import Report3D
from vitruve.formats.analysis_points import TRUTH, frameset_name
from vitruve.pipeline.compare_3d import read_analysis
from vitruve.project.folder import timestamp
from vitruve.structures.labels import Frame, Labels

SPLITS = ("validation", "train", "test", "all")
"""Which framesets of a training set an analysis is of."""

FOLDER = "analysis"
_PREFIX = "Validation_Predictions_"


@dataclass(frozen=True, eq=False)
class Method:
    """What found points in space, in one analysis.

    Attributes:
        name: Tells it apart from all others that are compared.
        method: Its name within the analysis, such as ``HybridNet`` or ``Triangulated``.
        folder: Of the analysis.
        report: Of the analysis.
    """

    name: str
    method: str
    folder: Path
    report: Report3D

    @property
    def errors(self) -> Float[np.ndarray, "T K"]:
        """Millimetres; infinite where the keypoint was missed, NaN where its truth is not known."""
        return self.report.errors[self.method]

    @property
    def points(self) -> Float[np.ndarray, "T K 3"]:
        """Millimetres, NaN where missing."""
        return self.report.methods[self.method]


def find_analyses(project: AppProject) -> list[Path]:
    """The analyses of a project and of its runs.

    Args:
        project: The project.

    Returns:
        Their folders, the newest first.
    """
    parents = [project.path / FOLDER, *(run.path / FOLDER for run in project.runs())]
    found = [file.parent for parent in parents for file in parent.glob(f"*/points_{TRUTH}.csv")]
    found = [folder for folder in found if project.holds(folder)]
    return sorted(found, key=lambda folder: (folder / f"points_{TRUTH}.csv").stat().st_mtime, reverse=True)


def methods_of(folders: Mapping[str, Path]) -> list[Method]:
    """Everything that some analyses compare with the truth.

    Args:
        folders: The analyses, by what they are called.

    Returns:
        The methods, the first analysis first.

    Raises:
        InputError: A folder holds no analysis, or a damaged one.
    """
    reports = {title: read_analysis(folder) for title, folder in folders.items()}
    return [
        Method(f"{title}: {method}" if len(reports) > 1 else method, method, folders[title], report)
        for title, report in reports.items()
        for method in report.methods
    ]


def analysis_arguments(
    project: AppProject,
    run: RunEntry,
    labels: Path,
    *,
    locator: Path | None = None,
    cameras: Sequence[str] = (),
    split: str = SPLITS[0],
    every_count: bool = False,
) -> tuple[list[str], Path]:
    """The verb that makes an analysis.

    Args:
        project: Where it goes.
        run: The network in space, or one that sees each view by itself.
        labels: A TrainingSet, or other labels of calibrated cameras.
        locator: Run that finds the animal; None for the one that the run keeps.
        cameras: Those that the run may see; all when empty.
        split: One of :data:`SPLITS`.
        every_count: Also with 2, 3, ... of the cameras.

    Returns:
        What stands after ``vitruve`` on the command line, and the folder of the analysis, which is not there yet.
    """
    parent = (project.path if project.kind == RIG else run.path) / FOLDER
    stem = f"{_PREFIX}{timestamp()}"
    folder, number = parent / stem, 2
    while folder.exists():
        folder, number = parent / f"{stem}_{number}", number + 1
    arguments = ["analyze", "validation", str(run.path), "--labels", str(labels), "--split", split]
    arguments += [] if locator is None else ["--locator", str(locator)]
    arguments += ["--cameras", ",".join(cameras)] if cameras else []
    arguments += ["--every-count"] if every_count else []
    return [*arguments, "--output", str(folder)], folder


def figures(methods: Sequence[Method], keypoints: Sequence[str] = ()) -> pd.DataFrame:
    """What the errors of several methods amount to.

    Args:
        methods: The methods.
        keypoints: Those that count; all when empty.

    Returns:
        One row a method: ``method``, ``framesets``, and the columns of
        :func:`vitruve.evaluation.metrics_3d.figures_3d`.
    """
    return pd.DataFrame(
        [
            {"method": each.name, "framesets": len(each.report.names), **figures_3d(chosen(each, keypoints))}
            for each in methods
        ]
    )


def chosen(method: Method, keypoints: Sequence[str] = ()) -> Float[np.ndarray, "T N"]:
    """Errors of some keypoints.

    Args:
        method: The method.
        keypoints: Their names; all when empty. Those that the analysis does not have are left out.

    Returns:
        As :attr:`Method.errors`.
    """
    names = method.report.skeleton.names
    columns = [names.index(name) for name in keypoints if name in names] if keypoints else list(range(len(names)))
    return method.errors[:, columns]


def worst_framesets(method: Method, count: int, keypoints: Sequence[str] = ()) -> pd.DataFrame:
    """The framesets with the largest mean error; those with missed keypoints come first.

    Args:
        method: The method.
        count: How many at most.
        keypoints: Those that count; all when empty.

    Returns:
        Worst first: ``number`` (in the analysis), ``frameset``, ``missed``, ``mean_mm`` (of what is not missed, NaN
        where all is), ``worst_keypoint`` and ``worst_mm``.
    """
    errors = chosen(method, keypoints)
    names = [name for name in method.report.skeleton.names if not keypoints or name in keypoints]
    rows = []
    for number, row in enumerate(errors):
        found = np.isfinite(row)
        missed = int(np.isinf(row).sum())
        if not found.any() and not missed:
            continue
        mean = float(row[found].mean()) if found.any() else np.nan
        place = int(np.nanargmax(np.where(np.isinf(row), np.inf, row)))
        worst = float(row[place]) if np.isfinite(row[place]) else np.nan
        rows.append((number, method.report.names[number], missed, mean, names[place], worst))
    columns = ["number", "frameset", "missed", "mean_mm", "worst_keypoint", "worst_mm"]
    table = pd.DataFrame(rows, columns=columns)
    order = table.sort_values(["missed", "mean_mm"], ascending=False, kind="stable", na_position="first")
    return order.head(count).reset_index(drop=True)


def frames_by_name(labels: Labels) -> dict[str, Frame]:
    """Framesets by the names that analyses give them."""
    return {frameset_name(frame): frame for frame in labels}


def view_pictures(
    workspace: Workspace,
    labels: Labels,
    frame: Frame,
    methods: Sequence[Method],
    colors: Mapping[str, str],
    keypoints: Sequence[str] = (),
) -> list[Picture]:
    """A frameset in every view: labels as rings, and the points of methods as the cameras see them.

    Args:
        workspace: What may be shown.
        labels: Whose frameset it is.
        frame: The frameset.
        methods: Of analyses that have it.
        colors: Of the methods.
        keypoints: Those that are drawn; all when empty.

    Returns:
        One picture a view whose image is there.
    """
    name = frameset_name(frame)
    rig = labels.cameras.get(frame.session, ())
    found = []
    for view, image in enumerate(frame.images):
        marks: list[Mark] = []
        points: list[tuple[float, float]] = []
        places = np.asarray(frame.instances.keypoints)[view, 0]
        wanted = [k for k, each in enumerate(labels.skeleton.names) if not keypoints or each in keypoints]
        rings = {}
        for k in wanted:
            if np.isfinite(places[k]).all():
                x, y = places[k].tolist()
                rings[labels.skeleton.names[k]] = (x, y)
                marks.append(Mark(RING, x, y, LABEL, labels.skeleton.names[k], f"{labels.skeleton.names[k]}: label"))
        points += rings.values()
        for each in methods if view < len(rig) else ():
            if name not in each.report.names:
                continue
            number = each.report.names.index(name)
            seen = rig[view].project(each.points[number])
            for k, keypoint in enumerate(each.report.skeleton.names):
                if not np.isfinite(seen[k]).all() or (keypoints and keypoint not in keypoints):
                    continue
                x, y = seen[k].tolist()
                points.append((x, y))
                if keypoint in rings:
                    marks.insert(
                        0, Mark(LINE, x, y, colors[each.name], keypoint, x2=rings[keypoint][0], y2=rings[keypoint][1])
                    )
                away = each.errors[number, k]
                marks.append(
                    Mark(DOT, x, y, colors[each.name], keypoint, f"{keypoint}: {each.name}, {away:.1f} mm away")
                )
        title = labels.view_names[view] if view < len(labels.view_names) else f"view {view}"
        part = image_part(workspace, labels, image, np.array(points, np.float64).reshape(-1, 2), marks, title)
        found += [] if part is None else [part]
    return found


def short_name(name: str) -> str:
    """Name of an analysis without what is the same in all of them.

    Args:
        name: Its file from the project on, without suffix.

    Returns:
        What tells it from others.
    """
    folder, _, stem = name.rpartition("/")
    parts = [part for part in folder.split("/") if part != "analysis"]
    return "/".join([*parts, stem.removeprefix("Validation_Predictions_")])
