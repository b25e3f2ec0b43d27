"""Trains in processes of their own that can be killed: started once, it forks them, so that each is there at once.

Each line of its input is a JSON object; each line of its output is the process's id, then its exit status.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from vitruve.cli.main import main
from vitruve.config.schema import Config
from vitruve.run import RunFiles
from vitruve.training.fit import fit
from vitruve.training.prepare import prepare


def _kill_at_rename(count: int) -> None:
    """Die like by kill -9 beside the n-th time that a file is put in its place: before it if n is odd, else after."""
    rename, seen = os.replace, 0

    def counted(self: Path, target: Any) -> Path:
        nonlocal seen
        seen += 1
        if seen == count and count % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(self, target)
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return Path(target)

    Path.replace = counted  # type: ignore[method-assign]


def _work(request: dict[str, Any]) -> int:
    torch.set_num_threads(1)
    if request.get("session"):
        os.setsid()
    if request.get("log"):
        stream = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
    if "command" in request:
        sys.argv = ["vitruve", *request["command"]]
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0
    if request.get("kill_at_rename"):
        _kill_at_rename(request["kill_at_rename"])
    config = Config.from_mapping(request["settings"])
    ready, run = prepare(config), RunFiles(Path(request["run"]))
    seconds = request.get("checkpoint_seconds", 0.0)
    fit(config, ready, run, resume=True, quiet=True, checkpoint_seconds=seconds)
    return 0


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = _work(json.loads(line))
            finally:
                sys.stderr.flush()
                sys.stdout.flush()
                os._exit(code)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)
