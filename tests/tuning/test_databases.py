"""One study in a real PostgreSQL server, which belongs to the test alone."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tuning.searches import config
from vitruve.errors import InputError
from vitruve.tuning.space import read_space
from vitruve.tuning.storage import open_storage
from vitruve.tuning.study import SharedStudy

_PROGRAMS = (*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep)))


def _find(name: str) -> str:
    found = next((folder / name for folder in _PROGRAMS if (folder / name).is_file()), None)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install postgresql")
    return str(found.resolve())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a database, in a server on a free port that asks for a password."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'vitruve[tune]'")
    initdb, postgres = _find("initdb"), _find("postgres")
    # Not below pytest's folder, which is for its user alone: the server refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
    (folder / "password").write_text("a secret")
    (folder / "password").chmod(0o644)
    data = folder / "data"
    made = subprocess.run(
        [initdb, "-D", str(data), "-U", "vitruve", "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "-N"],
        user=user,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([postgres, "-D", str(data), *options], user=user, cwd=folder, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while b"ready to accept connections" not in (folder / "log").read_bytes():
            assert server.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"postgresql://vitruve:a%20secret@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder)


def _shared(address: str, folder: Path) -> SharedStudy:
    made = config()
    return SharedStudy(
        open_storage(address, folder / "none.log"), "study", "minimize", "val_pixel_error", read_space(made)
    )


def test_two_machines_meet_in_a_database(address: str, tmp_path: Path) -> None:
    one, other = _shared(address, tmp_path), _shared(address, tmp_path)
    assert (one.created, other.created) == (True, False)
    first, second = one.study.ask(), other.study.ask()
    assert {first.number, second.number} == {0, 1}
    for study, trial in ((one, first), (other, second)):
        study.space.suggest(trial)
        study.begin(trial, tmp_path)
    # The page of one stops the trial of the other.
    assert one.stop(second.number)
    assert other.stopped(second)
    other.study.tell(second, state=TrialState.PRUNED)
    one.study.tell(first, 0.5)
    best = other.best()
    assert best is not None
    assert best.value == 0.5
    assert not (tmp_path / "none.log").exists()


def test_a_wrong_password_is_said_in_one_line(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        open_storage(address.replace("a%20secret", "guess"), tmp_path / "none.log")
    assert "password authentication failed" in str(error.value)
    assert "\n" not in str(error.value)
    assert "guess" not in str(error.value)
