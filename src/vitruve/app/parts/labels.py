"""Choosing labels of a project, or others of the workspace."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from vitruve.app.labels import LabelFile, label_files, named_labels
from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.text import show_error
from vitruve.app.place import Place
from vitruve.app.projects import AppProject
from vitruve.app.view.labels import with_drawn_splits
from vitruve.errors import VitruveError
from vitruve.structures.labels import Labels

ALL = "all"
"""What stands in a field for no choice among several."""


def choose_labels(place: Place, key: str, label: str = "Labels") -> LabelFile | None:
    """A field for a label file. What is wrong with it is said below.

    Args:
        place: Where; a project must be open.
        key: Of the field, unique on its page.
        label: Of the field.

    Returns:
        The file; None while there is none.
    """
    try:
        known = label_files(place)
    except VitruveError as error:
        show_error(error)
        known = {}
    named = st.selectbox(
        label,
        list(known),
        index=None,
        **typed(place, key, next(iter(known), None)),
        placeholder="Type the path of a label file or a folder with labels",
        accept_new_options=True,
        help="Those of the project's settings, or any other label file below the folders of this app: type its path.",
    )
    if not named:
        st.info("The project names no labels that are there. Type the path of a label file, or correct the settings.")
        return None
    try:
        return known[named] if named in known else named_labels(place, named)
    except VitruveError as error:
        show_error(error)
        return None


def choose_split(place: Place, key: str, counts: Mapping[str, int], help: str | None = None) -> str | None:
    """A field for a split of labels.

    Args:
        place: Where.
        key: Of the field, unique on its page.
        counts: How many frames each split has.
        help: What it is for.

    Returns:
        Its name; None for all.
    """
    every = {ALL: sum(counts.values()), **counts}
    named = st.selectbox(
        "Split", list(every), key=field_key(place, key), format_func=lambda name: f"{name} ({every[name]})", help=help
    )
    return None if named == ALL else named


def labels_in(file: LabelFile) -> Labels:
    """What a label file holds, read once.

    Args:
        file: The file.

    Returns:
        The labels; not to be changed.

    Raises:
        InputError: It is not as it should be.
    """
    return _read(file, file.age)


def split_labels(place: Place, file: LabelFile) -> Labels:
    """What a label file holds, with the split that a training of the project draws where the file gives none.

    Args:
        place: Where; a project must be open.
        file: The file.

    Returns:
        The labels; not to be changed.

    Raises:
        InputError: The file is not as it should be.
    """
    assert place.project is not None
    return _split(place.project, file, file.age, place.project.config.stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner="Reading the labels")
def _split(project: AppProject, file: LabelFile, age: int, settings: int) -> Labels:
    return with_drawn_splits(project, file.path, labels_in(file))


@st.cache_resource(max_entries=8, show_spinner="Reading the labels")
def _read(file: LabelFile, age: int) -> Labels:
    return file.read()
