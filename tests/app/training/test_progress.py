"""How far a training is, from what its runs say."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from vitruve.app.progress import Standing, duration
from vitruve.app.training.progress import (
    Step,
    about_steps,
    go_on_arguments,
    progress_of,
    run_status,
    steps_of,
    training_progress,
)
from vitruve.jobs import Job
from vitruve.run import RunFiles, Status


def status(
    state: str, done: int, total: int, share: float = 0.0, left: float | None = None, alive: bool = True
) -> Status:
    return Status(state, done, total, 1000.0, process=77 if alive else None, epoch_share=share, seconds_left=left)


def step(name: str, epochs: int, now: Status | None = None) -> Step:
    return Step(Path(f"/p/models/{name}/Run_1"), epochs, now)


def test_one_network_says_epoch_share_and_time_left() -> None:
    found = progress_of([step("x", 10, status("TRAINING", 4, 10, 0.5, 60.0))], now=1010.0)
    assert found == Standing(0.45, "epoch 5 of 10", 50.0, 0.5, "50% of this epoch")
    late = progress_of([step("x", 10, status("TRAINING", 4, 10, 0.5, 60.0))], now=2000.0)
    assert late is not None and late.seconds_left == 0.0


def test_one_that_is_to_end_says_so_and_nothing_of_epochs(tmp_path: Path) -> None:
    job = Job(tmp_path, ("train",), tmp_path, about=about_steps([step("x", 10)]))
    said = training_progress(job)
    assert said is not None and said.text == "reading images and settings"
    job.stop_mark.touch()
    said = training_progress(job)
    assert said is not None and said.share is None and said.text.startswith("stopping")


def test_networks_one_after_the_other_are_one_whole_of_epochs() -> None:
    done = status("COMPLETED", 20, 20, alive=False)
    found = progress_of(
        [step("CenterDetect", 20, done), step("KeypointDetect", 30, status("TRAINING", 3, 30)), step("H", 50)], 1000.0
    )
    assert found is not None
    assert found.share == pytest.approx(23 / 100)
    assert found.text == "KeypointDetect (2 of 3): epoch 4 of 30" and found.seconds_left is None


def test_time_that_is_left_is_said_of_the_network_at_hand_where_others_follow() -> None:
    now = status("TRAINING", 3, 30, left=90.0)
    found = progress_of([step("KeypointDetect", 30, now), step("HybridNet", 50)], 1000.0)
    assert found is not None and found.seconds_left is None
    assert found.text == "KeypointDetect (1 of 2): epoch 4 of 30; 1 min 30 s left of this network"
    done = status("COMPLETED", 20, 20, alive=False)
    last = progress_of([step("CenterDetect", 20, done), step("KeypointDetect", 30, now)], 1000.0)
    assert last is not None and (last.text, last.seconds_left) == ("KeypointDetect (2 of 2): epoch 4 of 30", 90.0)


@pytest.mark.parametrize(
    ("now", "text", "share"),
    [
        (None, "reading images and settings", 0.0),
        (status("INTERRUPTED", 4, 10, alive=False), "reading images and settings", 0.4),
        (status("EVALUATING", 10, 10), "measuring errors on the labelled images, and what follows training", 1.0),
        (status("COMPLETED", 10, 10, alive=False), "finishing", 1.0),
    ],
)
def test_what_is_not_an_epoch_is_said(now: Status | None, text: str, share: float) -> None:
    found = progress_of([step("x", 10, now)], 1000.0)
    assert found is not None and (found.text, found.share, found.part) == (text, share, None)


def test_nothing_is_known_of_a_job_that_does_not_say_what_it_trains(tmp_path: Path) -> None:
    assert progress_of([], 0.0) is None
    assert steps_of(Job(tmp_path, ("train",), tmp_path)) == []


def test_a_job_remembers_its_runs_whatever_their_names(tmp_path: Path) -> None:
    steps = [Step(tmp_path / "a b, c", 3), Step(tmp_path / "d", 44)]
    job = Job(tmp_path / "job", ("train",), tmp_path, about=dict(about_steps(steps)))
    assert steps_of(job) == steps
    RunFiles(steps[1].run).write_status("TRAINING", 2, 50, epoch_share=0.25, metrics={"seconds_left": 8.5})
    first, second = steps_of(job)
    assert first.status is None and second.status is not None
    # max_epochs of the run counts, which a file may have changed since.
    assert (second.epochs, second.done, second.status.seconds_left) == (50, 2.25, 8.5)


def test_an_ensemble_is_as_far_as_all_its_networks(tmp_path: Path) -> None:
    run = RunFiles(tmp_path)
    run.write_status("TRAINING", 10, 30)
    for index, (state, done) in enumerate((("COMPLETED", 10), ("TRAINING", 4))):
        run.member(index).path.mkdir()
        run.member(index).config.write_text("{}")
        run.member(index).write_status(state, done, 10, epoch_share=0.5 * index)
    found = run_status(tmp_path)
    assert found is not None and (found.completed, found.total, found.epoch_share) == (14, 30, 0.5)


def test_a_damaged_status_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    assert run_status(tmp_path) is None
    assert run_status(tmp_path / "nowhere") is None


def test_a_status_of_an_older_program_has_no_share(tmp_path: Path) -> None:
    RunFiles(tmp_path).write_status("TRAINING", 1, 2)
    record = json.loads((tmp_path / "status.json").read_text())
    assert "epoch_share" not in record
    found = RunFiles(tmp_path).read_status()
    assert found.epoch_share == 0.0 and found.seconds_left is None and abs(found.timestamp - time.time()) < 60


def job_of(tmp_path: Path, arguments: tuple[str, ...], begun: bool) -> Job:
    run = tmp_path / "outputs" / "it's (1)"
    if begun:
        RunFiles(run).write_status("INTERRUPTED", 1, 5)
    return Job(tmp_path / "job", arguments, tmp_path, about=dict(about_steps([Step(run, 5)])))


def test_a_stopped_training_goes_on_and_one_that_never_began_begins(tmp_path: Path) -> None:
    given = ("train", "config.yaml", "training.max_epochs=5")
    assert go_on_arguments(job_of(tmp_path, given, begun=False)) == given
    again = go_on_arguments(job_of(tmp_path, given, begun=True))
    assert again == ("train", f"resume={tmp_path}/outputs/it's (1)")
    assert go_on_arguments(job_of(tmp_path, again, begun=True)) == again
    rig = ("project", "train", "p", "all", "--run", "Run_1")
    assert go_on_arguments(job_of(tmp_path, rig, begun=True)) == (*rig, "--resume")
    assert go_on_arguments(job_of(tmp_path, (*rig, "--resume"), begun=True)) == (*rig, "--resume")


def test_durations_as_people_read_them() -> None:
    assert [duration(s) for s in (-3, 8.4, 60, 200, 7500)] == ["0 s", "8 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]
