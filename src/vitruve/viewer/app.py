"""The page of FiftyOne, served for a data set."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vitruve.errors import InputError
from vitruve.viewer.database import load_fiftyone


@contextmanager
def served(name: str, *, address: str, port: int, remote: bool) -> Iterator[Any]:
    """Serve the page while a block runs.

    Args:
        name: The data set it opens with.
        address: Address it is served at.
        port: Port it is served at, 1 to 65535.
        remote: Open no browser here.

    Yields:
        The ``fiftyone.Session``.

    Raises:
        InputError: The address is not this machine's, or the port is in use.
    """
    fo = load_fiftyone()
    _check_free(address, port)
    session = fo.launch_app(fo.load_dataset(name), address=address, port=port, remote=remote)
    try:
        yield session
    finally:
        fo.close_app()


def show(name: str, *, address: str, port: int, remote: bool) -> None:
    """Serve the page until Ctrl-C or, where a browser was opened, until its window is closed.

    Args:
        name: The data set it opens with.
        address: As for :func:`served`.
        port: As for :func:`served`.
        remote: As for :func:`served`.
    """
    with served(name, address=address, port=port, remote=remote) as session, contextlib.suppress(KeyboardInterrupt):
        session.wait(-1 if remote else 3)


def _check_free(address: str, port: int) -> None:
    # FiftyOne would join whatever server answers at this port, with its database.
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise InputError(
            f"{address}:{port}: the page cannot be served there ({error.strerror}); choose another address or port"
        ) from None
