"""A video beside what one or several networks say of it, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from vitruve.app.analysis.videos import gap
from vitruve.app.figures.colors import colors_of
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.links import page_link
from vitruve.app.parts.live import live
from vitruve.app.parts.text import verbatim
from vitruve.app.parts.traces import choose_video, jump, maker_name, traces_of, video_with_traces
from vitruve.app.place import Place
from vitruve.app.videos.lines import drawn, kinds_of, peaks, series_of
from vitruve.app.videos.tables import LIKELIHOOD, Trace, Traces, VideoTable, labelled, points_in_video, videos_for
from vitruve.errors import VitruveError

_FIRST_TABLES, _MOST_LINES, _WORST = 3, 12, 20
_TABLE, _KEYPOINT, _FRAME = "by", "keypoint", "frame"


def show(place: Place) -> None:
    """The page."""
    first, second, third = st.columns([1, 1.4, 1.4])
    with first:
        tables = labelled(choose_video(place, "video_traces:video"))
    if not tables:
        return
    video = next(iter(tables.values())).video
    with second:
        chosen = _several(place, "Predicted by", list(tables), _TABLE, f"video_traces:by:{video}", _FIRST_TABLES)
    traces = _read(tables, chosen)
    if not traces:
        st.info("Choose above whose predictions are shown.")
        return
    keypoints = list(dict.fromkeys(name for each in traces.values() for name in each.names))
    with third:
        named = _several(place, "Keypoints", keypoints, _KEYPOINT, "video_traces:keypoints", 1)
    if not named:
        st.info("Choose above one or several keypoints.")
        return
    if len(named) * len(traces) > _MOST_LINES:
        st.error(
            f"{len(named)} keypoints of {len(traces)} predictions are {len(named) * len(traces)} lines, more than "
            f"{_MOST_LINES}, which nobody can tell apart: choose fewer."
        )
        return
    kinds = kinds_of(list(traces.values()))
    live(_shown, place, {name: tables[name] for name in traces}, traces, named, kinds, key="video_traces")


def _shown(
    place: Place,
    tables: dict[str, VideoTable],
    traces: dict[str, Traces],
    keypoints: list[str],
    known: list[Trace],
) -> None:
    one = next(iter(tables.values()))
    key = field_key(place, f"video_traces:shown:{one.video}:{one.dims}")
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        plots = st.pills(
            "Plots",
            [kind.name for kind in known],
            selection_mode="multi",
            default=[kind.name for kind in known],
            format_func=lambda name: next(kind.axis for kind in known if kind.name == name),
            key=field_key(place, f"video_traces:plots:{'-'.join(kind.name for kind in known)}"),
        )
        kinds = [kind for kind in known if kind.name in plots]
        _worst(place, key, traces, keypoints, kinds)
    if not kinds:
        st.info("Choose above what is plotted.")
        return
    source = _source(place, list(tables.values()), one)
    points: dict[str, np.ndarray | None] = {}
    if source is not None:
        points = {name: points_in_video(tables[name], traces[name], source[0]) for name in traces}
    palette = colors_of(keypoints if len(traces) == 1 else traces)
    lines = drawn(series_of(list(traces), keypoints, palette), kinds, traces, points)
    asked = st.query_params.get(_FRAME, "")
    frame = int(asked) if asked.isdecimal() and len(asked) < 10 else lines["start"]
    shown = video_with_traces(
        place, key, lines, None if source is None else source[1], frame, f"{one.video}:{one.dims}"
    )
    st.query_params[_FRAME] = str(shown)
    st.caption(
        "Click into the traces for that frame, drag to look at a part, double click for all. Left and right step, with "
        "shift by ten; space plays; the wheel with ctrl changes how much is seen, with shift which part."
    )
    page_link(place, "create_video", "Draw these predictions into a copy of the video")


def _source(place: Place, tables: list[VideoTable], one: VideoTable) -> tuple[str, Path] | None:
    """The video that is shown, by its name; of a recording, that of a camera."""
    assert place.project is not None
    found: dict[str, Path] = {}
    for table in tables:
        for name, path in videos_for(place.workspace, place.project, table).items():
            found.setdefault(name, path)
    if not found:
        st.warning(
            f"The video {one.video} is not in the folders of this app, so that only traces are shown: put it back, or "
            "start the app for its folder, too.",
            icon=":material/videocam_off:",
        )
        return None
    if len(found) == 1:
        return next(iter(found.items()))
    name = st.selectbox(
        "Camera" if one.dims == 3 else "Video file",
        list(found),
        key=field_key(place, f"video_traces:file:{one.video}:{one.dims}"),
        width=320,
    )
    return name, found[name]


def _worst(place: Place, key: str, traces: dict[str, Traces], keypoints: list[str], kinds: list[Trace]) -> None:
    """Frames to look at first, as a list that leads to them."""
    ranked = [kind for kind in kinds if kind.error or kind.name == LIKELIHOOD]
    options = {
        f"{kind.title}, {name}" if len(traces) > 1 else kind.title: (kind, name) for kind in ranked for name in traces
    }
    if not options:
        return
    with st.popover("Worst frames", icon=":material/warning:"):
        said = st.selectbox("By", list(options), key=field_key(place, "video_traces:worst"))
        kind, name = options[said]
        found = peaks(traces[name], kind, keypoints, _WORST)
        if not found:
            st.caption("Nothing is known of these keypoints.")
            return
        rows = {f"Frame {frame}: {keypoint} {value:.2f} {kind.unit}".strip(): frame for frame, keypoint, value in found}
        st.caption(f"The worst first, at least {gap(traces[name].count, _WORST)} frames apart.")
        with st.container(height=300, border=False):
            for row, frame in rows.items():
                st.button(verbatim(row), key=f"{key}/worst/{row}", on_click=jump, args=(key, frame), type="tertiary")


def _several(place: Place, label: str, options: list[str], query: str, key: str, first: int) -> list[str]:
    """A field for several names, which the address of the page keeps."""
    field = field_key(place, key)
    if field not in st.session_state:
        asked = [name for name in st.query_params.get_all(query) if name in options]
        st.session_state[field] = asked or options[:first]
    elif not set(st.session_state[field]) <= set(options):
        st.session_state[field] = [name for name in st.session_state[field] if name in options]
    chosen = st.multiselect(
        label, options, key=field, format_func=maker_name, placeholder="Choose one or several", wrap=True
    )
    st.query_params[query] = chosen
    return chosen


def _read(tables: dict[str, VideoTable], chosen: list[str]) -> dict[str, Traces]:
    """The tables that can be read; of the others, why not."""
    found = {}
    for name in chosen:
        try:
            found[name] = traces_of(tables[name])
        except VitruveError as error:
            st.warning(verbatim(f"{name} is left out: {error}"), icon=":material/warning:")
    return found
