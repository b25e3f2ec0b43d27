"""Parts of a page that are drawn again and again by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

# What is drawn anew would be shown pale meanwhile, which here is all the time.
_STYLE = """<style>
[class*='st-key-live-'] [data-stale='true'], [class*='st-key-live-'] [data-testid='stExpander'] {
  opacity: 1 !important; transition: none !important;
}
</style>"""


def live(function: Callable[..., None], *args: Any, key: str, every: float | None) -> None:
    """Draw a part of a page, and draw it again by itself.

    Args:
        function: Draws it. It should be quick, and look only at what changes.
        *args: For the function.
        key: Of the part, unique on the page.
        every: Seconds between two times; None to draw it once.
    """
    with st.container(key=f"live-{key}"):
        st.html(_STYLE)
        st.fragment(function, run_every=every)(*args)
