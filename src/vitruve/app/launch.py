"""Starts the web app."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import secrets
import socket
import threading
import traceback
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.middleware import Middleware

from vitruve.app.guard import LOOPBACK, Entry, Guard, Memory, hosts_of
from vitruve.app.media import routes
from vitruve.app.now import Answers
from vitruve.app.pages import load_all
from vitruve.app.place import serve
from vitruve.app.uploads import LARGEST_BYTES
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError

PORT = 8501
"""Where the app listens unless something else is said."""

_LOG = logging.getLogger("vitruve.app")
_TIDY_SECONDS = 60.0
_THEMES = {
    "light": {"primaryColor": "#0b6e6e", "backgroundColor": "#ffffff", "secondaryBackgroundColor": "#f2f5f5"},
    "dark": {"primaryColor": "#3fb8af", "backgroundColor": "#12181b", "secondaryBackgroundColor": "#1c2529"},
}


def launch(
    folders: Sequence[str | Path] = (".",),
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    names: Sequence[str] = (),
    said: Callable[[str], None] = print,
) -> None:
    """Serve the web app until it is stopped.

    Args:
        folders: It serves and writes below these, and nowhere else.
        host: Where to listen. Anything but this machine's own address needs the token of the printed link.
        port: Where to listen, 0 for any that is free; by default 8501, or the next free one.
        browser: Open it.
        names: Further names by which the app is called, such as that of this machine in its network.
        said: Is told the address.

    Raises:
        InputError: A folder is not there, or the address cannot be used.
    """
    workspace = Workspace.of(folders)
    listening = _listening(host, port)
    token = None if is_loopback(host) else secrets.token_urlsafe(32)
    bound = listening.getsockname()[1]
    entry = Entry(hosts_of(host, (*names, *_own_names(host))), bound, token)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{socket.gethostname() if host in ('0.0.0.0', '::') else shown}:{bound}/"
    link = address if token is None else f"{address}?token={token}"
    said(f"app: {link}")
    said(f"serves: {', '.join(map(str, workspace.roots))}")
    server = uvicorn.Server(
        uvicorn.Config(
            build(workspace, entry, host),
            log_level="warning",
            lifespan="on",
            ws="websockets-sansio",
            access_log=False,
            # Within one machine it would cost more than it saves.
            ws_per_message_deflate=not is_loopback(host),
        )
    )
    if browser:
        threading.Timer(1.0, webbrowser.open, (link,)).start()
    server.run([listening])


def build(workspace: Workspace, entry: Entry, host: str = "127.0.0.1") -> Any:
    """The app for a web server that speaks ASGI.

    Args:
        workspace: What it serves.
        entry: What requests must show.
        host: Where it listens.

    Returns:
        The app.
    """
    from streamlit import config
    from streamlit.starlette import App

    serve(workspace)
    options: dict[str, Any] = {
        "server.headless": True,
        "server.address": host,
        "server.port": entry.port,
        "server.maxUploadSize": LARGEST_BYTES // 2**20,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.enableXsrfProtection": True,
        # A project may bring a .streamlit/config.toml: what could open the app to others is not read from there.
        "server.enableCORS": True,
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.baseUrlPath": "",
        "server.customComponentBaseUrlPath": "",
        "global.developmentMode": False,
        # Pages at Streamlit's own hosts, which are everybody's, could steer this one by messages.
        "client.allowedOrigins": [],
        "runner.magicEnabled": False,
        # It would look through all there is after each run of a page, which costs more than most pages.
        "runner.postScriptGC": False,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "theme.headingFontSizes": ["2rem", "1.5rem", "1.25rem"],
        **{f"theme.{kind}.{key}": value for kind, values in _THEMES.items() for key, value in values.items()},
    }
    config.get_config_options(force_reparse=True, options_from_flags=options)
    return App(
        Path(__file__).parent / "script" / "each_run.py",
        routes=routes(workspace),
        middleware=[
            Middleware(Guard, entry=entry),
            Middleware(Answers, workspace=workspace),
            Middleware(Memory),
        ],
        on_script_error=_failed,
        lifespan=_served,
    )


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[None]:
    """While the server runs; it answers at once, and has its pages when the first is looked at."""
    load_all()
    tidying = asyncio.create_task(_tidied())
    yield
    tidying.cancel()


async def _tidied() -> None:
    """Sessions that have ended hold figures and pictures in circles of references, which nothing else may free soon."""
    while True:
        await asyncio.sleep(_TIDY_SECONDS)
        gc.collect()


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine alone.

    Args:
        host: A name or an address.

    Returns:
        False for names other than ``localhost``.
    """
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int | None) -> socket.socket:
    """A socket at the address; without a port, at the first free one from :data:`PORT` on."""
    if not host.strip():
        raise InputError("--host: is empty; give the address to listen at, 0.0.0.0 for all of this machine's")
    wanted = range(PORT, PORT + 100) if port is None else (port,)
    for number in wanted:
        try:
            found = socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
            # Those that come in inherit it; asyncio sets it for sockets that it has made itself only. Without it the
            # second half of an answer waits for 40 ms until the first one is acknowledged.
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return found
        except (OSError, OverflowError) as error:
            if port is not None or isinstance(error, socket.gaierror):
                raise InputError(f"{host}:{number}: cannot listen there ({error}); choose another --port") from error
    raise InputError(f"{host}: ports {PORT} to {PORT + 99} are taken; give a free one with --port")


def _own_names(host: str) -> list[str]:
    """The names and addresses of this machine, where all of its addresses are listened at."""
    if host not in ("0.0.0.0", "::"):
        return []
    import psutil

    found = [each.address.partition("%")[0] for group in psutil.net_if_addrs().values() for each in group]
    return [socket.gethostname(), *(each for each in found if each)]


def _failed(error: Exception) -> bool:
    """What no page has caught is said in the log, and not in the browser."""
    import streamlit as st

    _LOG.error("the app failed\n%s", "".join(traceback.format_exception(error)))
    st.error("Something failed, and nothing was changed by it. The terminal of 'vitruve launch' says what happened.")
    return True
