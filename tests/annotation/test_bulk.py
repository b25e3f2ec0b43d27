"""Many tasks at a time: uploaded, changed by a function, completed; nothing goes that is not named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotation.conftest import png
from annotation.cvat_standin import StandIn
from annotation.looking import SIZE, boxes, labels
from vitruve.annotation.batch_crop import crop_images
from vitruve.annotation.bulk_change import change_tasks, complete_tasks
from vitruve.annotation.bulk_upload import upload_labels, upload_xml
from vitruve.annotation.cvat.server import CvatServer
from vitruve.errors import InputError
from vitruve.formats.cvat_xml_writer import write_task
from vitruve.formats.hub import write_labels
from vitruve.formats.shapes import task_of
from vitruve.media.images import read_image, write_image
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape

WEEDS = [{"name": "dock", "type": "rectangle"}]


def test_ground_truth_goes_up_once_with_blanks_as_underscores(
    standin: StandIn, server: CvatServer, tmp_path: Path
) -> None:
    made = labels(tmp_path, boxes((0, 0, 20, 20), classes=[1]), boxes((1, 1, 9, 9)), boxes())
    write_labels(made, tmp_path / "labels.json", "coco")
    before = len(standin.changes())
    said = upload_labels([tmp_path / "labels.json"], server=server)
    assert said.lines == ("+ task (clip_one): 3 images, 2 shapes, 0 tracks; labels dock, clover",)
    assert standin.changes()[before:] == []
    upload_labels([tmp_path / "labels.json"], apply=True, server=server)
    task = server.read(server.find("clip_one").id)
    assert [(shape.label, shape.points) for shape in task.shapes] == [
        ("clover", (0.5, 0.5, 20.5, 20.5)),
        ("dock", (1.5, 1.5, 9.5, 9.5)),
    ]
    again = upload_labels([tmp_path / "labels.json"], apply=True, server=server)
    assert again.lines == (f"= task {task.id} (clip_one) is there already",)
    assert again.changes == 0
    named = upload_labels([tmp_path / "labels.json"], prefix="gt_val ", classes=["clover", "dock", "x"], server=server)
    assert named.lines[0].endswith("(gt_val_clip_one): 3 images, 2 shapes, 0 tracks; labels clover, dock, x")
    with pytest.raises(InputError, match="clip one: has labels of clover, which is none of dock"):
        upload_labels([tmp_path / "labels.json"], classes=["dock"], server=server)


def test_a_folder_of_xml_goes_up_as_it_says(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    task = task_of(labels(tmp_path, boxes((0, 0, 20, 20))), "FieldData 1")
    outline = Shape("polygon", "dock", 0, (1.0, 2.0, 30.0, 4.0, 5.0, 60.0))
    (tmp_path / "xml").mkdir()
    write_task(replace(task, shapes=(*task.shapes, outline)), tmp_path / "xml/a.xml")
    write_task(replace(task, name="FieldData 2"), tmp_path / "xml/b.xml")
    share = standin.state.share
    assert share is not None
    (share / "clip one").mkdir()
    (share / "clip one/0.png").write_bytes(png(*SIZE))
    done = upload_xml(tmp_path / "xml", apply=True, server=server)
    assert [line.partition("(")[2][:11] for line in done.lines] == ["FieldData 1", "FieldData 2"]
    kinds = [shape.kind for shape in server.read(server.find("FieldData 1").id).shapes]
    assert sorted(kinds) == ["polygon", "rectangle"]
    assert upload_xml(tmp_path / "xml", apply=True, server=server).changes == 0
    (tmp_path / "xml/c.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>')
    with pytest.raises(InputError, match=r"c\.xml: defines entities or a document type"):
        upload_xml(tmp_path / "xml", server=server)
    with pytest.raises(InputError, match=r"holds no \.xml file"):
        upload_xml(tmp_path / "clip one", server=server)


def shifted(task: AnnotationTask) -> AnnotationTask:
    """Every shape a pixel to the right, the last one left out, and completed."""
    moved = tuple(replace(s, points=tuple(v + 1 - n % 2 for n, v in enumerate(s.points))) for s in task.shapes[:-1])
    return replace(task, shapes=moved, status="completed")


def weeds(server: CvatServer, root: Path, name: str) -> int:
    made = task_of(labels(root, boxes((0, 0, 20, 20), (30, 30, 40, 40))), name)
    return server.create(made, root)


def test_a_function_changes_tasks_and_deletes_only_what_is_named(
    standin: StandIn, server: CvatServer, tmp_path: Path
) -> None:
    first, second = weeds(server, tmp_path, "a1"), weeds(server, tmp_path, "b1")
    left, gone = server.read(first).shapes
    before = len(standin.changes())
    said = change_tasks(shifted, pattern="a", server=server)
    assert said.lines == (
        f"task {first} (a1): 2 changes",
        f"  ~ shape-{left.id} 0.png: rectangle dock (1.5, 0.5, 21.5, 20.5)",
        f"  = shape-{gone.id} 0.png: rectangle dock (30.5, 30.5, 40.5, 40.5) (only on the server)",
        "  ~ status: annotation -> completed",
    )
    assert standin.changes()[before:] == []
    with pytest.raises(InputError, match="--remove shape-99: not among what the function leaves out"):
        change_tasks(shifted, pattern="a", remove=["shape-99"], apply=True, server=server)
    change_tasks(shifted, pattern="a", apply=True, server=server)
    assert (server.find(first).status, len(server.read(first).shapes)) == ("completed", 2)
    change_tasks(lambda task: replace(task, shapes=()), [first], remove=[f"shape-{gone.id}"], apply=True, server=server)
    assert len(server.read(first).shapes) == 1
    assert (server.find(second).status, len(server.read(second).shapes)) == ("annotation", 2)


def test_functions_are_named_on_the_command_line(
    server: CvatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = weeds(server, tmp_path, "a1")
    (tmp_path / "my_changes.py").write_text(
        "from dataclasses import replace\ndef complete(task):\n    return replace(task, status='completed')\n"
        "def none(task):\n    return None\ndef wrong(task):\n    return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    assert change_tasks("my_changes:none", apply=True, server=server).changes == 0
    assert change_tasks("my_changes:complete", apply=True, server=server).changes == 1
    assert server.find(number).status == "completed"
    for hook, message in {
        "True": "True: name a function as module:function",
        "no_such:f": r"module no_such cannot be imported \(ModuleNotFoundError",
        "my_changes:f": "module my_changes has no function f",
        "my_changes:wrong": "gave back int; it must give back the task, or None",
    }.items():
        with pytest.raises(InputError, match=message):
            change_tasks(hook, server=server)


def test_tasks_are_completed(server: CvatServer, tmp_path: Path) -> None:
    numbers = [weeds(server, tmp_path, name) for name in ("a1", "a2", "b1")]
    assert complete_tasks(pattern="a", server=server).changes == 2
    assert complete_tasks(pattern="a", apply=True, server=server).applied
    assert [server.find(number).status for number in numbers] == ["completed", "completed", "annotation"]
    assert complete_tasks(pattern="", apply=True, server=server).changes == 1
    with pytest.raises(InputError, match="no task is named"):
        complete_tasks(server=server)


def test_the_lower_half_and_the_middle_half_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (20, 40, 3), np.uint8)
    write_image(tmp_path / "src/day/a.png", image)
    write_image(tmp_path / "src/b.bmp", image)
    done = crop_images(tmp_path / "src", tmp_path / "dst", suffix="png")
    assert done == [tmp_path / "dst/day/a.png"]
    np.testing.assert_array_equal(read_image(done[0]), image[10:, 10:30])
    assert crop_images(tmp_path / "src", tmp_path / "dst", suffix=".PNG") == []
    assert len(crop_images(tmp_path / "src", tmp_path / "dst", overwrite=True)) == 2
    with pytest.raises(InputError, match="images would be written over"):
        crop_images(tmp_path / "src", tmp_path / "src")
    with pytest.raises(InputError, match=r"holds no image that ends in \.jpg"):
        crop_images(tmp_path / "src", tmp_path / "dst", suffix="jpg")


def test_labels_keep_their_kind(server: CvatServer, tmp_path: Path) -> None:
    task = task_of(labels(tmp_path, boxes((0, 0, 20, 20))), "t", [LabelSpec("dock", "any"), LabelSpec("clover")])
    assert [label.kind for label in server.read(server.create(task, tmp_path)).labels] == ["any", "any"]
