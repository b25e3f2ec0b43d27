"""What each browser is shown: the navigation, the project, the page; errors in one line."""

from __future__ import annotations

import logging
import traceback
from functools import partial
from pathlib import Path

import streamlit as st

from vitruve.app.pages import PAGES, Page
from vitruve.app.parts.text import show_error
from vitruve.app.place import Place, served
from vitruve.app.projects import AppProject, find_projects, open_project
from vitruve.errors import VitruveError

PROJECT = "project"
"""Names the project in the address and in the session."""

# Of ours: browsers would be sent elsewhere for one of Streamlit's.
_ICON = Path(__file__).with_name("assets") / "icon.svg"
_STYLE = _ICON.with_name("page.css")
_SIDEBAR = 240
"""Width in px."""
_LOG = logging.getLogger("vitruve.app")


def main() -> None:
    """Show the app."""
    st.set_page_config("Vitruve", _ICON, layout="wide", initial_sidebar_state=_SIDEBAR)
    st.html(_STYLE)
    place = Place(served(), _chosen())
    listed: dict[str, list[st.Page]] = {}
    for page in PAGES:
        if page.needs_project and place.project is None:
            continue
        listed.setdefault(page.section, []).append(_entry(page, place))
    # The first page stands at the root and nowhere else; people and links look for it under its name as well.
    first = listed[PAGES[0].section][0]
    listed[PAGES[0].section].append(
        st.Page(partial(st.switch_page, first), title=PAGES[0].title, url_path=PAGES[0].name, visibility="hidden")
    )
    current = st.navigation(listed, expanded=True)
    if place.project is not None:
        # A link leads back to the same project.
        st.query_params[PROJECT] = place.workspace.name(place.project.path)
    current.run()


def _entry(page: Page, place: Place) -> st.Page:
    first = page is PAGES[0]
    address = "start" if first else page.name
    return st.Page(partial(_show, page, place), title=page.title, icon=page.icon, url_path=address, default=first)


def choose(project: AppProject) -> None:
    """Open a project, for a page that has made or found one; the next run of the script shows it.

    Args:
        project: The project.
    """
    st.session_state[PROJECT] = str(project.path)


def _chosen() -> AppProject | None:
    """The project of this session: as chosen before, as the address says, or the only one there is."""
    workspace = served()
    known = find_projects(workspace)
    asked = st.session_state.get(PROJECT) or st.query_params.get(PROJECT)
    current = known[0] if len(known) == 1 and not asked else None
    if asked:
        try:
            current = open_project(workspace, asked)
        except VitruveError as error:
            # It was removed, or a link was mistyped; the others stay to be chosen.
            st.session_state.pop(PROJECT, None)
            st.query_params.pop(PROJECT, None)
            show_error(error)
    if current is not None and current not in known:
        known.append(current)
    if not known:
        return None
    # Two projects may have one name: the folder is what is chosen.
    picked = st.sidebar.selectbox(
        "Project",
        known,
        index=None if current is None else known.index(current),
        format_func=lambda item: item.name if _alone(item, known) else workspace.name(item.path),
        placeholder="Choose a project",
        label_visibility="collapsed",
    )
    if picked is not None:
        st.session_state[PROJECT] = str(picked.path)
    return picked


def _alone(project: AppProject, known: list[AppProject]) -> bool:
    return sum(other.name == project.name for other in known) == 1


def _show(page: Page, place: Place) -> None:
    """A page; what goes wrong on it is said in one line, and in the server's log in full."""
    st.title(page.title)
    try:
        page.load()(place)
    except VitruveError as error:
        show_error(error)
    except Exception:
        # Streamlit's own way to end or begin a run anew are no Exceptions; anything else is a fault of ours.
        _LOG.error("page %s failed\n%s", page.name, traceback.format_exc())
        st.error(
            "This page failed, and nothing was changed by it. The terminal of 'vitruve launch' says what happened."
        )
