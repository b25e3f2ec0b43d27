"""Starts the processes that train one network, and sees to it that they end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from vitruve import errors
from vitruve.atomic import remove_leftovers
from vitruve.config.schema import Config
from vitruve.errors import Interrupted, TrainingError, VitruveError
from vitruve.run import RunFiles

_PAUSE = 0.05
# How long the others may take to tell their own reasons once one process has ended badly.
_GRACE_SECONDS = 1.0


def supervise(config: Config, run: RunFiles, *, resume: bool, quiet: bool) -> Path:
    """Train by several processes of this machine; this one only watches them.

    Ctrl-C is passed on to the first, which ends all after the batch at hand. When one process ends badly, all are ended
    at once, with everything that they started.

    Args:
        config: All settings; ``training.parallel.processes`` says how many.
        run: The run.
        resume: Go on with it.
        quiet: Show no progress.

    Returns:
        The run directory.

    Raises:
        TrainingError: A process was killed.
        VitruveError: What a process reports.
        Interrupted: Ctrl-C.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    count = config.training.parallel.processes or 1
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / f"{rank}.json" for rank in range(count)]
        request = {"settings": config.model_dump(mode="json"), "run": str(run.path), "resume": resume, "quiet": quiet}
        processes = [_start(rank, count, store.port, request, report) for rank, report in enumerate(reports)]
        try:
            failed = _wait(processes)
            if failed is None:
                return run.path
            end = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < end and not all(p.poll() is not None for p in processes):
                time.sleep(_PAUSE)
        finally:
            _end(processes)
        error = _reason(reports, failed, count, run)
    for leftover in (run.path, run.last.parent):
        remove_leftovers(leftover)
    if run.status.is_file():
        status = run.read_status()
        state = "INTERRUPTED" if isinstance(error, Interrupted) else "FAILED"
        run.write_status(state, status.completed, status.total, message=str(error))
    raise error


def _start(rank: int, count: int, port: int, request: dict[str, Any], report: Path) -> subprocess.Popen[str]:
    """One process, with the variables that ``torchrun`` would give it."""
    environment = {
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count)),
        **os.environ,
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        # The store is here, not in the first process.
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        # What they shout when one of them is gone is told in one line here.
        "TORCH_CPP_LOG_LEVEL": "FATAL",
        # Whatever this process can import, those can.
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    interface = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
    if interface:
        environment["GLOO_SOCKET_IFNAME"] = interface
    process = subprocess.Popen(
        [sys.executable, "-m", "vitruve.pipeline.worker", str(report)],
        stdin=subprocess.PIPE,
        text=True,
        env=environment,
        # A group of its own: Ctrl-C comes here alone, and what it started can be ended with it.
        start_new_session=True,
    )
    assert process.stdin is not None
    # It stays open: its end tells the process that this one is gone.
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
    return process


def _wait(processes: list[subprocess.Popen[str]]) -> int | None:
    """Wait for all; the number of the first that ended badly, or None."""
    asked = False
    while True:
        try:
            codes = [process.poll() for process in processes]
            failed = next((rank for rank, code in enumerate(codes) if code not in (None, 0)), None)
            if failed is not None or all(code == 0 for code in codes):
                return failed
            time.sleep(_PAUSE)
        except KeyboardInterrupt:
            if asked:
                raise
            asked = True
            processes[0].send_signal(signal.SIGINT)


def _end(processes: list[subprocess.Popen[str]]) -> None:
    """End what is still there; files are replaced in one step, so nothing is half-written."""
    for process in processes:
        if hasattr(os, "killpg"):
            # Also the group of one that is gone: its loader's workers may not be.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()


def _reason(reports: list[Path], failed: int, count: int, run: RunFiles) -> Exception:
    """Why they ended: what one of them says, or else that one was killed."""
    said = [json.loads(report.read_text()) for report in reports if report.is_file()]
    for told in said:
        kind = getattr(errors, told["kind"], None)
        if isinstance(kind, type) and issubclass(kind, VitruveError) and not told["lost"]:
            return kind(told["message"])
    unexpected = next((told for told in said if not told["lost"]), None)
    if unexpected is not None:
        return RuntimeError(f"a process that trains failed:\n{unexpected['message']}")
    more = f"goes on with: vitruve train resume={run.path}" if run.status.is_file() else "had not begun"
    return TrainingError(
        f"process {failed} of the {count} that train together was killed (out of memory, perhaps), and the others are "
        f"ended; the last checkpoint is kept, and training {more}"
    )
