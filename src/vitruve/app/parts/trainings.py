"""Trainings as they go on: bars, curves, and those that were started elsewhere."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from vitruve.app.figures.training import error_figure, loss_figure
from vitruve.app.now import Watched
from vitruve.app.parts.charts import chart
from vitruve.app.parts.jobs import command_line, jobs_of, show_job, submit, submitting
from vitruve.app.parts.live import live, pace, watch
from vitruve.app.parts.runs import runs_of
from vitruve.app.parts.text import code, verbatim
from vitruve.app.place import Place
from vitruve.app.projects import RunEntry
from vitruve.app.training.command import go_on_with
from vitruve.app.training.curves import read_curves
from vitruve.app.training.progress import COMPLETED, FAILED, Step, about_steps, run_status, steps_of
from vitruve.app.training.units import error_unit
from vitruve.errors import VitruveError
from vitruve.jobs import Job

_ENDED = 4


def show_trainings(place: Place) -> None:
    """What is trained now with its curves, what waits, and what ended last.

    Args:
        place: A project must be open.
    """
    jobs = jobs_of(place, "train")
    active = [job for job in jobs if job.active]
    ended = [job for job in jobs if not job.active]
    elsewhere = _elsewhere(place, jobs)
    if not jobs and not elsewhere:
        _nothing_at_hand(place)
    for job in sorted(active, key=lambda job: (job.started is None, job.id)):
        show_job(place, job, "train")
        if job.started is not None:
            _watch_curves(place, job)
    for run in elsewhere:
        _show_elsewhere(place, run)
    if ended:
        st.subheader("Ended")
    for place_in_list, job in enumerate(ended[:_ENDED]):
        show_job(place, job, "train")
        if place_in_list == 0 and not any(job.started for job in active):
            _watch_curves(place, job)


def _nothing_at_hand(place: Place) -> None:
    """The newest run, where there is one from before."""
    st.info(
        "Nothing is trained now. Begin a training on the left; its curves appear here, and it goes on when this page "
        "is closed.",
        icon=":material/show_chart:",
    )
    newest = next(iter(runs_of(place)), None)
    if newest is not None:
        st.subheader(f"Newest run: {verbatim(newest.name)}")
        show_curves(newest.path, f"train:{newest.name}")


def _watch_curves(place: Place, job: Job) -> None:
    live(_curves_of_job, place, job.id, key=f"curves:{job.id}")


def _curves_of_job(place: Place, number: str) -> None:
    try:
        job = place.jobs.get(number)
        steps = steps_of(job)
    except VitruveError:
        return
    if job.active:
        runs = tuple(step.run for step in steps)
        watch(place, Watched(runs=runs), f"curves:{number}", every=pace(job.started or time.time()))
    begun = [step for step in steps if step.status is not None]
    if not begun:
        return
    shown = begun[-1].run
    if len(steps) > 1:
        names = {step.run.parent.name + _ending(step.run): step.run for step in begun}
        chosen = st.segmented_control(
            "Network",
            list(names),
            key=f"train:network:{number}:{len(begun)}",
            default=list(names)[-1],
            required=True,
            label_visibility="collapsed",
        )
        shown = names.get(chosen or "", shown)
    show_curves(shown, f"train:{number}")


def _ending(run: Path) -> str:
    return ", all of it" if run.name.endswith("-finetune") else ""


def show_curves(run: Path, key: str) -> None:
    """Loss and validation error of a run, as far as it is.

    Args:
        run: The run directory.
        key: Of the figures, unique on the page.
    """
    found = read_curves(run, run.name, error_unit(run))
    if not found:
        st.caption("Curves appear after the first epoch.")
        return
    curves = found[-1]
    if len(found) > 1:
        st.caption(f"Of the network at hand, {verbatim(curves.name)}.")
    # Beside one another where there is room.
    with st.container(horizontal=True, key=f"side-by-side-{key}"):
        chart(loss_figure(curves), key=f"{key}:loss", config=_BARE)
        if curves.error is not None:
            chart(error_figure(curves), key=f"{key}:error", config=_BARE)
        else:
            st.caption("The validation error appears after the first validation.")


def _elsewhere(place: Place, jobs: list[Job]) -> list[RunEntry]:
    """Runs that are not finished and that no job is known of: they were begun on a command line."""
    known = {step.run for job in jobs for step in steps_of(job)}
    assert place.project is not None
    found = []
    for run in place.project.runs():
        status = run_status(run.path)
        if run.path not in known and status is not None and status.status != COMPLETED:
            found.append(run)
    return found


def _show_elsewhere(place: Place, run: RunEntry) -> None:
    running = (run.status is not None) and run.status.process is not None
    live(_elsewhere_now, place, run, running, key=f"run:{run.path}")


def _elsewhere_now(place: Place, run: RunEntry, was_running: bool) -> None:
    assert place.project is not None
    with st.container(border=True):
        st.markdown(f"**{verbatim(run.name)}**, begun outside of this app")
        if was_running:
            watch(place, Watched(runs=(run.path,), bars=True), f"run:{run.path}")
        status = run_status(run.path)
        if status is None or (was_running and status.process is None):
            st.rerun()
        if was_running:
            show_curves(run.path, f"train:{run.name}")
            return
        arguments = go_on_with(place.project.path, run.stage, run.path)
        # Of one that was stopped the message says how to go on in a terminal.
        why = verbatim(status.message) if status.status == FAILED else ""
        st.caption(f"{status.status.capitalize()} after {status.completed} of {status.total} epochs. {why}")
        if st.button("Go on", key=f"train:on:{run.path}", icon=":material/resume:", help=code(command_line(arguments))):
            with submitting():
                steps = [Step(run.path, status.total)]
                submit(place, arguments, title=f"Train {run.name}", kind="train", run=run.name, **about_steps(steps))
            st.rerun()


_BARE = {"displayModeBar": False}
