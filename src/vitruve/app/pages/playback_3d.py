"""A prediction in space, played beside the videos of its cameras."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from vitruve.app.parts.fields import field_key
from vitruve.app.parts.links import page_link
from vitruve.app.parts.viewer import choose_part, part_length, show_frames
from vitruve.app.place import Place
from vitruve.app.videos.tables import LIKELIHOOD, Traces, VideoTable, find_tables, read_traces, videos_for
from vitruve.app.view.playback import played_frames, upward
from vitruve.pipeline.animate_3d import recording_rate
from vitruve.pipeline.bones import skeleton_for

_SHOWN_AT_FIRST = 2


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    tables = {place.name(table.path): table for table in find_tables(place.project) if table.dims == 3}
    if not tables:
        st.info("No points in space have been predicted yet: predict a recording of several calibrated cameras first.")
        page_link(place, "predict", "Predict")
        return
    first, second, third = st.columns([2, 2, 1])
    with first:
        named = st.selectbox(
            "Prediction",
            list(tables),
            key=field_key(place, "playback_table"),
            format_func=lambda name: f"{tables[name].video}: {tables[name].made_by}",
        )
    table = tables.get(named) or next(iter(tables.values()))
    traces = _traces(table, table.changed)
    videos = videos_for(place.workspace, place.project, table)
    with second:
        names = st.multiselect(
            "Cameras",
            list(videos),
            list(videos)[:_SHOWN_AT_FIRST],
            key=field_key(place, f"playback_cameras:{table.path}"),
            wrap=True,
            placeholder="The skeleton alone" if videos else "The videos are not in the folders of this app",
            disabled=not videos,
            help="Videos that are shown beside the skeleton, with its points as the cameras see them. With many, "
            "frames are left out while playing.",
        )
    with third:
        least = st.slider(
            "Least confidence",
            0.0,
            1.0,
            0.0,
            0.05,
            key=field_key(place, "playback_least"),
            disabled=LIKELIHOOD not in traces.values,
            help="Points that the network is less sure of are left out.",
        )
    cameras = {name: videos[name] for name in names}
    length = part_length(len(traces.names), len(cameras), reprojected=bool(cameras), in_space=True)
    part = choose_part(field_key(place, f"playback_part:{table.path}"), traces.count, length, "Frames")
    show_frames(
        field_key(place, "playback_viewer"),
        played_frames(place.workspace, table, traces, part, cameras, least),
        skeleton_for(traces.names, table.path),
        views=list(cameras),
        up=upward(table).tolist(),
        fps=_rate(table.path, table.changed),
    )
    st.caption("Left and right arrow keys go from frame to frame, ten with shift; the space bar plays.")


@st.cache_data(max_entries=4, show_spinner="Reading the prediction")
def _traces(table: VideoTable, changed: float) -> Traces:
    return read_traces(table)


@st.cache_data(max_entries=32, show_spinner=False)
def _rate(file: Path, changed: float) -> float:
    return recording_rate(file)
