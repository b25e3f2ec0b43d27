"""Parts of a page that are drawn again and again by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

from vitruve.app.parts.text import show_error
from vitruve.errors import VitruveError

# What is drawn anew would be shown pale meanwhile, which here is all the time.
_STYLE = """<style>
[class*='st-key-live-'] [data-stale='true'], [class*='st-key-live-'] [data-testid='stExpander'] {
  opacity: 1 !important; transition: none !important;
}
</style>"""


def live(function: Callable[..., None], *args: Any, key: str, since: float | None) -> None:
    """Draw a part of a page, and draw it again by itself, the more seldom the longer it goes on.

    Args:
        function: Draws it. It should be quick, and look only at what changes.
        *args: For the function.
        key: Of the part, unique on the page.
        since: Unix time at which what is looked at began; None to draw it once.
    """
    every = None if since is None else pace(since)

    @wraps(function)
    def drawn(*given: Any) -> None:
        if since is not None and every is not None and pace(since) >= 2 * every:
            st.rerun()
        function(*given)

    with st.container(key=f"live-{key}"):
        st.html(_STYLE)
        fragment(drawn, every)(*args)


def pace(since: float) -> float:
    """How often something is looked at: what goes on for hours does not change in seconds, and each look costs it time.

    Args:
        since: Unix time at which it began.

    Returns:
        Seconds between two looks, of 2 to 10: a thirtieth of its age.
    """
    return min(10.0, max(2.0, (time.time() - since) / 30))


def fragment(function: Callable[..., None], every: float | None = None) -> Callable[..., None]:
    """A part of a page that is drawn without the rest of it, when a widget in it is used.

    Args:
        function: Draws it. What it raises of Vitruve's own is said in one line, as a page's is.
        every: Seconds between two times; None to draw it only when it is used.

    Returns:
        The function to be called in its place.
    """

    # The page is not there to catch anything when this is drawn by itself.
    @wraps(function)
    def told(*args: Any) -> None:
        try:
            function(*args)
        except VitruveError as error:
            show_error(error)

    return st.fragment(told, run_every=every)
