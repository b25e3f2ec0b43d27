"""Runs side by side: their curves in one figure, their best values, the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from vitruve.app.figures.training import compared_figure
from vitruve.app.now import Watched
from vitruve.app.parts.charts import chart
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.live import live, watch
from vitruve.app.parts.runs import choose_runs
from vitruve.app.place import Place
from vitruve.app.projects import RIG, RunEntry
from vitruve.app.training.compare import differing_settings, summary_table
from vitruve.app.training.curves import LOSS, Curves, column_name, columns_among, read_curves
from vitruve.app.training.units import error_unit
from vitruve.project import Stage

_EVERY = 5.0
"""Seconds between two looks at what is compared, which is dear to draw."""


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    stage = ""
    if place.project.kind == RIG:
        # Errors in pixels and in millimetres have no common axis.
        stage = st.segmented_control(
            "Network", list(map(str, Stage)), key=field_key(place, "compare:stage"), default=str(Stage.KEYPOINT)
        ) or str(Stage.KEYPOINT)
    runs = choose_runs(place, f"compare:runs:{stage}", finished=False, stage=stage, first=4)
    if not runs:
        return
    trains = any(run.status is not None and run.status.process is not None for run in runs)
    live(_compared, place, runs, trains, key="compare")
    differing = differing_settings({run.name: run.files.config for run in runs})
    st.subheader("Settings that differ")
    if differing.empty:
        st.caption("These runs have the same settings." if len(runs) > 1 else "Choose several runs to see them.")
    else:
        st.dataframe(differing)


def _compared(place: Place, runs: Sequence[RunEntry], trains: bool) -> None:
    if trains:
        watch(place, Watched(runs=tuple(run.path for run in runs)), "compare", every=_EVERY)
    curves: list[Curves] = []
    for run in runs:
        curves += read_curves(run.path, run.name, error_unit(run.path))
    columns = columns_among(curves)
    if not columns:
        st.info("These runs have finished no epoch yet.", icon=":material/show_chart:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        error = next((each.error for each in curves if each.error in columns), None)
        column = st.selectbox(
            "What is drawn",
            columns,
            index=columns.index(error) if error else 0,
            key=field_key(place, "compare:column"),
            format_func=column_name,
            width=420,
        )
        log = st.toggle("Logarithmic", key=field_key(place, "compare:log"))
        share = st.toggle(
            "Stretch to one length", key=field_key(place, "compare:share"), help="Long and short runs side by side."
        )
    chart(compared_figure(curves, column, log, share), key="compare:figure", config={"displaylogo": False})
    if column == LOSS:
        st.caption("Dotted: on training images.")
    table = summary_table({run.name: run for run in runs}, curves)
    st.dataframe(table, hide_index=True, column_config=_COLUMNS)


_COLUMNS = {
    "images/s": st.column_config.NumberColumn(format="%.1f"),
    "lowest validation loss": st.column_config.NumberColumn(format="%.4g"),
    "best validation": st.column_config.NumberColumn(format="%.3g"),
}
