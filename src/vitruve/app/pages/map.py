"""A map of the labelled images: what looks alike lies together; what a lasso holds becomes a split or a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from vitruve.app.maps import (
    FOLDER,
    SPLITS,
    DrawnMap,
    find_maps,
    frame_numbers,
    parted_sessions,
    picked_splits,
    read_map,
    use_split,
    uses_split,
    write_picked_split,
    write_picked_task,
)
from vitruve.app.media import file_url
from vitruve.app.parts.at_work import show_at_work
from vitruve.app.parts.component import component
from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.jobs import jobs_of, show_command, show_job, submit, submitting
from vitruve.app.parts.labels import choose_labels, labels_in
from vitruve.app.parts.links import page_link
from vitruve.app.parts.runs import runs_of
from vitruve.app.parts.tabs import open_tab, tabs
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.place import Place
from vitruve.app.projects import POSES
from vitruve.app.words import counted
from vitruve.curation.files import MAP_TABLE
from vitruve.curation.split import SplitPlan, check_groups, groups_of, proposed_method
from vitruve.errors import VitruveError
from vitruve.structures.labels import Labels

_MAPS, _NEW = "Maps", "New map"
_FORM = "map:new"
_AS_THEY_ARE = "as they are"
_RANDOM, _PUBLISHED = "random weights", "published weights"
_METHODS = ("clusters", "group", "random", "every-nth")


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    maps = {place.name(path): path for path in find_maps(place.project)}
    shown, new = tabs(field_key(place, "map/tab"), (_MAPS, _NEW))
    with shown:
        making = jobs_of(place, "map")
        show_at_work(place, making, "map", instead=not maps)
        if maps:
            _chosen(place, maps)
        elif any(job.active for job in making):
            st.caption("The map appears here when it is made.")
        else:
            st.info(
                "No map has been made yet. A map places each labelled animal, object or image near those that look "
                "like it.",
                icon=":material/scatter_plot:",
            )
            if st.button(_NEW, key=field_key(place, "map/begin"), icon=":material/add:"):
                open_tab(field_key(place, "map/tab"), _NEW)
    with new:
        _new(place)


def _chosen(place: Place, maps: dict[str, Path]) -> None:
    field = field_key(place, "map/chosen")
    if st.session_state.get(field) not in maps:
        asked = st.query_params.get("map")
        st.session_state[field] = asked if asked in maps else next(iter(maps))
    name = st.selectbox("Map", list(maps), key=field)
    st.query_params["map"] = name
    drawn = _read(str(maps[name]), (maps[name] / MAP_TABLE).stat().st_mtime_ns)
    form = f"map:{name}"
    key = field_key(place, form)
    picked = st.session_state.get(f"{key}/picked", [])
    component("map")(
        key=f"{key}/drawn",
        data=drawn.data() | {"atlas": file_url(place.workspace, drawn.atlas), "picked": picked},
        on_picked_change=lambda: _picked(key, len(drawn.table)),
    )
    picked = st.session_state.get(f"{key}/picked", [])
    if not picked:
        st.caption("Drag a lasso around points to pick them (with shift, more of them); the wheel zooms.")
        return
    _use(place, drawn, picked, form)


@st.cache_resource(max_entries=4, show_spinner="Reading the map")
def _read(path: str, age: int) -> DrawnMap:
    return read_map(Path(path))


def _picked(key: str, count: int) -> None:
    """Rows that the browser says were picked: those that there are."""
    said: Any = st.session_state[f"{key}/drawn"].get("picked")
    rows = said[1:] if isinstance(said, list) else []
    st.session_state[f"{key}/picked"] = [row for row in rows if isinstance(row, int) and 0 <= row < count]


def _use(place: Place, drawn: DrawnMap, picked: list[int], form: str) -> None:
    """What becomes of what was picked."""
    frames = drawn.frames(picked)
    st.subheader(f"{len(picked)} picked, of {counted(len(frames), 'frame')}")
    file = choose_labels(place, f"{form}:labels", "Labels that the map was made of")
    if file is None:
        return
    labels = labels_in(file)
    numbers = frame_numbers(labels, frames)
    split, task = st.tabs(["A split", "A task for CVAT"])
    with split:
        _split(place, labels, numbers, form)
    with task:
        _task(place, labels, numbers, form)
    with st.expander(counted(len(frames), "frame")):
        st.dataframe([{"image": name, "frame": index} for name, index in frames], hide_index=True)


def _split(place: Place, labels: Labels, numbers: list[int], form: str) -> None:
    assert place.project is not None
    key = field_key(place, form)
    one, rest, name = st.columns(3, vertical_alignment="bottom")
    split = one.selectbox("The picked ones are for", SPLITS, **typed(place, f"{form}:split", SPLITS[1]))
    drawn = any(frame.split for frame in labels)
    options = [*([_AS_THEY_ARE] if drawn else []), *SPLITS]
    others = rest.selectbox("All others", options, **typed(place, f"{form}:others", options[0], options))
    called = name.text_input("Name", **typed(place, f"{form}:split:name", "picked"))
    splits = picked_splits(labels, numbers, split, others)
    counts = ", ".join(f"{splits.count(each)} {each}" for each in SPLITS if each in splits)
    st.caption(f"That makes {counts}.")
    parted = parted_sessions(labels, splits)
    if parted:
        few = ", ".join(name or "without a name" for name in parted[:4]) + (", ..." if len(parted) > 4 else "")
        st.warning(
            f"{counted(len(parted), 'session')} {'is' if len(parted) == 1 else 'are'} parted ({verbatim(few)}): frames "
            "that validate have neighbours of the same recording that train, so errors will look smaller than on new "
            "recordings.",
            icon=":material/warning:",
        )
    folder = place.workspace.resolve(place.project.path / "splits" / _plain(called))
    if st.button(f"Write {verbatim(place.name(folder))}/split.csv", key=f"{key}/split/write", icon=":material/save:"):
        try:
            made = write_picked_split(labels, splits, folder)
        except VitruveError as error:
            show_error(error)
            return
        st.session_state[f"{key}/split/made"] = made
    if f"{key}/split/made" in st.session_state:
        _made(place, st.session_state[f"{key}/split/made"], key)


def _made(place: Place, split: Path, key: str) -> None:
    """A split that was written, and its way into the settings."""
    project = place.project
    assert project is not None
    if project.kind != POSES:
        st.success(f"Written: {verbatim(place.name(split))}.")
        return
    try:
        if uses_split(project, split):
            st.success(f"Trainings take {verbatim(place.name(split))} from now on: {project.config.name} names it.")
            with st.container(horizontal=True):
                page_link(place, "train", "Train")
                page_link(place, "settings", "Settings")
            return
        st.success(f"Written: {verbatim(place.name(split))}. Trainings split the labels as before until they are told.")
        if st.button(
            f"Train with it: write it to {project.config.name}", key=f"{key}/split/use", icon=":material/tune:"
        ):
            use_split(project, split)
            st.rerun()
    except VitruveError as error:
        show_error(error)


def _task(place: Place, labels: Labels, numbers: list[int], form: str) -> None:
    assert place.project is not None
    key = field_key(place, form)
    called = st.text_input("Name of the task", **typed(place, f"{form}:task:name", "picked"))
    file = place.workspace.resolve(place.project.path / "tasks" / f"{_plain(called)}.xml")
    arguments = ["annotate", "upload", str(file), "--from", "cvat_xml", "--images", str(labels.root), "--apply"]
    st.caption(
        "The frames go to the CVAT server with what is labelled. Its address and the access token are those of the "
        "environment of 'vitruve launch' (VITRUVE_CVAT_URL, CVAT_ACCESS_TOKEN)."
    )
    write, send = st.columns(2)
    written = write.button(f"Only write {verbatim(place.name(file))}", key=f"{key}/task/write", icon=":material/save:")
    sent = send.button(
        f"Make a task of {counted(len(numbers), 'frame')}", key=f"{key}/task/send", icon=":material/cloud_upload:"
    )
    if written or sent:
        try:
            write_picked_task(labels, numbers, file)
            if sent:
                submit(place, arguments, title=f"Task {file.stem}", kind="cvat", waits=False)
        except VitruveError as error:
            show_error(error)
        else:
            st.success(f"Written: {verbatim(place.name(file))}, a file that CVAT imports.")
    for job in jobs_of(place, "cvat")[:1]:
        show_job(place, job, f"{key}/task")
    show_command(arguments)


def _new(place: Place) -> None:
    assert place.project is not None
    file = choose_labels(place, f"{_FORM}:labels")
    if file is None:
        return
    labels = labels_in(file)
    proposed, why = proposed_method(labels)
    runs = {run.name: run for run in runs_of(place, finished=True)}
    by, most, method, share, name = st.columns([1.4, 1.1, 1.1, 1.1, 1], vertical_alignment="bottom")
    networks = [*runs, _PUBLISHED, _RANDOM]
    network = by.selectbox(
        "What looks alike, by",
        networks,
        **typed(place, f"{_FORM}:network", networks[0], networks),
        help="The network of a run that was trained on such images, or a ResNet-18 that has learned from photographs. "
        "Random weights tell colours and textures apart.",
    )
    count = most.number_input("Crops at most", 10, 20_000, step=100, **typed(place, f"{_FORM}:most", 3000))
    how = method.selectbox(
        "Split proposed by",
        _METHODS,
        **typed(place, f"{_FORM}:method", proposed),
        help="A map comes with a split: by clusters, each in its share; by whole groups; at random; every n-th.",
    )
    part = share.number_input("Validating share", 0.01, 0.9, step=0.05, **typed(place, f"{_FORM}:share", 0.1))
    called = name.text_input("Name", **typed(place, f"{_FORM}:name", "map"))
    problem = _problem(labels, SplitPlan(method=how, validation=part))
    if problem:
        show_error(problem)
    elif how == proposed:
        st.caption(f"Split proposed by {how}: {verbatim(why)}.")
    more = ["--random"] if network == _RANDOM else [] if network == _PUBLISHED else ["--run", str(runs[network].path)]
    target = _free(place, _plain(called))
    words = ["split", *file.arguments, "--output", place.name(target), "--method", how, "--validation", str(part)]
    arguments = [*words, "--most", str(count), *more]
    if st.button(
        f"Make the map {verbatim(place.name(target))}",
        type="primary",
        key=field_key(place, f"{_FORM}:make"),
        icon=":material/play_arrow:",
        disabled=bool(problem),
    ):
        with submitting():
            target.mkdir(parents=True)
            submit(place, arguments, title=f"Map {target.name}", kind="map", waits=False)
        open_tab(field_key(place, "map/tab"), _MAPS)
    show_command(arguments)


def _problem(labels: Labels, plan: SplitPlan) -> str:
    """What would be said of a split after its job has begun; empty where it can be made."""
    try:
        check_groups(groups_of(labels, plan.group), plan)
    except VitruveError as error:
        return str(error)
    return ""


def _free(place: Place, name: str) -> Path:
    assert place.project is not None
    folder = place.workspace.resolve(place.project.path / FOLDER)
    path, number = folder / name, 2
    while path.exists():
        path, number = folder / f"{name}_{number}", number + 1
    return path


def _plain(name: str) -> str:
    """A name as a folder may have it."""
    kept = "".join(letter if letter.isalnum() or letter in "-_ " else "_" for letter in name).strip()
    return kept[:80] or "picked"
