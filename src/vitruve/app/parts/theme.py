"""Whether a browser shows the app dark, for what does not follow by itself."""

from __future__ import annotations

import streamlit as st


def is_dark() -> bool:
    """Whether the page is drawn light on dark."""
    return st.context.theme.type == "dark"
