"""Pull, push, create-task and set-status: said first, done with --apply, and done once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from annotation.conftest import png
from annotation.cvat_standin import StandIn
from annotation.one_of_each import TASK, plain, write_images
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.cvat.verbs import cvat_create_task, cvat_pull, cvat_push, cvat_set_status
from vitruve.cli.main import build, guarded
from vitruve.errors import InputError, ServerError
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.cvat_xml_writer import write_task
from vitruve.formats.hub import read_labels, write_labels
from vitruve.structures.annotation import LabelSpec, Shape
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

BOX = [{"name": "Dock", "type": "rectangle"}]


@pytest.fixture
def made(server: CvatServer, tmp_path: Path) -> int:
    """One of each on the server."""
    return server.create(TASK, write_images(tmp_path / "originals"))


def test_a_task_is_pulled_whole_and_pushed_without_a_change(
    standin: StandIn, server: CvatServer, made: int, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    outcome = cvat_pull(str(made), folder, server=server)
    assert outcome.lines[1] == "4 images fetched, 0 were here"
    pulled = read_task(folder / "annotations.xml")
    assert pulled == server.read(made)
    assert plain(pulled) == plain(TASK)
    assert (folder / "c.png").read_bytes() == (tmp_path / "originals/c.png").read_bytes()
    before = len(standin.changes())
    for apply in (False, True):
        outcome = cvat_push(folder, made, apply=apply, server=server)
        assert outcome.lines == ("11 the same",)
        assert (outcome.changes, outcome.applied) == (0, False)
    assert standin.changes()[before:] == []
    assert len(read_labels(folder)) == 4


def test_pulling_goes_on_where_it_stopped(standin: StandIn, server: CvatServer, made: int, tmp_path: Path) -> None:
    standin.fail(500, path="data/$", skip=2, times=99)
    with pytest.raises(ServerError, match=r"failed 5 times \(500\)"):
        cvat_pull(made, tmp_path / "here", server=server)
    standin.faults.clear()
    asked = standin.count(r"GET .*/data/$")
    assert cvat_pull(made, tmp_path / "here", server=server).lines[1] == "2 images fetched, 2 were here"
    assert standin.count(r"GET .*/data/$") == asked + 2


def test_images_that_the_server_lost(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (standin.state.share / name).write_bytes(png())
    number = server.create(replace(TASK, frames=TASK.frames[:2], shapes=TASK.shapes[:2], tracks=()))
    (standin.state.share / "a.png").unlink()
    with pytest.raises(ServerError, match=r"1 of 2 images are missing on the server \(first: a\.png\); the others and"):
        cvat_pull(number, tmp_path / "here", server=server)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["annotations.xml", "b.png"]


def test_frames_of_a_video_come_as_images_that_are_trained_on_and_pushed(
    standin: StandIn, server: CvatServer, tmp_path: Path
) -> None:
    task = standin.add_task("v", BOX, {"day1/clip.mp4": png(grey=0), "1.png": png(grey=80), "2.png": png(grey=160)})
    task.video, task.frame_filter, task.deleted = True, "step=5", [1]
    server.change(task.id, add=[Shape("rectangle", "Dock", 2, (1.0, 2.0, 11.0, 12.0))])
    folder = tmp_path / "here"
    assert cvat_pull(task.id, folder, server=server).lines[1:] == ("2 images fetched, 0 were here",)
    assert (folder / "day1/clip/frame_000010.png").read_bytes() == png(grey=160)
    found = read_labels(folder)
    assert [frame.first_image.path.name for frame in found] == [
        *("frame_000000.png", "frame_000010.png"),
    ]
    assert {frame.session for frame in found} == {"clip"}
    assert cvat_push(folder, task.id, server=server).lines == ("1 the same",)
    write_labels(found, folder / "labels.json", "coco")
    assert cvat_push(folder / "labels.json", task.id, server=server).lines == ("1 the same",)
    assert cvat_pull(task.id, folder, server=server).lines[1:] == ("0 images fetched, 2 were here",)


def test_a_video_that_lies_there_is_not_fetched_in_frames(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    task = standin.add_task("v", BOX, {"clip.mp4": png(), "1.png": png()})
    task.video = True
    (tmp_path / "clip.mp4").write_bytes(b"a video")
    assert cvat_pull(task.id, tmp_path, server=server).lines[1:] == ("0 images fetched, 0 were here",)
    assert [frame.first_image.index for frame in read_labels(tmp_path)] == [0, 1]


def test_what_was_changed_here_is_not_overwritten(server: CvatServer, made: int, tmp_path: Path) -> None:
    cvat_pull(made, tmp_path, images=False, server=server)
    file = tmp_path / "annotations.xml"
    task = read_task(file)
    write_task(replace(task, shapes=(*task.shapes, Shape("rectangle", "Dock", 0, (1, 1, 2, 2)))), file)
    with pytest.raises(InputError, match="holds 1 changes that the server has not; push them first, or --overwrite"):
        cvat_pull(made, tmp_path, images=False, server=server)
    cvat_pull(made, tmp_path, images=False, overwrite=True, server=server)
    assert read_task(file) == task


def test_changes_are_said_and_then_made(standin: StandIn, server: CvatServer, made: int, tmp_path: Path) -> None:
    cvat_pull(made, tmp_path, images=False, server=server)
    file = tmp_path / "annotations.xml"
    task = read_task(file)
    moved = next(shape for shape in task.shapes if shape.kind == "polygon")
    gone = next(shape for shape in task.shapes if shape.kind == "ellipse")
    kept = [replace(s, points=(0.0,) * 6) if s is moved else s for s in task.shapes if s is not gone]
    write_task(replace(task, shapes=(*kept, Shape("rectangle", "Dock", 3, (1, 1, 2, 2)))), file)
    before = len(standin.changes())
    said = cvat_push(file, made, server=server)
    assert said.lines == (
        "+ d.png: rectangle Dock (1.0, 1.0, 2.0, 2.0)",
        f"~ shape-{moved.id} b.png: polygon any (0.0, 0.0, 0.0, 0.0, ...)",
        f"= shape-{gone.id} b.png: ellipse any (20.0, 10.0, 25.0, 5.0) (only on the server)",
        "1 to add, 1 to update, 1 only on the server, 9 the same",
    )
    assert standin.changes()[before:] == []
    assert cvat_push(file, made, apply=True, server=server).changes == 2
    kinds = [shape.kind for shape in server.read(made).shapes]
    assert kinds.count("ellipse") == 1, "what is not named is not deleted"
    assert kinds.count("rectangle") == 3
    again = cvat_push(file, made, apply=True, server=server)
    assert (again.changes, again.lines[-1]) == (0, "1 only on the server, 11 the same")
    cvat_push(file, made, apply=True, remove=[f"shape-{gone.id}"], server=server)
    assert [s.kind for s in server.read(made).shapes].count("ellipse") == 0


def test_what_others_changed_is_left_alone(standin: StandIn, server: CvatServer, made: int, tmp_path: Path) -> None:
    cvat_pull(made, tmp_path, images=False, server=server)
    polygon = next(shape for shape in server.read(made).shapes if shape.kind == "polygon")
    server.change(made, update=[replace(polygon, points=(9.0, 9.0, 8.0, 8.0, 7.0, 9.0))])
    outcome = cvat_push(tmp_path, made, apply=True, server=server)
    assert outcome.changes == 0
    assert outcome.lines[-1] == "1 only on the server, 1 changed there since, 10 the same"
    assert next(s for s in server.read(made).shapes if s.kind == "polygon").points[0] == 9.0


def test_a_file_of_another_task_brings_shapes_not_numbers(server: CvatServer, made: int, tmp_path: Path) -> None:
    cvat_pull(made, tmp_path, images=False, server=server)
    other = server.create(replace(TASK, name="other", shapes=(), tracks=()), tmp_path / "originals")
    assert cvat_push(tmp_path, other, apply=True, server=server).changes == 11
    assert plain(replace(server.read(other), name=TASK.name)) == plain(TASK)
    with pytest.raises(InputError, match=r"is of task \d+ \(one of each\); pull task \d+ into another folder"):
        cvat_pull(other, tmp_path, server=server)


def poses(root: Path, names: tuple[str, ...] = ("a.png", "b.png")) -> Labels:
    rng = np.random.default_rng(0)
    frames = []
    for name in names:
        points = rng.uniform(1, 25, (1, 1, 2, 2)).round(2)
        found = Instances.from_keypoints(points, keypoint_scores=rng.uniform(0.1, 0.9, (1, 1, 2)).round(3))
        frames.append(Frame((ImageRef(Path(name)),), found))
    return Labels(Skeleton(("nose", "tail"), ((0, 1),)), tuple(frames), root)


@pytest.mark.filterwarnings("ignore:.*has no label for the boxes")
@pytest.mark.parametrize("name", ["a.csv", "a.xml", "a.json"])
def test_predictions_of_any_format_are_pushed(standin: StandIn, server: CvatServer, tmp_path: Path, name: str) -> None:
    mouse = LabelSpec("mouse", "skeleton", parts=(LabelSpec("tail", "points"), LabelSpec("nose", "points")))
    task = replace(TASK, labels=(mouse, TASK.labels[0]), shapes=(), tracks=())
    number = server.create(task, write_images(tmp_path / "images"))
    wanted = poses(tmp_path)
    formats = {"a.csv": "lightning_pose", "a.xml": "cvat_xml", "a.json": "coco"}
    if name == "a.xml":
        wanted = replace(wanted, categories=("mouse",))
    write_labels(wanted, tmp_path / name, formats[name])
    assert cvat_push(tmp_path / name, number, apply=True, server=server).changes == 2
    found = server.read(number)
    assert {shape.source for shape in found.shapes if shape.kind == "skeleton"} == {"auto"} or name == "a.xml"
    for shape, frame in zip([s for s in found.shapes if s.kind == "skeleton"], wanted, strict=True):
        nose = next(part for part in shape.parts if part.label == "nose")
        np.testing.assert_allclose(nose.points, frame.instances.keypoints[0, 0, 0] + 0.5, atol=1e-9)
    assert cvat_push(tmp_path / name, number, apply=True, server=server).changes == 0


def test_a_task_is_made_from_labels_images_or_the_share(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    write_labels(poses(images), images / "labels.json", "coco")
    said = cvat_create_task("poses", [images / "labels.json"], server=server)
    assert said.lines == ("+ task (poses): 2 images, 4 shapes, 0 tracks; labels object, object box",)
    assert standin.changes() == []
    done = cvat_create_task("poses", [images / "labels.json"], apply=True, server=server)
    assert len(server.read(done.task or 0).shapes) == 4
    again = cvat_create_task("poses", [images / "labels.json"], apply=True, server=server)
    assert again.lines == (f"= task {done.task} (poses) is there already with these images",)

    folder = cvat_create_task("folder", [images], labels=["Dock"], subset="Test", apply=True, server=server)
    assert [f.name for f in server.read(folder.task or 0).frames] == ["a.png", "b.png", "c.png", "d.png"]
    assert server.read(folder.task or 0).subset == "Test"
    files = cvat_create_task("files", [images / "d.png", images / "a.png"], like="folder", apply=True, server=server)
    found = server.read(files.task or 0)
    assert [f.name for f in found.frames] == ["d.png", "a.png"]
    assert [label.name for label in found.labels] == ["Dock"]
    (standin.state.share / "s.png").write_bytes(png())
    shared = cvat_create_task("shared", ["s.png"], labels=["Dock"], share=True, apply=True, server=server)
    assert server.image(shared.task or 0, 0) == png()
    with pytest.raises(InputError, match="task x: has no label; give --label, --like, or a label file"):
        cvat_create_task("x", [images], server=server)
    with pytest.raises(InputError, match="absent: no such file or folder"):
        cvat_create_task("x", [tmp_path / "absent"], server=server)


def test_labels_of_a_new_task_are_those_that_are_drawn(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    write_images(tmp_path)
    write_labels(poses(tmp_path), tmp_path / "poses.csv", "lightning_pose")
    number = cvat_create_task("m", [tmp_path / "poses.csv"], labels=["mouse"], apply=True, server=server).task
    assert number is not None
    task = server.read(number)
    assert [(label.name, label.kind) for label in task.labels] == [("mouse", "skeleton")]
    assert {shape.label for shape in task.shapes} == {"mouse"}
    boxes = standin.add_task("boxes", BOX, {"z.png": png()})
    before = standin.changes()
    with pytest.raises(InputError, match=r"is drawn, and its labels are Dock"):
        cvat_create_task("n", [tmp_path / "poses.csv"], like=boxes.id, apply=True, server=server)
    assert standin.changes() == before


def test_what_people_took_out_does_not_come_back(
    standin: StandIn, server: CvatServer, made: int, tmp_path: Path
) -> None:
    server.change(made, remove=server.read(made).shapes)
    standin.state.tasks[made].job = {"stage": "annotation", "state": "in progress"}
    assert server.create(TASK, tmp_path / "originals") == made
    assert server.read(made).shapes == ()


def test_status_is_said_and_then_set(standin: StandIn, server: CvatServer) -> None:
    number = standin.add_task("t", BOX, {"a.png": png()}).id
    assert cvat_set_status("t", "completed", server=server).lines == (f"~ task {number} (t): annotation -> completed",)
    assert server.find(number).status == "annotation"
    assert cvat_set_status("t", "completed", apply=True, server=server).applied
    assert cvat_set_status("t", "completed", apply=True, server=server).lines == (f"= task {number} (t) is completed",)


def run(standin: StandIn, *arguments: str, token: str | None = None, **environment: str) -> Any:
    given = {"VITRUVE_CVAT_URL": standin.url, "CVAT_ACCESS_TOKEN": token or standin.token, **environment}
    return CliRunner().invoke(build(), ["cvat", *arguments], env=given)


def test_the_command_line(standin: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = write_images(tmp_path / "images")
    made = run(standin, "create-task", "t", str(images), "--label", "Dock")
    assert made.exit_code == 0
    assert "+ task (t): 4 images, 0 shapes, 0 tracks; labels Dock" in made.output
    assert "nothing was changed: --apply does it" in made.output
    assert run(standin, "create-task", "t", str(images), "--label", "Dock", "--apply").exit_code == 0
    assert run(standin, "pull", "t", str(tmp_path / "here")).exit_code == 0
    assert "nothing is drawn" in run(standin, "push", str(tmp_path / "here"), "t").output
    assert "annotation -> validation" in run(standin, "set-status", "t", "validation", "--apply").output
    key = tmp_path / "key"
    key.write_text(standin.token)
    key.chmod(0o600)
    options = ["set-status", "t", "validation", "--key-file", str(key)]
    assert "is validation" in run(standin, *options, token="wrong").output
    user = ["set-status", "t", "validation", "--user", standin.user]
    assert "is validation" in run(standin, *user, VITRUVE_CVAT_PASSWORD=standin.password).output
    with pytest.raises(SystemExit) as end:
        guarded(lambda: build()(["cvat", "set-status", "t", "x", "--server", standin.url, "--key-file", str(key)]))
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: no status 'x'; known are annotation, validation, completed\n"


def test_no_token_is_written_or_said(standin: StandIn, server: CvatServer, made: int, tmp_path: Path) -> None:
    outcome = run(standin, "pull", str(made), str(tmp_path / "here"))
    wrong = run(standin, "pull", str(made), str(tmp_path / "here"), token="wrong-token")
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert standin.token.encode() not in written
    assert standin.token not in outcome.output + repr(server.__dict__)
    assert "wrong-token" not in wrong.output + str(wrong.exception)
