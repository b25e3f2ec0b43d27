"""Where a page is: the workspace, and the project that was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitruve.app.projects import AppProject
from vitruve.app.workspace import Workspace
from vitruve.jobs import Jobs

_served: list[Workspace] = []


@dataclass(frozen=True)
class Place:
    """What a page is given.

    Attributes:
        workspace: The folders that it may touch.
        project: The one that is open; None where there is none.
    """

    workspace: Workspace
    project: AppProject | None

    @property
    def jobs(self) -> Jobs:
        """What was started from the app."""
        return self.workspace.jobs

    def name(self, path: Path) -> str:
        """A path as people should read it: within the project, or else within the workspace."""
        if self.project is not None and self.project.path in path.parents:
            return path.relative_to(self.project.path).as_posix()
        return self.workspace.name(path)


def serve(workspace: Workspace) -> None:
    """Say what this process serves: Streamlit runs pages in threads of it, and hands them nothing.

    Args:
        workspace: The folders.
    """
    _served[:] = [workspace]


def served() -> Workspace:
    """What :func:`serve` said.

    Returns:
        The workspace.

    Raises:
        RuntimeError: Nothing is served.
    """
    if not _served:
        raise RuntimeError("no workspace is served: start the app with vitruve launch")
    return _served[0]
