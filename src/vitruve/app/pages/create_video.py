"""Predictions drawn into copies of their videos, also of chosen cameras."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.jobs import jobs_of, show_command, show_job, submit, submitting
from vitruve.app.parts.links import page_link
from vitruve.app.parts.player import player
from vitruve.app.parts.text import code, show_error, verbatim
from vitruve.app.parts.traces import maker_name, traces_of, video_tables
from vitruve.app.place import Place
from vitruve.app.projects import RIG, AppProject
from vitruve.app.videos.creation import ALL, Drawing, drawn_videos, new_folder, of_cameras, of_videos
from vitruve.app.videos.tables import Traces, VideoTable, videos_for
from vitruve.errors import InputError, VitruveError
from vitruve.inference.drawing import Look
from vitruve.pipeline.draw_videos import usual_look

KIND = "create_video"
"""Of the jobs."""

_COLORMAPS = ("jet", "cool", "viridis", "plasma", "turbo", "rainbow", "hsv", "tab10", "spring", "autumn")
_OLDER = 5


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    form, made = st.columns([2, 3], gap="large")
    with form:
        st.subheader("New video")
        tables = video_tables(place)
        if tables:
            _form(place, place.project, tables)
        else:
            st.info("No video is predicted yet.", icon=":material/movie:")
            page_link(place, "predict", "Predict videos")
    with made:
        _made(place)


def _form(place: Place, project: AppProject, tables: list[VideoTable]) -> None:
    """What is drawn and how, and the button that starts it."""
    makers = list(dict.fromkeys((table.made_by, table.dims) for table in tables))
    maker: tuple[str, int] = st.selectbox(
        "Predicted by",
        makers,
        format_func=_maker,
        **typed(place, "create_video:by", makers[0], makers, stays=True),
    )
    own = [table for table in tables if (table.made_by, table.dims) == maker]
    try:
        videos, cameras = (
            ({}, _cameras(place, project, own[0])) if maker[1] == 3 else (_videos(place, project, own), [])
        )
        drawing = _drawing(place, maker[0], _look(project, own[0]), [traces_of(table) for table in (videos or own[:1])])
    except VitruveError as error:
        show_error(error)
        return
    with submitting():
        output = new_folder(project, maker[1])
        try:
            if maker[1] == 3:
                verb = of_cameras(project, own[0], cameras, drawing, output)
            else:
                verb = of_videos(project, videos, drawing, output)
        except InputError as error:
            st.info(verbatim(error))
            return
        count = len(cameras) or len(videos)
        what = f"{count} videos" if count > 1 else "the video"
        if st.button(
            f"Draw {what}", type="primary", icon=":material/movie_edit:", key=field_key(place, "create_video:go")
        ):
            title = f"Video of {maker[0]}: {', '.join(cameras or [table.video for table in videos])}"
            submit(place, verb, title=title, kind=KIND, output=str(output))
            st.rerun()
    st.caption(f"Into {code(place.name(output))}")
    show_command(verb)


def _videos(place: Place, project: AppProject, tables: list[VideoTable]) -> dict[VideoTable, Path]:
    """The chosen tables with their videos."""
    named = {table.video: table for table in tables}
    chosen = st.multiselect(
        "Videos",
        list(named),
        wrap=True,
        help="One a camera, where several cameras have seen the same.",
        **typed(place, f"create_video:videos:{tables[0].made_by}", list(named), list(named)),
    )
    found: dict[VideoTable, Path] = {}
    for name in chosen:
        files = videos_for(place.workspace, project, named[name])
        if not files:
            raise InputError(
                f"The video {name} is not in the folders of this app any more: leave it out, or put it back."
            )
        file = next(iter(files))
        if len(files) > 1:
            field = typed(place, f"create_video:file:{name}", file, list(files))
            file = st.selectbox(f"File of {name}", list(files), **field)
        found[named[name]] = files[file]
    return found


def _cameras(place: Place, project: AppProject, table: VideoTable) -> list[str]:
    files = videos_for(place.workspace, project, table)
    if not files:
        raise InputError(f"The recording {table.video} is not in the folders of this app any more: put it back.")
    field = typed(place, f"create_video:cameras:{table.path}", list(files), list(files))
    return st.multiselect("Cameras", list(files), wrap=True, **field)


def _maker(maker: tuple[str, int]) -> str:
    short, dims = maker_name(maker[0]), maker[1]
    return f"{short} (in space)" if dims == 3 and not short.startswith("3D") else short


def _look(project: AppProject, table: VideoTable) -> Look:
    """How it is drawn unless something else is chosen: as ``vitruve predict`` draws it, or a project of cameras."""
    usual = Drawing()
    return Look(usual.threshold, usual.colormap) if project.kind == RIG else usual_look(table.run or table.path)


def _drawing(place: Place, maker: str, usual: Look, traces: list[Traces]) -> Drawing:
    first = min(each.start for each in traces)
    last = max(each.start + each.count for each in traces) - 1
    left, right = st.columns(2)
    threshold = left.slider(
        "Confidence",
        0.0,
        1.0,
        step=0.05,
        help="Keypoints of at least this confidence are drawn.",
        **typed(place, f"create_video:threshold:{maker}", usual.threshold),
    )
    colormap = right.selectbox(
        "Colours",
        dict.fromkeys([usual.colormap, *_COLORMAPS]),
        accept_new_options=True,
        help="A colormap of matplotlib.",
        **typed(place, f"create_video:colormap:{maker}", usual.colormap),
    )
    start = left.number_input("First frame", first, last, **typed(place, f"create_video:start:{first}:{last}", first))
    number = right.number_input(
        "Number of frames",
        ALL,
        last - first + 1,
        help=f"-1 for all to the end. Frames {first} to {last} are predicted.",
        **typed(place, f"create_video:number:{first}:{last}", ALL),
    )
    if number == 0:
        raise InputError("Number of frames: give 1 or more, or -1 for all.")
    if number > last - int(start) + 1:
        raise InputError(f"Number of frames: from frame {start} on there are {last - int(start) + 1}.")
    return Drawing(threshold, colormap or usual.colormap, None if start == first else int(start), int(number))


def _made(place: Place) -> None:
    """What is being drawn, and what has been."""
    assert place.project is not None
    jobs = jobs_of(place, KIND)
    active = [job for job in jobs if job.active]
    shown = active or jobs[:1]
    if shown:
        st.subheader("At work" if active else "Last one")
        for job in shown:
            show_job(place, job, "create_video")
    st.subheader("Videos")
    videos = {place.name(path): path for path in drawn_videos(place.project)}
    if not videos:
        st.caption("None yet. They appear here, also those that the command line made.")
        return
    field = field_key(place, "create_video:shown")
    if st.session_state.get(field) not in videos:
        st.session_state[field] = next(iter(videos))
    name = st.selectbox("Video", list(videos), key=field, label_visibility="collapsed")
    player(place, videos[name])
    older = [job for job in jobs if job not in shown]
    if older:
        with st.expander(f"Others: {len(older)}", icon=":material/history:"):
            for job in older[:_OLDER]:
                show_job(place, job, "create_video", log=False)
            page_link(place, "queue", "All that was started")
