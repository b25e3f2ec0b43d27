"""Choosing a video, an image or a folder: one on the server, or an upload that is kept there."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import streamlit as st

from vitruve.app.parts.fields import field_key, type_in, typed
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.place import Place
from vitruve.app.sources import Kind, Source, find_sources, named_source, said_of, video_facts
from vitruve.app.uploads import INSTEAD, LARGEST_BYTES, keep_file, keep_folder
from vitruve.errors import VitruveError
from vitruve.media.images import IMAGE_SUFFIXES
from vitruve.media.video import VIDEO_SUFFIXES

UPLOADS = "uploads"
"""Folder of a project for what browsers have sent."""

_SERVER, _UPLOAD = "On the server", "Upload"
_LISTED_SECONDS = 5.0
_FOLDERS = (Kind.VIDEOS, Kind.IMAGES)


def choose_source(
    place: Place,
    key: str,
    kinds: Collection[Kind] = tuple(Kind),
    *,
    label: str = "Video, image, or folder of them",
    help: str | None = None,
) -> Source | None:
    """Fields for one source. What is wrong with it is said below them.

    Args:
        place: Where; uploads are kept in the open project.
        key: Of the fields, unique on their page.
        kinds: Those that are wanted.
        label: Of the field.
        help: What it is for.

    Returns:
        The source; None while there is none.
    """
    # In a container, so that what is below stays in its place when something is said of the source: a field that moves
    # is made anew, and what somebody has begun to type in it is lost.
    with st.container():
        return _chosen(place, key, kinds, label, help)


def _chosen(place: Place, key: str, kinds: Collection[Kind], label: str, help: str | None) -> Source | None:
    chosen = st.segmented_control(
        "From",
        [_SERVER, _UPLOAD],
        required=True,
        label_visibility="collapsed",
        **typed(place, f"{key}/from", _SERVER),
    )
    if chosen == _UPLOAD:
        _upload(place, key, kinds)
        return None
    options = [_said(place, source) for source in _listed(place, tuple(sorted(kinds)))]
    field = typed(place, key, None)
    current = st.session_state[field["key"]]
    if current is not None and current not in options:
        options.insert(0, current)
    named = st.selectbox(
        label,
        options,
        index=None,
        **field,
        help=help,
        placeholder="Choose, or type a path" if options else "None found here: type a path, or upload",
        accept_new_options=True,
    )
    if not named:
        return None
    try:
        source = named_source(place.workspace, _meant(str(named), options), kinds)
        st.caption(f"{source.kind.capitalize()}: {verbatim(_facts(source, _age(source.path)))}")
    except VitruveError as error:
        show_error(error)
        return None
    return source


def _meant(typed: str, options: list[str]) -> str:
    """Of what was typed without choosing from the list: the only one of the list that it is a part of."""
    found = [option for option in options if typed != option and typed.lower() in option.lower()]
    return found[0] if len(found) == 1 else typed


def _said(place: Place, source: Source) -> str:
    return place.workspace.name(source.path) + ("/" if source.kind in _FOLDERS else "")


def _listed(place: Place, kinds: tuple[Kind, ...]) -> list[Source]:
    project = None if place.project is None else str(place.project.path)
    return _found(place, tuple(map(str, place.workspace.roots)), project, kinds)


@st.cache_data(ttl=_LISTED_SECONDS, show_spinner=False, max_entries=20)
def _found(_place: Place, roots: tuple[str, ...], project: str | None, kinds: tuple[Kind, ...]) -> list[Source]:
    """Walking through large folders takes time, and pages are run anew with each click."""
    return find_sources(_place.workspace, _place.project, kinds)


@st.cache_data(show_spinner="Looking at it…", max_entries=200)
def _facts(source: Source, age: float) -> str:
    return said_of(source)


def _age(path: Path) -> float:
    return path.stat().st_mtime


def _upload(place: Place, key: str, kinds: Collection[Kind]) -> None:
    """A field for files, and a button that keeps them; what was kept is then the source."""
    field = field_key(place, key)
    several = any(kind in kinds for kind in _FOLDERS)
    suffixes = _suffixes(kinds)
    turn = st.session_state.get(f"{field}/turn", 0)
    files = st.file_uploader(
        "Files from this computer",
        type=[suffix.removeprefix(".") for suffix in suffixes],
        accept_multiple_files=several,
        key=f"{field}/files/{turn}",
        max_upload_size=LARGEST_BYTES // 2**20,
        help="Several at once are kept in a folder of their own." if several else None,
    )
    st.caption(f"Up to {LARGEST_BYTES / 2**30:g} GiB each. If a file is larger, {INSTEAD}.")
    sent: list[Any] = files if isinstance(files, list) else [files] if files else []
    folder = _uploads(place)
    what = sent[0].name if len(sent) == 1 else f"{len(sent)} files" if sent else "the file"
    st.button(
        f"Keep {verbatim(what)} in {verbatim(place.workspace.name(folder))}",
        key=f"{field}/keep",
        disabled=not sent,
        icon=":material/upload:",
        on_click=_keep,
        args=(place, key, folder, sent, kinds),
    )
    problem = st.session_state.pop(f"{field}/problem", None)
    if problem:
        show_error(problem)


def _keep(place: Place, key: str, folder: Path, sent: list[Any], kinds: Collection[Kind]) -> None:
    field = field_key(place, key)
    try:
        # A recording is a folder even where it has one video.
        if len(sent) == 1 and (Kind.VIDEO in kinds or Kind.IMAGE in kinds):
            kept = keep_file(place.workspace, folder, sent[0].name, sent[0])
        else:
            name = f"upload_{time.strftime('%Y%m%d-%H%M%S')}"
            room = sum(file.size for file in sent)
            kept = keep_folder(place.workspace, folder, name, [(file.name, file) for file in sent], room)
        named_source(place.workspace, str(kept), kinds)
    except VitruveError as error:
        st.session_state[f"{field}/problem"] = str(error)
        return
    # Another key is another field: the one that held the files lets go of them.
    st.session_state[f"{field}/turn"] = st.session_state.get(f"{field}/turn", 0) + 1
    type_in(place, f"{key}/from", _SERVER)
    type_in(place, key, place.workspace.name(kept) + ("/" if kept.is_dir() else ""))
    _found.clear()


def _uploads(place: Place) -> Path:
    home = place.workspace.home if place.project is None else place.project.path
    return home / UPLOADS


def _suffixes(kinds: Collection[Kind]) -> list[str]:
    videos = VIDEO_SUFFIXES if Kind.VIDEO in kinds or Kind.VIDEOS in kinds else frozenset()
    images = IMAGE_SUFFIXES if Kind.IMAGE in kinds or Kind.IMAGES in kinds else frozenset()
    return sorted(videos | images)


def length_of(video: Path) -> int:
    """How many frames a video has; it is counted once.

    Args:
        video: The file.

    Returns:
        Their number.

    Raises:
        InputError: It cannot be read.
    """
    return _length(str(video), _age(video))


@st.cache_data(show_spinner="Counting frames…", max_entries=200)
def _length(video: str, age: float) -> int:
    return video_facts(Path(video))[0]
