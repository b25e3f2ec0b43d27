"""A small HTTP server for our own pages: for this machine alone, unless it is told where else to listen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
TEXT, JSON, HTML = "text/plain; charset=utf-8", "application/json; charset=utf-8", "text/html; charset=utf-8"
Answer = tuple[HTTPStatus, str, bytes]
"""Status, kind and content."""


class LocalServer:
    """Answers requests in threads of its own, from :meth:`start` to :meth:`stop`.

    A page from elsewhere, open in the same browser, is refused: requests must name this server, and come from its own
    pages or from none.

    Args:
        host: Where to listen.
        port: Where to; 0 for any that is free.
        get: Gives the answer at a path.
        post: Does what is asked for at a path, and answers; None where nothing can be asked for.

    Raises:
        OSError: It cannot be listened there.
        OverflowError: There is no such port.
    """

    def __init__(
        self, host: str, port: int, get: Callable[[str], Answer], post: Callable[[str], Answer] | None = None
    ) -> None:
        self._host = host
        self._server = _Server((host, port), _handler(self, get, post))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def wait(self) -> None:
        """Serve until the program is stopped."""
        self._thread.join()

    def stop(self) -> None:
        """Answer no more, and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def trusts(self, host: str | None, origin: str | None, site: str | None) -> bool:
        """Whether a request is not one that a page from elsewhere makes in somebody's browser.

        Args:
            host: The header ``Host``.
            origin: The header ``Origin``.
            site: The header ``Sec-Fetch-Site``.

        Returns:
            True where it is to be answered.
        """
        # Elsewhere than on this machine it has names that it does not know.
        named = self._host != HOST or host in {f"{name}:{self.port}" for name in (HOST, "localhost")}
        return named and site != "cross-site" and origin in (None, f"http://{host}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Otherwise two servers would share a port, and each would answer for either.
    allow_reuse_address = False


def _handler(
    server: LocalServer, get: Callable[[str], Answer], post: Callable[[str], Answer] | None
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(get)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(post)

        def _answer(self, asked: Callable[[str], Answer] | None) -> None:
            if not server.trusts(*(self.headers.get(name) for name in ("Host", "Origin", "Sec-Fetch-Site"))):
                status, kind, body = HTTPStatus.FORBIDDEN, TEXT, b"only for pages of this server\n"
            elif asked is None:
                status, kind, body = HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"nothing can be changed here\n"
            else:
                status, kind, body = asked(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each request: the terminal is for what the program does."""

    return Handler
