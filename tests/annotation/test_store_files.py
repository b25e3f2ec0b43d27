"""Files that an annotation store is filled from and written to, and versions of data sets."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from annotation.conftest import png
from annotation.cvat_standin import StandIn
from annotation.one_of_each import FRAMES, TASK, plain, write_images
from vitruve import api
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.store.store import open_store
from vitruve.cli.main import build
from vitruve.data.settings import DataSettings
from vitruve.data.sources import read_sets
from vitruve.errors import InputError
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.dataset_version import is_version, read_version, versions_among
from vitruve.formats.hub import read_labels, write_labels
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape

ONE = replace(TASK, id=7, created="2026-01-01", updated="2026-01-02", status="completed")
NAMES = ("tasks.json", "meta.json", "annotation_data.json")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a task of everything, and two of one name."""
    place = tmp_path / "store.sqlite"
    with open_store(place, create=True) as opened:
        opened.put(ONE)
        for number in (1, 2):
            frames = tuple(replace(frame, name=f"{number}/{frame.name}") for frame in FRAMES)
            shapes = tuple(Shape("polygon", "Dock", n, (1.0, 2.0, 9.0, 2.0, 9.0, 8.0)) for n in range(number))
            opened.put(AnnotationTask("field", (LabelSpec("Dock"),), frames, shapes, id=number))
    return place


def contents(place: Path) -> list[Any]:
    """All documents of a store."""
    with open_store(place) as opened:
        return [opened.documents(task) for task in opened.tasks()]


def test_documents_go_out_and_in(store: Path, tmp_path: Path) -> None:
    files = api.store_export(tmp_path / "out", store=store)
    assert [file.name for file in files] == list(NAMES)
    rows = [json.loads(line) for line in files[2].read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len(ONE.shapes) + len(ONE.tracks) + 3
    again = tmp_path / "again.sqlite"
    for _ in range(2):
        assert len(api.store_import(tmp_path / "out", store=again)) == 3
        assert contents(again) == contents(store)
    only = api.store_export(tmp_path / "one", ["2"], store=store)
    assert len(only[2].read_text().splitlines()) == 2


def test_artefacts_as_mongoexport_writes_them(tmp_path: Path) -> None:
    shape = {"_id": {"$oid": "5f"}, "type": "annotation", "task_name": "old", "shape_type": "rectangle", "frame": 0}
    shape |= {"points": [{"$numberInt": "1"}, {"$numberDouble": "2.5"}, 3, 4], "object_class": "Dock", "label_id": 1}
    task = {"_id": {"$oid": "6f"}, "type": "task_data", "name": "old", "labels": [], "updated_date": {"$date": "2020"}}
    meta = {"task_name": "old", "frames": [{"name": "0.png", "width": 9, "height": 9}]}
    # What a writer has left that was killed; and everything in one list.
    left = {**shape, "generation": "x"}
    for name, items in zip(NAMES, ([task], [meta], [shape, left]), strict=True):
        (tmp_path / name).write_text(json.dumps(items))
    place = tmp_path / "store.sqlite"
    api.store_import(tmp_path, store=place)
    with open_store(place) as opened:
        read = opened.read("old")
        assert (read.updated, [shape.points for shape in read.shapes]) == ("2020", [(1.0, 2.5, 3.0, 4.0)])
        assert opened.documents("old").annotations[0]["shape_type"] == "rectangle"


@pytest.mark.parametrize("name", NAMES)
def test_truncated_documents_change_nothing(store: Path, tmp_path: Path, name: str) -> None:
    api.store_export(tmp_path / "out", store=store)
    file = tmp_path / "out" / name
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: len(text) - 20], encoding="utf-8")
    before = contents(store)
    with pytest.raises(InputError, match=rf"{name}: line \d+: not JSON .*; is the file cut short"):
        api.store_import(tmp_path / "out", store=store)
    file.write_text("[" + text[:40], encoding="utf-8")
    with pytest.raises(InputError, match=rf"{name}: line \d+: not JSON"):
        api.store_import(tmp_path / "out", store=store)
    file.unlink()
    with pytest.raises(InputError, match=f"{name}"):
        api.store_import(tmp_path / "out", store=store, format="documents")
    assert contents(store) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"shape_types": None}, "has neither shape_types nor shape_type"),
        ({"points": ["a"]}, "could not convert"),
        ({"frame": 99}, "frame 99 of 4"),
        ({"task_name": "gone", "task_id": None}, "task 'gone' is not in tasks.json"),
    ],
)
def test_damaged_documents_are_named(store: Path, tmp_path: Path, damage: dict[str, Any], message: str) -> None:
    files = api.store_export(tmp_path / "out", store=store)
    rows = [json.loads(line) for line in files[2].read_text(encoding="utf-8").splitlines()]
    rows[1] |= damage
    files[2].write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        api.store_import(tmp_path / "out", store=tmp_path / "new.sqlite")
    assert contents(tmp_path / "new.sqlite") == []


def test_xml_and_coco_go_out_and_in(store: Path, tmp_path: Path) -> None:
    files = api.store_export(tmp_path / "xml", store=store, format="cvat_xml")
    assert [file.parent.name for file in files] == ["one_of_each_7", "field_1", "field_2"]
    assert plain(read_task(files[0])) == plain(ONE)
    api.store_import(files[0].parent, store=tmp_path / "new.sqlite")
    with open_store(tmp_path / "new.sqlite") as opened:
        assert plain(opened.read("one of each")) == plain(ONE)
    api.store_export(tmp_path / "all.json", ["1", "2"], store=store, format="coco")
    labels = read_labels(tmp_path / "all.json")
    assert [len(frame.instances.boxes[0]) for frame in labels] == [1, 0, 0, 0, 1, 1, 0, 0]
    assert api.store_import(tmp_path / "all.json", store=store) == ["task all: 3 shapes, 0 tracks"]
    api.store_import(tmp_path / "all.json", store=store)
    with open_store(store) as opened:
        assert [task.name for task in opened.tasks()].count("all") == 1
        assert opened.labels(["all"]).categories[:1] == ("Dock",)


def test_a_version_never_changes_and_names_all_it_is_made_of(store: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    file = tmp_path / "versions" / "first.json"
    made = api.store_version(file, images, ["one of each"], store=store)
    assert is_version(file)
    assert read_version(file).sha256 == made.sha256
    assert made.sources == [{"task": "one of each", "id": 7, "updated": "2026-01-02"}]
    assert made.classes == ["Dock", "any", "mouse"]
    assert {image["split"] for image in made.content["images"]} == {"train"}
    assert len({image["sha256"] for image in made.content["images"]}) == 4
    text = file.read_bytes()
    assert api.store_version(file, images, ["one of each"], store=store).sha256 == made.sha256
    assert file.read_bytes() == text
    with open_store(store) as opened:
        direct = opened.labels([7], images)
    read = read_labels(file, root=images)
    assert read.categories == direct.categories
    assert read.skeleton.names == direct.skeleton.names
    for one, other in zip(read, direct, strict=True):
        np.testing.assert_allclose(one.instances.keypoints, other.instances.keypoints)
        boxed = np.isfinite(other.instances.boxes).all(-1)
        np.testing.assert_allclose(one.instances.boxes[boxed], other.instances.boxes[boxed])
    (images / "a.png").write_bytes(png(40, 30, 200))
    with pytest.raises(InputError, match="versions do not change; give the new one another name"):
        api.store_version(file, images, ["one of each"], store=store)
    file.write_text(file.read_text().replace('"validation"', '"train"').replace('"train"', '"test"'))
    with pytest.raises(InputError, match="was changed after it was made"):
        read_version(file)


def test_versions_are_compared(store: Path, tmp_path: Path) -> None:
    others = tuple(replace(frame, name=f"1/{frame.name}") for frame in FRAMES)
    images = write_images(tmp_path / "images", replace(TASK, frames=(*FRAMES, *others)))
    one = tmp_path / "one.json"
    api.store_version(one, images, [7], store=store)
    assert api.store_diff(one, one).lines() == []
    rectangle = next(shape for shape in ONE.shapes if shape.kind == "rectangle")
    rest = tuple(shape for shape in ONE.shapes if shape is not rectangle and shape.kind != "polygon")
    moved = replace(rectangle, label="New", points=(1.0, 2.0, 30.0, 20.0))
    with open_store(store) as opened:
        labels = (*ONE.labels, LabelSpec("New"))
        opened.put(replace(ONE, labels=labels, shapes=(*rest, moved), updated="2026-02-02", subset="Test"))
    (images / "b.png").write_bytes(png(40, 30, 200))
    two = tmp_path / "two.json"
    api.store_version(two, images, [7, 1], store=store)
    found = api.store_diff(one, two)
    assert found.sources == ("+ task field (1)", "~ task one of each (7): 2026-01-02 -> 2026-02-02")
    assert found.classes == ("+ class New",)
    assert [line.partition(":")[0] for line in found.images if line[0] == "+"] == [f"+ image 1/{n}.png" for n in "abcd"]
    assert any(line.startswith("~ image b.png: sha256 ") for line in found.images)
    assert "~ image d.png: split train -> test" in found.images
    changes = "\n".join(found.annotations)
    assert re.search(r"^~ a.png: Dock \[.*\] -> New \[.*\]$", changes, re.MULTILINE)
    assert "- b.png: any [0.5, -0.5, 4, 4]" in changes
    back = api.store_diff(two, one)
    assert back.classes == ("- class New",)


def test_a_version_takes_its_split_from_labels(store: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    with open_store(store) as opened:
        labels = opened.labels([7], images).with_splits(["train", "validation", "train", "test"])
    write_labels(labels, tmp_path / "split.json", "coco")
    made = api.store_version(tmp_path / "v.json", images, [7], store=store, split=tmp_path / "split.json")
    assert [image["split"] for image in made.content["images"]] == ["train", "validation", "train", "test"]
    write_labels(labels[:2], tmp_path / "part.json", "coco")
    with pytest.raises(InputError, match=r"says of 2 of 4 images no split \(first: c.png\)"):
        api.store_version(tmp_path / "w.json", images, [7], store=store, split=tmp_path / "part.json")


def test_a_version_says_which_images_are_missing(store: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    (images / "c.png").unlink()
    file = tmp_path / "v.json"
    with pytest.raises(InputError, match=r"1 of 4 images are missing \(first: c.png\).*--skip-missing"):
        api.store_version(file, images, [7], store=store)
    assert not file.exists()
    made = api.store_version(file, images, [7], store=store, skip_missing=True)
    assert [image["file_name"] for image in made.content["images"]] == ["a.png", "b.png", "d.png"]
    with pytest.raises(InputError, match="4 of 4 images are missing"):
        api.store_version(file, tmp_path, [7], store=store, skip_missing=True)


def test_a_run_names_its_version_and_refuses_one_that_was_changed(store: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    file = tmp_path / "v.json"
    made = api.store_version(file, images, [7], store=store)
    data = DataSettings(data_dir=images, csv_file=str(file))
    assert versions_among(data.label_files()) == [{"name": "v", "sha256": made.sha256}]
    assert read_sets(data).categories == ("Dock", "any", "mouse")
    file.write_text(file.read_text().replace('"Dock"', '"Dick"'))
    with pytest.raises(InputError, match="was changed after it was made"):
        read_sets(data)


def test_a_version_takes_the_table_of_a_split(store: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    rows = ["image,frame,split,group", "a.png,,train,", "b.png,,test,", "c.png,,train,", "d.png,,validation,"]
    (tmp_path / "split.csv").write_text("\n".join(rows))
    made = api.store_version(tmp_path / "v.json", images, [7], store=store, split=tmp_path / "split.csv")
    assert [image["split"] for image in made.content["images"]] == ["train", "test", "train", "validation"]


def test_the_commands(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = write_images(tmp_path / "images")
    server = CvatServer.connect(standin.url, standin.token, pause=0.01)
    server.set_status(server.create(TASK, images), "completed")
    monkeypatch.setenv("VITRUVE_CVAT_URL", standin.url)
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", standin.token)
    monkeypatch.setenv("VITRUVE_STORE", str(tmp_path / "s.sqlite"))

    def run(*words: str) -> str:
        result = CliRunner().invoke(build(), ["store", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "1 tasks added, 0 updated, 0 unchanged" in run("sync")
    assert "0 tasks added, 0 updated, 1 unchanged" in run("sync", "--task", "one of each")
    assert "11 shapes of 4 classes in 1 tasks" in run("stats")
    assert json.loads(run("stats", "--json"))["total"] == 11
    out = tmp_path / "out"
    assert run("export", str(out)).count(".json") == 3
    assert "11 shapes" in run("import", str(out))
    one, two = str(tmp_path / "one.json"), str(tmp_path / "two.json")
    assert "4 images" in run("version", one, "--images", str(images))
    (images / "a.png").write_bytes(png(40, 30, 250))
    run("version", two, "--images", str(images), "--task", "one of each")
    assert run("diff", one, two).startswith("~ image a.png: sha256 ")
    assert json.loads(run("diff", one, one, "--json"))["images"] == []
    assert standin.token not in (tmp_path / "s.sqlite").read_bytes().decode("latin-1")
