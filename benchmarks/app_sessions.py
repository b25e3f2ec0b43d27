"""Browser sessions of the web app without a browser: what Streamlit's page sends and waits for, over its WebSocket.

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
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

PAGES = ("train", "compare_runs", "train", "overview", "queue", "train", "labels_2d", "analyze_frames", "predict")
"""Opened in turn: a training is looked at most."""
STAYS = (10.0, 30.0)
"""Seconds on a page, from and to."""


@dataclass
class Session:
    """One browser: opens a page, and asks again for what the page draws anew by itself.

    Attributes:
        number: Tells it from the others.
        address: Of the app.
        project: What it looks at.
        pages: Seconds until a page was whole, with its name.
        parts: Seconds until a live part was drawn anew.
        faults: What went wrong.
    """

    number: int
    address: str
    project: str
    pages: list[tuple[str, float]] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _whole: asyncio.Event = field(default_factory=asyncio.Event)

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
            if kind == "auto_rerun":
                part = message.auto_rerun
                self._drop(part.fragment_id)
                self._timers[part.fragment_id] = asyncio.create_task(self._again(line, part.fragment_id, part.interval))
            elif kind == "stop_auto_rerun":
                for part_id in message.stop_auto_rerun.fragment_ids:
                    self._drop(part_id)
            elif kind == "page_not_found":
                self.faults.append(f"page not found: {message.page_not_found.page_name}")
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

    async def _again(self, line: ClientConnection, part_id: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            ask = BackMsg()
            ask.rerun_script.fragment_id, ask.rerun_script.is_auto_rerun = part_id, True
            ask.rerun_script.query_string = f"project={self.project}"
            self._asked.setdefault(part_id, time.perf_counter())
            await line.send(ask.SerializeToString())

    def _rest(self) -> None:
        for part_id in list(self._timers):
            self._drop(part_id)

    def _drop(self, part_id: str) -> None:
        self._asked.pop(part_id, None)
        if part_id in self._timers:
            self._timers.pop(part_id).cancel()


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
        "faults": [fault for session in sessions for fault in session.faults],
    }


if __name__ == "__main__":
    where, what, how_many, how_long = sys.argv[1:]
    print(json.dumps(asyncio.run(walk_all(where, what, int(how_many), float(how_long)))))
