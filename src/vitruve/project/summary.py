"""What there is in a project, in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vitruve.pipeline.prediction_folder import is_unfinished
from vitruve.pipeline.report import outcome
from vitruve.project.folder import Project, Stage, is_finished
from vitruve.run import RunFiles


def run_counts(project: Project) -> str:
    """How many finished runs each network of a project has, in one line."""
    return ", ".join(f"{stage} {sum(map(is_finished, project.runs(stage)))}" for stage in Stage)


def summary(project: Project) -> Iterator[str]:
    """A project's training sets, sizes, runs and predictions.

    Args:
        project: The project.

    Yields:
        Lines.

    Raises:
        ConfigError: ``config.yaml`` is not as it should be.
    """
    config = project.config
    yield f"{project.name}: {project.path}"
    for dimensions, given in (("2D", config.DATASET.DATASET_2D), ("3D", config.DATASET.DATASET_3D)):
        if given is not None:
            yield f"dataset {dimensions}: {given}"
    space = config.HYBRIDNET
    yield (
        f"images {config.CENTERDETECT.IMAGE_SIZE} px, crops {config.KEYPOINTDETECT.BOUNDING_BOX_SIZE} px, "
        f"{config.KEYPOINTDETECT.NUM_JOINTS or len(config.KEYPOINT_NAMES)} keypoints"
        + (
            ""
            if space.ROI_CUBE_SIZE is None or space.GRID_SPACING is None
            else f", {space.NUM_CAMERAS} cameras, cube {space.ROI_CUBE_SIZE:g} mm in steps of {space.GRID_SPACING:g} mm"
        )
    )
    for stage in Stage:
        runs = project.runs(stage)
        yield f"{stage}: {len(runs)} run{'s' * (len(runs) > 1)}" if runs else f"{stage}: not trained"
        for run in runs:
            yield f"  {run.name}: {_state(run)}"
    folders = sorted(path for path in project.predictions.glob("predictions*D/*") if path.is_dir())
    found = [path.name for path in folders if not path.name.startswith(".")]
    yield f"predictions: {', '.join(found) if found else 'none'}"
    unfinished = sum(map(is_unfinished, folders))
    if unfinished:
        yield f"interrupted predictions: {unfinished} (asked for again, one goes on; after a week it is removed)"


def _state(run: Path) -> str:
    files = RunFiles(run)
    if not files.status.is_file():
        return "is no run"
    now = files.read_status()
    if now.status != "COMPLETED":
        return f"{now.status.lower()}, {now.completed} of {now.total} epochs" + (
            f" ({now.message})" * bool(now.message)
        )
    # Of a network in space, the error there: that of its keypoints in the images comes after it.
    errors = [line for line in outcome(run) if line.startswith("mean error")]
    return "; ".join((f"{now.completed} epochs", *errors[:1]))
