"""Choosing runs of a project."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.links import page_link
from vitruve.app.place import Place
from vitruve.app.projects import RunEntry
from vitruve.project.folder import LATEST

_QUERY = "run"


def choose_run(
    place: Place,
    key: str,
    *,
    label: str = "Run",
    finished: bool = True,
    stage: str = "",
    latest: bool = False,
    address: bool = True,
    help: str | None = None,
) -> RunEntry | None:
    """A field for one run of the open project. Without any run it says what to do.

    Args:
        place: Where; a project must be open.
        key: Of the field, unique on its page.
        label: Of the field.
        finished: Offer only those with which something can be predicted.
        stage: Offer only those of this network of a project of kind ``rig``.
        latest: Offer ``latest``, which is the newest finished one whenever it is asked for.
        address: Keep the choice in the address of the page, so that a link leads back to it.
        help: What the field is for.

    Returns:
        The run, for ``latest`` the one that is it now; None where there is none.
    """
    runs = runs_of(place, finished=finished, stage=stage)
    if not runs:
        no_runs(place, finished=finished, stage=stage)
        return None
    known = {run.name: run for run in runs}
    named = _latest(runs)
    options = [LATEST, *known] if latest and named is not None else list(known)
    asked = st.query_params.get(_QUERY) if address else None
    field = typed(place, key, asked if asked in options else options[0], options, stays=not address)

    def said(name: str) -> str:
        # Of one network all names begin alike.
        label = run_label(known[name]) if name in known else named.name if named is not None else ""
        label = label.removeprefix(f"{stage}/")
        return f"{LATEST} ({label})" if name == LATEST else label

    chosen = st.selectbox(label, options, format_func=said, help=help, **field)
    if address:
        st.query_params[_QUERY] = chosen
    return named if chosen == LATEST else known[chosen]


def choose_runs(
    place: Place,
    key: str,
    *,
    label: str = "Runs",
    finished: bool = True,
    stage: str = "",
    first: int = 2,
    address: bool = True,
    help: str | None = None,
) -> list[RunEntry]:
    """A field for any number of runs of the open project. Without any run it says what to do.

    Args:
        place: Where; a project must be open.
        key: Of the field, unique on its page.
        label: Of the field.
        finished: Offer only those with which something can be predicted.
        stage: Offer only those of this network of a project of kind ``rig``.
        first: How many of the newest are chosen at first.
        address: Keep the choice in the address of the page, so that a link leads back to it.
        help: What the field is for.

    Returns:
        The runs, in the order in which they were chosen.
    """
    runs = runs_of(place, finished=finished, stage=stage)
    if not runs:
        no_runs(place, finished=finished, stage=stage)
        return []
    known = {run.name: run for run in runs}
    field = field_key(place, key)
    if field not in st.session_state:
        asked = [name for name in st.query_params.get_all(_QUERY) if name in known] if address else []
        st.session_state[field] = asked or list(known)[:first]
    elif not set(st.session_state[field]) <= set(known):
        st.session_state[field] = [name for name in st.session_state[field] if name in known]
    names = {name: run_label(run) for name, run in known.items()}
    chosen = st.multiselect(label, list(known), key=field, format_func=names.__getitem__, help=help, wrap=True)
    if address:
        st.query_params[_QUERY] = chosen
    return [known[name] for name in chosen]


def runs_of(place: Place, *, finished: bool = True, stage: str = "") -> list[RunEntry]:
    """Runs of the open project, the newest first.

    Args:
        place: Where.
        finished: Only those with which something can be predicted.
        stage: Only those of this network; by default of all.

    Returns:
        The runs; none where no project is open.
    """
    if place.project is None:
        return []
    return [run for run in place.project.runs() if (run.finished or not finished) and stage in ("", run.stage)]


def run_label(run: RunEntry) -> str:
    """A run in a list: its name, and how it stands unless it is finished."""
    status = run.status
    if status is None or status.status == "COMPLETED":
        return run.name
    return f"{run.name} ({status.status.lower()}, {status.completed} of {status.total} epochs)"


def no_runs(place: Place, *, finished: bool = True, stage: str = "") -> None:
    """Say that there is no run, and where one comes from.

    Args:
        place: Where.
        finished: Whether finished ones are meant.
        stage: The network that is meant.
    """
    kind = "finished run" if finished else "run"
    st.info(f"No {kind} of {stage or 'this project'} yet: train a network first.", icon=":material/model_training:")
    page_link(place, "train", "Train a network")


def _latest(runs: Sequence[RunEntry]) -> RunEntry | None:
    return next((run for run in runs if run.finished and (run.status is None or run.status.process is None)), None)
