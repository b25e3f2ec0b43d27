"""Projects as the app shows them: a folder with a ``config.yaml``, whatever kind of networks it is for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from vitruve.app.age import age_of
from vitruve.app.workspace import Workspace
from vitruve.config.yaml_file import read_yaml
from vitruve.errors import InputError, RunError, VitruveError
from vitruve.project import Project, Stage
from vitruve.run import RunFiles, Status

CONFIG = "config.yaml"
POSES, RIG = "poses", "rig"
"""One network from images to poses or boxes; or the three networks of several calibrated cameras, from images to mm."""

MADE = (
    *("outputs", "multirun", "models", "logs", "predictions", "visualization", "analysis", "pretrained"),
    *("maps", "auto_annotation"),
)
"""Folders of a project for what verbs make."""

_DEPTH = 3
_SKIPPED = ("labeled-data", "videos", "node_modules", "models", "logs", "predictions", "outputs", "multirun")
_RUN_DEPTH = 5
# What is read of a run, of a map or of a prediction lies no deeper; checkpoints are not read here.
_READ_DEPTH = 2
_UNREAD = (".safetensors", ".pt", ".ckpt")


@dataclass(frozen=True)
class RunEntry:
    """A run of a project.

    Attributes:
        path: Its directory.
        name: Relative to the project.
        stage: Its network in a project of kind ``rig``, such as ``CenterDetect``; empty otherwise.
    """

    path: Path
    name: str
    stage: str = ""

    @property
    def files(self) -> RunFiles:
        """The names of its files."""
        return RunFiles(self.path)

    @property
    def finished(self) -> bool:
        """Whether something can be predicted with it."""
        return (self.files.model.is_file() and self.files.weights.is_file()) or bool(self.files.members())

    @property
    def status(self) -> Status | None:
        """How its training stands; None where nothing is known of it."""
        try:
            return self.files.read_status() if self.files.status.is_file() else None
        except RunError:
            return None


@dataclass(frozen=True)
class AppProject:
    """A project.

    Attributes:
        path: Its folder.
        kind: :data:`POSES` or :data:`RIG`.
        workspace: What may be read and written; None for everything.
    """

    path: Path
    kind: str
    workspace: Workspace | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def config(self) -> Path:
        """Its settings."""
        return self.path / CONFIG

    @property
    def rig(self) -> Project:
        """A project of kind ``rig`` as the Python API has it."""
        return Project(self.path)

    def runs(self) -> list[RunEntry]:
        """All runs, finished or not, the newest first."""
        found: list[RunEntry] = []
        if self.kind == RIG:
            for stage in Stage:
                found += [RunEntry(run, f"{stage}/{run.name}", str(stage)) for run in self.rig.runs(stage)]
        else:
            found = [RunEntry(run, run.relative_to(self.path).as_posix()) for run in _runs_below(self.path, _RUN_DEPTH)]
        return sorted((run for run in found if self.holds(run.path)), key=lambda run: _age(run.path), reverse=True)

    def new_run(self, name: str) -> Path:
        """A folder for the next run.

        Args:
            name: What it is to be called.

        Returns:
            ``outputs/<name>``, with a number if that is taken.
        """
        path, number = self.path / "outputs" / name, 2
        while path.exists():
            path, number = self.path / "outputs" / f"{name}_{number}", number + 1
        return path

    def check_written(self) -> None:
        """Make sure that what verbs write for this project stays in the workspace.

        Raises:
            InputError: A link leads one of their folders out of it.
        """
        if self.workspace is not None:
            for name in MADE:
                self.workspace.resolve(self.path / name)

    def holds(self, folder: Path) -> bool:
        """Whether a file or folder of the project may be read, with what lies in it.

        Args:
            folder: Within the project.

        Returns:
            False if it, or a link in it, leads out of the workspace.
        """
        return self.workspace is None or (
            self.workspace.holds(folder) and not _leads_out(folder, self.workspace, _READ_DEPTH)
        )


def find_projects(workspace: Workspace) -> list[AppProject]:
    """The projects of a workspace, by their names.

    Args:
        workspace: The folders; those three levels down are looked at.

    Returns:
        The projects.
    """
    found = {path: kind for root in workspace.roots for path, kind in _below(root, _DEPTH)}
    held = [AppProject(path, kind, workspace) for path, kind in found.items() if workspace.holds(path / CONFIG)]
    return sorted(held, key=lambda each: each.name.lower())


def open_project(workspace: Workspace, path: str | Path) -> AppProject:
    """A project by its folder.

    Args:
        workspace: The folders.
        path: As :meth:`Workspace.resolve` takes it.

    Returns:
        The project.

    Raises:
        InputError: It is not below the folders, or no project.
    """
    folder = workspace.existing(path, "folder")
    kind = _kind(folder)
    if kind is None or not workspace.holds(folder / CONFIG):
        raise InputError(f"{folder}: no project: it has no {CONFIG} with settings of Vitruve")
    return AppProject(folder, kind, workspace)


def _kind(folder: Path) -> str | None:
    """What a folder is a project of; None where it is none, as a run is, whose settings stand beside its status."""
    config = folder / CONFIG
    if not config.is_file() or (folder / "status.json").is_file() or (folder / "model.json").is_file():
        return None
    sections = _sections(config, set())
    if sections & {"CENTERDETECT", "KEYPOINTDETECT"}:
        return RIG
    return POSES if sections & {"data", "model", "training"} else None


@lru_cache(256)
def _read_sections(file: Path, age: str) -> tuple[tuple[str, ...], Any]:
    """The sections of a file, and its ``defaults``; each run of a page asks for those of all projects."""
    settings = read_yaml(file)
    return tuple(settings), settings.get("defaults")


def _sections(file: Path, seen: set[Path]) -> set[str]:
    """What settings are of, also those in files that ``defaults`` name; none of them need be right for that.

    Args:
        file: The settings.
        seen: Files that were looked at; each is once, however many name it.

    Returns:
        The names of the sections.
    """
    if file in seen:
        return set()
    seen.add(file)
    try:
        known, named = _read_sections(file, age_of(file)) if file.is_file() else ((), None)
    except (VitruveError, OSError):
        return set()
    found = set(known)
    for entry in named if isinstance(named, list) else ():
        # As Hydra has them: 'file', 'group/file' or 'group: file', with 'optional' before or '@part' behind the group.
        text = next(iter(entry), "") if isinstance(entry, dict) else entry
        first, *more = str(text).rpartition(" ")[2].partition("@")[0].strip("/").split("/")
        if more or isinstance(entry, dict):
            found.add(first)
        else:
            found |= _sections(file.with_name(f"{first}.yaml"), seen)
    return found


def _below(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    kind = _kind(folder)
    if kind is not None:
        yield folder, kind
    if depth:
        for path in _folders(folder):
            if path.name not in _SKIPPED:
                yield from _below(path, depth - 1)


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    for path in _folders(folder):
        if (path / CONFIG).is_file() and ((path / "status.json").is_file() or (path / "model.json").is_file()):
            yield path
        elif depth and path.name not in ("labeled-data", "videos", "trials"):
            yield from _runs_below(path, depth - 1)


def _leads_out(folder: Path, workspace: Workspace, depth: int) -> bool:
    """Whether a link in a folder leads out of the workspace."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return False
    for entry in found:
        if entry.is_symlink():
            if not entry.name.endswith(_UNREAD) and not workspace.holds(entry.path):
                return True
        elif depth and entry.is_dir() and _leads_out(Path(entry.path), workspace, depth - 1):
            return True
    return False


def _folders(folder: Path) -> list[Path]:
    try:
        return [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.is_symlink() and not p.name.startswith(".")]
    except OSError:
        return []


def _age(path: Path) -> float:
    for name in ("status.json", "model.json", CONFIG):
        if (path / name).is_file():
            return (path / name).stat().st_mtime
    return 0.0
