"""Where a study is kept: a journal file, or a database that several machines reach."""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from vitruve.errors import InputError, MissingExtraError

# Drivers by what an address begins with; what it may name besides, SQLAlchemy knows.
_DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg"),
    "postgres": ("postgresql+psycopg", "psycopg"),
    "mysql": ("mysql+pymysql", "pymysql"),
    "mariadb": ("mysql+pymysql", "pymysql"),
}


class _Journal(JournalFileBackend):  # type: ignore[misc]
    """A journal that a full disk or a lost power leaves readable: a line that was not finished is cut off.

    Otherwise the next line would follow it, and the two together could never be read again.
    """

    def __init__(self, path: str) -> None:
        # A lock whose owner was killed is taken over after these seconds.
        super().__init__(path, JournalFileSymlinkLock(path, grace_period=10))
        self._path = Path(path)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append lines, after the last whole one."""
        # Unfinished lines are rare: whether there is one shows without the lock, which is taken to cut it off.
        if _unfinished(self._path):
            self._lock.acquire()
            try:
                if _unfinished(self._path):
                    with self._path.open("rb+") as stream:
                        stream.truncate(stream.read().rfind(b"\n") + 1)
            finally:
                self._lock.release()
        super().append_logs(logs)


def _unfinished(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        if not size:
            return False
        stream.seek(size - 1)
        return stream.read(1) != b"\n"


def open_storage(address: str | None, journal: Path) -> BaseStorage:
    """The storage of a study.

    Args:
        address: URL of a database, path of a journal file, or None.
        journal: The journal file where there is no address.

    Returns:
        Of Optuna; several processes may have it open.

    Raises:
        InputError: It cannot be opened.
        MissingExtraError: The database's driver is not installed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # What goes wrong with a database is told here, in one line.
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    if address is None or "://" not in address:
        path = journal if address is None else Path(address).expanduser()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(_Journal(str(path)))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be used as the journal of a study ({error}); name another") from error
    scheme, _, rest = address.partition("://")
    full, driver = _DRIVERS.get(scheme, (scheme, ""))
    if driver and importlib.util.find_spec(driver) is None:
        raise MissingExtraError(driver, "tune", f"a study in {scheme}")
    try:
        # Connections that were cut while a trial ran for hours are opened again.
        return RDBStorage(f"{full}://{rest}", engine_kwargs={"pool_pre_ping": True})
    except Exception as error:
        # Drivers have exceptions of their own, which the address decides.
        lines = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"tune.storage={without_password(address)}: cannot be opened ({lines[0][:200]}); check address, user and "
            "password, and that the database exists"
        ) from error


def without_password(address: str) -> str:
    """An address that may be shown and written down.

    Args:
        address: URL or path.

    Returns:
        The same without a password.
    """
    if "://" not in address:
        return address
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}"))
