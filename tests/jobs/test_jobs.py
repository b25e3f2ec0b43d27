"""Verbs as processes of their own: their turn, their end, being stopped, and being found again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from vitruve.errors import RunError
from vitruve.jobs.job import DONE, FAILED, LOST, QUEUED, RUNNING, STOPPED, Job
from vitruve.jobs.queue import Jobs


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.02)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "jobs")


def slow(jobs: Jobs, tmp_path: Path, title: str = "slow", waits: bool = True) -> Job:
    """A verb that takes minutes unless it is stopped."""
    words = ["example", "mouse", "mice", "--set", "frames=2000", "--set", "video_frames=1000"]
    return jobs.submit(words, tmp_path, title=title, waits=waits)


def test_a_verb_runs_to_its_end_and_is_found_again(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit(["list", "formats"], tmp_path, title="formats", about={"project": "mice"})
    until(lambda: not job.active)
    assert job.state == DONE and job.message == ""
    assert any("coco" in line for line in job.said())
    (again,) = Jobs(jobs.folder).all()
    assert again == job and again.about == {"project": "mice"}
    assert job.started is not None and job.ended is not None and job.created <= job.started <= job.ended


def test_what_fails_says_why(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit(["predict", "no_run", "no_video.mp4"], tmp_path)
    until(lambda: not job.active)
    assert job.state == FAILED
    assert job.message.startswith("error: ") and "no_run" in job.message
    assert job.title == "predict no_run no_video.mp4"


def test_jobs_wait_for_those_before_them_and_can_be_stopped(jobs: Jobs, tmp_path: Path) -> None:
    first = slow(jobs, tmp_path)
    until(lambda: first.state == RUNNING)
    second = jobs.submit(["list", "formats"], tmp_path)
    third = jobs.submit(["list", "formats"], tmp_path)
    at_once = jobs.submit(["list", "formats"], tmp_path, waits=False)
    until(lambda: at_once.state == DONE)
    assert (first.state, second.state, third.state) == (RUNNING, QUEUED, QUEUED)
    jobs.stop(second)
    until(lambda: second.state == STOPPED)
    assert second.started is None
    jobs.stop(first)
    until(lambda: first.state == STOPPED)
    until(lambda: third.state == DONE)
    jobs.stop(third)
    assert third.state == DONE


def test_a_job_whose_processes_were_killed_is_lost_and_holds_up_nobody(jobs: Jobs, tmp_path: Path) -> None:
    job = slow(jobs, tmp_path)
    until(lambda: job.read("process") is not None)
    with pytest.raises(RunError, match="stop it first"):
        jobs.forget(job)
    waiting = jobs.submit(["list", "formats"], tmp_path)
    for name in ("runner", "process"):
        os.kill(int((job.read(name) or {})["pid"]), signal.SIGKILL)
    until(lambda: job.state == LOST)
    assert "gone" in job.message
    until(lambda: waiting.state == DONE)
    jobs.forget(job)
    assert jobs.all() == [waiting]


def test_a_job_outlives_who_handed_it_in(jobs: Jobs, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        slow(jobs, tmp_path)
        os._exit(0)
    os.waitpid(child, 0)
    (job,) = jobs.all()
    until(lambda: job.state == RUNNING)
    runner = psutil.Process(int((job.read("runner") or {})["pid"]))
    assert os.getsid(runner.pid) == runner.pid
    jobs.stop(job)
    until(lambda: job.state == STOPPED)


def test_names_of_other_folders_are_no_jobs(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}")
    for name in ("..", "../jobs", "job-000001", str(tmp_path), ""):
        with pytest.raises(RunError, match="no job"):
            jobs.get(name)


def test_progress_bars_are_shown_as_they_stand(jobs: Jobs, tmp_path: Path) -> None:
    job = Job(tmp_path, ("list",), tmp_path)
    job.log.write_text("begin\n 10%\r 50%\r100%\n\x1b[31mred\x1b[0m\n\n")
    assert job.said() == ["begin", "100%", "red"]
    assert job.said(1) == ["red"]


def test_warnings_of_the_beginning_outlive_a_long_log(tmp_path: Path) -> None:
    job = Job(tmp_path, ("list",), tmp_path)
    assert job.warned() == []
    for lines in (0, 1, 9_000, 10_000, 15_000, 40_000):
        job.log.write_text("warning: first\n" + "epoch 1\n" * lines + "warning: last\n")
        assert job.warned() == ["first", "last"], lines
