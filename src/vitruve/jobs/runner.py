"""The process of a job: waits for its turn, runs the verb, and writes how it ended.

python -m vitruve.jobs.runner FOLDER
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from vitruve.jobs.job import Job
from vitruve.jobs.progress import PROGRESS
from vitruve.jobs.queue import Jobs

_TURN_SECONDS = 0.2


def run(path: Path) -> int:
    """Do a job.

    Args:
        path: Its folder.

    Returns:
        The exit code of its verb.
    """
    job = Job.load(path)
    mine = psutil.Process()
    job.write("runner", {"pid": mine.pid, "started": mine.create_time()})
    if not _turn(job):
        job.write("end", {"code": None, "time": time.time()})
        return 0
    with job.log.open("ab", buffering=0) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "vitruve.cli.main", *job.arguments],
            cwd=job.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {PROGRESS: str(job.path / "progress.json")},
        )
        child = psutil.Process(process.pid)
        job.write("process", {"pid": child.pid, "started": child.create_time(), "time": time.time()})
        if job.stop_mark.exists():
            # Asked for between the look and the start.
            process.terminate()
        code = process.wait()
    job.write("end", {"code": code, "time": time.time()})
    return code


def _turn(job: Job) -> bool:
    """Wait for those before this one; False when the job is stopped meanwhile."""
    while not job.stop_mark.exists():
        if not job.waits or not any(other.waits and other.id < job.id and other.active for other in _others(job)):
            return True
        time.sleep(_TURN_SECONDS)
    return False


def _others(job: Job) -> list[Job]:
    return Jobs(job.path.parent).all()


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
