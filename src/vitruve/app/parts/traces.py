"""A video beside synchronised traces, and the choice of the tables that traces are of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from vitruve.app.media import frame_url
from vitruve.app.parts.component import asset, component
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.links import page_link
from vitruve.app.place import Place
from vitruve.app.sources import video_facts
from vitruve.app.videos.tables import Traces, VideoTable, by_video, find_tables, read_traces

_WIDEST = 1280
_LISTED_SECONDS = 3.0


def maker_name(maker: str) -> str:
    """Who made a table, for narrow fields: without the word that folders of predictions begin with.

    Args:
        maker: As tables have it.

    Returns:
        Such as ``3D_20260101-120000``.
    """
    return maker.removeprefix("Predictions_")


def video_with_traces(
    place: Place, key: str, drawn: Mapping[str, Any], video: Path | None, frame: int = 0, recording: str = ""
) -> int:
    """Show a video beside traces: a click goes to the frame, and keys, slider and playing move through both.

    Args:
        place: Where.
        key: Of this part; name the project and the recording in it.
        drawn: As :func:`vitruve.app.videos.lines.drawn` gives it.
        video: Its frames are the exact ones that the decoder gives; None for traces alone.
        frame: The one that is shown first.
        recording: Names what is shown; for another one all frames are shown again.

    Returns:
        The frame at which people have stopped.
    """
    first, last = drawn["start"], drawn["start"] + drawn["count"] - 1
    shown: dict[str, Any] | None = None
    if video is not None:
        count, width, height, fps = _facts(str(video), video.stat().st_mtime)
        url = frame_url(place.workspace, video, 0, min(width, _WIDEST))
        shown = {"url": url, "width": width, "height": height, "fps": fps, "name": video.name}
        first, last = 0, max(last, count - 1)
    at = min(max(int(st.session_state.get(f"{key}/at", frame)), 0), last)
    component("traces", asset("axes.js"), asset("picture.js"), asset("frame_controls.js"), styles=_STYLES)(
        key=f"{key}/traces",
        data={
            **drawn,
            "video": shown,
            "first": first,
            "last": last,
            "frame": at,
            "jumps": st.session_state.get(_jumps(key), 0),
            "recording": recording,
        },
        on_frame_change=partial(_kept, key),
    )
    return at


def jump(key: str, frame: int) -> None:
    """Go to a frame; call it before :func:`video_with_traces` in a run.

    Args:
        key: Of that part.
        frame: Its number.
    """
    st.session_state[f"{key}/at"] = int(frame)
    st.session_state[_jumps(key)] = st.session_state.get(_jumps(key), 0) + 1


def choose_video(place: Place, key: str) -> list[VideoTable]:
    """A field for one of the videos that the open project's networks have predicted. Without any it says what to do.

    Args:
        place: Where; a project must be open.
        key: Of the field.

    Returns:
        All tables of that video, the newest first; none where there is no video.
    """
    groups = by_video(video_tables(place))
    if not groups:
        st.info("No video is predicted yet.", icon=":material/movie:")
        page_link(place, "predict", "Predict videos")
        return []
    named = {f"{video} (in space)" if dims == 3 else video: key for key in groups for video, dims in [key]}
    field = field_key(place, key)
    if st.session_state.get(field) not in named:
        asked = st.query_params.get("video")
        st.session_state[field] = asked if asked in named else next(iter(named))
    chosen = st.selectbox("Video", list(named), key=field)
    st.query_params["video"] = chosen
    return groups[named[chosen]]


def video_tables(place: Place) -> list[VideoTable]:
    """All tables of predicted videos of the open project; looked for again after seconds.

    Args:
        place: Where; a project must be open.

    Returns:
        The tables, those of the newest run first.
    """
    assert place.project is not None
    return _tables(place, str(place.project.path))


def traces_of(table: VideoTable) -> Traces:
    """What a table says; read again when it has changed.

    Args:
        table: The table.

    Returns:
        Its traces, which all pages share: they must not be changed.

    Raises:
        InputError: A file is not as it should be.
    """
    return _read(str(table.path), table.changed, table)


_STYLES = ("frame_controls.css", "traces.css")


def _jumps(key: str) -> str:
    return f"{key}/jumps"


def _kept(key: str) -> None:
    said = st.session_state[f"{key}/traces"].get("frame")
    if isinstance(said, int) and not isinstance(said, bool):
        st.session_state[f"{key}/at"] = said


@st.cache_resource(show_spinner="Reading predictions", max_entries=24)
def _read(path: str, changed: float, _table: VideoTable) -> Traces:
    return read_traces(_table)


@st.cache_data(show_spinner=False, max_entries=200)
def _facts(path: str, changed: float) -> tuple[int, int, int, float]:
    return video_facts(Path(path))


@st.cache_data(ttl=_LISTED_SECONDS, show_spinner=False, max_entries=20)
def _tables(_place: Place, project: str) -> list[VideoTable]:
    assert _place.project is not None
    return find_tables(_place.project)
