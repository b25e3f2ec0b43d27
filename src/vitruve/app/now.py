"""How what goes on stands right now, for browsers that ask again and again: it costs a thousandth of drawing a page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vitruve.app.age import age_of
from vitruve.app.job_kinds import kind_of
from vitruve.app.progress import Bar, bars_of
from vitruve.app.training.curves import metrics_age
from vitruve.app.training.progress import Step, progress_of, run_status
from vitruve.app.workspace import Workspace
from vitruve.errors import VitruveError
from vitruve.jobs import Job
from vitruve.jobs.job import QUEUED

ADDRESS = "/workspace/now"
"""Where a browser asks; :meth:`Watched.query` is what for."""

_WARNINGS = 3


class Now(TypedDict):
    """What is said of something that is watched.

    Attributes:
        version: Another one when what is drawn of it no longer holds.
        bars: How far it is, which the browser draws itself.
    """

    version: str
    bars: list[Bar]


@dataclass(frozen=True)
class Watched:
    """What a part of a page shows.

    Attributes:
        job: Its state and what it has warned of; empty for none.
        log: All that the job says, too.
        step: How far the job's step at hand is, too.
        runs: The state and the metrics of these run directories.
        files: These files.
        bars: Say how far the job and the runs are.
    """

    job: str = ""
    log: bool = False
    step: bool = False
    runs: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    bars: bool = False

    def query(self, workspace: Workspace) -> str:
        """The part of an address that says this.

        Args:
            workspace: The folders that runs and files lie below.

        Returns:
            What :meth:`of` reads.
        """
        flags = [(name, "1") for name in ("log", "step", "bars") if getattr(self, name)]
        paths = [("run", workspace.name(run)) for run in self.runs] + [("file", workspace.name(f)) for f in self.files]
        return urlencode([*([("job", self.job)] if self.job else []), *flags, *paths])

    @classmethod
    def of(cls, request: Request, workspace: Workspace) -> Watched:
        """What an address asks for.

        Args:
            request: With a query as :meth:`query` makes it.
            workspace: The folders.

        Returns:
            The same.

        Raises:
            InputError: A path is not below the folders.
        """
        asked = request.query_params
        paths = {name: tuple(map(workspace.resolve, asked.getlist(name))) for name in ("run", "file")}
        flags = {name: name in asked for name in ("log", "step", "bars")}
        return cls(asked.get("job", ""), runs=paths["run"], files=paths["file"], **flags)


def now(workspace: Workspace, watched: Watched) -> Now:
    """How something stands.

    Args:
        workspace: The folders.
        watched: What.

    Returns:
        Its version and its bars.
    """
    parts: list[str] = []
    bars: list[Bar] = []
    if watched.job:
        try:
            job = workspace.jobs.get(watched.job)
            parts += _job_parts(job, watched)
            if watched.bars:
                bars = bars_of(kind_of(job).standing(job), waits=job.state == QUEUED)
        except VitruveError:
            # Somebody has removed it.
            parts.append("gone")
    for run in watched.runs:
        status = run_status(run)
        parts.append("-" if status is None else f"{status.status}:{status.process}:{status.completed}")
        parts.append(metrics_age(run))
        if watched.bars:
            bars += bars_of(progress_of([Step(run, 0 if status is None else status.total, status)], time.time()))
    parts += map(age_of, watched.files)
    return {"version": " ".join(parts), "bars": bars}


class Answers:
    """Answers at :data:`ADDRESS`; it stands before Streamlit's own layers, which would cost twice as much again.

    Args:
        app: What answers everywhere else.
        workspace: The folders; of nothing outside anything is said.
    """

    def __init__(self, app: ASGIApp, workspace: Workspace) -> None:
        self._app = app
        self._workspace = workspace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != ADDRESS:
            await self._app(scope, receive, send)
            return
        answer = await to_thread.run_sync(self._said, scope)
        await answer(scope, receive, send)

    def _said(self, scope: Scope) -> Response:
        try:
            said = now(self._workspace, Watched.of(Request(scope), self._workspace))
        except (VitruveError, OSError):
            # Such as a name that no file can have.
            return PlainTextResponse("not there", 404)
        return JSONResponse(said, headers={"cache-control": "no-store"})


def job_state(job: Job) -> str:
    """One of the states of a job in words, also ``stopping``."""
    return "stopping" if job.active and job.stop_mark.exists() else job.state


def warnings_of(job: Job) -> list[str]:
    """What a job has warned of; its log is read anew only when it has grown."""
    return _warnings(job.path, job.log.stat().st_size if job.log.is_file() else 0)


@lru_cache(256)
def _warnings(path: Path, size: int) -> list[str]:
    return Job.load(path).warned()[:_WARNINGS]


def _job_parts(job: Job, watched: Watched) -> Iterator[str]:
    yield job_state(job)
    yield str(len(warnings_of(job)))
    if watched.log:
        yield age_of(job.log)
    if watched.step:
        yield age_of(job.path / "progress.json")
