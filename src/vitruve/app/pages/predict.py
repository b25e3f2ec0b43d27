"""Predictions: the fields of a new one, how those at hand go on, and what they found."""

from __future__ import annotations

import streamlit as st

from vitruve.app.parts.predict_form import poses_form, rig_form
from vitruve.app.parts.predictions import show_results, show_running
from vitruve.app.parts.text import show_error
from vitruve.app.place import Place
from vitruve.app.projects import RIG
from vitruve.errors import VitruveError


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    form, running = st.columns([2, 3], gap="large")
    with form:
        st.subheader("New prediction")
        try:
            (rig_form if place.project.kind == RIG else poses_form)(place)
        except VitruveError as error:
            # What is there already is shown all the same.
            show_error(error)
    with running:
        show_running(place)
    show_results(place)
