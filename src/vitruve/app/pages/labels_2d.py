"""Labels in their images: both splits, whole images or what a network is given of them."""

from __future__ import annotations

import streamlit as st

from vitruve.app.parts.fields import field_key
from vitruve.app.parts.labels import ALL, choose_labels, choose_split, split_labels
from vitruve.app.parts.text import verbatim
from vitruve.app.parts.viewer import choose_part, part_length, show_frames
from vitruve.app.place import Place
from vitruve.app.view.labels import chosen, looked_at, looks, shown_labels, split_counts, unseen
from vitruve.structures.labels import Labels


def show(place: Place) -> None:
    """The page."""
    first, others = st.columns([2, 5])
    with first:
        file = choose_labels(place, "labels_2d_file")
    if file is None:
        return
    labels = split_labels(place, file)
    if not len(labels):
        st.info("These labels hold no frame. Label some, or choose others.")
        return
    counts = split_counts(labels)
    key = f"{file.path}:{file.age}"
    sessions = sorted({frame.session for frame in labels if frame.session})
    # In one row: what is below is what is looked at.
    second, third, *fourth = others.columns([2, 3, 3] if len(sessions) > 1 else [1, 2])
    with second:
        split = choose_split(
            place,
            f"labels_2d_split:{key}",
            counts,
            "What is trained on and what measures the training, as the label file says or the settings draw it.",
        )
    with third:
        assert place.project is not None
        ways = [way for way in looks(place.project) if len(labels.skeleton) or not (way.crop or way.center)]
        look = st.selectbox(
            "Show",
            ways,
            key=field_key(place, "labels_2d_look"),
            format_func=lambda way: way.name,
            help="Whole images, or what a network of this project is given.",
        )
    session, views = None, _views(place, labels, key)
    for column in fourth:
        named = column.selectbox("Recording", [ALL, *sessions], key=field_key(place, f"labels_2d_session:{key}"))
        session = None if named == ALL else named
    part = chosen(labels, split, session)
    if not len(part) or look is None:
        st.info("No image of this recording is in this split: choose another one.")
        return
    seen = looked_at(part if views is None else part.views(views), look)
    if hint := unseen(place, seen):
        st.warning(verbatim(hint))
    length = part_length(len(seen.skeleton), len(seen[0].images))
    numbers = choose_part(field_key(place, f"labels_2d_part:{key}"), len(seen), length, "Images")
    frames = shown_labels(place, seen, numbers, look=look)
    show_frames(field_key(place, "labels_2d_viewer"), frames, seen.skeleton, views=seen.view_names or ("",))
    if len(seen.skeleton):
        st.caption(
            "Left and right arrow keys go through the images, ten at a time with shift; the space bar plays them."
        )


def _views(place: Place, labels: Labels, key: str) -> list[int] | None:
    """Some of several cameras; None for all."""
    if len(labels.view_names) < 2:
        return None
    names = st.multiselect(
        "Cameras",
        labels.view_names,
        key=field_key(place, f"labels_2d_views:{key}"),
        placeholder="All cameras",
        wrap=True,
    )
    return [labels.view_names.index(name) for name in names] or None
