"""Proposals wait until people have decided: what they accept goes to the server once, what they refuse never."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotation.cvat_standin import StandIn
from annotation.looking import POSE, Sees, boxes, labels, poses
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.proposals.pending import (
    Decision,
    Pending,
    accepted_task,
    decide,
    open_pending,
    pending_folders,
    send_review,
    state_of,
)
from vitruve.annotation.proposals.propose import propose
from vitruve.annotation.proposals.trail import ACCEPTED, REJECTED, Trail
from vitruve.errors import InputError
from vitruve.formats.hub import write_labels
from vitruve.jobs import Job
from vitruve.jobs.progress import PROGRESS
from vitruve.structures.annotation import Shape

FOUND = {
    "0.png": boxes((0, 0, 20, 20), (40, 40, 60, 60), scores=[0.9, 0.8]),
    "1.png": boxes((10, 10, 30, 30), (70, 0, 90, 20), classes=[0, 1], scores=[0.9, 0.7]),
}


@pytest.fixture
def pending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pending:
    """Two boxes that lack, one on each of two images."""
    Sees(FOUND).use(monkeypatch)
    write_labels(labels(tmp_path, boxes((0, 0, 20, 20)), boxes((10, 10, 30, 30))), tmp_path / "a.json", format="coco")
    propose("runs/net", [tmp_path / "a.json"], output=tmp_path / "out")
    (folder,) = pending_folders(tmp_path / "out")
    return open_pending(folder)


def test_images_that_were_looked_through_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRESS, str(tmp_path / "progress.json"))
    Sees(FOUND).use(monkeypatch)
    write_labels(labels(tmp_path, boxes((0, 0, 20, 20)), boxes((10, 10, 30, 30))), tmp_path / "a.json", format="coco")
    propose("runs/net", [tmp_path / "a.json"], output=tmp_path / "out")
    said = Job(tmp_path, (), tmp_path).progress
    assert said is not None and (said.title, said.done, said.total) == ("Looking through images", 2, 2)


def test_what_is_proposed_waits(pending: Pending, tmp_path: Path) -> None:
    assert [item.category for item in pending.proposals] == ["dock", "clover"]
    assert (pending.open, pending.sent, pending.root) == (list(pending.proposals), None, tmp_path)
    assert pending.shapes(pending.proposals[0].id)[0].points == (40.5, 40.5, 60.5, 60.5)
    with pytest.raises(InputError, match="2 of 2 proposals are not decided"):
        send_review(pending.folder, apply=True)


def test_decisions_are_kept_and_stay_within_the_image(pending: Pending) -> None:
    first, second = (item.id for item in pending.proposals)
    decide(pending, first, Decision(ACCEPTED, (50.0, 60.0, 30.0, 500.0)))
    decide(pending, second, Decision(REJECTED))
    again = open_pending(pending.folder)
    assert again.decisions[first].box == (30.0, 60.0, 50.0, 90.0)
    assert [state_of(again.decisions[each]) for each in (first, second)] == ["changed", "rejected"]
    assert again.shapes(first)[0].points == (30.0, 60.0, 50.0, 90.0)
    decide(again, second, None)
    assert [item.id for item in open_pending(pending.folder).open] == [second]


@pytest.mark.parametrize("name", ["../../x", "0" * 12, "", "a/b"])
def test_only_what_was_proposed_is_decided(name: str, pending: Pending) -> None:
    before = sorted(pending.folder.rglob("*"))
    with pytest.raises(InputError, match="no proposal"):
        decide(pending, name, Decision(ACCEPTED))
    with pytest.raises(InputError, match="no number"):
        decide(pending, pending.proposals[0].id, Decision(ACCEPTED, (0.0, 0.0, float("nan"), 1.0)))
    with pytest.raises(InputError, match="no keypoint"):
        decide(pending, pending.proposals[0].id, Decision(ACCEPTED, None, {"wing": (1.0, 1.0)}))
    assert sorted(pending.folder.rglob("*")) == before


def test_what_was_accepted_is_sent_as_corrected_and_nothing_is_proposed_again(
    pending: Pending, standin: StandIn, server: CvatServer, tmp_path: Path
) -> None:
    first, second = (item.id for item in pending.proposals)
    decide(pending, first, Decision(REJECTED))
    decide(pending, second, Decision(ACCEPTED, (70.0, 0.0, 92.0, 21.0)))
    before = len(standin.changes())
    assert not send_review(pending.folder, server=server).applied
    assert len(standin.changes()) == before
    done = send_review(pending.folder, apply=True, server=server)
    assert done.task is not None
    task = server.read(done.task)
    # Of a single file, the server keeps the name without its folder.
    assert [Path(frame.name).name for frame in task.frames] == ["1.png"]
    assert [(shape.label, shape.points) for shape in task.shapes] == [("clover", (70.0, 0.0, 92.0, 21.0))]
    trail = {item.id: item for item in Trail(tmp_path / "out").of_review(done.task)}
    assert trail[first].state == REJECTED
    # As the network had it: when the task comes back, what people changed shows.
    assert trail[second].points == (70.5, 0.5, 90.5, 20.5)
    with pytest.raises(InputError, match="sent already"):
        send_review(pending.folder, apply=True, server=server)
    with pytest.raises(InputError, match="sent already"):
        decide(pending, first, Decision(ACCEPTED))
    again = propose("runs/net", [tmp_path / "a.json"], output=tmp_path / "out")
    assert (again.changes, len(pending_folders(tmp_path / "out"))) == (0, 1)


def test_where_all_is_refused_no_server_is_asked(pending: Pending, tmp_path: Path) -> None:
    for item in pending.proposals:
        decide(pending, item.id, Decision(REJECTED))
    done = send_review(pending.folder, apply=True)
    assert (done.task, done.applied, open_pending(pending.folder).sent) == (None, True, 0)
    assert propose("runs/net", [tmp_path / "a.json"], output=tmp_path / "out").changes == 0


def test_keypoints_are_moved_and_taken_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = np.array([[10.0, 10.0], [20.0, 30.0], [30.0, 20.0], [60.0, 60.0]])
    wrong = right.copy()
    wrong[3] = (100.0, 5.0)
    Sees({"0.png": poses(right, scores=[0.9])}, POSE, ("mouse",)).use(monkeypatch)
    made = labels(tmp_path, poses(wrong), skeleton=POSE, classes=("mouse",))
    write_labels(replace(made, skeleton=POSE), tmp_path / "a.json", format="coco")
    propose("runs/net", [tmp_path / "a.json"], output=tmp_path / "out")
    waiting = open_pending(pending_folders(tmp_path / "out")[0])
    (item,) = waiting.proposals
    assert item.keypoints == ("tail",)
    decide(waiting, item.id, Decision(ACCEPTED, None, {"tail": (61.0, 62.0), "nose": None}))
    shape, box = accepted_task(open_pending(waiting.folder)).shapes
    parts: dict[str, Shape] = {part.label: part for part in shape.parts}
    assert (parts["tail"].points, parts["nose"].outside, parts["left"].outside) == ((61.0, 62.0), True, False)
    # Nobody moved it: it holds all that is there, as it is seen on its page.
    assert box.points == (10.5, 5.5, 100.5, 62.0)
    assert open_pending(waiting.folder).shapes(item.id)[1].points == box.points


def test_a_damaged_decision_is_told_in_one_line(pending: Pending) -> None:
    decide(pending, pending.proposals[0].id, Decision(ACCEPTED))
    file = pending.folder / "decisions" / f"{pending.proposals[0].id}.json"
    file.write_text(json.dumps({"state": "perhaps", "box": None, "parts": {}}))
    with pytest.raises(InputError, match="decide again"):
        open_pending(pending.folder)
