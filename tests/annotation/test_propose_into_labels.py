"""What people accept goes into label files: once, as they corrected it, and nothing else in the file changes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation.looking import POSE, Sees, boxes, labels, poses
from vitruve.annotation.proposals.into_labels import BACKUPS, write_review
from vitruve.annotation.proposals.pending import Decision, Pending, decide, open_pending, pending_folders
from vitruve.annotation.proposals.propose import propose
from vitruve.annotation.proposals.trail import ACCEPTED, REJECTED
from vitruve.errors import InputError
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.cvat_xml_writer import write_task
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.shapes import task_of
from vitruve.structures.annotation import AttributeSpec, Shape

FOUND = {
    "0.png": boxes((0, 0, 20, 20), (40, 40, 60, 60), scores=[0.9, 0.8]),
    "1.png": boxes((10, 10, 30, 30), (70, 0, 90, 20), classes=[0, 1], scores=[0.9, 0.7]),
}


def proposed(root: Path, file: Path) -> Pending:
    propose("runs/net", [file], output=root / "out", images=root)
    return open_pending(pending_folders(root / "out")[0])


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One box is labelled on each of two images, in COCO's form, with keys that this program does not read."""
    Sees(FOUND).use(monkeypatch)
    path = tmp_path / "a.json"
    write_labels(labels(tmp_path, boxes((0, 0, 20, 20)), boxes((10, 10, 30, 30))), path, format="coco")
    content = json.loads(path.read_text())
    numbers = {1: 7, 2: 3}
    for entry in content["categories"]:
        entry["id"] = numbers[entry["id"]]
    for entry in content["annotations"]:
        entry |= {"id": entry["id"] + 40, "category_id": numbers[entry["category_id"]], "seen_by": "A"}
    content["images"][0]["license"] = 2
    path.write_text(json.dumps(content | {"info": {"year": 2021}}))
    return path


def test_what_was_accepted_is_added_as_it_was_corrected_and_all_else_stays(file: Path, tmp_path: Path) -> None:
    pending = proposed(tmp_path, file)
    first, second = (item.id for item in pending.proposals)
    decide(pending, first, Decision(REJECTED))
    decide(pending, second, Decision(ACCEPTED, (71.5, 1.0, 90.5, 21.0)))
    before = json.loads(file.read_text())
    planned = write_review(pending.folder, file)
    assert (planned.changes, planned.applied) == (1, False) and json.loads(file.read_text()) == before
    made = write_review(pending.folder, file, apply=True)
    assert "1 added, 0 corrected" in made.lines[0]
    after = json.loads(file.read_text())
    (new,) = after["annotations"][2:]
    # The server counts from the corner of the first pixel, labels from its middle.
    assert new["bbox"] == [71, 0.5, 19, 20] and new["id"] == 43
    assert new["image_id"] == after["images"][1]["id"]
    assert {entry["id"]: entry["name"] for entry in after["categories"]}[new["category_id"]] == "clover"
    assert {**after, "annotations": after["annotations"][:2]} == before
    (backup,) = (tmp_path / BACKUPS).iterdir()
    assert json.loads(backup.read_text()) == before and str(backup) in made.lines[-1]
    # Once, however often; nothing is copied for nothing.
    again = write_review(pending.folder, file, apply=True)
    assert again.changes == 0 and json.loads(file.read_text()) == after
    assert len(list((tmp_path / BACKUPS).iterdir())) == 1


def test_two_who_write_at_once_lose_nothing(file: Path, tmp_path: Path) -> None:
    pending = proposed(tmp_path, file)
    for item in pending.proposals:
        decide(pending, item.id, Decision(ACCEPTED))
    threads = [threading.Thread(target=write_review, args=(pending.folder, file), kwargs={"apply": True}) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(file.read_text())["annotations"]) == 4


def test_a_corrected_pose_keeps_what_was_not_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    truth = np.array([[10.123456, 10.0], [20.0, 30.0], [30.0, 20.0], [100.0, 5.0]])
    seen = truth.copy()
    seen[3] = (60.0, 60.0)
    Sees({"0.png": poses(seen, scores=[0.9])}, POSE, ("mouse",)).use(monkeypatch)
    file = tmp_path / "CollectedData.csv"
    write_labels(labels(tmp_path, poses(truth), poses(truth + 5), skeleton=POSE, classes=("mouse",)), file)
    pending = proposed(tmp_path, file)
    assert pending.proposals
    for item in pending.proposals:
        decide(pending, item.id, Decision(ACCEPTED))
    rows = file.read_text().splitlines()
    made = write_review(pending.folder, file, apply=True)
    assert "0 added, 1 corrected" in made.lines[0]
    after = file.read_text().splitlines()
    assert [row for row in after if "/1.png" in row] == [row for row in rows if "/1.png" in row]
    points = read_labels(file)[0].instances.keypoints[0, 0]
    moved = [POSE.names.index(name) for item in pending.proposals for name in item.keypoints]
    assert points[moved] == pytest.approx(seen[moved], abs=0.01)
    still = [n for n in range(len(POSE.names)) if n not in moved]
    assert (points[still] == truth[still]).all()


def test_a_task_of_cvat_keeps_its_outlines_attributes_and_tags(file: Path, tmp_path: Path) -> None:
    there = task_of(read_labels(file), "task")
    spec = replace(there.labels[0], attributes=(AttributeSpec("age"),), kind="any")
    outline = Shape("polygon", spec.name, 0, (1.0, 2.0, 30.0, 2.0, 30.0, 40.0), attributes=(("age", "old"),))
    xml = tmp_path / "task" / "annotations.xml"
    xml.parent.mkdir()
    write_task(replace(there, labels=(spec, *there.labels[1:]), shapes=(*there.shapes, outline)), xml)
    pending = proposed(tmp_path, xml)
    for item in pending.proposals:
        decide(pending, item.id, Decision(ACCEPTED))
    before = read_task(xml)
    # The folder is what people name.
    write_review(pending.folder, xml.parent, root=tmp_path, apply=True)
    after = read_task(xml)
    assert after.shapes[: len(before.shapes)] == before.shapes or set(before.shapes) <= set(after.shapes)
    assert len(after.shapes) == len(before.shapes) + len(pending.proposals)
    assert not any("proposal" in dict(shape.attributes) for shape in after.shapes)


def test_images_that_nobody_had_labelled_are_added(file: Path, tmp_path: Path) -> None:
    content = json.loads(file.read_text())
    lost = content["images"].pop()["id"]
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] != lost]
    less = tmp_path / "less.json"
    less.write_text(json.dumps(content))
    pending = proposed(tmp_path, file)
    for item in pending.proposals:
        decide(pending, item.id, Decision(ACCEPTED))
    write_review(pending.folder, less, apply=True)
    found = read_labels(less)
    assert [frame.first_image.path.name for frame in found] == ["0.png", "1.png"]
    assert [int(frame.instances.present.sum()) for frame in found] == [2, 1]


def test_what_cannot_be_written_is_said_in_one_line(file: Path, tmp_path: Path) -> None:
    pending = proposed(tmp_path, file)
    before = file.read_bytes()

    def refused(match: str, **more: Any) -> None:
        with pytest.raises(InputError, match=match):
            write_review(pending.folder, more.pop("file", file), apply=True, **more)

    refused("nothing was accepted")
    for item in pending.proposals:
        decide(pending, item.id, Decision(ACCEPTED))
    refused("lies outside of", root=tmp_path / "clip one" / "deeper")
    refused("a folder; name the label file", file=tmp_path)
    refused("lightning_pose cannot hold .*boxes", output=tmp_path / "other.csv")
    assert file.read_bytes() == before and not (tmp_path / BACKUPS).exists()
