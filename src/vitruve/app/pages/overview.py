"""What there is, and what to do next."""

from __future__ import annotations

import streamlit as st

from vitruve.app.place import Place

SECTION, ORDER, TITLE, ICON, NEEDS_PROJECT = "Project", 0, "Overview", ":material/home:", False


def show(place: Place) -> None:
    """The page."""
    st.write("Nothing yet.", place.project)
