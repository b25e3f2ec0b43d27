"""All jobs: what runs, what waits, what has ended."""

from __future__ import annotations

import streamlit as st

from vitruve.app.parts.jobs import jobs_of, show_job
from vitruve.app.place import Place
from vitruve.errors import RunError

_AT_ONCE = 20


def show(place: Place) -> None:
    """The page."""
    everything = st.toggle("Of all projects", True, key="queue:all") if place.project is not None else True
    jobs = place.jobs.all() if everything else jobs_of(place)
    if not jobs:
        st.info(
            "Nothing was started yet. Trainings, predictions, videos and analyses that are started in this app are "
            "listed here; they go on when the browser is closed.",
            icon=":material/list_alt:",
        )
        return
    active = sorted((job for job in jobs if job.active), key=lambda job: (job.started is None, job.id))
    ended = [job for job in jobs if not job.active]
    if active:
        st.subheader(f"Runs or waits ({len(active)})")
    for job in active:
        show_job(place, job, "queue")
    if not ended:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(f"Ended ({len(ended)})")
        forgets = st.button(
            "Remove all from the list",
            key="queue:forget",
            icon=":material/clear_all:",
            help="Forgets these jobs and their logs. What they have made stays.",
        )
    if forgets:
        for job in ended:
            try:
                place.jobs.forget(job)
            except RunError:
                # Gone on with in another browser meanwhile.
                continue
        st.rerun()
    shown = ended if st.session_state.get("queue:more") else ended[:_AT_ONCE]
    for job in shown:
        show_job(place, job, "queue")
    if len(ended) > len(shown):
        st.button(f"Show {len(ended) - len(shown)} older ones", key="queue:more")
