"""What there is in a workspace and in a project, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitruve.app.projects import POSES, RIG, AppProject, RunEntry
from vitruve.config.yaml_edit import value_at
from vitruve.config.yaml_file import read_yaml
from vitruve.errors import VitruveError
from vitruve.project import Stage

KINDS = {POSES: "poses or boxes", RIG: "cameras → mm"}
"""Kinds of projects in words."""

EXAMPLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "mouse": ("One mouse in an arena: trains in minutes", ("frames=80", "video_frames=100")),
    "rig": ("A rodent between calibrated cameras: a training set to make a project of; takes minutes", ()),
    "crowd": ("People who walk about, any number an image", ()),
    "field": ("Plants of eight classes, for detectors", ()),
}
"""Examples that are offered: what each is, and what differs from its usual extent."""


_MEDIAN = re.compile(r" \(median [^)]*\)")


@dataclass(frozen=True)
class Step:
    """What to do next.

    Attributes:
        page: The page where that is done.
        label: What it is.
        why: Why now.
    """

    page: str
    label: str
    why: str


def example_arguments(name: str, folder: Path) -> tuple[str, ...]:
    """The verb that writes an example.

    Args:
        name: A key of :data:`EXAMPLES`.
        folder: Where to.

    Returns:
        Arguments, as after ``vitruve``.
    """
    return ("example", name, str(folder), *(word for change in EXAMPLES[name][1] for word in ("--set", change)))


def project_rows(projects: Sequence[AppProject], names: Mapping[Path, str]) -> list[dict[str, Any]]:
    """A table of projects.

    Args:
        projects: The projects.
        names: What their folders are called.

    Returns:
        A row each.
    """
    rows = []
    for project in projects:
        runs = project.runs()
        finished = sum(run.finished for run in runs)
        rows.append(
            {
                "project": project.name,
                "kind": KINDS[project.kind],
                "runs": len(runs),
                "finished": finished,
                "folder": names[project.path],
            }
        )
    return rows


def facts(project: AppProject) -> list[tuple[str, str]]:
    """What a project is about, from its settings alone.

    Args:
        project: The project.

    Returns:
        Pairs of a name and a value; one that says what is wrong where its settings cannot be read.
    """
    try:
        return _rig_facts(project) if project.kind == RIG else _pose_facts(_values(project.config))
    except VitruveError as error:
        return [("settings", str(error))]


def run_rows(runs: Sequence[RunEntry], limit: int = 20) -> list[dict[str, Any]]:
    """A table of runs.

    Args:
        runs: The newest first.
        limit: At most so many.

    Returns:
        A row each.
    """
    rows = []
    for run in runs[:limit]:
        status = run.status
        rows.append(
            {
                "run": run.name,
                "state": "finished" if run.finished else "unknown" if status is None else status.status.lower(),
                "epochs": "" if status is None else f"{status.completed} of {status.total}",
                "result": _result(run),
            }
        )
    return rows


def next_steps(project: AppProject, runs: Sequence[RunEntry], active: int) -> list[Step]:
    """What to do next in a project.

    Args:
        project: The project.
        runs: Its runs.
        active: Jobs of it that wait or run.

    Returns:
        The most useful first.
    """
    steps = [Step("queue", "See what is at work", f"{active} at work or waiting")] if active else []
    done = {run.stage for run in runs if run.finished}
    if project.kind == RIG:
        missing = [
            stage for stage in Stage if str(stage) not in done and (stage is not Stage.HYBRID or _space(project))
        ]
        if missing:
            steps.append(Step("train", "Train", f"not trained yet: {', '.join(map(str, missing))}"))
    elif not done:
        steps.append(Step("train", "Train", "no run is finished yet"))
    if done:
        steps.append(Step("predict", "Predict a recording", "with the newest network"))
        steps.append(Step("analyze_frames", "See the worst frames", "where the network is wrong"))
    steps.append(Step("labels_2d", "Look at the labels", "whether they are where they should be"))
    steps.append(Step("settings", "Change settings", "of the next training"))
    return steps


def _space(project: AppProject) -> bool:
    try:
        return project.rig.config.DATASET.DATASET_3D is not None
    except VitruveError:
        return True


def _rig_facts(project: AppProject) -> list[tuple[str, str]]:
    config = project.rig.config
    space = config.HYBRIDNET
    rows = [
        ("training set", config.DATASET.DATASET_3D or config.DATASET.DATASET_2D or ""),
        ("cameras", "" if space.NUM_CAMERAS is None else str(space.NUM_CAMERAS)),
        ("keypoints", str(config.KEYPOINTDETECT.NUM_JOINTS or len(config.KEYPOINT_NAMES))),
        ("images", f"{config.CENTERDETECT.IMAGE_SIZE} px"),
        ("crops", f"{config.KEYPOINTDETECT.BOUNDING_BOX_SIZE} px"),
    ]
    if space.ROI_CUBE_SIZE is not None and space.GRID_SPACING is not None:
        rows.append(("cube", f"{space.ROI_CUBE_SIZE:g} mm in steps of {space.GRID_SPACING:g} mm"))
    return [row for row in rows if row[1]]


def _values(config: Path) -> Mapping[str, Any]:
    """Settings as they stand in the file, or composed where other files belong to it, which takes longer."""
    values = read_yaml(config)
    if "defaults" not in values:
        return values
    # Settings load slowly.
    from vitruve.app.composed import composed

    return composed(config).model_dump()


def _pose_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = value_at(values, "data.keypoint_names")
    count = value_at(values, "data.num_keypoints") or (len(names) if isinstance(names, list) else None)
    height, width = (value_at(values, f"data.image_resize_dims.{side}") for side in ("height", "width"))
    files = value_at(values, "data.csv_file", "CollectedData.csv")
    rows = [
        ("network", value_at(values, "model.model_type", "heatmap")),
        ("backbone", value_at(values, "model.backbone", "resnet50")),
        ("labels", ", ".join(map(str, files)) if isinstance(files, list) else files),
        ("keypoints", count),
        ("input", None if height is None else f"{width} x {height} px"),
        ("epochs", value_at(values, "training.max_epochs")),
    ]
    return [(name, str(value)) for name, value in rows if value is not None]


def _result(run: RunEntry) -> str:
    """The error that the report of a run names first."""
    from vitruve.pipeline.report import outcome

    if not run.finished:
        return ""
    try:
        lines = outcome(run.path)
    except (VitruveError, OSError):
        return ""
    first = next((line for line in lines if "error" in line or "precision" in line), lines[0] if lines else "")
    # There is room for one number of each split.
    return _MEDIAN.sub("", first)
