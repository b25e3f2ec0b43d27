"""Labels of calibrated cameras in space: how well the views agree, and the skeleton from all sides."""

from __future__ import annotations

import streamlit as st

from vitruve.app.labels import LabelFile
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.labels import choose_labels, choose_split, labels_in
from vitruve.app.parts.links import page_link
from vitruve.app.parts.text import verbatim
from vitruve.app.parts.viewer import choose_part, part_length, show_frames
from vitruve.app.place import Place
from vitruve.app.view.labels import in_space, is_calibrated, shown_labels, split_counts, unseen
from vitruve.curation.statistics import NO_SPLIT
from vitruve.structures.labels import Labels
from vitruve.visualize.scene3d import upright

_IN_ORDER, _WORST = "as recorded", "worst first"


def show(place: Place) -> None:
    """The page."""
    first, second, third = st.columns([2, 1, 1])
    with first:
        file = choose_labels(place, "labels_3d_file")
    if file is None:
        return
    labels = labels_in(file)
    if not is_calibrated(labels):
        st.info(
            "These labels are not of calibrated cameras, so there is nothing in space. Choose a training set of "
            "several calibrated cameras above; the images themselves are shown under Labels 2D."
        )
        page_link(place, "labels_2d", "Labels 2D")
        return
    counts = split_counts(labels)
    key = f"{file.path}:{file.age}"
    with second:
        split = choose_split(place, f"labels_3d_split:{key}", counts)
    with third:
        order = st.selectbox(
            "Order",
            [_IN_ORDER, _WORST],
            key=field_key(place, "labels_3d_order"),
            help="Worst first: framesets with the largest distance between a label and where the camera sees the point "
            "in space. A distance of several pixels is a wrong label, or a camera that is not calibrated well.",
        )
    solid, worst = _solid(file, file.age)
    numbers = worst if order == _WORST else list(range(len(solid)))
    numbers = [n for n in numbers if split in (None, solid[n].split or NO_SPLIT)]
    if hint := unseen(place, solid):
        st.warning(verbatim(hint))
    views = len(solid.view_names)
    length = part_length(len(solid.skeleton), views, reprojected=True, in_space=True)
    part = choose_part(field_key(place, f"labels_3d_part:{key}"), len(numbers), length, "Framesets")
    frames = shown_labels(place, solid, [numbers[n] for n in part], space=True)
    up = upright(solid.cameras[solid[numbers[0]].session])
    show_frames(field_key(place, "labels_3d_viewer"), frames, solid.skeleton, views=solid.view_names, up=up.tolist())


@st.cache_resource(max_entries=4, show_spinner="Finding the points in space")
def _solid(file: LabelFile, age: int) -> tuple[Labels, list[int]]:
    return in_space(labels_in(file))
