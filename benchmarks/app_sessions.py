"""Browser sessions of the web app without a browser: what its pages send and wait for, over WebSocket and HTTP.

They run in a process of their own, as browsers do: `python benchmarks/app_sessions.py ADDRESS PROJECT COUNT SECONDS`
prints as JSON how long each answer took. Real browsers on the same machine would take the
processor from what is measured.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.BidiComponent_pb2 import BidiComponent
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

PAGES = ("train", "compare_runs", "train", "overview", "queue", "train", "labels_2d", "analyze_frames", "predict")
"""Opened in turn: a training is looked at most."""
STAYS = (10.0, 30.0)
"""Seconds on a page, from and to."""


@dataclass
class Watch:
    """A part of a page that asks how something stands, as ``assets/watch.js`` does.

    Attributes:
        part: Streamlit's name of the part.
        about: What the page has told it.
    """

    part: str
    about: dict[str, Any]


@dataclass
class Session:
    """One browser: opens a page, and has those parts drawn anew that have changed.

    Attributes:
        number: Tells it from the others.
        address: Of the app.
        project: What it looks at.
        pages: Seconds until a page was whole, with its name.
        parts: Seconds until a part was drawn anew.
        looks: Seconds until it was said how something stands.
        faults: What went wrong.
    """

    number: int
    address: str
    project: str
    pages: list[tuple[str, float]] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _watches: dict[str, Watch] = field(default_factory=dict)
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _whole: asyncio.Event = field(default_factory=asyncio.Event)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _http: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def walk(self, seconds: float) -> None:
        """Open one page after another for a while."""
        chance = random.Random(self.number)
        end = time.monotonic() + seconds
        host = self.address.removeprefix("http://").rstrip("/")
        async with (
            connect(
                f"ws://{host}/_stcore/stream",
                origin=Origin(f"http://{host}"),
                subprotocols=[Subprotocol("streamlit")],
                max_size=None,
            ) as line,
            asyncio.TaskGroup() as both,
        ):
            listening = both.create_task(self._listen(line))
            turn = self.number
            await asyncio.sleep(chance.uniform(0, STAYS[0]))
            while time.monotonic() < end:
                await self._open(line, PAGES[turn % len(PAGES)])
                turn += 1
                await asyncio.sleep(min(chance.uniform(*STAYS), max(0.0, end - time.monotonic())))
            self._rest()
            listening.cancel()

    async def _open(self, line: ClientConnection, page: str) -> None:
        self._rest()
        self._whole.clear()
        ask = BackMsg()
        ask.rerun_script.page_name, ask.rerun_script.query_string = page, f"project={self.project}"
        began = time.perf_counter()
        await line.send(ask.SerializeToString())
        await self._whole.wait()
        self.pages.append((page, time.perf_counter() - began))

    async def _listen(self, line: ClientConnection) -> None:
        async for data in line:
            message = ForwardMsg.FromString(data if isinstance(data, bytes) else data.encode())
            kind = message.WhichOneof("type")
            if kind == "page_not_found":
                self.faults.append(f"page not found: {message.page_not_found.page_name}")
            elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "bidi_component":
                self._watch(line, message.delta.fragment_id, message.delta.new_element.bidi_component)
            elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
                self.faults.append(message.delta.new_element.exception.message)
            elif kind == "delta" and message.delta.new_element.alert.body.startswith("This page failed"):
                self.faults.append("a page failed")
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self._asked.clear()
                self._whole.set()
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
                # Several may have been drawn in one run.
                now = time.perf_counter()
                self.parts += [now - asked for asked in self._asked.values()]
                self._asked.clear()

    def _watch(self, line: ClientConnection, part: str, shown: BidiComponent) -> None:
        if not shown.component_name.endswith("vitruve_watch"):
            return
        if shown.id in self._watches:
            self._watches[shown.id].about = json.loads(shown.json)
            return
        watch = self._watches[shown.id] = Watch(part, json.loads(shown.json))
        self._timers[shown.id] = asyncio.create_task(self._look(line, watch))

    async def _look(self, line: ClientConnection, watch: Watch) -> None:
        while True:
            await asyncio.sleep(watch.about["every"])
            began = time.perf_counter()
            said = await self._get(watch.about["address"])
            asked = time.perf_counter()
            self.looks.append(asked - began)
            if said["version"] == watch.about["version"]:
                continue
            ask = BackMsg()
            ask.rerun_script.fragment_id = watch.part
            ask.rerun_script.query_string = f"project={self.project}"
            self._asked.setdefault(watch.part, asked)
            await line.send(ask.SerializeToString())

    async def _get(self, address: str) -> dict[str, Any]:
        """Over one line that stays open; a client made for all cases would use more of the processor than the app."""
        async with self._one:
            if self._http is None:
                host, _, port = self.address.removeprefix("http://").rstrip("/").rpartition(":")
                self._http = await asyncio.open_connection(host, int(port))
            reading, writing = self._http
            host = self.address.removeprefix("http://").rstrip("/")
            writing.write(f"GET {address} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = (await reading.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            said: dict[str, Any] = json.loads(await reading.readexactly(length))
            if " 200 " not in head:
                self.faults.append(f"{address}: {head.partition(chr(13))[0]}")
            return said

    def _rest(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        if self._one.locked() and self._http is not None:
            # An answer is on its way that nobody waits for any more.
            self._http[1].close()
            self._http = None
        self._timers.clear()
        self._watches.clear()
        self._asked.clear()


async def walk_all(address: str, project: str, count: int, seconds: float) -> dict[str, Any]:
    """Several sessions at once.

    Args:
        address: Of the app.
        project: What they look at.
        count: Number of sessions.
        seconds: How long.

    Returns:
        Seconds of each answer, and faults.
    """
    sessions = [Session(number, address, project) for number in range(count)]
    await asyncio.gather(*(session.walk(seconds) for session in sessions))
    return {
        "pages": [found for session in sessions for found in session.pages],
        "parts": [found for session in sessions for found in session.parts],
        "looks": [found for session in sessions for found in session.looks],
        "faults": [fault for session in sessions for fault in session.faults],
    }


if __name__ == "__main__":
    where, what, how_many, how_long = sys.argv[1:]
    print(json.dumps(asyncio.run(walk_all(where, what, int(how_many), float(how_long)))))
