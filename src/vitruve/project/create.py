"""A new project from a training set: what its settings have to be, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vitruve.errors import InputError
from vitruve.formats.hub import read_labels
from vitruve.formats.image_check import absent_images
from vitruve.project.config_file import (
    CenterSection,
    DatasetSection,
    HybridSection,
    KeypointSection,
    ProjectConfig,
    write_config,
)
from vitruve.project.folder import PROJECTS, Project, dataset_name
from vitruve.project.sizes import CropSize, CubeSize, crop_size, cube_size
from vitruve.structures.labels import Labels

# What JARVIS' manual calls a very small dataset: half the batch, twice the epochs.
_FEW_FRAMES = 500
_WORKERS = 4


@dataclass(frozen=True)
class Planned:
    """A project, and why its settings are what they are.

    Attributes:
        project: The project; nothing is on disk before it is created.
        config: Its settings.
        crop: How ``BOUNDING_BOX_SIZE`` was found.
        cube: How ``ROI_CUBE_SIZE`` and ``GRID_SPACING`` were found; None without a 3D set.
        reasons: Setting, value and reason, a line each.
    """

    project: Project
    config: ProjectConfig
    crop: CropSize
    cube: CubeSize | None
    reasons: tuple[str, ...]


def create_project(
    name: str | Path,
    dataset3d: str | Path | None = None,
    dataset2d: str | Path | None = None,
    *,
    folder: str | Path = PROJECTS,
) -> Planned:
    """Make a project whose settings are derived from its training set.

    Args:
        name: Its name, or its folder.
        dataset3d: JARVIS' TrainingSet of framesets of calibrated cameras; None for a project of images alone.
        dataset2d: TrainingSet of images; the other one by default.
        folder: Where it is made, where ``name`` is no folder.

    Returns:
        The project, and why its settings are what they are.

    Raises:
        InputError: There is a project already, or a set is not as it should be. Nothing is written then.
    """
    made = plan_project(name, dataset3d, dataset2d, folder=folder)
    write_config(made.config, made.project.config_file)
    made.project.predictions.mkdir(exist_ok=True)
    return made


def plan_project(
    name: str | Path,
    dataset3d: str | Path | None = None,
    dataset2d: str | Path | None = None,
    *,
    folder: str | Path = PROJECTS,
) -> Planned:
    """Derive the settings of a project from its training set, and write nothing.

    Args:
        name: As for :func:`create_project`, like all that follows.
        dataset3d: TrainingSet of framesets.
        dataset2d: TrainingSet of images.
        folder: Where it would be made.

    Returns:
        The project as :func:`create_project` would make it.

    Raises:
        InputError: As for :func:`create_project`.
    """
    if dataset3d is None and dataset2d is None:
        raise InputError("dataset3d, dataset2d: neither is given; name the TrainingSet of the project")
    path = Path(name) if len(Path(name).parts) > 1 else Path(folder) / name
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path}: is there already; choose another name, or remove it")
    in_space = None if dataset3d is None else _calibrated(Path(dataset3d))
    same = dataset2d is None or (dataset3d is not None and Path(dataset2d) == Path(dataset3d))
    flat = in_space if same or dataset2d is None else _read(Path(dataset2d))
    assert flat is not None
    if in_space is not None and flat.skeleton.names != in_space.skeleton.names:
        raise InputError(
            f"{dataset2d}: has the keypoints {', '.join(flat.skeleton.names)}, but {dataset3d} has "
            f"{', '.join(in_space.skeleton.names)}; give sets with the same keypoints"
        )
    crop = crop_size(flat)
    cube = None if in_space is None else cube_size(in_space)
    few = sum(frame.split == "train" for frame in flat) < _FEW_FRAMES
    dataset = DatasetSection(
        DATASET_2D=dataset_name(path, dataset3d if dataset2d is None else dataset2d),
        DATASET_3D=dataset_name(path, dataset3d),
    )
    config = _config(dataset, flat, in_space, crop, cube, few)
    sets = {part.root: part for part in (in_space, flat) if part is not None}
    lost = [_without_images(part) for part in sets.values()]
    reasons = (*_reasons(config, crop, cube, few), *filter(None, lost))
    return Planned(Project(path), config, crop, cube, reasons)


def _read(path: Path) -> Labels:
    if not path.exists():
        raise InputError(f"{path}: no such folder; give a TrainingSet")
    return read_labels(path, "jarvis")


def _calibrated(path: Path) -> Labels:
    labels = _read(path)
    if len(labels.view_names) < 2:
        raise InputError(
            f"{path}: is a 2D export, without calibrations; give it as --dataset2d, or export the set as 3D"
        )
    return labels


def _without_images(labels: Labels) -> str:
    """What is said where images are not there: sizes come from the labels alone."""
    lost, named = absent_images(labels)
    if not lost:
        return ""
    return (
        f"{len(lost)} of {named} images are not there (first: {labels.path(lost[0])}): the labels alone give these "
        "sizes, but training needs the images; put them there first"
    )


def _config(
    dataset: DatasetSection, flat: Labels, in_space: Labels | None, crop: CropSize, cube: CubeSize | None, few: bool
) -> ProjectConfig:
    batch, times = (4, 2) if few else (8, 1)
    hybrid = HybridSection()
    names = flat.skeleton.names
    center, keypoint = CenterSection(), KeypointSection()
    return ProjectConfig(
        DATALOADER_NUM_WORKERS=min(_WORKERS, max(0, (os.cpu_count() or 1) - 1)),
        DATASET=dataset,
        CENTERDETECT=center.model_copy(update={"BATCH_SIZE": batch, "NUM_EPOCHS": times * center.NUM_EPOCHS}),
        KEYPOINTDETECT=keypoint.model_copy(
            update={
                "BATCH_SIZE": batch,
                "NUM_EPOCHS": times * keypoint.NUM_EPOCHS,
                "BOUNDING_BOX_SIZE": crop.pixels,
                "NUM_JOINTS": len(names),
            }
        ),
        HYBRIDNET=hybrid.model_copy(
            update={
                "NUM_EPOCHS": times * hybrid.NUM_EPOCHS,
                "NUM_CAMERAS": None if in_space is None else len(in_space.view_names),
                "ROI_CUBE_SIZE": None if cube is None else cube.edge,
                "GRID_SPACING": None if cube is None else cube.spacing,
            }
        ),
        KEYPOINT_NAMES=names,
        SKELETON=tuple((names[a], names[b]) for a, b in flat.skeleton.edges),
    )


def _reasons(config: ProjectConfig, crop: CropSize, cube: CubeSize | None, few: bool) -> list[str]:
    lines = [f"BOUNDING_BOX_SIZE {crop.pixels} px: {crop.reason}"]
    if cube is None:
        lines.append("no 3D dataset: the project has CenterDetect and KeypointDetect alone")
    else:
        lines.append(f"ROI_CUBE_SIZE {cube.edge:g} mm, GRID_SPACING {cube.spacing:g} mm: {cube.reason}")
    if few:
        epochs = ", ".join(
            str(section.NUM_EPOCHS) for section in (config.CENTERDETECT, config.KEYPOINTDETECT, config.HYBRIDNET)
        )
        lines.append(
            f"BATCH_SIZE {config.CENTERDETECT.BATCH_SIZE}, NUM_EPOCHS {epochs}: fewer than {_FEW_FRAMES} frames"
        )
    return lines
