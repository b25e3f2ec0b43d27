"""Links to other pages of the app."""

from __future__ import annotations

import streamlit as st

from vitruve.app.pages import PAGES
from vitruve.app.place import Place


def page_link(place: Place, page: str, label: str, **query: str) -> None:
    """A link to another page, in the same project.

    Args:
        place: Where the link stands.
        page: Name of its module in :mod:`vitruve.app.pages`.
        label: What the link says.
        **query: Of the address, such as ``run``.
    """
    icon = next(each.icon for each in PAGES if each.name == page)
    given = dict(query)
    if place.project is not None:
        given["project"] = place.workspace.name(place.project.path)
    # A page is known by its address: this one stands for the one that the navigation lists.
    st.page_link(st.Page(_shown_by_navigation, url_path=page), label=label, icon=icon, query_params=given)


def _shown_by_navigation() -> None:
    raise RuntimeError("this page stands for one of the navigation's")
