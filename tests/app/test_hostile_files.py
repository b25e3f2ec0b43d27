"""Files that are asked for: only those of the folders that are served are, whatever the name says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.hostile import SECRET, World, contents, make_world, picture, served
from vitruve.app.media import FILE, FRAME
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError
from vitruve.media.images import write_image


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The folders; after all tests nothing beside the served one is other than before."""
    base = tmp_path_factory.mktemp("files")
    made = make_world(base)
    before = contents(base)
    yield made
    assert contents(base) == before


@pytest.fixture(scope="module")
def app(world: World) -> Iterator[TestClient]:
    """The app that serves ``home``."""
    with served(world.workspace) as client:
        yield client


# As they stand in the address.
OUTSIDE = (
    "../private/secret.txt",
    "sub/../../private/secret.txt",
    "./../private/secret.txt",
    "../home2/secret.txt",
    "%2e%2e/private/secret.txt",
    "..%2fprivate%2fsecret.txt",
    "..%252fprivate%252fsecret.txt",
    "..%5cprivate%5csecret.txt",
    "....//private/secret.txt",
    "..;/private/secret.txt",
    "..%c0%afprivate/secret.txt",
    "..%ef%bc%8fprivate/secret.txt",
    "secret.txt",
    "secret.png",
    "secret.mp4",
    "out/secret.txt",
    "out/secret.mp4",
    "up/private/secret.txt",
    "sub/../out/secret.png",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "/proc/self/environ",
    "/proc/self/cwd/pyproject.toml",
    "/proc/self/fd/0",
    "/dev/zero",
    "/dev/stdin",
    "/dev/random",
    "/dev/fd/0",
    "zero.png",
    "pipe.png",
    "loop",
    "loop/x.png",
    "~/.bashrc",
    "~root/.profile",
    "~nobody_of_this_name/x",
    "~",
    "$HOME/.bashrc",
    "%24(id)",
    "%60id%60",
    "%7cid",
    ".vitruve/key.txt",
    "sub/../.vitruve/key.txt",
    ".VITRUVE/key.txt",
    ".vitruve",
    "./.vitruve/jobs",
    "",
    "%20",
    ".",
    "..",
    "/",
    "sub",
    "none.txt",
    "good.txt/x",
    "good.txt%00.png",
    "%00",
    "good.txt%0a",
    "good.txt%0d%0aX: 1",
    "%ff%fe",
    "%e2%80%aetxt.doog",
    "%ed%b3%bf.txt",
    "C:%5cWindows%5cwin.ini",
    "%5c%5cserver%5cshare%5cx.png",
    "a" * 300 + ".png",
    "a/" * 3000 + "b.png",
    "../" * 200 + "etc/passwd",
    "good.txt" + "/." * 2000 + "/x",
    "http://evil.example/x.png",
)


@pytest.mark.parametrize("address", [FILE, FRAME])
@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_is_served(app: TestClient, world: World, path: str, address: str) -> None:
    for asked in (path, quote(str(world.home)) + "/" + path.lstrip("/")):
        answer = app.get(f"{address}?path={asked}")
        assert (answer.status_code, answer.text) == (404, "not there"), asked[:100]
    answer = app.get(f"{address}?path=good.txt&path={path}")
    assert answer.status_code == 404


def test_absolute_names_of_what_lies_beside_are_refused(app: TestClient, world: World) -> None:
    for path in (world.private / "secret.txt", world.home.parent / "home2" / "secret.txt", world.home.parent):
        for address in (FILE, FRAME):
            assert app.get(address, params={"path": str(path)}).status_code == 404


def test_what_is_inside_is_served(app: TestClient, world: World) -> None:
    for path in ("good.txt", str(world.home / "good.txt"), "sub/../good.txt", "./good.txt", "inner.txt"):
        assert app.get(FILE, params={"path": path}).text == "0123456789"
    for path in ("good.png", "good.mp4"):
        answer = app.get(FRAME, params={"path": path, "index": 0, "width": 10**8})
        assert answer.status_code == 200 and answer.content[:2] == b"\xff\xd8"


BROKEN = ("text.png", "text.mp4", "empty.mp4", "list.mp4", "bomb.png", "good.txt")


@pytest.mark.parametrize("path", BROKEN)
def test_what_is_no_picture_is_none(app: TestClient, path: str) -> None:
    began = time.monotonic()
    assert app.get(FRAME, params={"path": path}).status_code == 404
    assert time.monotonic() - began < 5


NUMBERS = (
    "-1",
    "5",
    "1e3",
    "0x1",
    "1.5",
    "NaN",
    "inf",
    "9" * 9,
    "9" * 400,
    "%d9%a3",
    "%c2%b2",
    "1%00",
    "None",
    "1;2",
    "+1",
    "1_0",
)


@pytest.mark.parametrize("number", NUMBERS)
def test_frames_that_are_not_there_are_refused(app: TestClient, number: str) -> None:
    assert app.get(f"{FRAME}?path=good.mp4&index={number}").status_code == 404
    if number not in ("5", "9" * 9):
        assert app.get(f"{FRAME}?path=good.mp4&width={number}").status_code == 404


RANGES = (
    "bytes=0-3",
    "bytes=5-2",
    "bytes=-5",
    "bytes=99-",
    "bytes=0-" + "9" * 400,
    "bytes=x-y",
    "lines=0-1",
    "bytes=",
    "bytes=--1",
    "bytes=" + "0-1," * 9000,
)


@pytest.mark.parametrize("asked", RANGES, ids=lambda text: text[:12])
def test_parts_are_of_the_file_alone(app: TestClient, asked: str) -> None:
    answer = app.get(FILE, params={"path": "good.txt"}, headers={"range": asked})
    assert answer.status_code in (200, 206, 400, 416)
    if answer.status_code < 300:
        assert answer.text in "0123456789"


def test_files_are_only_read(app: TestClient) -> None:
    for address in (FILE, FRAME):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert app.request(method, f"{address}?path=good.txt").status_code == 405


def test_pages_of_the_folder_are_strangers_to_the_app(app: TestClient, world: World) -> None:
    for name in ("page.html", "drawn.svg", "unknown.xyz"):
        (world.home / name).write_text("<script>fetch('/')</script>")
        headers = app.get(FILE, params={"path": name}).headers
        (world.home / name).unlink()
        assert (
            headers["content-security-policy"].startswith("sandbox")
            and "http" not in headers["content-security-policy"]
        )
    assert headers["content-disposition"].startswith("attachment")


ELSEWHERE = (
    "/static/../../../../../../etc/passwd",
    "/static/..%2f..%2f..%2fetc/passwd",
    "/static/%2e%2e/%2e%2e/index.html",
    "/media/../../etc/passwd",
    "/media/..%2f..%2fetc%2fpasswd",
    "/component/x/../../../etc/passwd",
    "//etc/passwd",
    "/component/..%2f..%2fetc/passwd",
    "/_stcore/bidi-components/..%2f..%2f..%2fetc/passwd",
    "/%2e%2e/private/secret.txt",
    "/_stcore/bidi-components/x//etc/passwd",
    "/app/static/../../launch.py",
    "/~/secret.txt",
    "/%5c%5cserver%5cshare",
    "/workspace/file/../../private/secret.txt",
    "/workspace/../private/secret.txt",
    "/secret.txt",
    "/static//etc/passwd",
)


@pytest.mark.parametrize("address", ELSEWHERE)
def test_other_addresses_give_no_files(app: TestClient, address: str) -> None:
    answer = app.get(address)
    assert b"root:" not in answer.content and SECRET not in answer.content and b"def launch" not in answer.content
    # Streamlit gives its own page for addresses of pages.
    assert answer.status_code >= 400 or "<title>Streamlit</title>" in answer.text


def test_uploads_need_a_page_of_the_app(app: TestClient) -> None:
    sent = {"file": ("x.png", b"x")}
    for address in (
        "/_stcore/upload_file/a/b",
        "/_stcore/upload_file/..%2f..%2fx/b",
        "/_stcore/upload_file/a/../../../x",
    ):
        assert app.put(address, files=sent).status_code in (400, 403, 404, 405)
    headers = {"x-xsrftoken": "x", "cookie": "_streamlit_xsrf=x"}
    assert app.put("/_stcore/upload_file/a/b", files=sent, headers=headers).status_code == 403


@pytest.mark.parametrize("address", [FILE, FRAME])
def test_a_link_that_comes_and_goes_leads_nowhere(app: TestClient, world: World, address: str) -> None:
    place, inner, over = world.home / "turns", world.home / "inside", threading.Event()
    inner.mkdir()
    write_image(inner / "a.png", np.zeros_like(picture()))
    write_image(world.private / "a.png", np.full_like(picture(), 255))
    mine = (inner / "a.png").read_bytes()

    def turn() -> None:
        while not over.is_set():
            inner.rename(place)
            place.rename(inner)
            place.symlink_to(world.private)
            place.unlink()

    turning = threading.Thread(target=turn)
    turning.start()
    try:
        seen = [app.get(address, params={"path": "turns/a.png"}) for _ in range(40)]
    finally:
        over.set()
        turning.join()
        for path in (inner / "a.png", world.private / "a.png"):
            path.unlink()
        inner.rmdir()
    assert {answer.status_code for answer in seen} <= {200, 404}
    shown = {answer.content for answer in seen if answer.status_code == 200}
    assert shown <= {mine} if address == FILE else all(len(each) for each in shown) and len(shown) <= 1


def test_what_a_link_becomes_while_it_is_opened_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = world.workspace
    folder = world.home / "swapped"
    folder.mkdir()
    (folder / "secret.txt").write_text("mine")
    first = workspace.existing("swapped/secret.txt")
    monkeypatch.setattr(Workspace, "existing", lambda *_: first)
    (folder / "secret.txt").unlink()
    folder.rmdir()
    folder.symlink_to(world.private)
    with pytest.raises(InputError, match="cannot be read"):
        workspace.open(first)
    folder.unlink()


def test_a_pipe_that_takes_a_files_place_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = world.workspace
    monkeypatch.setattr(Workspace, "existing", lambda *_: world.home.resolve() / "pipe.png")
    with pytest.raises(InputError, match="no such file"):
        workspace.open("pipe.png")


def test_lists_of_files_are_of_the_folder_alone(world: World) -> None:
    found = {path.name for path in world.workspace.files((".txt", ".png", ".mp4"))}
    assert {"good.txt", "good.png", "inner.txt"} <= found
    assert not {"secret.txt", "secret.png", "secret.mp4", "key.txt", "zero.png", "pipe.png"} & found


def test_long_names_are_refused(tmp_path: Path) -> None:
    for name in ("d/" * 100 + "x" * 300, "x/" * 2500, "x" * 5000):
        with pytest.raises(InputError, match="no such folder"):
            Workspace.of([tmp_path]).existing(name, "folder")


def test_a_folder_that_is_named_may_be_hidden(tmp_path: Path) -> None:
    inner = tmp_path / "home" / ".named"
    inner.mkdir(parents=True)
    (inner / "x.txt").write_text("x")
    assert Workspace.of([inner]).existing("x.txt") == inner / "x.txt"
    assert Workspace.of([tmp_path / "home", inner]).existing(inner / "x.txt") == inner / "x.txt"
    with pytest.raises(InputError, match="not in the folders"):
        Workspace.of([tmp_path / "home"]).existing(".named/x.txt")
