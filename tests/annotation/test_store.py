"""The annotation store: the same in SQLite and in a real MongoDB with authentication."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from annotation.conftest import png
from annotation.cvat_standin import StandIn
from annotation.local_mongod import PASSWORD, USER, NoMongod, local_mongod
from annotation.one_of_each import TASK, plain, write_images
from annotation.written_by_turns import ByTurns, check_whole, killed_after
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.store.documents import TaskDocuments, documents_of, task_from
from vitruve.annotation.store.mongo import MongoBackend, shown_address
from vitruve.annotation.store.stats import day_of, store_statistics
from vitruve.annotation.store.store import Store, open_store
from vitruve.annotation.store.sync import synchronise
from vitruve.errors import InputError, ServerError
from vitruve.formats.notes import LabelsWarning
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame

ONE = replace(TASK, id=7, created="2026-01-01", updated="2026-01-02", status="completed")


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a MongoDB."""
    try:
        with local_mongod(tmp_path_factory.mktemp("mongo")) as place:
            yield place
    except NoMongod as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "mongodb"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store may be."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    return fresh_mongo(request.getfixturevalue("mongo"))


def fresh_mongo(place: str) -> str:
    """The address of the database, with nothing in it."""
    import pymongo

    address = f"mongodb://{USER}:{quote(PASSWORD, safe='')}@{place}/"
    with pymongo.MongoClient(address, authSource="annotations") as client:
        for name in client.annotations.list_collection_names():
            client.annotations[name].drop()
    return address


def boxes(name: str, number: int | None, *labels: str, folder: str = "a") -> AnnotationTask:
    """A task with one box a label, each on its own image."""
    frames = tuple(TaskFrame(f"{folder}/{n}.png", 40, 30) for n in range(len(labels)))
    shapes = tuple(Shape("rectangle", label, n, (1.0, 2.0, 11.0, 12.0)) for n, label in enumerate(labels))
    specs = tuple(LabelSpec(label, "rectangle") for label in dict.fromkeys(labels))
    return AnnotationTask(name, specs, frames, shapes, id=number, created=f"made {number}")


def test_documents_hold_a_task_without_loss() -> None:
    assert task_from(documents_of(ONE)) == replace(ONE, shapes=task_from(documents_of(ONE)).shapes)
    assert plain(task_from(documents_of(ONE))) == plain(ONE)
    sure = replace(ONE.tracks[0].shapes[0], score=0.25)
    scored = replace(ONE, tracks=(replace(ONE.tracks[0], shapes=(sure, *ONE.tracks[0].shapes[1:])),))
    assert task_from(documents_of(scored)).tracks[0].shapes[0].score == 0.25


def test_documents_have_the_keys_of_obdb() -> None:
    documents = documents_of(ONE)
    assert documents.task.keys() >= {"type", "name", "labels", "created_date", "updated_date"}
    assert documents.task["type"] == "task_data"
    assert documents.meta["task_name"] == "one of each"
    assert documents.meta["frames"][1] == {"name": "b.png", "width": 40, "height": 30}
    polygon = next(item for item in documents.annotations if item["shape_types"] == "polygon")
    wanted = {"type": "annotation", "task_name": "one of each", "object_class": "any", "img_path": "b.png"}
    wanted |= {"occluded": True, "points": [1, 2, 3, 4, 5, 0], "frame": 1, "img_height": 30, "img_width": 40}
    assert {key: polygon[key] for key in wanted} == wanted
    label = next(label for label in documents.task["labels"] if label["name"] == "any")
    assert polygon["label_id"] == label["id"]


def test_a_store_gives_back_what_it_was_given(address: str) -> None:
    for _ in range(2):
        with open_store(address, create=True) as store:
            store.put(ONE)
    with open_store(address) as store:
        assert [(task.name, task.id) for task in store.tasks()] == [("one of each", 7)]
        assert store.read("one of each") == store.read(7) == task_from(documents_of(ONE))
        stats = store_statistics(store)
    assert stats.total == len(ONE.shapes) + len(ONE.tracks)
    assert stats.classes == {"any": 6, "Dock": 2, "mouse": 2, "süß": 1}
    assert stats.shape_types["skeleton"] == 2
    assert stats.tasks[0]["classes"] == stats.classes


def test_documents_of_obdb_are_read_as_they_are(address: str) -> None:
    label = {"id": 90, "name": "Dock", "color": "#112233", "attributes": [], "mystery": 1}
    task = {
        "type": "task_data",
        "name": "old",
        "labels": [label],
        "created_date": "c",
        "updated_date": "u",
        "more": [1],
    }
    meta = {"task_name": "old", "frames": [{"name": "x/1.png", "width": 9, "height": 8, "has_related_context": False}]}
    shape = {"type": "annotation", "task_name": "old", "shape_type": "polygon", "occluded": False}
    shape |= {"points": ["1.5", 2, 3, 4, 5, 6], "frame": 0, "label_id": 90, "source": "manual", "object_class": "Dock"}
    shape |= {"img_path": "x/1.png", "img_height": 8, "img_width": 9, "own": {"key": [None]}}
    other = {**shape, "object_class": "Not listed", "shape_types": "rectangle", "points": [1, 1, 2, 2]}
    documents = TaskDocuments(task, meta, [shape, other])
    with open_store(address, create=True) as store:
        store.put_documents(documents)
        store.put_documents(documents)
        kept = store.documents("old")
        assert (kept.task, kept.meta, list(kept.annotations)) == (task, meta, [shape, other])
        read = store.read("old")
        assert [s.kind for s in read.shapes] == ["polygon", "rectangle"]
        assert read.shapes[0].points == (1.5, 2.0, 3.0, 4.0, 5.0, 6.0)
        assert store_statistics(store).shape_types == {"polygon": 1, "rectangle": 1}
        labels = store.labels(["old"], "images")
    assert labels.categories == ("Dock", "Not listed")
    np.testing.assert_allclose(labels[0].instances.boxes, [[[1.0, 1.5, 4.5, 5.5], [0.5, 0.5, 1.5, 1.5]]])


def test_what_obdb_wrote_itself_is_read_and_taken_over(mongo: str) -> None:
    import pymongo

    address = fresh_mongo(mongo)
    with pymongo.MongoClient(address, authSource="annotations") as client:
        base = client.annotations
        for name in ("field", "field 2"):
            label = {"id": 1, "name": "Dock", "color": "#ffffff", "attributes": []}
            base.tasks.insert_one(
                {"type": "task_data", "name": name, "labels": [label], "created_date": f"made {name}"}
            )
            base.meta.insert_one({"task_name": name, "frames": [{"name": f"{name}/0.png", "width": 9, "height": 9}]})
            shape = {"type": "annotation", "task_name": name, "shape_types": "rectangle", "points": [1, 1, 2, 2]}
            shape |= {"frame": 0, "label_id": 1, "object_class": "Dock", "occluded": False}
            base.annotation_data.insert_many([dict(shape), dict(shape)])
    with open_store(address) as store:
        assert store_statistics(store).classes == {"Dock": 4}
        assert len(store.read("field").shapes) == 2
    with open_store(address, create=True) as store:
        store.put(replace(boxes("field", 3, "Thistle"), created="made field"))
        assert [(task.name, task.id) for task in store.tasks()] == [("field", 3), ("field 2", None)]
        # OBDB deleted by the beginning of the name, and took the shapes of 'field 2' with those of 'field'.
        assert len(store.read("field 2").shapes) == 2
        assert store_statistics(store).classes == {"Dock": 2, "Thistle": 1}
        assert store.classes() == ("Dock", "Thistle")
    with pymongo.MongoClient(address, authSource="annotations") as client:
        found = list(client.annotations.annotation_data.find({"task_name": "field"}))
        assert [(item["object_class"], item["shape_types"]) for item in found] == [("Thistle", "rectangle")]
        assert any("img_path" in str(index) for index in client.annotations.annotation_data.index_information())


def test_two_tasks_of_one_name_are_kept_apart(address: str) -> None:
    with open_store(address, create=True) as store:
        store.put(boxes("field", 1, "Dock", folder="a"))
        store.put(boxes("field", 2, "Dock", "Dock", folder="b"))
        store.put(boxes("field", 1, "Dock", "Dock", "Dock", folder="a"))
        assert [len(store.read(number).shapes) for number in (1, 2)] == [3, 2]
        assert [task["shapes"] for task in store_statistics(store).tasks] == [3, 2]
        with pytest.raises(InputError, match="2 tasks are named 'field': give the number, one of 1, 2"):
            store.labels(["field"])
        assert len(store.labels([1, 2])) == 5


def test_the_class_map_is_stored_and_only_grows(address: str) -> None:
    with open_store(address, create=True) as store:
        store.put(boxes("first", 1, "Nettle", "Dock"))
        assert store.labels().categories == ("Dock", "Nettle")
        store.put(boxes("second", 2, "Aster", "Nettle", folder="b"))
        assert store.labels().categories == ("Dock", "Nettle", "Aster")
        labels = store.labels(["second"])
        assert labels.categories == ("Dock", "Nettle", "Aster")
        assert [int(frame.instances.categories[0, 0]) for frame in labels] == [2, 1]
        store.put(boxes("first", 1, "Nettle"))
        assert store.labels().categories == ("Dock", "Nettle", "Aster")


def test_labels_of_several_tasks(address: str) -> None:
    stray = Shape("points", "Dock", 0, (3.0, 4.0))
    first = replace(boxes("first", 1, "Dock"), subset="Train")
    second = replace(boxes("second", 2, "Nettle", "Dock", folder="b"), subset="Validation")
    second = replace(second, frames=(replace(second.frames[0], deleted=True), second.frames[1]))
    with open_store(address, create=True) as store:
        store.put(first)
        store.put(replace(second, shapes=(*second.shapes, replace(stray, frame=1))))
        with pytest.warns(LabelsWarning, match="1 single points"):
            labels = store.labels(["first", "second"], "root")
        assert [(f.name, f.split) for f in labels] == [("a/0.png", "train"), ("b/1.png", "validation")]
        assert labels.skeleton.names == ()
        np.testing.assert_allclose(labels[1].instances.boxes, [[[0.5, 1.5, 10.5, 11.5]]])
        store.put(boxes("third", 3, "Dock"))
        with pytest.raises(InputError, match=r"a/0.png: is in 2 of the tasks \(first, third\)"):
            store.labels()
        with pytest.raises(InputError, match=r"no task 'frist' \(did you mean 'first'\?\)"):
            store.labels(["frist"])


def test_skeletons_and_tracks_of_several_tasks(address: str) -> None:
    again = replace(
        ONE, name="again", id=8, created="x", frames=tuple(replace(f, name=f"2/{f.name}") for f in ONE.frames)
    )
    with open_store(address, create=True) as store:
        store.put(ONE)
        store.put(again)
        labels, alone = store.labels(), store.labels([7])
    assert labels.skeleton.names == alone.skeleton.names == ("nose", "tail", "ear")
    for one, two, single in zip(labels.frames[:4], labels.frames[4:], alone.frames, strict=True):
        np.testing.assert_array_equal(one.instances.keypoints, single.instances.keypoints)
        np.testing.assert_array_equal(two.instances.keypoints, single.instances.keypoints)
        np.testing.assert_array_equal(two.instances.boxes, single.instances.boxes)


def test_completed_tasks_are_synchronised_once(
    standin: StandIn, server: CvatServer, tmp_path: Path, address: str
) -> None:
    images = write_images(tmp_path / "images")
    done = server.create(TASK, images)
    other = server.create(replace(boxes("open", None, "Dock", folder="."), frames=TASK.frames[:1]), images)
    server.set_status(done, "completed")
    with open_store(address, create=True) as store:
        assert synchronise(store, server).added == (f"one of each ({done})",)
        assert store.read(done) == server.read(done)
        standin.log.clear()
        assert synchronise(store, server).unchanged == 1
        assert not [line for line in standin.log if "annotations" in line]
        server.set_status(other, "completed")
        shape = next(shape for shape in server.read(done).shapes if shape.kind == "rectangle")
        server.change(done, remove=[shape])
        found = synchronise(store, server)
        assert (found.added, found.updated) == ((f"open ({other})",), (f"one of each ({done})",))
        assert store.read(done) == server.read(done)
        server.set_status(done, "annotation")
        assert synchronise(store, server).only_here == (f"one of each ({done})",)
        assert len(store.tasks()) == 2
        with pytest.raises(InputError, match="no completed task 'gone'"):
            synchronise(store, server, ["gone"])
        standin.fail(500, times=50, path="/annotations")
        server.set_status(done, "completed")
        with pytest.raises(ServerError, match="failed 5 times"):
            synchronise(store, server)
        standin.faults.clear()
        assert synchronise(store, server).updated == (f"one of each ({done})",)


def test_a_store_holds_the_tasks_of_one_server(address: str) -> None:
    with open_store(address, create=True) as store:
        store.put(boxes("field", 1, "Dock"))
        with pytest.raises(InputError, match="holds the tasks of one server"):
            store.put(replace(boxes("other", 1, "Dock"), created="made elsewhere"))
        assert len(store.tasks()) == 1


def test_a_killed_synchronisation_loses_and_doubles_nothing(address: str) -> None:
    turn, mixed = 0, 0
    for number in range(6):
        turn = killed_after(address, turn, 1 + number, 0.003 * number)
        with open_store(address) as store:
            turns = check_whole(store)
        assert len(turns) == 4
        mixed += len(set(turns)) > 1
        turn += 1
    with open_store(address) as store:
        synchronise(store, ByTurns(turn))
        assert check_whole(store) == [turn] * 4
    assert mixed, "it was killed while it wrote"


def test_another_writer_is_waited_for_and_a_dead_one_is_not(mongo: str) -> None:
    address = fresh_mongo(mongo)
    with open_store(address, create=True) as one, one.writing():
        one.put(boxes("field", 1, "Dock"))
        with open_store(address) as two, pytest.raises(ServerError, match=rf"process {os.getpid()} on .* is writing"):
            synchronise(two, ByTurns())
    backend = MongoBackend(address)
    left = {"generation": "of one that was killed"}
    backend._data.insert_many([{"task_name": "field", "object_class": "Dock", **left} for _ in range(5)])
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    backend._about.insert_one({"_id": "writer", **backend._owner, "owner": "x", "pid": gone.pid, "until": 9e12})
    with open_store(address) as store:
        assert store_statistics(store).classes == {"Dock": 1}
        with store.writing():
            assert backend._data.count_documents(left) == 0
    # Who was taken for dead must make nothing count any more.
    with backend.writing():
        backend._about.delete_one({"_id": "writer"})
        with pytest.raises(ServerError, match="another process has begun to write"):
            backend.write(documents_of(boxes("late", 2, "Dock")), None)
    assert [task.name for task in backend.tasks()] == ["field"]
    backend.close()


def test_an_unreachable_or_unauthorised_mongodb_is_said_in_a_line(mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"mongodb://127.0.0.1:1/: MongoDB cannot be reached within 0.2 s"):
        MongoBackend("mongodb://127.0.0.1:1/", timeout=0.2)
    shown = []
    for address in (
        f"mongodb://{mongo}/",
        f"mongodb://obdb:wrong-word@{mongo}/",
        f"mongodb://stranger:{quote(PASSWORD, safe='')}@{mongo}/",
    ):
        with pytest.raises(ServerError, match="MongoDB refuses access") as caught:
            open_store(address).tasks()
        shown.append(str(caught.value))
    with pytest.raises(InputError, match="no password for obdb; set VITRUVE_MONGO_PASSWORD") as missing:
        open_store(f"mongodb://obdb@{mongo}/")
    with pytest.raises(InputError, match="no address of MongoDB") as strange:
        open_store("mongodb://obdb:wrong-word@127.0.0.1:port/")
    shown += [str(missing.value), str(strange.value)]
    assert not [line for line in shown if "wrong-word" in line or PASSWORD in line or quote(PASSWORD) in line]
    monkeypatch.setenv("VITRUVE_MONGO_PASSWORD", PASSWORD)
    with open_store(f"mongodb://obdb@{mongo}/annotations") as store:
        assert store.address == f"mongodb://obdb@{mongo}/annotations"
        store.tasks()
    assert shown_address("mongodb://a:b@c@host:1,other:2/x?password=y") == "mongodb://a@host:1,other:2/x"


def test_a_store_of_a_newer_program_or_of_another_is_refused(tmp_path: Path, address: str) -> None:
    with open_store(address, create=True) as store:
        store.put(boxes("field", 1, "Dock"))
        backend = store._backend
        if isinstance(backend, MongoBackend):
            backend._about.update_one({"_id": "store"}, {"$set": {"version": 99}})
        else:
            sqlite3.connect(address.removeprefix("sqlite:///")).execute("PRAGMA user_version=99")
    with pytest.raises(InputError, match="format 99, and this program knows 1: it was written by a newer one"):
        open_store(address)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as base:
        base.execute("CREATE TABLE x (y)")
    with pytest.raises(InputError, match="is a database of another program"):
        open_store(foreign)
    foreign.write_bytes(png())
    with pytest.raises(InputError, match="no annotation store, or a damaged one"):
        open_store(foreign, create=True)
    with pytest.raises(InputError, match="make one with vitruve store sync"):
        open_store(tmp_path / "none.sqlite")
    with pytest.raises(InputError, match="postgres://: no kind of annotation store"):
        open_store("postgres://host/base")


def test_the_store_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VITRUVE_STORE", raising=False)
    with open_store(create=True) as store:
        assert isinstance(store, Store)
    assert (tmp_path / "annotations.sqlite").is_file()
    monkeypatch.setenv("VITRUVE_STORE", str(tmp_path / "other.sqlite"))
    with open_store(create=True) as store:
        assert store.address.endswith("other.sqlite")


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("FieldData 20190630102950", "2019-06-30"),
        ("clip_2020-05-03_a", "2020-05-03"),
        ("20190703 4k", "2019-07-03"),
        ("field 12345678", ""),
        ("20191399", ""),
    ],
)
def test_the_day_in_a_name(name: str, day: str) -> None:
    assert day_of(name) == day
