"""Detectors: precision and recall, which classes are taken for which, what labels lack, and the worst images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from vitruve.annotation.proposals.judge import MISLOCALISED, MISSING, SPURIOUS, WRONG_CLASS, Finding
from vitruve.app.analysis.detectors import (
    RECALLS,
    Detections,
    detections,
    finding_picture,
    finding_rows,
    findings,
    is_detector,
    over_confidence,
    precision_recall,
    verdict_picture,
)
from vitruve.app.analysis.labelled import OWN, stems_of
from vitruve.app.figures import detectors as drawn
from vitruve.app.figures.colors import colors_of
from vitruve.app.parts.charts import chart
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.links import page_link
from vitruve.app.parts.pictures import nothing_to_show, pictures
from vitruve.app.parts.runs import choose_runs, runs_of
from vitruve.app.parts.text import verbatim
from vitruve.app.parts.theme import is_dark
from vitruve.app.place import Place
from vitruve.app.words import counted
from vitruve.errors import VitruveError
from vitruve.evaluation.boxes_grid import confusion

_STEMS = {OWN: "Training labels", f"{OWN}_new": "New labels", f"{OWN}_test": "Test labels"}
_TABS = ("Precision and recall", "Confusion", "Missing labels", "Worst images")
_IOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_KINDS = {
    MISSING: "Objects that are not labelled",
    WRONG_CLASS: "Labels of another class",
    MISLOCALISED: "Labels that lie elsewhere",
    SPURIOUS: "Labels that nothing confirms",
}
_PICTURES = (24, 48, 96)
_SHOWN = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")
_EVERY = "All classes together"


def show(place: Place) -> None:
    """The page."""
    known = [run for run in runs_of(place) if _finds_boxes(str(run.files.config), run.files.config.stat().st_mtime)]
    if runs_of(place) and not known:
        st.info("The networks of this project find keypoints, not boxes: the page of labelled frames measures them.")
        page_link(place, "analyze_frames", "Labelled frames")
        return
    runs = [run for run in choose_runs(place, "detectors:runs") if run.name in {each.name for each in known}]
    if not runs:
        return
    first, second = st.columns([1, 2])
    stems = list(dict.fromkeys(stem for run in runs for stem in stems_of(run.path)))
    stem = first.selectbox(
        "Images", stems, key=field_key(place, "detectors:images"), format_func=lambda name: _STEMS.get(name, name)
    )
    found: dict[str, Detections] = {}
    stamps: dict[str, str] = {}
    for run in runs:
        try:
            changed = _changed(run.path, stem)
            found[run.name] = _detections(str(run.path), stem, changed)
            stamps[run.name] = f"{run.path}:{stem}:{changed}"
        except VitruveError as error:
            st.warning(verbatim(f"{run.name} is left out: {error}"), icon=":material/warning:")
    if not found:
        return
    there = list(dict.fromkeys(split for each in found.values() for split in each.splits))
    splits = second.multiselect(
        "Splits",
        there,
        [split for split in there if split != "train"],
        key=field_key(place, f"detectors:splits:{stem}"),
        placeholder="All splits",
        help="A network knows the images of 'train' by heart: others say how good it is.",
    )
    _summary(place, found)
    chosen = st.segmented_control(
        "Show", _TABS, default=_TABS[0], key=field_key(place, "detectors:shown"), label_visibility="collapsed"
    )
    if chosen == _TABS[1]:
        _confusion(place, found, splits)
    elif chosen == _TABS[2]:
        _missing(place, found, stamps, splits)
    elif chosen == _TABS[3]:
        _worst(place, found, splits)
    else:
        _curves(place, found, stamps, splits)


def _summary(place: Place, found: dict[str, Detections]) -> None:
    tables = [each.report.summary.assign(run=name) for name, each in found.items()]
    table = pd.concat(tables, ignore_index=True)
    percent: dict[str, Any] = {name: st.column_config.NumberColumn(name, format="%.1f") for name in _SHOWN}
    counted: dict[str, Any] = {"run": "Run", "split": "Split", "images": "Images", "objects": "Objects"}
    columns = counted | percent
    st.dataframe(
        table[list(columns)], hide_index=True, column_config=columns, key=field_key(place, "detectors:summary")
    )
    st.caption("COCO's average precision and recall, in percent; s, m and l are small, medium and large objects.")


def _curves(place: Place, found: dict[str, Detections], stamps: dict[str, str], splits: list[str]) -> None:
    first, second = st.columns([2, 1])
    names = list(dict.fromkeys(name for each in found.values() for name in each.report.names))
    name = first.selectbox("Class", [_EVERY, *names], key=field_key(place, "detectors:class"))
    iou = second.selectbox(
        "Right from an overlap (IoU) of",
        _IOUS,
        key=field_key(place, "detectors:iou"),
        format_func=lambda each: f"{each:g}",
    )
    wanted = "" if name == _EVERY else name
    curves, tables = {}, {}
    for run, each in found.items():
        known = _precision_recall(stamps[run], tuple(splits), each)[min(_IOUS, key=lambda value: abs(value - iou))]
        if wanted in known:
            curves[run] = known[wanted]
        grid = _over_confidence(stamps[run], tuple(splits), iou, wanted, each)
        if grid is not None:
            tables[run] = grid
    if not curves:
        st.info("Nothing of this class is labelled in these images.")
        return
    colors = colors_of(found)
    left, right = st.columns(2)
    left.markdown("**Precision over recall**")
    with left:
        chart(drawn.precision_recall(curves, RECALLS, colors), key=field_key(place, "detectors:curves"))
    right.markdown("**What a threshold on confidence does**")
    with right:
        chart(drawn.over_confidence(tables, colors), key=field_key(place, "detectors:confidence"))
    right.caption("Full lines: precision; dashed: recall; dotted: F1, with a star where it is best.")
    with st.expander("Each class in numbers"):
        classes = [each.report.by_class.assign(run=run) for run, each in found.items()]
        table = pd.concat(classes, ignore_index=True)
        table = table[table["split"].isin(splits or list(table["split"]))]
        st.dataframe(
            table[["run", "split", "class", "objects", "AP", "AP50", "AP75", "VOC30", "VOC50"]], hide_index=True
        )


def _confusion(place: Place, found: dict[str, Detections], splits: list[str]) -> None:
    first, second, third = st.columns([2, 1, 1])
    run = first.selectbox("Run", list(found), key=field_key(place, "detectors:confusion_run"))
    confidence = second.slider("Least confidence", 0.05, 0.95, 0.5, 0.05, key=field_key(place, "detectors:least"))
    iou = third.slider("Least overlap (IoU)", 0.1, 0.95, 0.5, 0.05, key=field_key(place, "detectors:overlap"))
    images = found[run].images(splits)
    table = confusion(images, found[run].report.names, confidence, iou)
    chart(drawn.confusion(table, dark=is_dark()), key=field_key(place, "detectors:confusion"))
    st.caption(
        "A row is what is labelled, a column what it is taken for. **(missed)** are objects without a prediction, "
        "**(nothing)** predictions of nothing that is labelled."
    )
    st.download_button(
        "Table as CSV",
        table.to_csv,
        "confusion.csv",
        "text/csv",
        key=field_key(place, "detectors:confusion_csv"),
        icon=":material/download:",
        on_click="ignore",
    )


def _missing(place: Place, found: dict[str, Detections], stamps: dict[str, str], splits: list[str]) -> None:
    first, second, third, fourth = st.columns([1.6, 1.8, 1.4, 1])
    run = first.selectbox("As seen by", list(found), key=field_key(place, "detectors:judge"))
    kind = second.selectbox(
        "What", list(_KINDS), key=field_key(place, "detectors:kind"), format_func=_KINDS.__getitem__
    )
    score = third.slider("Least confidence", 0.05, 0.95, 0.5, 0.05, key=field_key(place, "detectors:score"))
    count = fourth.selectbox("Pictures", _PICTURES, key=field_key(place, "detectors:count"))
    detected = found[run]
    judged = [
        each
        for each in _findings(stamps[run], score, detected)
        if each.kind == kind and (not splits or detected.report.splits[each.frame] in splits)
    ]
    if not judged:
        st.success(f"{_KINDS[kind]}: none in these images from this confidence on.", icon=":material/check:")
        return
    rows = finding_rows(detected, judged)
    images = rows["image"].nunique()
    st.caption(
        f"{len(judged):,} in {counted(images, 'image')}, the surest first. Full lines are labels, dashed ones the "
        "network's."
    )
    shown = [card for each in judged[:count] if (card := finding_picture(place.workspace, detected, each)) is not None]
    if shown:
        pictures(field_key(place, "detectors:findings"), shown, least=180)
    else:
        nothing_to_show("The images are not there any more, or lie outside the folders of this app.")
    st.download_button(
        "All of them as CSV",
        lambda: rows.to_csv(index=False, float_format="%.3f"),
        f"{kind.replace(' ', '_')}.csv",
        "text/csv",
        key=field_key(place, "detectors:findings_csv"),
        icon=":material/download:",
        on_click="ignore",
    )


def _worst(place: Place, found: dict[str, Detections], splits: list[str]) -> None:
    first, second = st.columns([3, 1])
    run = first.selectbox("Worst of", list(found), key=field_key(place, "detectors:worst"))
    count = second.selectbox("Pictures", (12, 24, 48), key=field_key(place, "detectors:worst_count"))
    detected = found[run]
    worst = detected.report.worst(len(detected.report.pairs))
    if splits:
        worst = worst[worst["split"].isin(splits)]
    if worst.empty:
        st.success("No image with a wrong or a missing box.", icon=":material/check:")
        return
    shown = []
    for row in worst.head(count).to_dict("records"):
        lines = (f"{row['split']}: {row['errors']} wrong, {row['missing']} missed",)
        card = verdict_picture(place.workspace, detected, int(row["frame"]), lines)
        shown += [] if card is None else [card]
    if not shown:
        nothing_to_show("The images are not there any more, or lie outside the folders of this app.")
        return
    st.caption(
        "Predictions of a confidence of at least 0.5: right ones green, wrong ones red; what they miss is orange and "
        "dashed. Click a picture to enlarge it."
    )
    pictures(field_key(place, "detectors:worst_pictures"), shown, least=300)


def _changed(run: Path, stem: str) -> float:
    """When what is read was changed last."""
    return max((path.stat().st_mtime for path in (*run.glob(f"{stem}*"), run / "config.yaml")), default=0.0)


@st.cache_data(max_entries=256, show_spinner=False)
def _finds_boxes(config: str, changed: float) -> bool:
    return is_detector(Path(config))


@st.cache_resource(max_entries=8, show_spinner="Comparing detections with labels")
def _detections(run: str, stem: str, changed: float) -> Detections:
    return detections(Path(run), stem)


@st.cache_resource(max_entries=16, show_spinner="Measuring precision")
def _precision_recall(stamp: str, splits: tuple[str, ...], _detected: Detections) -> dict[float, dict[str, np.ndarray]]:
    return precision_recall(_detected.images(splits), _detected.report.names)


@st.cache_resource(max_entries=32, show_spinner="Trying thresholds")
def _over_confidence(
    stamp: str, splits: tuple[str, ...], iou: float, name: str, _detected: Detections
) -> pd.DataFrame | None:
    names = _detected.report.names
    return None if name and name not in names else over_confidence(_detected.images(splits), names, iou, name)


@st.cache_resource(max_entries=8, show_spinner="Looking for what labels lack")
def _findings(stamp: str, score: float, _detected: Detections) -> list[Finding]:
    return findings(_detected, score)
