"""Searches for the settings that train best: their trials while they run, and the start of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from vitruve.app.figures.study import importance_bars, parallel_coordinates, trial_curves
from vitruve.app.now import Watched, job_state
from vitruve.app.parts.at_work import show_at_work
from vitruve.app.parts.charts import chart
from vitruve.app.parts.jobs import jobs_of, show_command, submit, submitting
from vitruve.app.parts.links import page_link
from vitruve.app.parts.live import fragment, watch
from vitruve.app.parts.search import new_search
from vitruve.app.parts.tabs import open_tab, tabs
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.parts.theme import is_dark
from vitruve.app.place import Place
from vitruve.app.study import find_studies, override_value, trials_table
from vitruve.app.training.progress import Step, about_steps
from vitruve.config.compose import compose
from vitruve.errors import VitruveError
from vitruve.jobs import Job
from vitruve.run import RunFiles
from vitruve.tuning.folder import StudyFiles
from vitruve.tuning.report import study_state
from vitruve.tuning.study import SharedStudy
from vitruve.tuning.tune import open_study

_QUERY = "study"
# A bar of tools would lie over names of axes, and there is nothing to zoom into.
_PLAIN = {"displayModeBar": False}
_SEARCHES, _NEW = "Searches", "New search"
_COLUMNS = {
    "seconds": st.column_config.NumberColumn(format="%d s"),
    "learning_rate": st.column_config.NumberColumn(format="%.3g"),
    "reason": st.column_config.TextColumn(width="medium"),
}


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    studies = {place.name(path): path for path in find_studies(place.project)}
    shown, begin = tabs(_tab(place), (_SEARCHES, _NEW))
    with shown:
        starting = _starting(place, studies)
        show_at_work(place, starting, _key(place), instead=not studies)
        active = [job for job in starting if job.active]
        if active:
            fragment(_awaited)(place, active)
        if not studies and active:
            st.caption("The search appears here when its first trial begins.")
        elif not studies:
            st.info(
                "No search has been begun in this project. A search trains one network after the other with other "
                "settings, each where the best ones so far are promising.",
                icon=":material/manage_search:",
            )
            if st.button("New search", key=f"{_key(place)}/begin", icon=":material/add:"):
                open_tab(_tab(place), _NEW)
        else:
            _chosen(place, studies)
    with begin:
        begun = new_search(place)
        if begun:
            st.session_state[_begun(place)] = begun
            open_tab(_tab(place), _SEARCHES)


def _key(place: Place) -> str:
    return f"study:{place.project.path if place.project else ''}"


def _tab(place: Place) -> str:
    return f"{_key(place)}/tab"


def _begun(place: Place) -> str:
    return f"{_key(place)}/begun"


def _chosen(place: Place, studies: dict[str, Path]) -> None:
    names = list(studies)
    field = f"{_key(place)}/chosen"
    if st.session_state.get(_begun(place)) in names:
        st.session_state[field] = st.session_state.pop(_begun(place))
    if st.session_state.get(field) not in names:
        asked = st.query_params.get(_QUERY)
        st.session_state[field] = asked if asked in names else names[0]
    name = st.selectbox("Search", names, key=field)
    st.query_params[_QUERY] = name
    path = studies[name]
    job = next((each for each in jobs_of(place, "tune") if each.about.get("study") == name), None)
    if job is not None:
        show_at_work(place, [job], f"{_key(place)}/own")
    goes_on = job is not None and job.active
    try:
        state = _state(path)
    except VitruveError as error:
        show_error(error)
        return
    live = goes_on or state["running"] > 0
    _go_on(place, name, path, state, live)
    fragment(_trials)(place, path, live, goes_on)


def _starting(place: Place, studies: dict[str, Path]) -> list[Job]:
    """Jobs whose search has not yet written anything, or never could."""
    return [job for job in jobs_of(place, "tune") if job.about.get("study") not in studies and job_state(job) != "done"]


def _awaited(place: Place, jobs: list[Job]) -> None:
    """Shows the page anew as soon as a search has written what it is."""
    files = tuple(StudyFiles(job.folder / job.about.get("study", "")).settings for job in jobs)
    watch(place, Watched(files=files), f"{_key(place)}/awaited")
    if any(file.is_file() for file in files):
        st.rerun()


def _state(path: Path) -> dict[str, Any]:
    settings = StudyFiles(path).settings
    shared, most = _opened(str(path), settings.stat().st_mtime_ns)
    return study_state(shared, most)


@st.cache_resource(max_entries=16, show_spinner=False)
def _opened(path: str, age: int) -> tuple[SharedStudy, int]:
    """An open study reads of its journal only what is new."""
    shared, config = open_study(path)
    return shared, config.tune.max_trials


def _growing(files: StudyFiles) -> tuple[Path, ...]:
    """What tells that a search has gone on; a database that keeps it need not lie here, but its runs do."""
    if files.journal.is_file():
        return (files.journal,)
    return (files.trials, files.table, *(RunFiles(run).metrics for run in sorted(files.trials.glob("*"))))


def _trials(place: Place, path: Path, live: bool, ours: bool) -> None:
    """What goes on in a search; looked at again and again while it runs."""
    if live:
        watch(place, Watched(files=_growing(StudyFiles(path))), f"{_key(place)}/trials")
    state = _state(path)
    best = next((trial for trial in state["trials"] if trial["number"] == state["best"]), None)
    done, running, reached = st.columns([1, 1, 2])
    done.metric("Trials", f"{state['done']} of {state['max_trials']}", border=True)
    running.metric("Running", state["running"], border=True)
    value = "none yet" if best is None else f"{best['value']:.4g}"
    said = f"To {state['direction']}; {'no trial is complete' if best is None else 'trial ' + str(best['number'])}."
    reached.metric(f"Best {state['objective']}", value, help=said, border=True)
    _stop(place, path, state, halts=not ours)
    if not state["trials"]:
        st.info("No trial has begun yet.")
        return
    key = f"{_key(place)}:{path}"
    if any(trial["curve"] for trial in state["trials"]):
        _figures(state, key)
    else:
        st.caption("Figures appear when the first epoch has been validated.")
    _table(state, key)


def _figures(state: dict[str, Any], key: str) -> None:
    """The trials over settings and epochs."""
    st.subheader("Settings and objective")
    st.caption("Each line is a trial; drag along an axis to pick those of a range.")
    chart(parallel_coordinates(state, dark=is_dark()), key=f"{key}/parallel", theme=None, config=_PLAIN)
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Epochs")
        chart(trial_curves(state), key=f"{key}/curves")
    with right:
        st.subheader("Importances")
        if state["importances"]:
            chart(importance_bars(state["importances"]), key=f"{key}/shares", config=_PLAIN)
        else:
            st.info("Known from four complete trials on.")


def _table(state: dict[str, Any], key: str) -> None:
    """All trials; the settings and the log of the one that is chosen."""
    st.subheader("Trials")
    table = trials_table(state)
    picked = st.dataframe(
        table,
        hide_index=True,
        column_config=_COLUMNS,
        on_select="rerun",
        selection_mode="single-row",
        key=f"{key}/table",
    )
    if picked.selection.rows and picked.selection.rows[0] < len(table):
        _trial(state["trials"][len(table) - 1 - picked.selection.rows[0]])
    else:
        st.caption("Choose a row to see a trial's settings and log.")


def _trial(trial: dict[str, Any]) -> None:
    with st.container(border=True):
        st.markdown(
            f"**Trial {trial['number']}**, {trial['state']}{verbatim(' on ' + trial['host']) if trial['host'] else ''}"
        )
        for key, value in trial["params"].items():
            st.text(f"{key} = {value:.6g}" if isinstance(value, float) else f"{key} = {value}")
        if trial["reason"]:
            st.text(trial["reason"])
        run = RunFiles(Path(trial["run"])) if trial["run"] else None
        log = None if run is None else run.path / "train.log"
        if log is not None and log.is_file():
            lines = log.read_text(errors="replace").splitlines()[-40:]
            st.code("\n".join(lines) or "Nothing said.", language=None, height=220, wrap_lines=True)


def _stop(place: Place, path: Path, state: dict[str, Any], *, halts: bool) -> None:
    """Buttons that end running trials, and a search that was not begun here: one that was has its own card."""
    now = [trial for trial in state["trials"] if trial["state"] == "running"]
    if not now:
        return
    shared, _ = _opened(str(path), StudyFiles(path).settings.stat().st_mtime_ns)
    with st.container(horizontal=True):
        for trial in now:
            number = trial["number"]
            label = f"Trial {number} ends" if trial["stopping"] else f"Stop trial {number}"
            st.button(
                label,
                key=f"{_key(place)}/stop/{path}/{number}",
                icon=":material/stop:",
                disabled=trial["stopping"],
                help="It ends after the batch at hand, and the search goes on with the next one.",
                on_click=_stop_trial,
                args=(shared, number),
            )
        if halts and st.button(
            "Stop the search",
            key=f"{_key(place)}/halt/{path}",
            icon=":material/stop_circle:",
            help="All its processes end, on other machines too; it can be gone on with.",
            on_click=shared.halt,
        ):
            st.toast("The search ends after the batch at hand.", icon=":material/stop_circle:")


def _stop_trial(shared: SharedStudy, number: int) -> None:
    shared.stop(number)


def _go_on(place: Place, name: str, path: Path, state: dict[str, Any], goes_on: bool) -> None:
    """More trials, and the training of the best."""
    best = StudyFiles(path).best
    key = f"{_key(place)}:{name}"
    with st.container(horizontal=True, vertical_alignment="center" if goes_on else "bottom"):
        if not goes_on:
            least = max(1, state["done"])
            most = st.number_input(
                "Trials in all", least, 100_000, max(state["max_trials"], least), key=f"{key}/most", width=160
            )
            arguments = ["tune", f"resume={override_value(name)}", f"tune.max_trials={most}", "tune.port=null"]
            more = most - state["done"]
            label = f"Go on: {more} more" if more > 0 else "Go on"
            if st.button(label, key=f"{key}/on", icon=":material/resume:", disabled=more <= 0):
                with submitting():
                    submit(place, arguments, title=f"Search {name}", kind="tune", study=name)
                st.rerun()
        if best.is_file():
            # Else the link would stand on the foot of the field beside it, below the text of the button.
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                _train_best(place, path, best, key)
    if best.is_file():
        show_command(["train", place.name(best)], "Command line that trains with the best settings")


def _train_best(place: Place, path: Path, best: Path, key: str) -> None:
    assert place.project is not None
    says = f"Starts vitruve train {verbatim(place.name(best))}"
    if st.button("Train with the best settings", key=f"{key}/train", icon=":material/model_training:", help=says):
        with submitting():
            run = place.project.new_run(f"{path.name}_best")
            words = ["train", place.name(best), f"hydra.run.dir={override_value(place.name(run))}"]
            epochs = compose(str(best), quiet=True).config.training.max_epochs or 0
            name = place.name(run)
            submit(place, words, title=f"Train {name}", kind="train", run=name, **about_steps([Step(run, epochs)]))
        st.rerun()
    page_link(place, "train", "Trainings")
