"""Predictions that run or ran as jobs, with what they have found last, and what lies on disk."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import isnan
from pathlib import Path

import streamlit as st

from vitruve.app.media import file_url
from vitruve.app.now import Watched
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.jobs import jobs_of, show_job
from vitruve.app.parts.links import page_link
from vitruve.app.parts.live import live, watch
from vitruve.app.parts.player import player
from vitruve.app.parts.predict_form import PREDICT, training_set
from vitruve.app.parts.text import code, verbatim
from vitruve.app.place import Place
from vitruve.app.prediction.preview import LastRow, drawn, last_row, part_of_folder, part_of_table, skeleton_of
from vitruve.app.prediction.results import Result, find_results, read_rows, row_count
from vitruve.app.words import counted
from vitruve.errors import VitruveError
from vitruve.jobs import Job
from vitruve.jobs.job import DONE, RUNNING
from vitruve.media.recordings import videos_of_cameras
from vitruve.pipeline.rig_recording import find_cameras
from vitruve.project import Project
from vitruve.run import RunFiles
from vitruve.structures.camera import Camera

_OLDER = 6
_SAID = 4
_PAGE = 200
_QUERY = "prediction"


def show_running(place: Place) -> None:
    """The predictions that were begun here, the newest first.

    Args:
        place: A project must be open.
    """
    jobs = jobs_of(place, PREDICT)
    active = [job for job in jobs if job.active]
    st.subheader("Last one" if jobs and not active else "At work")
    if not jobs:
        st.info(
            "Nothing was predicted from here yet. Choose a video and begin; how far it is shows here.",
            icon=":material/movie:",
        )
        return
    # What works comes before what waits behind it.
    first = active[-1] if active else jobs[0]
    show_job(place, first, "predict")
    if first.state == RUNNING:
        live(_preview, place, first.id, key=f"preview:{first.id}")
    elif first.state == DONE:
        # What was warned of is on the card.
        said = [line for line in first.said(_SAID) if not line.startswith("warning: ")]
        st.caption("  \n".join(_plain(place, line) for line in said))
    others = [job for job in jobs if job.id != first.id]
    if others:
        with st.expander(f"Others: {len(others)}", icon=":material/history:"):
            for job in others[:_OLDER]:
                show_job(place, job, "predict", log=False)
            page_link(place, "queue", "All that was started")


def show_results(place: Place) -> None:
    """A finished prediction: video, table and files.

    Args:
        place: A project must be open.
    """
    assert place.project is not None
    results = {_name(place, result): result for result in find_results(place.project)}
    st.subheader("Finished predictions")
    if not results:
        st.caption("None yet. They appear here, also those that the command line made.")
        return
    field = field_key(place, "predict:result")
    if st.session_state.get(field) not in results:
        asked = st.query_params.get(_QUERY)
        st.session_state[field] = asked if asked in results else next(iter(results))
    name = st.selectbox("Prediction", list(results), key=field, format_func=lambda each: results[each].name)
    st.query_params[_QUERY] = name
    result = results[name]
    video, table, files = st.tabs(["Video", "Table", "Files"])
    with video:
        _video(place, result)
    with table:
        _table(result, field)
    with files:
        _files(place, result)


def _name(place: Place, result: Result) -> str:
    return place.name(result.table)


def _video(place: Place, result: Result) -> None:
    videos = {path.stem: path for path in result.videos}
    if not videos:
        st.info("No video was drawn of this prediction yet.", icon=":material/movie_off:")
        page_link(place, "create_video", "Create video")
    else:
        name = next(iter(videos))
        if len(videos) > 1:
            name = st.selectbox("Video", list(videos), key=f"predict:drawn:{result.table}")
        player(place, videos[name])
    page_link(place, "video_traces", "Video beside its traces")


def _table(result: Result, field: str) -> None:
    count = row_count(result.table)
    pages = max(1, -(-count // _PAGE))
    page = 1
    if pages > 1:
        page = int(st.number_input(f"Page of {pages}, {_PAGE} rows each", 1, pages, key=f"{field}/page:{result.table}"))
    st.dataframe(read_rows(result.table, (page - 1) * _PAGE, _PAGE), hide_index=True, height=420)
    st.caption(f"{counted(count, 'row')}. " + ("Points are in mm." if result.dims == 3 else "Points are in pixels."))


def _files(place: Place, result: Result) -> None:
    links = "".join(
        f'<tr><td style="padding:0.2rem 1.5rem 0.2rem 0"><a href="{escape(file_url(place.workspace, path))}" '
        f'download="{escape(path.name)}">{escape(path.name)}</a></td>'
        f'<td style="text-align:right;opacity:0.7">{_size(path)}</td></tr>'
        for path in result.files
    )
    st.html(f"<table>{links}</table>")
    st.caption(f"In {code(place.name(result.table.parent))}")


def _preview(place: Place, number: str) -> None:
    """The last frame that was predicted. It says nothing where there is nothing to be seen yet."""
    watch(place, Watched(number, step=True), f"preview:{number}")
    try:
        job = place.jobs.get(number)
        if job.state != RUNNING:
            return
        skeleton = skeleton_of(RunFiles(Path(job.about["run"])).read_model())
        if skeleton is None:
            return
        found = next(_space(place, job, len(skeleton)) if "parent" in job.about else _poses(job, len(skeleton)), None)
        if found is None:
            st.caption("The first frames appear here when they are predicted.")
            return
        video, row, camera = found
        picture = drawn(video, row, skeleton, camera=camera)
    except VitruveError as error:
        st.caption(verbatim(error))
        return
    sure = "nothing found" if isnan(row.likelihood) else f"mean confidence {row.likelihood:.2f}"
    st.image(picture, caption=f"{verbatim(video.name)}, frame {row.frame}: {sure}", width="stretch")


def _poses(job: Job, keypoints: int) -> Iterator[tuple[Path, LastRow, None]]:
    """The tables of ``vitruve predict`` that grow, those of an ensemble's networks too."""
    tables = [Path(line) for line in job.about["tables"].split("\n")]
    videos = job.about["videos"].split("\n")
    # Tables that are whole stay to be seen while a video is drawn of them; those of an earlier prediction do not count.
    began = job.started or job.created
    growing = [
        (written, part, Path(video))
        for table, video in zip(tables, videos, strict=True)
        if video
        for each in (table, *_members(table))
        if (part := part_of_table(each)).is_file() and (written := part.stat().st_mtime) >= began
    ]
    for _, part, video in sorted(growing, reverse=True):
        row = last_row(part, keypoints)
        if row is not None:
            yield video, row, None


def _members(table: Path) -> Iterator[Path]:
    for folder in table.parent.glob("member_*"):
        yield folder / table.name


def _space(place: Place, job: Job, keypoints: int) -> Iterator[tuple[Path, LastRow, Camera | None]]:
    """The table of a project's prediction that grows, with the camera in whose video it is shown."""
    assert place.project is not None
    source, parent = Path(job.about["source"]), Path(job.about["parent"])
    dims = 3 if source.is_dir() else 2
    table = part_of_folder(parent, dims)
    row = None if table is None else last_row(table, keypoints, dims=dims)
    if row is None:
        return
    if dims == 2:
        yield source, row, None
        return
    videos = videos_of_cameras(source)
    cameras = _calibration(place.project.rig, source, job.about.get("dataset", ""))
    names = [name for name in cameras if name in videos]
    name = st.selectbox("Camera", names, key=f"preview:{job.id}:camera")
    if name is not None:
        yield videos[name], row, cameras[name]


@st.cache_data(show_spinner=False, max_entries=8, ttl=60)
def _calibration(_project: Project, recording: Path, dataset: str) -> dict[str, Camera]:
    return find_cameras(dataset or None, recording, training_set(_project))[0]


def _plain(place: Place, line: str) -> str:
    shown = line.replace(f"{place.project.path}/", "") if place.project is not None else line
    return verbatim(shown)


def _size(path: Path) -> str:
    size = float(path.stat().st_size)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
