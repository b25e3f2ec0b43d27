"""What people accept goes into label files: once, as they corrected it, and nothing else in the file changes."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation.looking import POSE, Sees, boxes, labels, poses
from vitruve.annotation.proposals import into_labels
from vitruve.annotation.proposals.into_labels import BACKUPS, write_review
from vitruve.annotation.proposals.judge import MISLOCALISED, WRONG_CLASS
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


def proposed(root: Path, file: Path, *kinds: str) -> Pending:
    propose("runs/net", [file], output=root / "out", images=root, kinds=kinds)
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


def test_two_who_write_at_once_lose_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)
    planned = into_labels._change

    def slow(*given: Any) -> Any:
        made = planned(*given)
        # Without a lock, both have read the file before either writes it.
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return made

    first = proposed(tmp_path, file)
    second = open_pending(Path(shutil.copytree(first.folder, first.folder.with_name("other"))))
    for pending, item in zip((first, second), first.proposals, strict=True):
        decide(pending, item.id, Decision(ACCEPTED))
    monkeypatch.setattr(into_labels, "_change", slow)
    reviews = (first.folder, second.folder)
    threads = [threading.Thread(target=write_review, args=(each, file), kwargs={"apply": True}) for each in reviews]
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


def accepted(root: Path, file: Path, *kinds: str, decision: Decision | None = None) -> Path:
    """The folder of proposals which are all accepted, perhaps corrected."""
    pending = proposed(root, file, *kinds)
    for item in pending.proposals:
        decide(pending, item.id, decision or Decision(ACCEPTED))
    return pending.folder


def written(file: Path) -> list[dict[str, Any]]:
    return list(json.loads(file.read_text())["annotations"])


def test_a_class_is_corrected(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Sees({"0.png": boxes((0, 0, 20, 20), classes=[1], scores=[0.9])}).use(monkeypatch)
    folder = accepted(tmp_path, file, WRONG_CLASS)
    before = written(file)
    made = write_review(folder, file, apply=True)
    assert "0 added, 1 corrected" in made.lines[0]
    assert (before[0]["category_id"], written(file)[0]["category_id"]) == (7, 3)
    assert written(file) == [before[0] | {"category_id": 3}, before[1]]
    assert write_review(folder, file, apply=True).changes == 0
    assert len(list((tmp_path / BACKUPS).iterdir())) == 1


TRUTH = np.array([[10.0, 10.0], [20.0, 30.0], [30.0, 20.0], [60.0, 5.0]])


@pytest.fixture
def pose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A pose whose tail is wrong and another one, in COCO's form, with a box around each."""
    seen = TRUTH.copy()
    seen[3] = (60.0, 60.0)
    Sees({"0.png": poses(seen, scores=[0.9])}, POSE, ("mouse",)).use(monkeypatch)
    path = tmp_path / "a.json"
    drawn = labels(tmp_path, poses(TRUTH), poses(TRUTH + 5), skeleton=POSE, classes=("mouse",))
    write_labels(drawn, path, format="coco")
    return path


@pytest.mark.parametrize(
    "decision, box",
    [
        (Decision(ACCEPTED), [10, 5, 50, 55]),
        (Decision(ACCEPTED, None, {"tail": (80.5, 40.5)}), [10, 5, 70, 35]),
        (Decision(ACCEPTED, (5.5, 4.5, 110.5, 70.5), {"tail": (60.5, 60.5)}), [5, 4, 105, 66]),
    ],
    ids=["as proposed", "a keypoint dragged", "the box dragged"],
)
def test_the_box_of_a_corrected_pose_holds_it(pose: Path, tmp_path: Path, decision: Decision, box: list[int]) -> None:
    before = written(pose)
    assert before[0]["bbox"] == [10, 5, 50, 25]
    folder = accepted(tmp_path, pose, decision=decision)
    assert "0 added, 1 corrected, 0 left" in write_review(folder, pose, apply=True).lines[0]
    own, other = written(pose)
    assert (own["bbox"], own["area"], other) == (box, box[2] * box[3], before[1])
    assert write_review(folder, pose, apply=True).changes == 0


def test_a_box_alone_that_is_dragged_is_that_of_its_pose(pose: Path, tmp_path: Path) -> None:
    decision = Decision(ACCEPTED, (5.5, 4.5, 110.5, 70.5), {"tail": (60.5, 5.5)})
    before = written(pose)
    write_review(accepted(tmp_path, pose, decision=decision), pose, apply=True)
    assert written(pose) == [before[0] | {"bbox": [5, 4, 105, 66], "area": 6930}, before[1]]


def test_a_correction_needs_no_numbers_of_annotations(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sees({"0.png": boxes((4, 4, 26, 26), scores=[0.9])}).use(monkeypatch)
    content = json.loads(file.read_text())
    del content["annotations"][0]["id"]
    file.write_text(json.dumps(content))
    write_review(accepted(tmp_path, file, MISLOCALISED), file, apply=True)
    own, other = written(file)
    assert (own["bbox"], "id" in own, other) == ([4, 4, 22, 22], False, content["annotations"][1])


def test_keypoints_stand_as_their_category_lists_them(pose: Path, tmp_path: Path) -> None:
    """Of two categories with keypoints of their own, the second has them in another order."""
    content = json.loads(pose.read_text())
    (mouse,) = content["categories"]
    content["categories"] = [
        mouse | {"id": 4, "name": "rat", "keypoints": ["tail", "nose"], "skeleton": []},
        mouse | {"id": 9},
    ]
    for entry in content["annotations"]:
        entry["category_id"] = 9
    pose.write_text(json.dumps(content))
    before = written(pose)
    write_review(accepted(tmp_path, pose), pose, apply=True)
    own, other = written(pose)
    assert other == before[1] and own["category_id"] == 9
    assert own["keypoints"] == [*before[0]["keypoints"][:9], 60, 60, 2]


@pytest.mark.parametrize("inside", [True, False])
def test_an_image_that_is_a_link_keeps_its_name(file: Path, tmp_path: Path, inside: bool) -> None:
    store = tmp_path / "store" if inside else tmp_path.with_name(f"{tmp_path.name}_store")
    store.mkdir()
    image = tmp_path / "clip one" / "0.png"
    image.rename(store / "x.png")
    image.symlink_to(store / "x.png")
    before = json.loads(file.read_text())
    write_review(accepted(tmp_path, file), file, apply=True)
    after = json.loads(file.read_text())
    assert after["images"] == before["images"]
    assert [each["image_id"] for each in after["annotations"]] == [1, 2, 1, 2]


def test_copies_are_not_put_where_a_link_leads(file: Path, tmp_path: Path) -> None:
    away = tmp_path.with_name(f"{tmp_path.name}_away")
    away.mkdir()
    (tmp_path / BACKUPS).symlink_to(away)
    folder, before = accepted(tmp_path, file), file.read_bytes()
    with pytest.raises(InputError, match="must be a folder of its own"):
        write_review(folder, file, apply=True)
    assert file.read_bytes() == before and not list(away.iterdir())


def test_the_same_file_called_otherwise_is_kept_and_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    folder, before = accepted(tmp_path, file), file.read_bytes()
    (tmp_path / "sub").mkdir()
    write_review(folder, file, output=tmp_path / "sub" / ".." / "a.json", apply=True)
    (copy,) = (tmp_path / BACKUPS).iterdir()
    assert copy.read_bytes() == before != file.read_bytes()
    file.write_bytes(before)
    link = tmp_path / "sub" / "link.json"
    link.symlink_to(file)
    write_review(folder, link, root=tmp_path, apply=True)
    assert link.is_symlink() and len(written(file)) == 4
    assert len(list((tmp_path / BACKUPS).iterdir())) == 2 and not (tmp_path / "sub" / BACKUPS).exists()
    (tmp_path / "sub" / "other.json").symlink_to(copy.rename(tmp_path / "store"))
    with pytest.raises(InputError, match="a link to store, which has another ending"):
        write_review(folder, tmp_path / "sub" / "other.json", root=tmp_path, apply=True)


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
