"""Predictions of a project's networks, where JARVIS keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitruve import recordings
from vitruve.errors import ConfigError, InputError
from vitruve.project.folder import LATEST, Project, Stage, timestamp
from vitruve.project.outputs import find
from vitruve.structures.skeleton import Skeleton

if TYPE_CHECKING:
    from vitruve.pipeline.predict_3d import Predicted

_FOLDERS = {2: "predictions2D", 3: "predictions3D"}


def predict_3d(
    project: Project,
    recording: str | Path,
    *,
    weights_center_detect: str | Path = LATEST,
    weights_hybridnet: str | Path = LATEST,
    dataset_name: str | Path | None = None,
    **options: Any,
) -> Predicted:
    """Predict points in space in a recording, into ``predictions/predictions3D/Predictions_3D_<time>``.

    Args:
        project: The project.
        recording: Folder with one video a camera.
        weights_center_detect: Run that finds the animal: ``latest``, its name or its folder.
        weights_hybridnet: Run that gives the points.
        dataset_name: Name of the dataset whose calibration counts, or a calibration; None for the only one of the set.
        options: As for :func:`vitruve.recordings.predict_3d`.

    Returns:
        As :func:`vitruve.recordings.predict_3d`.

    Raises:
        VitruveError: A run is missing, or as for :func:`vitruve.recordings.predict_3d`.
    """
    return recordings.predict_3d(
        project.run(Stage.HYBRID, weights_hybridnet),
        recording,
        dataset_name,
        output=project.predictions / _FOLDERS[3],
        locator=project.locator(weights_center_detect),
        training_set=_training_set(project),
        **options,
    )


def predict_2d(
    project: Project,
    video: str | Path,
    *,
    weights_center_detect: str | Path = LATEST,
    weights_keypoint_detect: str | Path = LATEST,
    **options: Any,
) -> Predicted:
    """Predict keypoints in one video, into ``predictions/predictions2D/Predictions_2D_<time>``.

    Args:
        project: The project.
        video: The video.
        weights_center_detect: Run that finds the animal: ``latest``, its name or its folder.
        weights_keypoint_detect: Run that finds the keypoints.
        options: As for :func:`vitruve.recordings.predict_2d`.

    Returns:
        As :func:`vitruve.recordings.predict_2d`.

    Raises:
        VitruveError: A run is missing, or as for :func:`vitruve.recordings.predict_2d`.
    """
    return recordings.predict_2d(
        project.run(Stage.KEYPOINT, weights_keypoint_detect),
        video,
        output=project.predictions / _FOLDERS[2],
        locator=project.locator(weights_center_detect),
        **options,
    )


def create_videos_3d(
    project: Project,
    prediction: str | Path = LATEST,
    *,
    table: str | None = None,
    cameras: Sequence[str] | None = None,
    dataset_name: str | Path | None = None,
    output: str | Path | None = None,
    **options: Any,
) -> list[Path]:
    """Draw a prediction into the videos of chosen cameras, in ``visualization/Videos_3D_<time>``.

    Args:
        project: The project.
        prediction: ``latest``, its name, its folder, or a table of points in it.
        table: Name of a table of points in its folder; None for ``data3D.csv``.
        cameras: Their names; None for all.
        dataset_name: As for :func:`predict_3d`; None for that of the prediction.
        output: Folder of the videos, in place of that.
        options: As for :func:`vitruve.recordings.create_videos_3d`.

    Returns:
        The videos.

    Raises:
        VitruveError: There is no such prediction, or as for :func:`vitruve.recordings.create_videos_3d`.
    """
    place = _prediction(project, prediction, table, 3)
    return recordings.create_videos_3d(
        place,
        output or _videos(project, 3),
        cameras=cameras,
        calibration=dataset_name,
        training_set=_training_set(project),
        skeleton=_skeleton(project, place),
        **options,
    )


def create_videos_2d(
    project: Project,
    prediction: str | Path = LATEST,
    *,
    table: str | None = None,
    output: str | Path | None = None,
    **options: Any,
) -> Path:
    """Draw a prediction into a copy of its video, in ``visualization/Videos_2D_<time>``.

    Args:
        project: The project.
        prediction: ``latest``, its name, its folder, or its ``data2D.csv``.
        table: Name of a table of keypoints in its folder; None for ``data2D.csv``.
        output: Folder of the video, in place of that.
        options: As for :func:`vitruve.recordings.create_videos_2d`.

    Returns:
        The drawn video.

    Raises:
        VitruveError: There is no such prediction, or as for :func:`vitruve.recordings.create_videos_2d`.
    """
    place = _prediction(project, prediction, table, 2)
    return recordings.create_videos_2d(
        place, output or _videos(project, 2), skeleton=_skeleton(project, place), **options
    )


def _training_set(project: Project) -> Path | None:
    """A project whose training set is elsewhere can predict, too: with a calibration."""
    try:
        return project.dataset("3D")
    except ConfigError:
        return None


def _prediction(project: Project, which: str | Path, table: str | None, dims: int) -> Path:
    make = f"vitruve project predict{dims}d {project.name} ..."
    place = find(project.predictions / _FOLDERS[dims], which, "prediction", f"Predictions_{dims}D", make)
    if table is None:
        return place
    if not (place / table).is_file():
        raise InputError(f"--data-csv {table}: no such file in {place}")
    return place / table


def _skeleton(project: Project, prediction: Path) -> Skeleton | None:
    """What the settings say; None where the prediction says it itself."""
    home = prediction if prediction.is_dir() else prediction.parent
    names, bones = project.config.KEYPOINT_NAMES, project.config.SKELETON
    if (home / "skeleton.yaml").is_file() or not names:
        return None
    return Skeleton.from_names(names, [(names.index(a), names.index(b)) for a, b in bones])


def _videos(project: Project, dims: int) -> Path:
    return project.path / "visualization" / f"Videos_{dims}D_{timestamp()}"
