"""The live page of a study, served on this machine: it shows the trials and stops them."""

from __future__ import annotations

import json
import os
import re
from http import HTTPStatus
from types import TracebackType
from typing import Self

from vitruve.errors import InputError
from vitruve.local_server import HOST, HTML, JSON, TEXT, Answer, LocalServer
from vitruve.tuning.report import render_study, study_state
from vitruve.tuning.study import SharedStudy

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
        self._server = self._served(os.environ.get(_ELSEWHERE) or HOST, port)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.port}/"

    @property
    def port(self) -> int:
        """Where it is served."""
        return self._server.port

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def show(self, path: str) -> Answer:
        """What is at an address.

        Args:
            path: Of the address.

        Returns:
            The answer.
        """
        if path == "/":
            return HTTPStatus.OK, HTML, render_study(study_state(self._shared, self._max_trials), live=True).encode()
        if path == "/study.json":
            return HTTPStatus.OK, JSON, json.dumps(study_state(self._shared, self._max_trials)).encode()
        if path == "/favicon.ico":
            return HTTPStatus.NO_CONTENT, TEXT, b""  # browsers ask for it unasked
        return _said(HTTPStatus.NOT_FOUND, f"{path}: nothing there")

    def do(self, path: str) -> Answer:
        """What is asked for at an address: ``/stop/<trial>`` or ``/stop``, which ends the whole search.

        Args:
            path: Of the address.

        Returns:
            The answer.
        """
        if path == "/stop":
            self._shared.halt()
            return _said(HTTPStatus.ACCEPTED, "the search ends; it can be gone on with")
        found = re.fullmatch(r"/stop/(\d{1,9})", path)
        if found is None:
            return _said(HTTPStatus.NOT_FOUND, f"{path}: nothing there")
        if not self._shared.stop(int(found[1])):
            return _said(HTTPStatus.CONFLICT, f"trial {found[1]} is not running")
        return _said(HTTPStatus.ACCEPTED, f"trial {found[1]} ends after the batch at hand")

    def _served(self, host: str, port: int) -> LocalServer:
        for each in [0] if port == 0 else range(port, max(port, _LAST_PORT) + 1):
            try:
                return LocalServer(host, each, self.show, self.do)
            except OSError:
                continue
        raise InputError(
            f"tune.port={port}: neither this port nor one up to {_LAST_PORT} is free at {host}; take another, or null"
        )


def _said(status: HTTPStatus, text: str) -> Answer:
    return status, TEXT, text.encode()
