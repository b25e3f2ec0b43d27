"""Jobs of a folder: handed in, listed, stopped. Whoever looks at the folder sees the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from vitruve.errors import RunError
from vitruve.jobs.job import Job
from vitruve.run import process_runs

_DIGITS = 6
_STARTED_SECONDS = 20.0


class Jobs:
    """All jobs of a folder.

    Args:
        folder: Holds one folder a job; made when the first one is handed in.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()

    def submit(
        self,
        arguments: Sequence[str],
        folder: str | Path,
        *,
        title: str = "",
        about: Mapping[str, str] | None = None,
        waits: bool = True,
    ) -> Job:
        """Hand in a verb: the same process that the command line would start, detached from this one.

        Args:
            arguments: Verb and arguments, as after ``vitruve`` on the command line.
            folder: The working directory.
            title: For people; by default the arguments.
            about: What it is about, such as ``project`` and ``run``.
            waits: Begin when those handed in before have ended; without, at once.

        Returns:
            The job.

        Raises:
            RunError: The process could not be started.
        """
        job = Job(
            self._new_folder(),
            tuple(map(str, arguments)),
            Path(folder).absolute(),
            title or " ".join(arguments),
            dict(about or {}),
            time.time(),
            waits,
        )
        job.save()
        process = subprocess.Popen(
            [sys.executable, "-m", "vitruve.jobs.runner", str(job.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._await_runner(job, process)
        return job

    def all(self) -> list[Job]:
        """All jobs, the newest first; folders that hold none are left out."""
        found = []
        for path in sorted(self.folder.glob("job-*"), reverse=True):
            if (path / "job.json").is_file():
                found.append(Job.load(path))
        return found

    def get(self, number: str) -> Job:
        """One job.

        Args:
            number: Its :attr:`Job.id`.

        Returns:
            The job.

        Raises:
            RunError: There is none.
        """
        path = self.folder / number
        if path not in self.folder.glob("job-*") or not (path / "job.json").is_file():
            raise RunError(f"no job '{number}' in {self.folder}")
        return Job.load(path)

    def stop(self, job: Job) -> None:
        """Ask a job to end: what it has done so far stays, and training can be resumed. One that waits never begins.

        Args:
            job: The job; one that has ended is left alone.
        """
        if not job.active:
            return
        job.stop_mark.touch()
        process = job.read("process")
        if process is not None and process_runs(int(process["pid"]), float(process["started"])):
            # As Ctrl-C does on a terminal, but for this process alone: it tells its own.
            try:
                psutil.Process(int(process["pid"])).terminate()
            except psutil.NoSuchProcess:
                return

    def forget(self, job: Job) -> None:
        """Remove the folder of a job that has ended; what the job has made stays.

        Args:
            job: The job.

        Raises:
            RunError: It still waits or runs.
        """
        if job.active:
            raise RunError(f"{job.title}: is {job.state}; stop it first")
        shutil.rmtree(job.path, ignore_errors=True)

    def _new_folder(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            taken = [int(name) for path in self.folder.glob("job-*") if (name := path.name[4:]).isdigit()]
            path = self.folder / f"job-{max(taken, default=0) + 1:0{_DIGITS}d}"
            try:
                path.mkdir()
                return path
            except FileExistsError:
                continue

    def _await_runner(self, job: Job, process: subprocess.Popen[bytes]) -> None:
        """Until the runner has said who it is: from then on a job can be seen to wait or run."""
        limit = time.monotonic() + _STARTED_SECONDS
        while time.monotonic() < limit:
            if job.read("runner") is not None:
                return
            if process.poll() is not None and job.read("end") is None:
                break
            time.sleep(0.01)
        raise RunError(f"{job.title}: its process did not start; {job.log} may say why")
