"""Trainings: the fields of a new one, and how those at hand go on."""

from __future__ import annotations

import streamlit as st

from vitruve.app.parts.links import page_link
from vitruve.app.parts.train_poses import poses_form
from vitruve.app.parts.train_rig import rig_form
from vitruve.app.parts.trainings import show_trainings
from vitruve.app.place import Place
from vitruve.app.projects import RIG


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    form, running = st.columns([2, 3], gap="large")
    with form:
        st.subheader("New training")
        if place.project.kind == RIG:
            rig_form(place)
        else:
            poses_form(place)
        page_link(place, "compare_runs", "Compare runs")
        page_link(place, "queue", "All that was started")
    with running:
        show_trainings(place)
