"""Files of the workspace for pages: whole, in parts as browsers ask for videos, and single frames by their number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from vitruve.app.workspace import Workspace
from vitruve.errors import InputError, VitruveError
from vitruve.media.images import encoded_image, read_image, shrunk
from vitruve.media.video import VideoReader, is_video

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


def routes(workspace: Workspace) -> list[Route]:
    """What answers at :data:`FILE` and :data:`FRAME`.

    Args:
        workspace: The folders; nothing outside is served.

    Returns:
        The routes.
    """
    videos = _OpenVideos()

    def file(request: Request) -> Response:
        try:
            path = _served(workspace, request)
        except VitruveError:
            return _not_there()
        kind = _SHOWN.get(path.suffix.lower())
        headers = {"content-security-policy": _SANDBOX, "cache-control": "private, max-age=3600"}
        if kind is None:
            return FileResponse(path, 200, headers, "application/octet-stream", filename=path.name)
        return FileResponse(path, 200, headers, kind)

    async def frame(request: Request) -> Response:
        try:
            path = _served(workspace, request)
            index, width = _number(request, "index"), _number(request, "width")
            content = await run_in_threadpool(videos.jpeg, path, index, min(width, _WIDEST))
        except VitruveError:
            return _not_there()
        return Response(content, 200, {"cache-control": "private, max-age=3600"}, "image/jpeg")

    return [Route(FILE, file, methods=["GET"]), Route(FRAME, frame, methods=["GET"])]


class _OpenVideos:
    """Videos that were looked at lately stay open: stepping through one does not open it anew for each frame."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[Path, int], tuple[VideoReader, threading.Lock]] = OrderedDict()

    def jpeg(self, path: Path, index: int, width: int) -> bytes:
        """A frame or an image, no wider than asked for."""
        if not is_video(path):
            return encoded_image("frame.jpg", shrunk(read_image(path), width))
        reader, lock = self._reader(path)
        with lock:
            image = reader.read([index])[0]
        return encoded_image("frame.jpg", shrunk(image, width))

    def _reader(self, path: Path) -> tuple[VideoReader, threading.Lock]:
        key = (path, path.stat().st_mtime_ns)
        with self._lock:
            if key not in self._open:
                self._open[key] = (VideoReader(path), threading.Lock())
            self._open.move_to_end(key)
            while len(self._open) > _OPEN_VIDEOS:
                # One that somebody still reads from is closed when that is done, with its last reference.
                self._open.popitem(last=False)
            return self._open[key]


def _served(workspace: Workspace, request: Request) -> Path:
    path = workspace.existing(request.query_params.get("path", ""))
    if any(part.startswith(".") for root in workspace.roots if root in path.parents for part in _below(path, root)):
        raise InputError(f"{path}: hidden")
    return path


def _below(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"{name}: {text!r} is no number from 0 on")
    return int(text)


def _not_there() -> Response:
    return PlainTextResponse("not there", 404)
