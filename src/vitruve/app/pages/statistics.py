"""What is labelled, counted: classes, sizes, keypoints, sessions; and what a store of annotations holds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from vitruve.annotation.store.stats import StoreStats
from vitruve.annotation.store.verbs import store_stats
from vitruve.app.figures.statistics import (
    class_bars,
    count_bars,
    count_histogram,
    keypoint_bars,
    size_histogram,
    size_scatter,
    task_bars,
)
from vitruve.app.labels import LabelFile
from vitruve.app.parts.at_work import show_at_work
from vitruve.app.parts.charts import chart
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.jobs import jobs_of, show_command, submit
from vitruve.app.parts.labels import choose_labels, split_labels
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.place import Place
from vitruve.curation.statistics import image_table, instance_table, keypoint_table, per_image
from vitruve.errors import VitruveError

_LABELS, _STORE = "Labels", "Annotation store"
_STORES = (".sqlite", ".sqlite3", ".db")


def show(place: Place) -> None:
    """The page."""
    labels, store = st.tabs([_LABELS, _STORE], key=field_key(place, "statistics/tab"), on_change="rerun")
    if labels.open:
        with labels:
            _labels(place)
    if store.open:
        with store:
            _store(place)


def _labels(place: Place) -> None:
    file = choose_labels(place, "statistics/labels")
    if file is None:
        return
    assert place.project is not None
    images, instances, keypoints, joints = _tables(place, file, file.age, place.project.config.stat().st_mtime_ns)
    sides = images[["width", "height"]].dropna().drop_duplicates()
    cells = st.columns(5)
    cells[0].metric("Frames", images["frame"].nunique(), border=True)
    cells[1].metric("Images", len(images), border=True)
    cells[2].metric("Instances", len(instances), border=True)
    cells[3].metric("Classes", instances["class"].nunique(), border=True)
    cells[4].metric("Keypoints", joints, border=True)
    if len(sides):
        most = ", ".join(f"{w:.0f} x {h:.0f}" for w, h in sides.head(4).itertuples(index=False))
        st.caption(f"Images of {most}{' and more' if len(sides) > 4 else ''} px.")
    if instances.empty:
        st.info("Nothing is labelled in these images: there are neither boxes nor keypoints.")
        return
    left, right = st.columns(2)
    with left:
        st.subheader("Classes")
        chart(class_bars(instances), key="statistics/classes")
    with right:
        st.subheader("Instances in an image")
        chart(count_histogram(per_image(images, instances)), key="statistics/counts")
    left, right = st.columns(2)
    with left:
        st.subheader("Sizes")
        chart(size_histogram(instances), key="statistics/sizes")
    with right:
        st.subheader("Widths and heights")
        chart(size_scatter(instances), key="statistics/scatter")
    if joints:
        st.subheader("Keypoints")
        chart(keypoint_bars(keypoints), key="statistics/keypoints")
    st.subheader("Sessions")
    st.dataframe(_sessions(images, instances), hide_index=True)


@st.cache_data(max_entries=8, show_spinner="Counting")
def _tables(
    _place: Place, file: LabelFile, age: int, settings: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, int]:
    labels = split_labels(_place, file)
    return image_table(labels), instance_table(labels), keypoint_table(labels), len(labels.skeleton)


def _sessions(images: pd.DataFrame, instances: pd.DataFrame) -> pd.DataFrame:
    """Images and instances of each session, and of which splits they are."""
    table = images.groupby("session").size().rename("images").to_frame()
    table["instances"] = instances.groupby("session").size()
    splits = images.groupby(["session", "split"]).size().unstack(fill_value=0)
    return table.fillna(0).astype(int).join(splits).reset_index()


def _store(place: Place) -> None:
    key = field_key(place, "statistics/store")
    found = [place.workspace.name(path) for path in place.workspace.files(_STORES)]
    named = st.selectbox(
        "Store",
        found,
        index=0 if found else None,
        key=key,
        placeholder="Type the path of a store, a file of SQLite",
        accept_new_options=True,
        help="As vitruve store sync and vitruve store import make it.",
    )
    if not named:
        st.info(
            "No annotation store is here. Type where one is to be, and bring the tasks of a CVAT server into it; the "
            "address of the server and the access token are those of the environment of 'vitruve launch' "
            "(VITRUVE_CVAT_URL, CVAT_ACCESS_TOKEN).",
            icon=":material/database:",
        )
        return
    path = place.workspace.resolve(named)
    arguments = ["store", "sync", "--store", str(path)]
    show_at_work(place, jobs_of(place, "store"), key, instead=not path.is_file())
    if st.button("Update from the CVAT server", icon=":material/sync:", key=f"{key}/sync"):
        submit(place, arguments, title=f"Update {named}", kind="store", waits=False)
        st.rerun()
    show_command(arguments)
    if not path.is_file():
        st.info(f"{verbatim(named)} is not there yet.")
        return
    _stats(path)


def _stats(path: Path) -> None:
    try:
        # What is being written lies beside the store until it is closed.
        beside = path.with_name(f"{path.name}-wal")
        age = max(file.stat().st_mtime_ns for file in (path, beside) if file.is_file())
        stats = _counted(str(path), age)
    except VitruveError as error:
        show_error(error)
        return
    for cell, (said, number) in zip(
        st.columns(3),
        (("Shapes", stats.total), ("Classes", len(stats.classes)), ("Tasks", len(stats.tasks))),
        strict=True,
    ):
        cell.metric(said, number, border=True)
    if not stats.total:
        st.info("The store holds no shape yet.")
        return
    left, right = st.columns(2)
    with left:
        st.subheader("Classes")
        chart(count_bars(stats.classes, "shapes"), key="statistics/store/classes")
    with right:
        st.subheader("Kinds of shapes")
        chart(count_bars(stats.shape_types, "shapes"), key="statistics/store/kinds")
    st.subheader("Tasks by their day")
    chart(task_bars(stats.tasks), key="statistics/store/tasks")
    rows = [
        {"task": each["name"], "number": each["id"], "day": each["day"], "shapes": each["shapes"]}
        for each in stats.tasks
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)


@st.cache_data(max_entries=8, show_spinner=False)
def _counted(path: str, age: int) -> StoreStats:
    return store_stats(path)
