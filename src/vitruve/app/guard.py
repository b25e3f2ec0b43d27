"""Who may talk to the app: this machine's browser, or one that was given the link with the token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qs

import psutil
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_SPARE_BYTES = 2**30
_SAFE = ("GET", "HEAD", "OPTIONS")
_ELSEWHERE = ("cross-site", "same-site")
# Streamlit's pages compile expressions of plots, and run components from text that the server has sent.
_CONTENT = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    b"connect-src 'self' data: blob:; frame-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    b"frame-ancestors 'self'"
)
_HEADERS = (
    (b"content-security-policy", _CONTENT),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


@dataclass(frozen=True)
class Entry:
    """What a request must show.

    Attributes:
        hosts: Names and addresses by which the app may be called, in lower case, without the port.
        port: Where it listens.
        token: A secret; None where the machine's own browser alone can reach the app.
    """

    hosts: frozenset[str]
    port: int
    token: str | None = field(default=None, repr=False)

    @property
    def cookie(self) -> str:
        """Its name; browsers share cookies between ports."""
        return f"vitruve_{self.port}"

    @property
    def proof(self) -> str:
        """What the cookie says: nobody can tell the token from it."""
        return hmac.new((self.token or "").encode(), b"vitruve app", hashlib.sha256).hexdigest()

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Every ``Host`` that names this app."""
        names = {f"[{name}]" if ":" in name else name for name in self.hosts}
        return frozenset({f"{name}:{self.port}" for name in names} | (names if self.port == 80 else set()))

    def is_host(self, host: str | None) -> bool:
        """Whether a ``Host`` names this app: a page from elsewhere that lets a name of its own point here does not.

        Args:
            host: With the port, unless that is 80.

        Returns:
            True if so.
        """
        return host is not None and host.lower() in self.addresses

    def is_origin(self, origin: str | None) -> bool:
        """Whether an ``Origin`` is one of this app's own pages."""
        scheme, _, host = (origin or "").partition("://")
        return scheme in ("http", "https") and self.is_host(host)

    def is_token(self, given: str | None) -> bool:
        """Whether this is the token; the time that takes does not tell how much of it is right."""
        return self.token is not None and hmac.compare_digest((given or "").encode(), self.token.encode())

    def is_proof(self, given: str | None) -> bool:
        """Whether a cookie is one that was given out for the token."""
        return self.token is None or hmac.compare_digest((given or "").encode(), self.proof.encode())


class Guard:
    """Asks each request, and each connection of a page, whether it may.

    Args:
        app: What answers those that may.
        entry: What must be shown.
    """

    def __init__(self, app: ASGIApp, entry: Entry) -> None:
        self._app = app
        self._entry = entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal or not self._entry.is_proof(_cookie(headers, self._entry.cookie)):
                await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
                return
            await self._app(scope, receive, send)
            return
        if refusal:
            await PlainTextResponse(refusal, 403, dict(_texts(_HEADERS)))(scope, receive, send)
            return
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [None])[-1]
        if self._entry.token is not None and self._entry.is_token(given):
            answer = RedirectResponse("/", 303, dict(_texts(_HEADERS)))
            # Not strict: who came by a link of another page would be sent back without it.
            answer.set_cookie(self._entry.cookie, self._entry.proof, httponly=True, samesite="lax", path="/")
            await answer(scope, receive, send)
            return
        if not self._entry.is_proof(_cookie(headers, self._entry.cookie)):
            said = "This app needs the link that 'vitruve launch' printed where it was started."
            await PlainTextResponse(said, 403, dict(_texts(_HEADERS)))(scope, receive, send)
            return
        await self._app(scope, receive, _adding(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> str:
        """Why a request is none of our own pages; empty if it is."""
        names = [name.lower() for name, _ in scope["headers"]]
        if names.count(b"host") != 1 or not self._entry.is_host(headers["host"]):
            return "This app answers under its own address only; see what 'vitruve launch' printed."
        origin = headers.get("origin")
        if names.count(b"origin") > 1 or (origin is not None and not self._entry.is_origin(origin)):
            return "Another page may not talk to this app."
        if scope["type"] == "websocket":
            return "" if origin is not None else "A page must say where it comes from."
        # What browsers say of where a request comes from; a link to this app may stand anywhere.
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site") in _ELSEWHERE and not (followed and scope["method"] in _SAFE):
            return "Another page may neither read nor change anything here."
        return ""


class Memory:
    """Refuses to be sent more than the machine has memory for, which the web server holds uploads in.

    Args:
        app: What takes the rest.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] in ("PUT", "POST"):
            said = dict(scope["headers"]).get(b"content-length", b"")
            # Whole files are kept, and put together from what came of them.
            needed = (2 * int(said) if said.isdigit() and len(said) < 20 else 0) + _SPARE_BYTES
            if psutil.virtual_memory().available < needed:
                await PlainTextResponse("This machine has no memory left for that.", 413)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def hosts_of(host: str, more: Iterable[str] = ()) -> frozenset[str]:
    """The names by which an app that listens at an address may be called.

    Args:
        host: Where it listens; ``0.0.0.0`` and ``::`` are every address of this machine.
        more: Further names, such as that of the machine in its network.

    Returns:
        In lower case.
    """
    own = set(LOOPBACK) if host in LOOPBACK else {host.lower(), *LOOPBACK}
    return frozenset(own | {name.lower() for name in more})


def _cookie(headers: dict[str, str], name: str) -> str | None:
    return cookie_parser(headers.get("cookie", "")).get(name)


def _adding(send: Send) -> Send:
    """Send answers with the headers that keep browsers from guessing and from framing."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message.get("headers", ())}
            message["headers"] = [*message.get("headers", ()), *(each for each in _HEADERS if each[0] not in given)]
        await send(message)

    return sending


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    return ((name.decode(), value.decode()) for name, value in headers)
