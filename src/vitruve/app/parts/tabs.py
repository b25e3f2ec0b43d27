"""Tabs of a page, one of which can be opened by what was done on another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_tab_container import TabContainer


def tabs(key: str, names: Sequence[str]) -> Sequence[TabContainer]:
    """Tabs that stay as they were opened.

    Args:
        key: Unique on the page.
        names: Of the tabs; the first is open at first.

    Returns:
        The tabs.
    """
    wanted = st.session_state.pop(_next(key), None)
    if wanted in names:
        st.session_state[key] = wanted
    return st.tabs(names, key=key, on_change="rerun")


def open_tab(key: str, name: str) -> None:
    """Show the page anew with another tab open.

    Args:
        key: As for :func:`tabs`.
        name: Of the tab.
    """
    # A widget that is drawn already cannot be set: the next run does it.
    st.session_state[_next(key)] = name
    st.rerun()


def _next(key: str) -> str:
    return f"{key}/next"
