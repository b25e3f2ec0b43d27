"""A small stateful server that answers like CVAT, for tests that drive the real cvat-sdk and cvat-cli.

::

    with StandIn() as server:
        task = server.add_task("weeds", labels=[{"name": "Dock", "type": "rectangle"}], images={"a.png": png(40, 30)})
        ...                                   # the client goes to server.url with server.token
        server.fail(500, times=2, path="/annotations")
        server.log                            # what was asked, as "GET /api/tasks"

What goes over the wire is compared with CVAT's OpenAPI document where that is there; leaving the block fails where
anything differs.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from annotation import cvat_routes
from annotation.cvat_contract import as_json, contract
from annotation.cvat_state import Refused, State, Task

TOKEN = "secret-token-of-tests"
USER, PASSWORD = "gärtner", "secret-word-of-tests"


@dataclass
class Fault:
    """Something that goes wrong with some requests.

    Attributes:
        status: What is answered, or None where the connection breaks or is only slow.
        times: How many requests it happens to.
        method: Those of this method only, or any.
        path: A regular expression that the path holds.
        cut: ``before`` (nothing was done), ``after`` (it was done, the answer is lost), ``half`` (half of the answer).
        delay: Seconds before the answer.
        headers: Of the answer, such as Retry-After.
        skip: So many such requests go well before.
    """

    status: int | None = None
    times: int = 1
    method: str = ""
    path: str = ""
    cut: str = ""
    delay: float = 0.0
    headers: Mapping[str, str] | None = None
    skip: int = 0


class StandIn:
    """The server, while a ``with`` block runs.

    Args:
        share: The folder that it sees as its share.
        page_size: Entries on a page of a list.
        check: Compare the traffic with CVAT's document.

    Attributes:
        url: Where it listens.
        token: The access token that it takes.
        user: The name it takes with :attr:`password`.
        password: As said.
        state: What it holds.
        log: Method and path of each request, in order.
        bodies: What was sent as JSON, with method and path.
        busy: How often it says of work in the background that it waits in a queue.
        violations: How the traffic differed from CVAT's document.
    """

    def __init__(self, share: Path | None = None, page_size: int = 3, check: bool = True) -> None:
        self.state = State(share)
        self.page_size = page_size
        self.token, self.user, self.password = TOKEN, USER, PASSWORD
        self.log: list[str] = []
        self.bodies: list[tuple[str, str, Any]] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.busy = 0
        self.lock = threading.RLock()
        self.contract = contract() if check else None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"standin": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if kind is None:
            assert self.violations == []

    def fail(self, status: int | None = None, **how: Any) -> None:
        """Let requests fail, see :class:`Fault`."""
        self.faults.append(Fault(status, **how))

    def add_task(
        self,
        name: str,
        labels: Sequence[Mapping[str, Any]],
        images: Mapping[str, bytes],
        *,
        subset: str = "",
        status: str = "annotation",
        annotations: Mapping[str, Any] | None = None,
    ) -> Task:
        """A task that is there from the beginning.

        Args:
            name: Its name.
            labels: As CVAT takes them.
            images: Files of images by name.
            subset: What it is used for.
            status: ``annotation``, ``validation`` or ``completed``.
            annotations: ``shapes``, ``tracks``, ``tags`` as CVAT takes them, labels by :meth:`label`.

        Returns:
            The task.
        """
        task = self.state.create({"name": name, "labels": [dict(item) for item in labels], "subset": subset})
        if images:
            self.state.add_images(task, dict(images))
        if annotations:
            self.state.replace(task, dict(annotations))
        self.set_status(task, status)
        return task

    def set_status(self, task: Task, status: str) -> None:
        """Bring a task to a status."""
        stages = {"annotation": ("annotation", "new"), "validation": ("validation", "new")}
        stage, state = stages.get(status, ("acceptance", "completed"))
        task.job = {"stage": stage, "state": state}
        task.updated = self.state.now()

    def label(self, task: Task, name: str, part: str | None = None) -> int:
        """The number of a label of a task, or of a part of it."""
        found = next(item for item in task.labels if item["name"] == name)
        return int(found["id"] if part is None else next(p["id"] for p in found["sublabels"] if p["name"] == part))

    def count(self, pattern: str) -> int:
        """How many requests so far match a regular expression, such as ``PATCH .*annotations``."""
        return sum(bool(re.search(pattern, line)) for line in self.log)

    def changes(self) -> list[str]:
        """The requests so far that change something, but for logging in."""
        return [line for line in self.log if not line.startswith(("GET", "HEAD")) and "/auth/" not in line]

    def next_fault(self, method: str, path: str) -> Fault | None:
        """What is to go wrong with this request."""
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method in ("", method) and re.search(fault.path, path):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    standin: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        standin = self.standin
        place = urlsplit(unquote(self.path) if "/requests/" in self.path else self.path)
        query = dict(parse_qsl(place.query, keep_blank_values=True))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        kind = self.headers.get("Content-Type", "")
        with standin.lock:
            standin.log.append(f"{self.command} {place.path}")
        fault = standin.next_fault(self.command, place.path)
        if fault and fault.delay:
            time.sleep(fault.delay)
        if fault and fault.cut == "before":
            return self._break()
        if fault and fault.status is not None and not fault.cut:
            detail = json.dumps({"detail": f"made to fail with {fault.status}"}).encode()
            return self._answer(fault.status, detail, "application/json", fault.headers or {})
        with standin.lock:
            status, answer, extra = self._handle(place.path, query, body, kind)
        if fault and fault.cut == "after":
            return self._break()
        raw = isinstance(answer, bytes)
        content = answer if raw else json.dumps(answer).encode() if answer is not None else b""
        self._compare(place.path, query, body, kind, status, None if raw else answer)
        half = bool(fault and fault.cut == "half")
        content_type = "application/octet-stream" if raw else "application/vnd.cvat+json"
        self._answer(status, content, content_type, extra, half=half)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _handle(self, path: str, query: dict[str, str], body: bytes, kind: str) -> tuple[int, Any, dict[str, str]]:
        try:
            if not cvat_routes.allowed(self.standin, path, self.headers):
                raise Refused(401, "Authentication credentials were not provided.")
            return cvat_routes.answer(self.standin, self.command, path, query, body, kind, self.headers)
        except Refused as refusal:
            return refusal.status, {"detail": refusal.detail}, {}

    def _compare(self, path: str, query: dict[str, str], body: bytes, kind: str, status: int, answer: Any) -> None:
        sent = as_json(kind, body)
        with self.standin.lock:
            if sent is not None:
                self.standin.bodies.append((self.command, path, sent))
            if self.standin.contract is not None and status < 400:
                found = self.standin.contract.faults(self.command, path, query, sent, status, answer)
                self.standin.violations += found

    def _answer(self, status: int, content: bytes, kind: str, extra: Mapping[str, str], *, half: bool = False) -> None:
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        if content:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            # Tests let clients wait for too short a time on purpose.
            with suppress(BrokenPipeError):
                self.wfile.write(content[: len(content) // 2] if half else content)
        if half:
            self._break()

    def _break(self) -> None:
        self.close_connection = True
        self.connection.close()
