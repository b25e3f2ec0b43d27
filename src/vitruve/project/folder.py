"""A project on disk: ``config.yaml``, ``models/<network>/Run_<time>/``, ``logs/``, ``predictions/``."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from vitruve.errors import ConfigError, InputError, RunError, nearest
from vitruve.project.config_file import ProjectConfig, read_config
from vitruve.run import RunFiles

PROJECTS = "projects"
"""The folder that projects are in, unless something else is said."""

LATEST = "latest"
"""Names the newest finished run of a network."""

_CONFIG = "config.yaml"
_DATASETS = "datasets"
_RUN = "Run_"


class Stage(StrEnum):
    """The networks of a project, in the order in which they are trained; the values name their folders."""

    CENTER = "CenterDetect"
    KEYPOINT = "KeypointDetect"
    HYBRID = "HybridNet"

    @classmethod
    def named(cls, name: str) -> Stage:
        """A network by its name, long or short, in any case: ``center``, ``KeypointDetect``, ``hybridNet``.

        Args:
            name: The name.

        Returns:
            The network.

        Raises:
            InputError: There is no such network.
        """
        plain = name.lower()
        for stage in cls:
            if plain in (stage.value.lower(), stage.short):
                return stage
        known = [stage.short for stage in cls]
        raise InputError(f"'{name}': no network of a project{nearest(plain, known)}; known are {', '.join(known)}")

    @property
    def short(self) -> str:
        """The name on the command line."""
        return self.value.lower().removesuffix("detect")

    @property
    def section(self) -> str:
        """The section of ``config.yaml``."""
        return self.value.upper()


@dataclass(frozen=True)
class Project:
    """A project on disk. Everything in it is found from :attr:`path`, so that it can be moved.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def open(cls, name: str | Path, folder: str | Path = PROJECTS) -> Project:
        """A project that is there.

        Args:
            name: Its folder, or its name in ``folder``.
            folder: Where projects are.

        Returns:
            The project.

        Raises:
            InputError: There is no such project.
        """
        for path in (Path(name), Path(folder) / name):
            if (path / _CONFIG).is_file():
                return cls(path)
        there = [project.name for project in list_projects(folder)]
        hint = nearest(str(name), there) or (f"; there are {', '.join(there)}" if there else "")
        raise InputError(
            f"{Path(folder) / name}: no such project{hint}; make it with: vitruve project create NAME --dataset3d PATH"
        )

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.resolve().name

    @property
    def config_file(self) -> Path:
        """The settings."""
        return self.path / _CONFIG

    @cached_property
    def config(self) -> ProjectConfig:
        """The settings.

        Raises:
            ConfigError: The file is not as it should be.
        """
        return read_config(self.config_file)

    @property
    def predictions(self) -> Path:
        """Folder of predictions."""
        return self.path / "predictions"

    @property
    def analysis(self) -> Path:
        """Folder of analyses of errors."""
        return self.path / "analysis"

    @property
    def pretrained(self) -> tuple[Path, ...]:
        """Folders of networks that were trained elsewhere: of this project, and of all projects."""
        here = self.path.resolve()
        return self.path / "pretrained", here.parent / "pretrained", here.parent.parent / "pretrained"

    def models(self, stage: Stage) -> Path:
        """Folder of the runs of a network."""
        return self.path / "models" / stage

    def logs(self, stage: Stage) -> Path:
        """Folder of the TensorBoard logs of a network, one a run."""
        return self.path / "logs" / stage

    def dataset(self, dimensions: Literal["2D", "3D"]) -> Path:
        """The training set.

        Args:
            dimensions: Of images, or of framesets. Where only one of them is set, it is taken for images, too.

        Returns:
            Its folder: as ``config.yaml`` says, or below the project, or in ``datasets`` beside the projects' folder.

        Raises:
            ConfigError: None is set, or it is not there.
        """
        section = self.config.DATASET
        given = section.DATASET_3D if dimensions == "3D" else section.DATASET_2D or section.DATASET_3D
        if given is None:
            raise ConfigError(
                f"{self.config_file}: DATASET.DATASET_{dimensions}: not set; name a {dimensions} TrainingSet"
            )
        home = self.path.resolve()
        places = (home / given, home.parent.parent / _DATASETS / given)
        candidates = [Path(os.path.normpath(place)) for place in places]
        found = next((path for path in candidates if path.exists()), None)
        if found is None:
            raise ConfigError(
                f"{self.config_file}: DATASET.DATASET_{dimensions}={given}: there is neither {candidates[0]} nor "
                f"{candidates[1]}; name the folder of a TrainingSet"
            )
        return found

    def runs(self, stage: Stage) -> list[Path]:
        """The runs of a network, oldest first, finished or not."""
        return sorted(path for path in self.models(stage).glob(f"{_RUN}*") if path.is_dir())

    def run(self, stage: Stage | str, which: str | Path = LATEST) -> Path:
        """A finished run of a network.

        Args:
            stage: The network.
            which: ``latest``, the name of a run, or any run's folder.

        Returns:
            The folder of the run.

        Raises:
            RunError: There is no such run, or it is not finished.
        """
        stage = stage if isinstance(stage, Stage) else Stage.named(stage)
        if str(which) != LATEST:
            named = self.models(stage) / which
            run = named if named.is_dir() else Path(which)
            RunFiles(run).read_model()
            return run
        runs = self.runs(stage)
        found = next((run for run in reversed(runs) if is_finished(run)), None)
        if found is None:
            unfinished = f"none of its {len(runs)} runs is finished" if runs else "it has not been trained"
            raise RunError(
                f"{self.models(stage)}: {unfinished}; train it with: vitruve project train {self.name} {stage.short}"
            )
        return found

    def locator(self, which: str | Path = LATEST) -> Path | None:
        """The run of CenterDetect that finds the animal for the other networks.

        Args:
            which: As for :meth:`run`.

        Returns:
            The folder of the run; None where ``latest`` is none, so that the one that a network keeps counts.

        Raises:
            RunError: There is no such run, or it is not finished.
        """
        try:
            return self.run(Stage.CENTER, which)
        except RunError:
            if str(which) != LATEST:
                raise
            return None

    def new_run_name(self, now: Callable[[], datetime.datetime] = datetime.datetime.now) -> str:
        """A name for the next training that no run of the project has: ``Run_<YYYYmmdd-HHMMSS>``."""
        moment = now()
        while any((self.models(stage) / f"{_RUN}{timestamp(moment)}").exists() for stage in Stage):
            moment += datetime.timedelta(seconds=1)
        return f"{_RUN}{timestamp(moment)}"


def dataset_name(project: Path, dataset: str | Path | None) -> str | None:
    """How a project names a training set: by its name if it lies in ``datasets``, else relative to the project.

    Args:
        project: The project's folder.
        dataset: The training set; None for none.

    Returns:
        What stands in ``config.yaml``.
    """
    if dataset is None:
        return None
    home, there = project.resolve(), Path(dataset).resolve()
    if there.parent == home.parent.parent / _DATASETS:
        return there.name
    return Path(os.path.relpath(there, home)).as_posix()


def timestamp(moment: datetime.datetime | None = None) -> str:
    """A moment, or now, as names of folders have it: ``YYYYmmdd-HHMMSS``."""
    return f"{moment or datetime.datetime.now():%Y%m%d-%H%M%S}"


def is_finished(run: Path) -> bool:
    """Whether a run's training is over, with all that follows it."""
    files = RunFiles(run)
    return files.model.is_file() and files.status.is_file() and files.read_status().status == "COMPLETED"


def list_projects(folder: str | Path = PROJECTS) -> list[Project]:
    """The projects in a folder, by name.

    Args:
        folder: Where projects are; it need not exist.

    Returns:
        The projects.
    """
    return [Project(path.parent) for path in sorted(Path(folder).glob(f"*/{_CONFIG}"))]
