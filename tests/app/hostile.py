"""A folder that is served, what lies beside it and must stay unseen and untouched, and the app that serves it."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from starlette.testclient import TestClient
from streamlit.runtime import Runtime

from vitruve.app.guard import Entry, hosts_of
from vitruve.app.launch import build
from vitruve.app.workspace import Workspace
from vitruve.media.images import write_image

PORT = 8501
OWN = f"http://127.0.0.1:{PORT}"
SECRET = b"what nobody was to see"


@dataclass(frozen=True)
class World:
    """Folders.

    Attributes:
        home: Is served.
        private: Lies beside it, and is not.
    """

    home: Path
    private: Path

    @property
    def workspace(self) -> Workspace:
        """What is served."""
        return Workspace.of([self.home])


def make_world(base: Path) -> World:
    """Files that may be served, and everything that may not, with links, pipes and names that lead to it."""
    world = World(base / "home", base / "private")
    for folder in (world.home / "sub", world.home / ".vitruve" / "jobs", world.private, base / "home2"):
        folder.mkdir(parents=True)
    for secret in (world.private / "secret.txt", base / "home2" / "secret.txt", world.home / ".vitruve" / "key.txt"):
        secret.write_bytes(SECRET)
    write_image(world.private / "secret.png", picture())
    clip(world.private / "secret.mp4")
    (world.home / "good.txt").write_text("0123456789")
    write_image(world.home / "good.png", picture())
    clip(world.home / "good.mp4")
    for name in ("secret.txt", "secret.png", "secret.mp4"):
        (world.home / name).symlink_to(world.private / name)
    (world.home / "out").symlink_to(world.private)
    (world.home / "up").symlink_to("..")
    (world.home / "loop").symlink_to("loop")
    (world.home / "zero.png").symlink_to("/dev/zero")
    (world.home / "inner.txt").symlink_to(world.home / "good.txt")
    os.mkfifo(world.home / "pipe.png")
    (world.home / "text.png").write_text("no picture")
    (world.home / "text.mp4").write_text("no film")
    (world.home / "empty.mp4").touch()
    (world.home / "list.mp4").write_text("ffconcat version 1.0\nfile out/secret.mp4\n")
    (world.home / "bomb.png").write_bytes(bomb())
    return world


def picture() -> np.ndarray:
    """Some image."""
    return np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


def clip(path: Path, size: tuple[int, int] = (64, 48)) -> None:
    """A video of five frames."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for value in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 40 * value, np.uint8), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def bomb(side: int = 15_000) -> bytes:
    """A PNG of some kilobytes that unfolds to hundreds of megabytes."""

    def piece(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row, packed = bytes(side // 8 + 1), zlib.compressobj(1)
    pixels = b"".join(packed.compress(row * 1000) for _ in range(side // 1000)) + packed.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", header) + piece(b"IDAT", pixels) + piece(b"IEND", b"")


def contents(folder: Path) -> dict[str, tuple[str, bytes]]:
    """All that is in a folder, links as what they say."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", bytes(path.readlink()))
        elif path.is_file():
            found[name] = ("file", path.read_bytes())
        else:
            found[name] = ("other", b"")
    return found


@contextmanager
def served(workspace: Workspace, token: str | None = None) -> Iterator[TestClient]:
    """The app as it is launched, asked without a network."""
    app = build(workspace, Entry(hosts_of("127.0.0.1"), PORT, token))
    # Streamlit has one a process, and keeps it.
    before, Runtime._instance = Runtime._instance, None
    try:
        with TestClient(app, base_url=OWN, raise_server_exceptions=False, follow_redirects=False) as client:
            yield client
    finally:
        Runtime._instance = before


GARBAGE = b"\x00\xff\xfe{[:\x9d\n\"'" * 50
WRONG = {
    ".json": b'[1, {"a": null}]',
    ".yaml": b"data: 3\nmodel: [1]\ntraining: x\n",
    ".csv": b"a,b\n1\nx,y,z\n",
    ".xml": b"<a><b/></a>",
    ".log": b"{}\n[]\nx\n",
}
DAMAGES = ("garbage", "wrong", "empty")
"""What :func:`damage` can do."""


def damage(file: Path, how: str) -> None:
    """Make a file hold what is not its format, what is its format and says something else, or nothing.

    Args:
        file: The file.
        how: One of :data:`DAMAGES`.
    """
    file.write_bytes({"garbage": GARBAGE, "wrong": WRONG.get(file.suffix, b"text"), "empty": b""}[how])
