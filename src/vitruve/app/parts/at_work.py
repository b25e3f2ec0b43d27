"""The jobs of a page that shows what they make: those at work open, those that failed folded up."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from vitruve.app.parts.jobs import show_job
from vitruve.app.parts.links import page_link
from vitruve.app.parts.text import verbatim
from vitruve.app.place import Place
from vitruve.jobs import Job
from vitruve.jobs.job import DONE

_MOST = 4
_LONGEST = 120


def show_at_work(place: Place, jobs: Sequence[Job], key: str, *, instead: bool = False) -> None:
    """Jobs at work, and in one line those that have ended early: what was made before them is what is looked at.

    Args:
        place: Where.
        jobs: The newest first.
        key: Unique on the page.
        instead: Nothing was made yet, so that there is room for what has failed.
    """
    for job in jobs:
        if job.active:
            show_job(place, job, key)
    ended = [job for job in jobs if not job.active and job.state != DONE]
    if not ended:
        return
    if instead:
        show_job(place, ended[0], key)
        return
    last = ended[0]
    said = f"{last.title}: {last.message}" if last.message else last.title
    short = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
    with st.expander(f"Ended early: {len(ended)}. {verbatim(short)}", icon=":material/error:"):
        for job in ended[:_MOST]:
            show_job(place, job, key, log=False)
        page_link(place, "queue", "All that was started")
