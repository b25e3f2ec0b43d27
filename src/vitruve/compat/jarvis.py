"""JARVIS' projects: their ``config.yaml`` read and written, and the settings of Vitruve that it comes to.

A project made here keeps JARVIS' own ``config.yaml``, and one made by JARVIS can be opened here as it is; only the
networks have to be trained again, because JARVIS keeps them as pickles.
"""

from __future__ import annotations

from pathlib import Path

from vitruve.config.schema import Config
from vitruve.project.config_file import ProjectConfig
from vitruve.project.config_file import read_config as read_config
from vitruve.project.config_file import write_config as _write
from vitruve.project.folder import Project, Stage
from vitruve.project.stages import stage_settings


def write_config(project: Project, path: str | Path) -> ProjectConfig:
    """Write a project's settings so that JARVIS finds the training sets, wherever the file is put.

    Args:
        project: The project.
        path: The file.

    Returns:
        The settings, with the training sets as absolute paths: JARVIS knows no relative ones.

    Raises:
        ConfigError: The project's settings are not as they should be, or a training set is not there.
        InputError: The file cannot be written.
    """
    config = project.config
    given = config.DATASET
    places = {
        "DATASET_2D": None if given.DATASET_2D is None else str(project.dataset("2D")),
        "DATASET_3D": None if given.DATASET_3D is None else str(project.dataset("3D")),
    }
    config = config.model_copy(update={"DATASET": given.model_copy(update=places)})
    _write(config, Path(path))
    return config


def settings(folder: str | Path) -> dict[str, Config]:
    """What ``config.yaml`` of a JARVIS project comes to here, for use with :func:`vitruve.train`.

    Args:
        folder: The project's.

    Returns:
        Settings of ``CenterDetect``, ``KeypointDetect`` and, where there is a 3D set, ``HybridNet``. What they start
        from, and the run that finds the animal, are left open: ``model.checkpoint``, ``crop.locator``.

    Raises:
        InputError: There is no project.
        ConfigError: The file is broken or contradicts itself, or a training set is not there.
    """
    project = Project.open(folder)
    config = project.config
    stages = [stage for stage in Stage if stage is not Stage.HYBRID or config.DATASET.DATASET_3D is not None]
    places = {stage: project.dataset("3D" if stage is Stage.HYBRID else "2D") for stage in stages}
    views = config.HYBRIDNET.NUM_CAMERAS or 1
    return {
        stage.value: Config.from_mapping(stage_settings(stage, config, place, views=views, mode="all"))
        for stage, place in places.items()
    }
