"""The live page of a study, served on this machine: it shows the trials and stops them."""

from __future__ import annotations

import json
import os
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from vitruve.errors import InputError
from vitruve.tuning.report import render_study, study_state
from vitruve.tuning.study import SharedStudy

_HOST = "127.0.0.1"
_ELSEWHERE = "VITRUVE_PAGE_HOST"
"""Where else to listen: within a container whose port is mapped, on all its addresses (0.0.0.0)."""
_LAST_PORT = 9999


class StudyPage:
    """Serves the page while a block runs.

    Args:
        shared: The study.
        max_trials: Trials in all.
        port: Where to; the next free one, up to 9999, if that is taken, and any for 0.

    It listens to this machine alone, unless ``VITRUVE_PAGE_HOST`` is an address to listen at.

    Raises:
        InputError: No port is free.
    """

    def __init__(self, shared: SharedStudy, max_trials: int, port: int) -> None:
        self._shared = shared
        self._max_trials = max_trials
        self._server = _serve(os.environ.get(_ELSEWHERE) or _HOST, port, _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{_HOST}:{self.port}/"

    @property
    def port(self) -> int:
        """Where it is served."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def show(self, path: str) -> tuple[HTTPStatus, str, str]:
        """What is at an address.

        Args:
            path: Of the address.

        Returns:
            Status, kind and text of the answer.
        """
        if path == "/":
            return HTTPStatus.OK, "text/html", render_study(study_state(self._shared, self._max_trials), live=True)
        if path == "/study.json":
            return HTTPStatus.OK, "application/json", json.dumps(study_state(self._shared, self._max_trials))
        if path == "/favicon.ico":
            return HTTPStatus.NO_CONTENT, "text/plain", ""  # browsers ask for it unasked
        return HTTPStatus.NOT_FOUND, "text/plain", f"{path}: nothing there"

    def do(self, path: str) -> tuple[HTTPStatus, str, str]:
        """What is asked for at an address: ``/stop/<trial>`` or ``/stop``, which ends the whole search.

        Args:
            path: Of the address.

        Returns:
            Status, kind and text of the answer.
        """
        if path == "/stop":
            self._shared.halt()
            return HTTPStatus.ACCEPTED, "text/plain", "the search ends; it can be gone on with"
        found = re.fullmatch(r"/stop/(\d{1,9})", path)
        if found is None:
            return HTTPStatus.NOT_FOUND, "text/plain", f"{path}: nothing there"
        if not self._shared.stop(int(found[1])):
            return HTTPStatus.CONFLICT, "text/plain", f"trial {found[1]} is not running"
        return HTTPStatus.ACCEPTED, "text/plain", f"trial {found[1]} ends after the batch at hand"


def _serve(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    for each in [0] if port == 0 else range(port, max(port, _LAST_PORT) + 1):
        try:
            return _Server((host, each), handler)
        except OSError:
            continue
    raise InputError(
        f"tune.port={port}: neither this port nor one up to {_LAST_PORT} is free at {host}; take another, or null"
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Otherwise two searches would share a port, and each page would show either.
    allow_reuse_address = False


def _handler(page: StudyPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(*page.show(self.path)) if self._own() else self._refuse()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(*page.do(self.path)) if self._own() else self._refuse()

        def _own(self) -> bool:
            """Whether the page itself asks, not one from elsewhere in the same browser."""
            port = page.port
            hosts = {f"{name}:{port}" for name in (_HOST, "localhost")}
            origin = self.headers.get("Origin")
            return self.headers.get("Host") in hosts and (origin is None or origin.removeprefix("http://") in hosts)

        def _refuse(self) -> None:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "only for pages of this server")

        def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the terminal is for the trials."""

    return Handler
