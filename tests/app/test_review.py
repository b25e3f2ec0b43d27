"""Proposals on their page: what the browser is given, what it says back, and what is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.conftest import shown
from vitruve.annotation.proposals.pending import DecidedMeanwhile, Decision, decide, keep_review, open_pending
from vitruve.annotation.proposals.review import ATTRIBUTE, Review
from vitruve.annotation.proposals.sources import Source
from vitruve.annotation.proposals.trail import Proposal
from vitruve.app.labels import label_files
from vitruve.app.pages import review as page
from vitruve.app.parts.fields import field_key
from vitruve.app.place import Place
from vitruve.app.reviews import decision_of, drawing, find_reviews, labels_with, table
from vitruve.errors import InputError
from vitruve.formats.cvat_xml_writer import write_task
from vitruve.jobs import Job, Jobs
from vitruve.structures.annotation import AnnotationTask, AttributeSpec, LabelSpec, Shape, TaskFrame

NAME = "0123456789ab"


@pytest.fixture
def folder(place: Place) -> Path:
    """One pose is proposed on the first image of the mouse."""
    assert place.project is not None
    labels = label_files(place)["CollectedData.csv"].read()
    image = labels[0].first_image.path.as_posix()
    parts = (LabelSpec("nose", "points"), LabelSpec("tail", "points"))
    spec = LabelSpec(
        "mouse", "skeleton", attributes=(AttributeSpec(ATTRIBUTE),), parts=parts, edges=(("nose", "tail"),)
    )
    drawn = (Shape("points", "nose", 0, (10.0, 20.0)), Shape("points", "tail", 0, (30.0, 40.0), outside=True))
    shape = Shape("skeleton", "mouse", 0, parts=drawn, attributes=((ATTRIBUTE, NAME),), source="auto")
    task = AnnotationTask("review", (spec,), (TaskFrame(image, 224, 192),), (shape,))
    box = (10.0, 20.0, 30.0, 40.0)
    made = Proposal(NAME, "missing", "run", "id", "now", "clip", None, image, None, "mouse", 0.5, 0.0, box, ("nose",))
    place_of = place.project.path / "auto_annotation" / "net" / "2026"
    return keep_review(place_of, Review(task, (made,), 0), Source("clip", labels))


def test_the_browser_gets_the_pose_and_its_image(place: Place, folder: Path) -> None:
    assert place.project is not None
    assert find_reviews(place.project) == [folder]
    pending = open_pending(folder)
    data = drawing(place.workspace, pending, pending.proposals[0])
    assert data["image"].startswith("/workspace/frame?path=mouse/labeled-data/")
    assert data["proposed"]["parts"] == [
        {"name": "nose", "x": 10.0, "y": 20.0, "outside": False},
        {"name": "tail", "x": 30.0, "y": 40.0, "outside": True},
    ]
    assert (data["edges"], data["size"], data["locked"]) == ([["nose", "tail"]], [224, 192], False)


def test_what_is_labelled_already_is_drawn_beside_a_correction(place: Place, folder: Path) -> None:
    pending = open_pending(folder)
    labels = label_files(place)["CollectedData.csv"].read()
    points = labels[0].instances.keypoints[0, 0]
    (pose,) = drawing(place.workspace, pending, pending.proposals[0])["labelled"]
    assert (pose["box"], pose["own"]) == (None, False)
    for name, point in pose["parts"].items():
        # The server counts from the corner of the first pixel, not from its middle.
        assert point == pytest.approx(points[labels.skeleton.names.index(name)] + 0.5, abs=0.01)
    assert len(pose["parts"]) == len(labels.skeleton)
    correction = replace(pending.proposals[0], corrects="label")
    (pose,) = drawing(place.workspace, pending, correction)["labelled"]
    assert pose["own"]
    (folder / "labelled.xml").unlink()
    assert drawing(place.workspace, open_pending(folder), correction)["labelled"] == []


def test_an_image_outside_the_workspace_is_not_shown(place: Place, folder: Path, tmp_path: Path) -> None:
    about = folder / "review.json"
    about.write_text(about.read_text().replace(str(place.workspace.home), str(tmp_path / "elsewhere")))
    pending = open_pending(folder)
    with pytest.raises(InputError, match="not in the folders"):
        drawing(place.workspace, pending, pending.proposals[0])


def test_corrections_add_up_and_what_is_no_point_is_refused(folder: Path) -> None:
    pending = open_pending(folder)
    said = {"action": "accepted", "parts": {"nose": [1, 2]}, "version": repr(None)}
    decide(pending, NAME, decision_of(pending, NAME, said))
    pending = open_pending(folder)
    version = repr(pending.decisions[NAME])
    again = decision_of(pending, NAME, {"action": "accepted", "parts": {"tail": None}, "version": version})
    assert again == Decision("accepted", None, {"nose": (1.0, 2.0), "tail": None})
    for wrong in (
        {"action": "sent"},
        {"action": "accepted", "parts": {"nose": [1, "2"]}},
        {"action": "accepted", "parts": {"nose": [1, float("inf")]}},
        {"action": "accepted", "parts": 5},
        {"action": "accepted", "box": [1, 2, 3]},
    ):
        with pytest.raises(InputError):
            decision_of(pending, NAME, wrong)


def test_a_decision_is_refused_where_another_was_made_since_it_was_looked_at(place: Place, folder: Path) -> None:
    first, second = open_pending(folder), open_pending(folder)
    drawn = drawing(place.workspace, second, second.proposals[0])["version"]
    decide(first, NAME, Decision("accepted", None, {"nose": (1.0, 2.0), "tail": None}))
    kept = open_pending(folder).decisions
    refusal = "meanwhile this was accepted with nose moved, tail taken away elsewhere"
    # By the component, which read it again; and by a page that has not.
    with pytest.raises(DecidedMeanwhile, match=refusal):
        decision_of(open_pending(folder), NAME, {"action": "rejected", "version": drawn})
    for other in (Decision("rejected"), Decision("accepted")):
        with pytest.raises(DecidedMeanwhile, match=refusal):
            decide(second, NAME, other)
    assert open_pending(folder).decisions == kept
    # The same key pressed twice says the same, and so does the same decision of two people.
    twice = {"action": "accepted", "parts": {"nose": [1, 2]}, "version": drawn}
    assert decision_of(open_pending(folder), NAME, twice) == kept[NAME]
    decide(second, NAME, kept[NAME])
    # One who has not seen that it is open again.
    late = open_pending(folder)
    decide(open_pending(folder), NAME, None)
    with pytest.raises(DecidedMeanwhile, match="left open elsewhere"):
        decide(late, NAME, Decision("rejected"))


def test_the_same_key_pressed_twice_after_a_drag_is_no_other_decision(folder: Path) -> None:
    said = {"action": "accepted", "parts": {"nose": [1.23456, 2.71828]}, "version": repr(None)}
    for _ in range(2):
        pending = open_pending(folder)
        decide(pending, NAME, decision_of(pending, NAME, said))
    assert open_pending(folder).decisions[NAME].parts == {"nose": (1.23, 2.72)}
    with pytest.raises(InputError, match="no proposal"):
        decision_of(open_pending(folder), "0" * 12, said)


@pytest.mark.parametrize("label", ["Leave it open again", "Take the decision back: yes"])
def test_what_another_has_corrected_since_it_was_drawn_is_not_taken_back(
    place: Place, folder: Path, label: str
) -> None:
    decide(open_pending(folder), NAME, Decision("accepted"))
    test = shown(page, place)
    other = Decision("accepted", None, {"nose": (1.0, 2.0)})
    decide(open_pending(folder), NAME, other)
    next(button for button in test.button if button.label == label).click().run()
    assert open_pending(folder).decisions == {NAME: other}
    assert any("meanwhile this was accepted with nose moved" in each.value for each in test.error)
    # It has been seen now.
    next(button for button in test.button if button.label == label).click().run()
    assert not open_pending(folder).decisions and not test.error


def test_all_decisions_are_taken_back_together(place: Place, folder: Path) -> None:
    decide(open_pending(folder), NAME, Decision("rejected"))
    test = shown(page, place)
    assert any(each.value.startswith("**0** open") for each in test.markdown)
    next(button for button in test.button if button.label == "Take the decision back: yes").click().run()
    assert not open_pending(folder).decisions
    assert any(each.value.startswith("**1** open") for each in test.markdown)
    assert not any(button.label.startswith("Take the") for button in test.button)


def test_all_are_accepted_and_sent_by_a_job(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def submit(jobs: Jobs, arguments: Any, where: Path, **more: Any) -> Job:
        found.append(tuple(arguments))
        return Job(jobs.folder / "job-000001", tuple(arguments), where)

    monkeypatch.setattr(Jobs, "submit", submit)
    test = shown(page, place)
    assert any(each.value == "**1** open, **0** accepted, **0** changed, **0** rejected" for each in test.markdown)
    assert next(button for button in test.button if button.label == "Send to CVAT").disabled
    next(button for button in test.button if button.label == "Accept the 1 open: yes").click().run()
    assert table(open_pending(folder))[0]["state"] == "accepted"
    next(button for button in test.button if button.label == "Send 1 to CVAT").click().run()
    assert found == [("annotate", "send", "auto_annotation/net/2026/review/clip", "--apply")]


def test_what_was_accepted_is_written_into_the_labels(place: Place, folder: Path) -> None:
    assert place.project is not None
    file = label_files(place)["CollectedData.csv"].path
    labels = label_files(place)["CollectedData.csv"].read()
    names = labels.skeleton.names
    image = labels[0].first_image.path.as_posix()
    # All keypoints of the labels, drawn where the tail is alone moved.
    points = labels[0].instances.keypoints[0, 0] + 0.5
    parts = tuple(Shape("points", name, 0, (float(x), float(y))) for name, (x, y) in zip(names, points, strict=True))
    spec = LabelSpec(labels.categories[0], "skeleton", parts=tuple(LabelSpec(name, "points") for name in names))
    said = ((ATTRIBUTE, f"{NAME} corrects label"),)
    shape = Shape("skeleton", spec.name, 0, parts=parts, attributes=said, source="auto")
    task = AnnotationTask(
        "review", (replace(spec, attributes=(AttributeSpec(ATTRIBUTE),)),), (TaskFrame(image, 224, 192),), (shape,)
    )
    write_task(task, folder / "annotations.xml")
    test = shown(page, place)
    assert not any(each.label.startswith("Write what") for each in test.expander)
    decide(open_pending(folder), NAME, Decision("accepted", None, {names[0]: (12.0, 13.0)}))
    wanted = labels_with(open_pending(folder), label_files(place)["CollectedData.csv"])
    before = file.read_bytes()
    test = shown(page, place)
    fold = field_key(place, "review/net 2026: clip") + "/write"
    test.session_state[fold] = True
    test.run()
    assert not test.exception and not test.error
    next(button for button in test.button if button.label == "Write into CollectedData.csv").click().run()
    assert any("0 added, 1 corrected" in each.value for each in test.success)
    assert file.read_bytes() == wanted != before
    (copy,) = (file.parent / "label_backups").iterdir()
    assert copy.read_bytes() == before
    assert label_files(place)["CollectedData.csv"].read()[0].instances.keypoints[0, 0, 0] == pytest.approx((11.5, 12.5))
    assert next(button for button in test.button if button.label.startswith("Write into")).disabled


def test_without_proposals_the_page_says_how_to_get_some(place: Place) -> None:
    test = shown(page, place)
    assert "Nothing waits" in test.info[0].value
    next(each for each in test.button if each.label == "Let a network propose").click().run()
    assert test.session_state[field_key(place, "review/tab")] == "Let a network propose"
    assert any(button.label == "Propose" for button in test.button)


def test_a_network_that_finds_nothing_is_not_silent(place: Place) -> None:
    assert place.project is not None
    path = place.workspace.home / ".vitruve" / "jobs" / "job-000001"
    path.mkdir(parents=True)
    about = {"kind": "propose", "project": str(place.project.path)}
    job = Job(path, ("annotate", "propose"), place.project.path, "Propose with first", about)
    job.save()
    job.log.write_text("= mouse: nothing to propose\n90 images: nothing\n", encoding="utf-8")
    job.write("end", {"code": 0, "time": 1.0})
    assert any(
        "Propose with first: 90 images: nothing. With lower" in each.value for each in shown(page, place).caption
    )
