"""Loaded by every Python that has this folder on its path: what leaves this machine is refused and noted."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

_HERE = ("127.", "::1", "localhost", "0.0.0.0")
_connect = socket.socket.connect
_getaddrinfo = socket.getaddrinfo


def _check(host: object) -> None:
    if not str(host).startswith(_HERE):
        with Path(os.environ["NETWORK_LOG"]).open("a") as log:
            log.write(f"{host}\n")
        raise OSError(f"no connection to {host} in tests")


def connect(self: socket.socket, address: Any) -> None:
    if self.family != socket.AF_UNIX:
        _check(address[0])
    _connect(self, address)


def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
    if host is not None:
        _check(host.decode() if isinstance(host, bytes) else host)
    return _getaddrinfo(host, *more, **named)


socket.socket.connect = connect  # type: ignore[method-assign]
socket.getaddrinfo = getaddrinfo
