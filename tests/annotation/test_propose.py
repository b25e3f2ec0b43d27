"""Proposals go to people as tasks and come back, once each: against a stand-in for CVAT."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotation.conftest import png
from annotation.cvat_standin import StandIn
from annotation.looking import CLASSES, POSE, SIZE, Sees, boxes, labels, poses
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.proposals.accept import accept_proposals
from vitruve.annotation.proposals.propose import propose
from vitruve.annotation.proposals.trail import Trail
from vitruve.annotation.store.store import open_store
from vitruve.errors import ConfigError, InputError, ServerError
from vitruve.formats.hub import write_labels
from vitruve.formats.shapes import task_of
from vitruve.media.images import read_image
from vitruve.media.video import VideoWriter
from vitruve.structures.annotation import AnnotationTask, Shape
from vitruve.structures.instances import Instances

FOUND = {
    "0.png": boxes((0, 0, 20, 20), (40, 40, 60, 60), scores=[0.9, 0.8]),
    "1.png": boxes((10, 10, 30, 30), (70, 0, 90, 20), (100, 70, 140, 110), classes=[0, 1, 0], scores=[0.9, 0.7, 0.6]),
    "2.png": boxes((5, 5, 15, 15), scores=[0.95]),
}


def field(root: Path) -> AnnotationTask:
    """Labels of three images, from which three objects lack."""
    drawn = (boxes((0, 0, 20, 20)), boxes((10, 10, 30, 30)), boxes((5, 5, 15, 15)))
    return task_of(labels(root, *drawn), "FieldData 2020 1L")


@pytest.fixture
def sees(monkeypatch: pytest.MonkeyPatch) -> Sees:
    return Sees(FOUND).use(monkeypatch)


@pytest.fixture
def made(server: CvatServer, tmp_path: Path) -> int:
    """The field on the server."""
    return server.create(field(tmp_path / "images"), tmp_path / "images")


def look(server: CvatServer, tmp_path: Path, *tasks: int | str, **more: object) -> object:
    return propose("runs/net", tasks=tasks, output=tmp_path / "out", server=server, **more)  # type: ignore[arg-type]


def test_a_dry_run_says_what_lacks_and_changes_nothing(
    standin: StandIn, server: CvatServer, made: int, sees: Sees, tmp_path: Path
) -> None:
    before = len(standin.changes())
    done = propose("runs/net", tasks=[made], output=tmp_path / "out", server=server)
    assert standin.changes()[before:] == []
    assert (done.changes, done.applied, done.found) == (1, False, {"missing": 3})
    name = f"auto_annotation_net_{done.folder.name}_FieldData_2020_1L"
    assert done.lines == (
        f"+ task ({name}): 2 images, 3 proposals",
        "  + clip one/0.png: rectangle dock (40.5, 40.5, 60.5, 60.5), score 0.80",
        "  + clip one/1.png: rectangle clover (70.5, 0.5, 90.5, 20.5), score 0.70",
        "  + clip one/1.png: rectangle dock (100.5, 70.5, 120.0, 90.0), score 0.60",
        f"3 images: 3 missing -> {done.folder}",
    )
    assert not (tmp_path / "out/proposals.json").exists()
    rows = list(csv.DictReader((done.folder / "findings.csv").open()))
    assert [(row["image"], row["kind"], row["class"], row["score"]) for row in rows] == [
        ("clip one/0.png", "missing", "dock", "0.8"),
        ("clip one/1.png", "missing", "clover", "0.7"),
        ("clip one/1.png", "missing", "dock", "0.6"),
    ]
    assert json.loads((done.folder / "findings.json").read_text())["findings"][0]["task"] == made
    picture = read_image(done.folder / "missing.png")
    assert picture.shape[0] >= 240 and (picture == (255, 190, 0)).all(-1).any()


def test_proposals_are_reviewed_and_come_back_once(
    standin: StandIn, server: CvatServer, made: int, sees: Sees, tmp_path: Path
) -> None:
    done = propose("runs/net", tasks=[made], output=tmp_path / "out", apply=True, server=server)
    (number,) = done.tasks
    review = server.read(number)
    assert [frame.name for frame in review.frames] == ["clip one/0.png", "clip one/1.png"]
    assert {shape.source for shape in review.shapes} == {"auto"}
    first, second, third = sorted(review.shapes, key=lambda shape: -shape.score)
    trail = Trail(tmp_path / "out").of_review(number)
    assert [(item.state, item.shape) for item in trail] == [
        ("proposed", f"shape-{s.id}") for s in (first, second, third)
    ]
    assert {item.run for item in trail} == {"runs/net"} and {item.source_task for item in trail} == {made}

    # Not yet completed: nothing comes back.
    waiting = accept_proposals("FieldData", "auto_annotation", output=tmp_path / "out", apply=True, server=server)
    assert (waiting.changes, "is not completed: left alone" in waiting.lines[0]) == (0, True)

    # A person keeps one, moves one and takes one out.
    server.change(number, update=[replace(second, points=(72.0, 1.0, 91.0, 20.0))], remove=[third])
    server.set_status(number, "completed")
    said = accept_proposals("FieldData", "auto_annotation", output=tmp_path / "out", server=server)
    assert (said.changes, said.applied, len(server.read(made).shapes)) == (2, False, 3)
    assert said.lines == (
        f"task {number} ({review.name}) -> task {made} (FieldData 2020 1L)",
        "  + clip one/0.png: rectangle dock (40.5, 40.5, 60.5, 60.5)",
        "  + clip one/1.png: rectangle clover (72.0, 1.0, 91.0, 20.0)",
    )
    back = accept_proposals("FieldData", "auto_annotation", output=tmp_path / "out", apply=True, server=server)
    assert back.lines[-1] == f"  proposals of task {number}: 1 accepted, 1 changed, 1 rejected"
    after = server.read(made)
    assert len(after.shapes) == 5 and {shape.source for shape in after.shapes} == {"manual"}
    assert all(shape.attributes == () and shape.score == 1 for shape in after.shapes)
    states = {item.state: item.returned for item in Trail(tmp_path / "out").of_review(number)}
    ids = {f"shape-{shape.id}": shape.points[0] for shape in after.shapes}
    assert (ids[states["accepted"]], ids[states["changed"]], states["rejected"]) == (40.5, 72.0, "")

    # Neither way changes anything a second time, and what was taken out is not proposed again.
    before = len(standin.changes())
    again = accept_proposals("FieldData", "auto_annotation", output=tmp_path / "out", apply=True, server=server)
    assert (again.changes, again.applied) == (0, False)
    twice = propose("runs/net", tasks=[made], output=tmp_path / "out", apply=True, server=server)
    assert twice.lines[0] == "= FieldData 2020 1L: nothing to propose, 1 were proposed before"
    assert (twice.changes, standin.changes()[before:]) == (0, [])


def test_without_the_trail_nothing_is_doubled_either(server: CvatServer, made: int, sees: Sees, tmp_path: Path) -> None:
    done = propose("runs/net", tasks=[made], output=tmp_path / "out", apply=True, server=server)
    server.set_status(done.tasks[0], "completed")
    elsewhere = {"output": tmp_path / "elsewhere", "apply": True, "server": server}
    assert accept_proposals("FieldData", "auto_annotation", **elsewhere).changes == 3  # type: ignore[arg-type]
    # Somebody moves one of them a little: it is still the same object, for one-to-one matching.
    moved = next(shape for shape in server.read(made).shapes if shape.label == "clover")
    server.change(made, update=[replace(moved, points=tuple(value + 1 for value in moved.points))])
    assert accept_proposals("FieldData", "auto_annotation", **elsewhere).changes == 0  # type: ignore[arg-type]
    # OBDB's rule knows only exact duplicates.
    assert accept_proposals("FieldData", "auto_annotation", exact=True, **elsewhere).changes == 1  # type: ignore[arg-type]


def test_obdbs_rule_asks_no_class_and_adds_what_nearly_covers_a_label(
    standin: StandIn, server: CvatServer, tmp_path: Path
) -> None:
    root = tmp_path / "images"
    task = field(root)
    truth = server.create(replace(task, name="gt_val FieldData 2020 1L"), root)
    reviewed = (
        Shape("rectangle", "clover", 0, (0.5, 0.5, 20.5, 20.5)),  # covers a dock exactly
        Shape("rectangle", "dock", 1, (10.5, 10.5, 30.5, 30.4)),  # nearly covers one
    )
    name = "auto_annotation_resnet18_2021_12_16_12_57_57_FieldData_2020_1L"
    number = server.create(replace(task, name=name, shapes=reviewed), root)
    server.set_status(number, "completed")
    done = accept_proposals(
        "gt_val", "auto_annotation_resnet18", exact=True, output=tmp_path, apply=True, server=server
    )
    assert done.changes == 1
    assert [s.points for s in server.read(truth).shapes if s.frame == 1][1:] == [(10.5, 10.5, 30.5, 30.4)]
    # One to one and by class it is the other one that lacks.
    matched = accept_proposals("gt_val", "auto_annotation_resnet18", output=tmp_path, server=server)
    assert [line[:3] for line in matched.lines[1:]] == ["  +", "  ="]


def test_two_tasks_of_one_name(standin: StandIn, server: CvatServer, made: int, sees: Sees, tmp_path: Path) -> None:
    done = propose("runs/net", tasks=[made], output=tmp_path / "out", apply=True, server=server)
    server.set_status(done.tasks[0], "completed")
    weeds = [{"name": name, "type": "rectangle"} for name in CLASSES]
    other = standin.add_task("FieldData 2020 1L", weeds, {"clip one/0.png": png(*SIZE)})
    with pytest.raises(
        InputError, match=f"2 tasks are named 'FieldData 2020 1L': give the number, one of {made}, {other.id}"
    ):
        propose("runs/net", tasks=["FieldData 2020 1L"], output=tmp_path / "x", server=server)
    # The trail knows which of them was looked through; without it nobody can say.
    assert accept_proposals("FieldData", "auto_annotation", output=tmp_path / "out", server=server).changes == 3
    with pytest.raises(
        InputError, match=f"must belong to exactly one task of labels, and belongs to {made} .*{other.id}"
    ):
        accept_proposals("FieldData", "auto_annotation", output=tmp_path / "none", server=server)


def test_a_task_whose_images_are_missing(standin: StandIn, server: CvatServer, sees: Sees, tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        (standin.state.share / name).write_bytes(png(*SIZE))
    frames = tuple(replace(f, name=Path(f.name).name) for f in field(tmp_path / "images").frames[:2])
    number = server.create(replace(field(tmp_path / "images"), frames=frames, shapes=()))
    (standin.state.share / "1.png").unlink()
    with pytest.raises(
        ServerError, match=r"1 of 2 images are missing there \(first: 1\.png\); delete these frames in CVAT"
    ):
        propose("runs/net", tasks=[number], output=tmp_path / "out", server=server)
    assert sees.looked == 0
    with pytest.raises(InputError, match=r"2 of 2 images are missing \(first: .*0\.png\); give the folder"):
        propose("runs/net", tasks=[number], images=tmp_path, output=tmp_path / "out", server=server)


def test_what_broke_off_goes_on_under_the_same_name(
    standin: StandIn, server: CvatServer, made: int, sees: Sees, tmp_path: Path
) -> None:
    standin.fail(500, method="PATCH", path="annotations", times=99)
    with pytest.raises(ServerError):
        propose("runs/net", tasks=[made], output=tmp_path / "out", apply=True, server=server)
    standin.faults.clear()
    done = propose("runs/net", tasks=[made], output=tmp_path / "out", apply=True, server=server)
    assert len([info for info in server.tasks() if info.name.startswith("auto_annotation")]) == 1
    assert done.lines[0].startswith(f"+ task {done.tasks[0]} (auto_annotation_")
    assert len(server.read(done.tasks[0]).shapes) == 3
    assert len(Trail(tmp_path / "out")) == 3


def test_label_files_images_and_videos(sees: Sees, tmp_path: Path) -> None:
    root = tmp_path / "images"
    made = labels(root, boxes((0, 0, 20, 20)), boxes(), boxes((5, 5, 15, 15)))
    write_labels(made, root / "labels.json", "coco")
    of_file = propose("runs/net", [root / "labels.json"], output=tmp_path / "out", crops=tmp_path / "imgs")
    assert of_file.found == {"missing": 4}, "an image without a label has nothing but what is missing"
    assert sorted(path.name for path in (tmp_path / "imgs/clip one").iterdir()) == [
        *("0_0_dock.png", "1_0_dock.png", "1_1_clover.png", "1_2_dock.png"),
    ]
    assert read_image(tmp_path / "imgs/clip one/1_2_dock.png").shape == (20, 20, 3)
    of_folder = propose("runs/net", [root / "clip one"], output=tmp_path / "out")
    assert of_folder.found == {"missing": 6}
    with open_store(tmp_path / "s.sqlite", create=True) as store:
        store.put(field(root))
    of_store = propose("runs/net", store=tmp_path / "s.sqlite", images=root, output=tmp_path / "out")
    assert of_store.found == {"missing": 3}
    with VideoWriter(tmp_path / "v.mp4", 10.0) as video:
        for _ in range(5):
            video.write(np.zeros((96, 128, 3), np.uint8))
    sees.found = {"2": boxes((1, 1, 30, 30), scores=[0.9])}
    of_video = propose("runs/net", [tmp_path / "v.mp4"], every=2, output=tmp_path / "out")
    assert of_video.lines[:2] == (
        f"+ task (auto_annotation_net_{of_video.folder.name}_v): 1 images, 1 proposals",
        "  + v.mp4: rectangle dock (1.5, 1.5, 30.5, 30.5), score 0.90",
    )
    assert sees.looked == 3 + 3 + 3 + 3


def test_bad_input(sees: Sees, server: CvatServer, made: int, tmp_path: Path) -> None:
    for name, message in {"a.pkl": "a pickle can run any code, so none is read", "a.json": "no such file"}.items():
        with pytest.raises(InputError, match=message):
            propose("runs/net", [tmp_path / name], output=tmp_path / "out")
    with pytest.raises(InputError, match="nothing to look through"):
        propose("runs/net", output=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"kind 'mising' \(did you mean 'missing'\?\)"):
        propose("runs/net", tasks=[made], kinds=["mising"], output=tmp_path / "out", server=server)
    with pytest.raises(InputError, match="no review task has 'auto' in its name"):
        accept_proposals("FieldData", "auto", output=tmp_path / "out", server=server)
    with pytest.raises(InputError, match="no task of labels has 'gt_val' in its name"):
        accept_proposals("gt_val", "auto", output=tmp_path / "out", server=server)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/proposals.json").write_text('{"format": 1}')
    with pytest.raises(InputError, match=r"proposals\.json: no trail of proposals"):
        propose("runs/net", tasks=[made], output=tmp_path / "out", server=server)


def test_classes_that_only_the_network_has_are_left_out(
    server: CvatServer, made: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {"0.png": boxes((40, 40, 60, 60), (70, 0, 90, 20), classes=[0, 1], scores=[0.9, 0.8])}
    Sees(found, categories=("thistle", "clover")).use(monkeypatch)
    with pytest.warns(UserWarning, match="FieldData 2020 1L: has no class thistle: 1 predictions are left out"):
        done = propose("runs/net", tasks=[made], output=tmp_path / "out", kinds=["missing"], server=server)
    assert done.found["missing"] == 1


STANDING = np.array([(20, 10), (10, 30), (30, 30), (20, 60)], float)


def test_poses_are_proposed_corrected_and_come_back(
    standin: StandIn, server: CvatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lacking = STANDING.copy()[[0, 2, 1, 3]]
    lacking[3] = np.nan
    drawn = labels(tmp_path / "images", poses(lacking), poses(), skeleton=POSE, classes=("mouse",))
    number = server.create(task_of(drawn, "night"), tmp_path / "images")
    # The sub-labels of the network stand in another order.
    turned = [3, 1, 0, 2]
    skeleton = replace(POSE, names=tuple(POSE.names[k] for k in turned), edges=(), swaps=((1, 3),))
    partly = poses(STANDING + np.array((50, 5)), scores=[0.8])
    partly.keypoints[..., 0, :], partly.visible[..., 0] = np.nan, 0
    found = {"0.png": poses(STANDING, scores=[0.9]).reordered(turned), "1.png": partly.reordered(turned)}
    Sees(found, skeleton, ("animal",)).use(monkeypatch)
    done = propose("runs/net", tasks=[number], output=tmp_path / "out", apply=True, server=server)
    assert done.found == {"swapped": 1, "missing keypoint": 1, "missing": 1}
    review = server.read(done.tasks[0])
    correction, fresh = sorted(review.shapes, key=lambda shape: shape.frame)
    parts = {part.label: part for part in fresh.parts}
    assert [parts[name].outside for name in POSE.names] == [True, False, False, False]
    assert dict(correction.attributes)["proposal"].endswith(f" corrects shape-{server.read(number).shapes[0].id}")
    server.set_status(review.id or 0, "completed")
    said = accept_proposals("night", "auto_", output=tmp_path / "out", apply=True, server=server)
    assert [line[:3] for line in said.lines] == ["tas", "  ~", "  +", "  p"]
    after = sorted(server.read(number).shapes, key=lambda shape: shape.frame)
    where = {part.label: part.points for part in after[0].parts if not part.outside}
    assert where == {name: tuple(STANDING[k] + 0.5) for k, name in enumerate(POSE.names)}
    assert len(after) == 2 and {part.label for part in after[1].parts if part.outside} == {"nose"}
    assert accept_proposals("night", "auto_", output=tmp_path / "out", apply=True, server=server).changes == 0
    assert accept_proposals("night", "auto_", output=tmp_path / "no trail", apply=True, server=server).changes == 0
    again = propose("runs/net", tasks=[number], output=tmp_path / "out", apply=True, server=server)
    assert (again.changes, again.found) == (0, {})


def test_a_keypoint_that_people_refused_is_not_proposed_again(
    server: CvatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lacking = STANDING.copy()
    lacking[2:] = np.nan
    drawn = labels(tmp_path / "images", poses(lacking), skeleton=POSE, classes=("mouse",))
    number = server.create(task_of(drawn, "night"), tmp_path / "images")
    Sees({"0.png": poses(STANDING, scores=[0.9])}, POSE, ("mouse",)).use(monkeypatch)
    options = {"tasks": [number], "output": tmp_path / "out", "apply": True, "server": server}
    done = propose("runs/net", **options)
    assert done.found == {"missing keypoint": 1}
    (shape,) = server.read(done.tasks[0]).shapes
    parts = tuple(replace(part, outside=part.outside or part.label == "tail") for part in shape.parts)
    server.change(done.tasks[0], update=[replace(shape, parts=parts)])
    server.set_status(done.tasks[0], "completed")
    assert accept_proposals("night", "auto_", output=tmp_path / "out", apply=True, server=server).changes == 1
    (label,) = server.read(number).shapes
    assert {part.label for part in label.parts if not part.outside} == {"nose", "left", "right"}
    again = propose("runs/net", **options)
    assert (again.changes, again.found) == (0, {"missing keypoint": 1})


def test_a_box_whose_skeleton_was_taken_out_is_none(
    server: CvatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def boxed(instances: Instances) -> Instances:
        return replace(instances, boxes=np.full((1, 1, 4), (15.0, 5.0, 35.0, 65.0)))

    there = boxed(poses(STANDING + np.array((60, 0))))
    drawn = labels(tmp_path / "images", there, skeleton=POSE, classes=("mouse",))
    number = server.create(task_of(drawn, "night"), tmp_path / "images")
    Sees({"0.png": boxed(poses(STANDING, scores=[0.9]))}, POSE, ("mouse",)).use(monkeypatch)
    done = propose("runs/net", tasks=[number], output=tmp_path / "out", kinds=["missing"], apply=True, server=server)
    review = server.read(done.tasks[0])
    assert sorted(shape.kind for shape in review.shapes) == ["rectangle", "skeleton"]
    server.change(done.tasks[0], remove=[shape for shape in review.shapes if shape.kind == "skeleton"])
    server.set_status(done.tasks[0], "completed")
    assert accept_proposals("night", "auto_", output=tmp_path / "out", apply=True, server=server).changes == 0
