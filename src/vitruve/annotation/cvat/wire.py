"""The wire to a CVAT server: cvat-sdk's client with limits of time, retries with growing pauses, and errors in a line.

cvat-sdk itself waits without end and tries only once. Here every request has a limit, and one that failed is tried
again as long as that is safe: always where it only reads or replaces, and where the server has surely not begun.
Where a change may or may not have been made, :class:`Uncertain` leaves it to the caller to look.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from vitruve.annotation.cvat.access import Access
from vitruve.errors import MissingExtraError, ServerError

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_NOT_BEGUN = (425, 429)
_READS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
_LONGEST_PAUSE = 60.0
_DETAIL = 300


class Uncertain(Exception):
    """A change failed in such a way that it may have been made all the same."""


class Wire:
    """Requests to one server.

    Args:
        url: Its address.
        access: What it lets us in by.
        organization: Short name of the organisation, or None for one's own tasks.
        timeout: Seconds until an answer, for each request.
        attempts: How often a request is tried.
        pause: Seconds before the second attempt; each further pause is twice as long, up to a minute.

    Attributes:
        url: As given.
        client: cvat-sdk's.
        attempts: As given.
        timeout: As given.

    Raises:
        ServerError: The server cannot be reached, or lets nobody in by this.
        MissingExtraError: cvat-sdk is not installed.
    """

    def __init__(
        self,
        url: str,
        access: Access,
        organization: str | None = None,
        timeout: float = 60.0,
        attempts: int = 5,
        pause: float = 0.5,
    ) -> None:
        try:
            import cvat_sdk.core.client as sdk
            import urllib3
        except ImportError as error:
            raise MissingExtraError("cvat-sdk", "cvat", "CVAT") from error
        self.url, self.attempts = url, attempts
        self.timeout, self._pause = timeout, pause
        self.client = sdk.Client(
            url, check_server_version=False, config=sdk.Config(status_check_period=max(0.01, pause))
        )
        self.client.logger.disabled = True
        rest = self.client.api_client.rest_client
        # urllib3's own retries come at once, which helps no server that is busy.
        rest.pool_manager.connection_pool_kw["retries"] = urllib3.Retry(3, connect=0, read=0, other=0, status=0)
        self._send = rest.request
        rest.request = self._patient
        if organization is not None:
            self.client.organization_slug = organization
        word = sdk.AccessTokenCredentials(access.token) if access.token else None
        word = word or sdk.PasswordCredentials(access.user, access.password)
        with self.explained("logging in"):
            self.certain(lambda: self.client.login(word), lambda: False)

    def ask(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        """Send a request of CVAT's interface, and read what is answered.

        Args:
            method: In capitals.
            path: Such as ``/api/tasks``.
            query: Parameters.
            body: What is sent as JSON, or None.

        Returns:
            The JSON of the answer; None where there is none.

        Raises:
            ServerError: The server cannot be reached, refuses, or failed each time.
            Uncertain: A change may have been made.
        """
        with self.explained(path):
            return json.loads(self._request(method, path, query, body) or b"null")

    def content(self, path: str, query: dict[str, Any]) -> bytes | None:
        """The content of a file.

        Args:
            path: Such as ``/api/tasks/7/data/``.
            query: Parameters.

        Returns:
            The content; None where the server has no such file.

        Raises:
            ServerError: The server cannot be reached, refuses, or failed each time.
        """
        from cvat_sdk.api_client.exceptions import NotFoundException

        with self.explained(path):
            try:
                return self._request("GET", path, query)
            except NotFoundException:
                return None

    def pages(self, path: str, query: dict[str, Any] | None = None) -> Iterator[Any]:
        """The entries of a list, page by page.

        Args:
            path: Such as ``/api/tasks``.
            query: Parameters.

        Yields:
            One entry after the other.

        Raises:
            ServerError: The server cannot be reached, refuses, or failed each time.
        """
        page = 1
        while True:
            part = self.ask("GET", path, {**(query or {}), "page": page, "page_size": 100})
            yield from part["results"]
            if not part.get("next"):
                return
            page += 1

    def wait(self, attempt: int, asked: str | None = None) -> None:
        """Pause before trying again.

        Args:
            attempt: How often it was tried, from 1.
            asked: Seconds that the server asks for, if it does.
        """
        # A part of it is chance, so that several clients do not come back at once.
        pause = self._pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        if asked and asked.strip().isdigit():
            pause = max(pause, float(asked))
        time.sleep(min(pause, _LONGEST_PAUSE))

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Report in one line what fails in a block of requests.

        Args:
            what: What the block does.

        Yields:
            Nothing.

        Raises:
            ServerError: Anything of it failed.
        """
        import urllib3
        from cvat_sdk.api_client.exceptions import ApiException
        from cvat_sdk.core.exceptions import CvatSdkException

        try:
            yield
        except ApiException as error:
            raise ServerError(self._refusal(what, error)) from error
        except urllib3.exceptions.HTTPError as error:
            raise ServerError(f"{self.url}: {what}: {self._trouble(error)}") from error
        except CvatSdkException as error:
            raise ServerError(f"{self.url}: {what}: {_line(str(error))}") from error
        except (ValueError, KeyError, AssertionError) as error:
            raise ServerError(
                f"{self.url}: {what}: the answer is none of CVAT's; is this the address of a CVAT server?"
            ) from error

    def _request(self, method: str, path: str, query: dict[str, Any] | None, body: Any = None) -> bytes:
        from cvat_sdk.core.helpers import make_request_headers

        url = self.url + path + (f"?{urlencode(query)}" if query else "")
        headers = make_request_headers(self.client.api_client)
        response = self.client.api_client.rest_client.request(method, url, headers=headers, body=body)
        return bytes(response.data)

    def _patient(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        """cvat-sdk's way of sending a request, with a limit of time and retries."""
        import urllib3
        from cvat_sdk.api_client.exceptions import ApiException

        options["_request_timeout"] = options.get("_request_timeout") or self.timeout
        for attempt in range(1, self.attempts + 1):
            try:
                return self._send(method, url, *args, **options)
            except ApiException as error:
                if error.status not in _PASSING:
                    raise
                if method not in _READS and error.status not in _NOT_BEGUN:
                    raise Uncertain(self._refusal(url, error)) from error
                if attempt == self.attempts:
                    raise
                self.wait(attempt, (error.headers or {}).get("Retry-After"))
            except urllib3.exceptions.HTTPError as error:
                if method not in _READS and not _never_sent(error):
                    raise Uncertain(f"{self.url}: {self._trouble(error)}") from error
                if attempt == self.attempts:
                    raise
                self.wait(attempt)
        raise AssertionError("the last attempt returns or raises")

    def certain(self, work: Callable[[], Any], done: Callable[[], bool]) -> None:
        """Make a change once, though it may fail in such a way that nobody knows whether it was made.

        Args:
            work: Makes it.
            done: Looks whether it was made.

        Raises:
            ServerError: It failed each time.
        """
        failure: Uncertain | None = None
        for attempt in range(1, self.attempts + 1):
            try:
                work()
                return
            except Uncertain as error:
                failure = error
            self.wait(attempt)
            if done():
                return
        raise ServerError(str(failure)) from failure

    def _refusal(self, what: str, error: Any) -> str:
        where = f"{self.url}: {what.removeprefix(self.url).partition('?')[0]}"
        if error.status in (401, 403):
            return (
                f"{where}: the server refuses access ({error.status}); give a personal access token that is valid and "
                "may do this in CVAT_ACCESS_TOKEN"
            )
        if error.status == 404:
            return f"{where}: not there (404), or not for you to see; check the number and the address"
        if error.status == 429 or (error.status or 0) >= 500:
            return (
                f"{where}: the server failed {self.attempts} times ({error.status}); try again later: what was done "
                "stays, and the same command goes on from there"
            )
        return f"{where}: refused ({error.status}): {_line(_detail(error.body))}"

    def _trouble(self, error: Exception) -> str:
        import urllib3

        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError):
            return "cannot be reached; check the address, and whether the server runs"
        if isinstance(reason, urllib3.exceptions.SSLError):
            return f"its certificate is not trusted ({_line(str(reason))})"
        if isinstance(reason, urllib3.exceptions.TimeoutError):
            return f"no answer within {self.timeout:g} s; the server is slow or stuck: try again later, or --timeout"
        return f"the connection broke ({type(reason).__name__}); run the same command again: it goes on from there"


def _never_sent(error: Exception) -> bool:
    import urllib3

    reason = getattr(error, "reason", None) or error
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _detail(body: Any) -> str:
    """What a server says beside the number of its refusal."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        content = json.loads(text)
    except ValueError:
        return "no reason given" if "<" in text else text
    return str(content["detail"]) if isinstance(content, dict) and "detail" in content else text


def _line(text: str) -> str:
    return " ".join(text.split())[:_DETAIL] or "no reason given"
