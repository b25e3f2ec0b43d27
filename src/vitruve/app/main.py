"""What each browser is shown: the navigation, the project, the page; errors in one line."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import traceback
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import streamlit as st

from vitruve.app import pages
from vitruve.app.place import Place, served
from vitruve.app.projects import AppProject, find_projects, open_project
from vitruve.errors import VitruveError

SECTIONS = ("Project", "Training", "Prediction", "Visualization", "Analysis", "Data")
"""The parts of the navigation, in order."""

PROJECT = "project"
"""Names the project in the address and in the session."""

# Of ours: browsers would be sent elsewhere for one of Streamlit's.
_ICON = Path(__file__).with_name("assets") / "icon.svg"
_LOG = logging.getLogger("vitruve.app")


@cache
def modules() -> tuple[ModuleType, ...]:
    """All pages, in the order in which they are listed."""
    found = [importlib.import_module(f"{pages.__name__}.{item.name}") for item in pkgutil.iter_modules(pages.__path__)]
    return tuple(sorted(found, key=lambda page: (SECTIONS.index(page.SECTION), page.ORDER)))


def main() -> None:
    """Show the app."""
    st.set_page_config("Vitruve", _ICON, layout="wide", initial_sidebar_state="expanded")
    try:
        project = _chosen()
        place = Place(served(), project)
    except VitruveError as error:
        st.error(str(error))
        place = Place(served(), None)
    listed: dict[str, list[st.Page]] = {}
    for page in modules():
        if page.NEEDS_PROJECT and place.project is None:
            continue
        address = page.__name__.rpartition(".")[2]
        entry = st.Page(partial(_show, page, place), title=page.TITLE, icon=page.ICON, url_path=address)
        listed.setdefault(page.SECTION, []).append(entry)
    current = st.navigation(listed, expanded=True)
    if place.project is not None:
        # A link leads back to the same project.
        st.query_params[PROJECT] = place.workspace.name(place.project.path)
    current.run()


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
    current = open_project(workspace, asked) if asked else known[0] if len(known) == 1 else None
    if not known:
        return current
    if current is not None and current not in known:
        known.append(current)
    # Two projects may have one name: the folder is what is chosen.
    picked = st.sidebar.selectbox(
        "Project",
        known,
        index=None if current is None else known.index(current),
        format_func=lambda item: item.name if _alone(item, known) else workspace.name(item.path),
        placeholder="Choose a project",
    )
    if picked is not None:
        st.session_state[PROJECT] = str(picked.path)
    return picked


def _alone(project: AppProject, known: list[AppProject]) -> bool:
    return sum(other.name == project.name for other in known) == 1


def _show(page: ModuleType, place: Place) -> None:
    """A page; what goes wrong on it is said in one line, and in the server's log in full."""
    st.title(page.TITLE)
    try:
        page.show(place)
    except VitruveError as error:
        st.error(str(error))
    except Exception:
        # Streamlit's own way to end or begin a run anew are no Exceptions; anything else is a fault of ours.
        _LOG.error("page %s failed\n%s", page.__name__, traceback.format_exc())
        st.error(
            "This page failed, and nothing was changed by it. The terminal of 'vitruve launch' says what happened."
        )
