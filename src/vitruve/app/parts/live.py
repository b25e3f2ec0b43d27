"""Parts of a page that change while one looks: drawn anew when what they show has changed, and not before."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

from vitruve.app.now import ADDRESS, Watched, now
from vitruve.app.parts.component import component
from vitruve.app.parts.text import show_error
from vitruve.app.place import Place
from vitruve.errors import VitruveError

EVERY = 2.0
"""Seconds after which a browser asks again how something stands, unless something else is said."""


def live(function: Callable[..., None], *args: Any, key: str) -> None:
    """Draw a part of a page by itself; what it calls :func:`watch` for is drawn anew when that has changed.

    Args:
        function: Draws it. It should be quick, and look only at what changes.
        *args: For the function.
        key: Of the part, unique on the page.
    """
    with st.container(key=f"live-{key}"):
        fragment(function)(*args)


def watch(place: Place, watched: Watched, key: str, *, every: float = EVERY) -> None:
    """Have the part of the page around this drawn anew when something has changed; without bars it takes no room.

    The browser asks for it, and not while its page is hidden: that costs next to nothing beside drawing. Call it before
    what is drawn is read: what changes in between is then seen the next time.

    Args:
        place: Where.
        watched: What the part shows; its bars are drawn here.
        key: Unique on the page.
        every: Seconds after which the browser asks again.
    """
    at_hand = now(place.workspace, watched)
    with st.container(key=f"{'bars' if watched.bars else 'watch'}-{key}"):
        component("watch", html='<div class="bars" aria-live="off"></div>')(
            key=f"{key}/watch",
            data={"address": f"{ADDRESS}?{watched.query(place.workspace)}", "every": every, **at_hand},
            on_changed_change=_drawn_anew,
        )


def pace(since: float) -> float:
    """How often something is looked at that is dear to draw: what goes on for hours does not change in seconds.

    Args:
        since: Unix time at which it began.

    Returns:
        Seconds between two times, of 2 to 10: a thirtieth of its age.
    """
    return min(10.0, max(2.0, (time.time() - since) / 30))


def fragment(function: Callable[..., None]) -> Callable[..., None]:
    """A part of a page that is drawn without the rest of it, when a widget in it is used.

    Args:
        function: Draws it. What it raises of Vitruve's own is said in one line, as a page's is.

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

    return st.fragment(told)


def _drawn_anew() -> None:
    """Nothing is to be done: that the browser has told of a change makes Streamlit draw the part."""
