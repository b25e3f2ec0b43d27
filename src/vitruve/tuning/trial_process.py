"""The process of one trial, which trains a run like any other; it is given a file for why it failed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from vitruve.atomic import atomic_json
from vitruve.errors import Interrupted, VitruveError
from vitruve.pipeline.worker import end_with_supervisor


def main() -> None:
    """Train as the line on the standard input says; whoever wrote it must stay."""
    # A script's shell lets what it starts in the background ignore Ctrl-C, by which this is asked to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    request, report = json.loads(sys.stdin.readline()), Path(sys.argv[1])
    threading.Thread(target=end_with_supervisor, daemon=True).start()
    try:
        from vitruve.config.schema import Config
        from vitruve.pipeline.ensemble import resume_networks, train_networks
        from vitruve.run import RunFiles

        run = RunFiles(Path(request["run"]))
        if run.config.is_file() and run.status.is_file():
            resume_networks(run.path)
        else:
            train_networks(Config.examine(request["settings"])[0], run.path)
    except (KeyboardInterrupt, Exception) as error:
        told = isinstance(error, VitruveError)
        kind = Interrupted if isinstance(error, KeyboardInterrupt) else type(error)
        atomic_json(report, {"kind": kind.__name__, "message": str(error) if told else traceback.format_exc()})
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
