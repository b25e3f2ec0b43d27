"""A job on a page: how it stands, how far it is, what it says, and buttons to stop it, to go on and to forget it."""

from __future__ import annotations

import datetime
import shlex
import threading
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from vitruve.app.job_kinds import kind_of
from vitruve.app.now import Watched, job_state, warnings_of
from vitruve.app.parts.live import live, watch
from vitruve.app.parts.text import code, show_error, verbatim
from vitruve.app.place import Place
from vitruve.app.progress import duration
from vitruve.errors import RunError
from vitruve.jobs import Job
from vitruve.jobs.job import DONE, FAILED, LOST, QUEUED, RUNNING, STOPPED

_LOOKS = {
    QUEUED: ("gray", ":material/hourglass_empty:"),
    RUNNING: ("blue", ":material/play_circle:"),
    DONE: ("green", ":material/check_circle:"),
    STOPPED: ("orange", ":material/stop_circle:"),
    FAILED: ("red", ":material/error:"),
    LOST: ("red", ":material/help:"),
}
_LOG_LINES = 100
# In what a job is about: the job that it goes on with.
_FIRST = "goes_on"
_submitting = threading.RLock()


def submit(
    place: Place,
    arguments: Sequence[str],
    *,
    title: str,
    kind: str,
    folder: Path | None = None,
    waits: bool = True,
    **about: str,
) -> Job:
    """Hand in a verb as a job of the open project, and say so on the page that is shown next.

    Args:
        place: Where.
        arguments: Verb and arguments, as after ``vitruve`` on the command line.
        title: For people.
        kind: Such as ``train`` or ``predict``; see :mod:`vitruve.app.job_kinds`.
        folder: The working directory; by default the project's, or else the first folder of the workspace.
        waits: Begin when those handed in before have ended.
        **about: What else the job is about, such as ``run``.

    Returns:
        The job.

    Raises:
        RunError: Its process could not be started.
        InputError: A link leads what it would write out of the workspace.
    """
    project = place.project
    if project is not None:
        project.check_written()
    of_project = {} if project is None else {"project": str(project.path)}
    where = folder or (place.workspace.home if project is None else project.path)
    job = place.jobs.submit(arguments, where, title=title, about={**about, **of_project, "kind": kind}, waits=waits)
    before = sum(other.waits and other.active for other in place.jobs.all() if other.id < job.id) if waits else 0
    ahead = f"; {before} before it" if before else ""
    st.toast(f"{'Queued' if before else 'Started'}: {verbatim(title)}{ahead}", icon=":material/rocket_launch:")
    return job


def submitting() -> threading.RLock:
    """Held while a name is chosen and the job that takes it is handed in, so that two browsers do not take the same."""
    return _submitting


def jobs_of(place: Place, *kinds: str) -> list[Job]:
    """Jobs of the open project.

    Args:
        place: Where.
        *kinds: Only those of these kinds; by default of all.

    Returns:
        The jobs, the newest first; of all projects where none is open.
    """
    found = place.jobs.all()
    if place.project is not None:
        found = [job for job in found if job.about.get("project") == str(place.project.path)]
    return [job for job in found if not kinds or job.about.get("kind") in kinds]


def show_command(arguments: Sequence[str], label: str = "Command line") -> None:
    """The command line that a button stands for, folded up.

    Args:
        arguments: As after ``vitruve``.
        label: Of the fold.
    """
    with st.expander(label, icon=":material/terminal:"):
        st.code(command_line(arguments), language="bash", wrap_lines=True)


def command_line(arguments: Sequence[str]) -> str:
    """What one would type for a job."""
    return shlex.join(["vitruve", *arguments])


def show_job(place: Place, job: Job, key: str, *, log: bool = True) -> None:
    """A job that is looked at again and again while it is active; when it ends, the page is shown anew.

    Args:
        place: Where.
        job: The job.
        key: Unique on the page.
        log: Offer what it prints.
    """
    own = f"{key}:{job.id}"
    live(_card, place, job.id, own, log, job.active, key=own)


def _card(place: Place, number: str, key: str, log: bool, was_active: bool) -> None:
    with st.container(border=True):
        head = st.container()
        if was_active:
            watch(place, Watched(number, bars=True), key)
        try:
            job = place.jobs.get(number)
        except RunError:
            # Somebody has removed it in another browser.
            st.rerun()
        if was_active and not job.active:
            st.rerun()
        with head:
            _head(place, job)
        if job.message:
            show_error(job.message)
        for line in warnings_of(job):
            st.caption(f":material/warning: {verbatim(line)}")
        _buttons(place, job, key)
        if log:
            _log(place, job, key)


def _head(place: Place, job: Job) -> None:
    state = job.state
    colour, icon = _LOOKS[state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(job_state(job), icon=icon, color=colour)  # type: ignore[arg-type]
        st.markdown(f"**{verbatim(job.title)}**")
        project = job.about.get("project", "")
        elsewhere = project and (place.project is None or project != str(place.project.path))
        st.caption(f"in {verbatim(Path(project).name)}, {_times(job)}" if elsewhere else _times(job))


def _buttons(place: Place, job: Job, key: str) -> None:
    with st.container(horizontal=True):
        if job.active:
            asked = job.stop_mark.exists()
            if st.button("Stop", key=f"{key}:stop", icon=":material/stop:", disabled=asked, help=_STOP_HELP):
                place.jobs.stop(job)
                st.rerun(scope="fragment")
            return
        ended_early = job.state != DONE and not _gone_on(place, job)
        if ended_early and st.button("Go on", key=f"{key}:on", icon=":material/resume:", help=_ON_HELP):
            go_on(place, job)
            st.rerun()
        if st.button("Remove from the list", key=f"{key}:forget", icon=":material/close:", help=_FORGET_HELP):
            place.jobs.forget(job)
            st.rerun()


def go_on(place: Place, job: Job) -> Job:
    """Hand in again what has ended early: a training goes on from where it was, others as their verbs do.

    Args:
        place: Where.
        job: The job that has ended.

    Returns:
        The new job.

    Raises:
        RunError: The job is active, or was handed in again already.
    """
    with submitting():
        if job.active or _gone_on(place, job):
            raise RunError(f"{job.title}: goes on already")
        about = {**job.about, _FIRST: job.about.get(_FIRST, job.id)}
        new = place.jobs.submit(kind_of(job).go_on(job), job.folder, title=job.title, about=about, waits=job.waits)
    st.toast(f"Goes on: {verbatim(job.title)}", icon=":material/resume:")
    return new


def _gone_on(place: Place, job: Job) -> bool:
    """Whether a later job goes on with what this one began."""
    first = job.about.get(_FIRST, job.id)
    return any(other.id > job.id and other.about.get(_FIRST) == first for other in place.jobs.all())


def _log(place: Place, job: Job, key: str) -> None:
    # Read only while somebody looks.
    fold = st.expander("Log and command line", key=f"{key}:log", on_change="rerun", icon=":material/article:")
    if fold.open:
        with fold:
            if job.active:
                watch(place, Watched(job.id, log=True), f"{key}:log")
            st.code(command_line(job.arguments), language="bash", wrap_lines=True)
            said = "\n".join(job.said(_LOG_LINES))
            st.code(said or "Nothing said yet.", language=None, wrap_lines=True, height=260)
            st.caption(code(job.log))


def _times(job: Job) -> str:
    began, ended = job.started, job.ended
    if began is None:
        return f"handed in {_moment(job.created)}"
    if ended is None:
        return f"began {_moment(began)}"
    return f"began {_moment(began)}, took {duration(ended - began)}"


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds)
    today = moment.date() == datetime.date.today()
    return f"{moment:%H:%M:%S}" if today else f"{moment:%Y-%m-%d %H:%M}"


_STOP_HELP = "What is done so far stays; it can go on later."
_ON_HELP = "Hands it in again: it goes on where it was stopped."
_FORGET_HELP = "Forgets this job and its log. What it has made stays."
