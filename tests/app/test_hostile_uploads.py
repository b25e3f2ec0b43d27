"""Files that are sent: what is no plain video or image leaves nothing behind, and nothing is written over."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.hostile import World, bomb, clip, contents, make_world, picture, served
from vitruve.app.uploads import keep_file, keep_folder
from vitruve.errors import InputError
from vitruve.media.images import encoded_image

GOOD = encoded_image("good.png", picture())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The folders, for all tests: whatever is sent, they stay as they are."""
    return make_world(tmp_path_factory.mktemp("uploads"))


NAMES = [
    *("", " ", ".", "..", "../x.png", "../../x.png", "/etc/x.png", "a/b.png", "a\\b.png", "..\\x.png", "C:\\x.png"),
    *(
        ".png",
        ".hidden.png",
        "-rf.png",
        "x.png ",
        " x.png",
        "x.png\n",
        "x\0.png",
        "x.png\0",
        "x\r\ny.png",
        "\u202egnp.x.png",
    ),
    *(
        "x",
        "x.",
        "x.exe",
        "x.png.exe",
        "x.svg",
        "x.html",
        "x.pt",
        "x.pkl",
        "x.yaml",
        "x.zip",
        "x.m3u8",
        "x.py",
        "config.yaml",
    ),
    *(
        "a" * 300 + ".png",
        "ä" * 100 + ".png",
        "con|x.png",
        "x?.png",
        "x*.png",
        "x:y.png",
        '"x.png',
        "<x>.png",
        "\udcff.png",
    ),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_that_are_not_plain_are_refused(world: World, name: str) -> None:
    before = contents(world.home.parent)
    with pytest.raises(InputError):
        keep_file(world.workspace, world.home, name, io.BytesIO(GOOD))
    with pytest.raises(InputError):
        keep_folder(world.workspace, world.home, "views", [("good.png", io.BytesIO(GOOD)), (name, io.BytesIO(GOOD))])
    assert contents(world.home.parent) == before


def _zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x", bytes(10**6))
    return made.getvalue()


def _film(folder: Path, size: tuple[int, int] = (64, 48)) -> bytes:
    clip(folder / "made.mp4", size)
    made = (folder / "made.mp4").read_bytes()
    (folder / "made.mp4").unlink()
    return made


def _sound(folder: Path) -> bytes:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    made = path.read_bytes()
    path.unlink()
    return made


CONTENTS = {
    "nothing.png": b"",
    "text.png": b"no picture",
    "page.png": b"<html><script>alert(1)</script></html>",
    "drawn.png": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "program.png": b"\x7fELF" + bytes(1000),
    "archive.png": _zipped(),
    "head.png": b"\x89PNG\r\n\x1a\n",
    "cut.png": GOOD[: len(GOOD) // 2],
    "bomb.png": bomb(),
    "cut.jpg": encoded_image("x.jpg", picture())[:300],
    "nothing.mp4": b"",
    "text.mp4": b"no film",
    "archive.mp4": _zipped(),
    "picture.mp4": GOOD,
    "list.mp4": b"ffconcat version 1.0\nfile secret.mp4\n",
    "list.avi": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "address.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "zeros.mp4": bytes(100_000),
    "noise.mkv": np.random.default_rng(0).bytes(100_000),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents_that_are_not_what_the_name_says_are_refused(world: World, name: str) -> None:
    before = contents(world.home.parent)
    with pytest.raises(InputError) as raised:
        keep_file(world.workspace, world.home, name, io.BytesIO(CONTENTS[name]))
    assert "\n" not in str(raised.value) and ".upload-" not in str(raised.value)
    assert contents(world.home.parent) == before


def test_films_without_pictures_or_cut_in_the_middle(world: World, tmp_path: Path) -> None:
    for content in (_sound(tmp_path), _film(tmp_path)[:400]):
        before = contents(world.home)
        with pytest.raises(InputError):
            keep_file(world.workspace, world.home, "x.mp4", io.BytesIO(content))
        assert contents(world.home) == before


def test_pixels_and_bytes_are_bounded(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = _film(tmp_path)
    monkeypatch.setattr("vitruve.app.media.MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(InputError, match="megapixels"):
        keep_file(world.workspace, world.home, "x.mp4", io.BytesIO(film))
    monkeypatch.undo()
    monkeypatch.setattr("vitruve.app.uploads.LARGEST_BYTES", len(film) - 1)
    with pytest.raises(InputError, match="larger than"):
        keep_file(world.workspace, world.home, "x.mp4", io.BytesIO(film))


PLACES = (
    "out",
    "out/new",
    "up",
    "../private",
    "../new",
    "/etc",
    ".vitruve",
    ".vitruve/new",
    "loop",
    "good.txt",
    "~",
    "",
)


@pytest.mark.parametrize("folder", PLACES)
def test_nothing_is_kept_outside(world: World, folder: str) -> None:
    before = contents(world.home.parent)
    with pytest.raises(InputError):
        keep_file(world.workspace, Path(folder) if folder else Path("\0"), "x.png", io.BytesIO(GOOD))
    assert contents(world.home.parent) == before


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    other = encoded_image("x.png", 255 - picture())
    before = contents(world.home)
    for name in ("good.png", "secret.png", "zero.png", "pipe.png", "loop.png"):
        (world.home / "loop.png").is_symlink() or (world.home / "loop.png").symlink_to("nowhere.png")
        kept = keep_file(world.workspace, world.home, name, io.BytesIO(other))
        assert kept.name != name and kept.read_bytes() == other and not kept.is_symlink()
    after = contents(world.home)
    assert {name: after[name] for name in before} == before
    assert not (world.home / "nowhere.png").exists()


def test_two_browsers_send_one_name(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    sent = [encoded_image("x.png", np.full((8, 8, 3), value, np.uint8)) for value in range(12)]
    kept: list[Path] = []

    def send(content: bytes) -> None:
        kept.append(keep_file(world.workspace, world.home, "x.png", io.BytesIO(content)))

    threads = [threading.Thread(target=send, args=(each,)) for each in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(kept)) == len(sent)
    assert {path.read_bytes() for path in kept} == set(sent)


class _Swaps(io.BytesIO):
    """A file that is long in coming: meanwhile a link takes the place of a folder."""

    def __init__(self, folder: Path, leads_to: Path) -> None:
        super().__init__(GOOD)
        self._folder, self._leads_to = folder, leads_to

    def read(self, size: int | None = -1, /) -> bytes:
        if not self._folder.is_symlink():
            self._folder.rename(self._folder.with_name("moved"))
            self._folder.symlink_to(self._leads_to)
        return super().read(size)


@pytest.mark.parametrize("several", [False, True])
def test_a_link_that_takes_the_place_of_the_folder_leads_nothing_outside(tmp_path: Path, several: bool) -> None:
    world = make_world(tmp_path)
    before, folder = contents(world.private), world.home / "sub" / "kept"
    folder.mkdir()
    for swapped in (folder, folder.parent):
        content = _Swaps(swapped, world.private)
        with pytest.raises(InputError, match="not in the folders"):
            if several:
                keep_folder(world.workspace, folder, "views", [("x.png", content)])
            else:
                keep_file(world.workspace, folder, "x.png", content)
        assert contents(world.private) == before
        swapped.unlink()
        swapped.with_name("moved").rename(swapped)


def test_a_link_that_takes_the_place_of_the_hidden_folder_leads_nothing_outside(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    before = contents(world.private)

    class Hidden(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            for made in (world.home / "sub").glob(".upload-*"):
                if not made.is_symlink():
                    made.rename(made.with_name(".moved"))
                    made.symlink_to(world.private)
            return super().read(size)

    kept = keep_file(world.workspace, world.home / "sub", "x.png", Hidden(GOOD))
    assert kept == world.home / "sub" / "x.png" and kept.read_bytes() == GOOD
    assert contents(world.private) == before


def test_a_link_of_the_name_is_left_alone(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    before = contents(world.private)
    kept = keep_file(world.workspace, world.home, "secret.png", io.BytesIO((world.private / "secret.png").read_bytes()))
    assert kept == world.home / "secret_2.png" and (world.home / "secret.png").is_symlink()
    assert contents(world.private) == before


def test_what_there_is_no_memory_for_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(client: TestClient) -> int:
        return client.put("/_stcore/upload_file/a/b", content=bytes(10)).status_code

    with served(world.workspace) as client:
        assert put(client) in (400, 403)
        monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**30 + 19))
        assert put(client) == 413 and client.get("/").status_code == 200
        monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**30 + 20))
        assert put(client) in (400, 403)
