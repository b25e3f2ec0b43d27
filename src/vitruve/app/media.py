"""Files of the workspace for pages: whole, in parts as browsers ask for videos, and single frames by their number."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import av
import numpy as np
import numpy.typing as npt
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from vitruve.app.workspace import Workspace
from vitruve.errors import InputError, VitruveError
from vitruve.media.decoding import video_size
from vitruve.media.images import encoded_image, image_size, read_image, shrunk
from vitruve.media.video import VideoReader, is_video

MOST_PIXELS = 100_000_000
"""Of an image, or of a frame, that is decoded for a page."""

FILE, FRAME = "/workspace/file", "/workspace/frame"
"""Addresses of a file (``path``) and of a frame as JPEG (``path``, ``index``, ``width``)."""

_SHOWN = {
    **{".mp4": "video/mp4", ".webm": "video/webm", ".m4v": "video/mp4", ".mov": "video/quicktime"},
    **{".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".svg": "image/svg+xml"},
    **{".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8"},
}
# Pages of ours may draw; they can neither reach this app nor read its cookies.
_SANDBOX = "sandbox allow-scripts; default-src 'self' 'unsafe-inline' data: blob:"
_WIDEST = 4096
_OPEN_VIDEOS = 8
# Frames that are decoded at a time: the other threads stay for pages.
_AT_A_TIME = 4


def file_url(workspace: Workspace, path: Path) -> str:
    """Where the browser finds a file of the workspace.

    Args:
        workspace: The folders.
        path: Below them.

    Returns:
        The address, which changes when the file does.
    """
    return f"{FILE}?path={quote(workspace.name(path))}&v={path.stat().st_mtime_ns:x}"


def frame_url(workspace: Workspace, path: Path, index: int = 0, width: int = 0) -> str:
    """Where the browser finds a frame of a video, or an image.

    Args:
        workspace: The folders.
        path: A video or an image.
        index: The n-th frame the decoder gives, from 0 on.
        width: In pixels, for smaller pictures; 0 for the frame's own.

    Returns:
        The address.
    """
    return f"{FRAME}?path={quote(workspace.name(path))}&index={index}&width={width}&v={path.stat().st_mtime_ns:x}"


def picture_size(path: Path) -> tuple[int, int]:
    """In how many pixels a picture lies on disk, however small it is shown.

    Args:
        path: An image, or a video.

    Returns:
        ``(width, height)`` in px, of a video those of its frames.

    Raises:
        InputError: It is neither.
    """
    return _size_of(path, path.stat().st_mtime_ns)


@lru_cache(1 << 16)
def _size_of(path: Path, changed: int) -> tuple[int, int]:
    return video_size(path) if is_video(path) else image_size(path)


def routes(workspace: Workspace) -> list[Route]:
    """What answers at :data:`FILE` and :data:`FRAME`.

    Args:
        workspace: The folders; nothing outside is served.

    Returns:
        The routes.
    """
    videos = _OpenVideos()
    turns = CapacityLimiter(_AT_A_TIME)

    def file(request: Request) -> Response:
        try:
            asked = request.query_params.get("path", "")
            path = workspace.existing(asked)
            content = workspace.open(path)
        except VitruveError:
            return _not_there()
        return _Opened(content, path)

    def drawn(path: str, index: int, width: int) -> bytes:
        found = workspace.existing(path)
        return videos.jpeg(workspace.open(found), found, index, min(width, _WIDEST))

    async def frame(request: Request) -> Response:
        try:
            index, width = _number(request, "index"), _number(request, "width")
            asked = request.query_params.get("path", "")
            content = await to_thread.run_sync(drawn, asked, index, width, limiter=turns)
        except (VitruveError, OSError, av.FFmpegError):
            return _not_there()
        return Response(content, 200, {"cache-control": "private, max-age=3600"}, "image/jpeg")

    return [Route(FILE, file, methods=["GET"]), Route(FRAME, frame, methods=["GET"])]


def check_pixels(path: Path, size: tuple[int, int]) -> None:
    """Refuse pictures that would fill the memory.

    Args:
        path: The image or video.
        size: ``(width, height)`` in px, as its header says.

    Raises:
        InputError: There are more than :data:`MOST_PIXELS`.
    """
    if size[0] * size[1] > MOST_PIXELS:
        raise InputError(
            f"{path.name}: {size[0]}x{size[1]} px; at most {MOST_PIXELS // 1_000_000} megapixels are taken"
        )


class _Opened(FileResponse):
    """A file that is open already: what is put in its place meanwhile is not sent."""

    def __init__(self, content: BinaryIO, path: Path) -> None:
        kind = _SHOWN.get(path.suffix.lower())
        headers = {"content-security-policy": _SANDBOX, "cache-control": "private, max-age=3600"}
        super().__init__(
            pinned(content, path),
            200,
            headers,
            kind or "application/octet-stream",
            filename=None if kind else path.name,
            stat_result=os.fstat(content.fileno()),
        )
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._content:
            await super().__call__(scope, receive, send)


class _OpenVideos:
    """Videos that were looked at lately stay open: stepping through one does not open it anew for each frame."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[int, ...], _OpenVideo] = OrderedDict()

    def jpeg(self, content: BinaryIO, path: Path, index: int, width: int) -> bytes:
        """A frame of a video, or an image, no wider than asked for; the file is closed in time."""
        if is_video(path):
            image = self._video(content, path).read(index)
        else:
            with content:
                there = pinned(content, path)
                check_pixels(path, image_size(there))
                image = read_image(there)
        return encoded_image("frame.jpg", shrunk(image, width))

    def _video(self, content: BinaryIO, path: Path) -> _OpenVideo:
        status = os.fstat(content.fileno())
        key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        with self._lock:
            if key in self._open:
                content.close()
            else:
                self._open[key] = _OpenVideo(content, path)
            self._open.move_to_end(key)
            while len(self._open) > _OPEN_VIDEOS:
                # One that somebody still reads from is closed when that is done, with its last reference.
                self._open.popitem(last=False)
            return self._open[key]


class _OpenVideo:
    """A video for several threads, one at a time."""

    def __init__(self, content: BinaryIO, path: Path) -> None:
        self._content = content
        self._lock = threading.Lock()
        there = pinned(content, path)
        check_pixels(path, video_size(there))
        self._reader = VideoReader(there)

    def read(self, index: int) -> npt.NDArray[np.uint8]:
        with self._lock:
            return self._reader.read([index])[0]


def pinned(content: BinaryIO, path: Path) -> Path:
    """A path that leads to an open file whatever takes its place, for what reads paths alone.

    Args:
        content: The file.
        path: Its own, which is given back where the system knows no other.

    Returns:
        The path, without the suffix.
    """
    link = Path(f"/proc/self/fd/{content.fileno()}")
    return link if link.exists() else path


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise InputError(f"{name}: {text!r} is no number from 0 on")
    return int(text)


def _not_there() -> Response:
    return PlainTextResponse("not there", 404)
