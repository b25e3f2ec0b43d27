"""Counts and maps of an annotation store over HTTP."""

from __future__ import annotations

import importlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from annotation.conftest import png
from vitruve.annotation.store.maps import DOTS, PICTURES, Maps
from vitruve.annotation.store.server import StoreServer
from vitruve.annotation.store.store import open_store
from vitruve.errors import InputError
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a task, and another twice."""
    place = tmp_path / "store.sqlite"
    with open_store(place, create=True) as opened:
        for number, name in ((1, "field one"), (2, "twice"), (3, "twice")):
            frames = tuple(TaskFrame(f"{number}/{n}.png", 40, 30) for n in range(4))
            shapes = tuple(Shape("rectangle", "Dock", n, (1.0 + n, 2.0, 30.0, 20.0)) for n in range(4))
            opened.put(AnnotationTask(name, (LabelSpec("Dock"),), frames, shapes, id=number))
    return place


@pytest.fixture
def server(store: Path, tmp_path: Path) -> Iterator[StoreServer]:
    """A server of it, on a free port."""
    network = {"pretrained": False}
    with StoreServer(store, tmp_path / "images", tmp_path / "maps", port=0, network=network) as running:
        yield running


def get(server: StoreServer, path: str, **headers: str) -> tuple[int, bytes]:
    """Status and content of an answer."""
    asked = urllib.request.Request(server.address + path, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def until(state: str, look: Callable[[], str]) -> None:
    """Wait for a state."""
    end = time.monotonic() + 120
    while look() != state:
        assert time.monotonic() < end, look()
        time.sleep(0.2)


def test_counts_and_help(server: StoreServer) -> None:
    assert b"run_tsne" in get(server, "")[1]
    status, body = get(server, "stats")
    assert (status, json.loads(body)["classes"]) == (200, {"Dock": 12})
    assert server.address.startswith("http://127.0.0.1:")


def test_a_map_is_asked_for_and_looked_at(server: StoreServer, tmp_path: Path) -> None:
    for number in range(4):
        file = tmp_path / "images" / "1" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(40, 30, 50 * number))
    # Loading torch takes longer than the map, and is not what is waited for here.
    importlib.import_module("vitruve.curation.tsne_map")
    assert get(server, "tsne/field_one/tsne_plot.png")[0] == 404
    assert get(server, "field_one/run_tsne") == (200, b"200")
    until("done", lambda: str(json.loads(get(server, "field_one/tsne_status")[1])["state"]))
    for name in (DOTS, PICTURES):
        status, body = get(server, f"tsne/field_one/{name}")
        assert (status, body[:8]) == (200, b"\x89PNG\r\n\x1a\n")
    assert get(server, "tsne/1/tsne_plot.png") == get(server, "tsne/field%20one/tsne_plot.png")


def test_what_cannot_be_shown_is_said(server: StoreServer) -> None:
    assert get(server, "feld_one/run_tsne") == (404, b"no task 'feld_one' (did you mean 'field_one'?)\n")
    assert get(server, "twice/run_tsne")[1] == b"2 tasks are named 'twice': give the number, one of 2, 3\n"
    assert get(server, "tsne/field_one/..%2f..%2fstore.sqlite")[0] == 404
    assert get(server, "tsne/..%2f..%2f/tsne_plot.png")[0] == 404
    assert get(server, "all/run_tsne") == (200, b"200")
    until("failed", lambda: str(json.loads(get(server, "all/tsne_status")[1])["state"]))
    assert "images that are labelled are not there" in json.loads(get(server, "all/tsne_status")[1])["stage"]


def test_pages_from_elsewhere_are_refused(server: StoreServer) -> None:
    assert get(server, "stats", Host="evil.example")[0] == 403
    assert get(server, "stats", Origin="http://evil.example")[0] == 403
    assert get(server, "all/run_tsne", **{"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_maps_are_made_one_after_the_other_and_once(store: Path, tmp_path: Path) -> None:
    go, made = threading.Event(), []

    def make(tasks: list[str | int], folder: Path, say: Callable[[str], None]) -> None:
        say("drawing")
        made.append((tasks, folder.name))
        go.wait(60)

    maps = Maps(store, tmp_path, tmp_path / "maps", make=make)
    maps.start()
    one, two = maps.key("field_one"), maps.key("3")
    for key in (one, two, one, two):
        maps.ask(key)
    until("drawing", lambda: maps.progress(one).stage)
    assert [maps.progress(key).state for key in (one, two)] == ["running", "waiting"]
    go.set()
    until("done", lambda: maps.progress(two).state)
    assert made == [([1], "field_one_1"), ([3], "twice_3")]
    maps.ask(one)
    until("done", lambda: maps.progress(one).state)
    assert len(made) == 3
    maps.stop()
    assert replace(maps.progress(two), seconds=0.0) == replace(maps.progress(one), seconds=0.0)


def test_a_port_that_is_taken_is_named(server: StoreServer, store: Path, tmp_path: Path) -> None:
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(InputError, match=rf"--port {port}: cannot be listened at"):
        StoreServer(store, tmp_path, tmp_path, port=port)
