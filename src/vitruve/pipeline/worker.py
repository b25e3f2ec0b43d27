"""One of the processes that :mod:`vitruve.pipeline.supervise` starts; it is given a file for why it failed."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any

from vitruve.atomic import atomic_json
from vitruve.errors import Interrupted, VitruveError


def main() -> None:
    """Train as the line on the standard input says; whoever wrote it must stay."""
    request, report = json.loads(sys.stdin.readline()), Path(sys.argv[1])
    threading.Thread(target=end_with_supervisor, daemon=True).start()
    try:
        _work(request)
    except (KeyboardInterrupt, Exception) as error:
        from vitruve.training.team import lost

        gone = any(lost(each) for each in (error, error.__cause__) if each is not None)
        told = isinstance(error, VitruveError)
        kind = Interrupted if isinstance(error, KeyboardInterrupt) else type(error)
        message = str(error) if told else traceback.format_exc()
        atomic_json(report, {"kind": kind.__name__, "message": message, "lost": gone})
        sys.stderr.flush()
        os._exit(1)  # not by way of the others, who may be gone


def _work(request: dict[str, Any]) -> None:
    from vitruve.config.schema import Config
    from vitruve.pipeline.together import take_part
    from vitruve.pipeline.train import train_run
    from vitruve.training.team import Team

    if not Team.of_environment().first:
        take_part()
        return
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    if not os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", module=r"vitruve(\.|$)")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("vitruve").setLevel(logging.INFO)
    config = Config.examine(request["settings"])[0]
    train_run(config, Path(request["run"]), resume=request["resume"], quiet=request["quiet"])


def end_with_supervisor() -> None:
    """Wait for the end of the standard input, and end this process then, with all that it started."""
    # Not through sys.stdin: whoever is forked meanwhile would wait for its lock.
    while os.read(0, 1):
        pass
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)  # its loader's workers as well
    os._exit(1)


if __name__ == "__main__":
    main()
