"""Labelled images: how runs differ, keypoint by keypoint, and where each is worst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from vitruve.app.analysis.labelled import (
    MEAN,
    METRICS,
    OWN,
    Measured,
    Metric,
    figures,
    joined,
    known_metrics,
    measure,
    pairs,
    stems_of,
    worst_images,
)
from vitruve.app.analysis.pictures import Picture, image_part, pose_marks
from vitruve.app.figures.colors import colors_of, split_colors
from vitruve.app.figures.labelled import Kind, distribution
from vitruve.app.parts.charts import chart
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.links import page_link
from vitruve.app.parts.pictures import Point, nothing_to_show, pictures, scatter
from vitruve.app.parts.runs import choose_runs
from vitruve.app.parts.text import verbatim
from vitruve.app.place import Place
from vitruve.app.words import counted
from vitruve.errors import VitruveError
from vitruve.evaluation.report import ordered

_STEMS = {OWN: "Training labels", f"{OWN}_new": "New labels", f"{OWN}_test": "Test labels"}
_KINDS: dict[Kind, str] = {"box": "Box", "violin": "Violin", "strip": "Strip", "histogram": "Histogram"}
_BESIDE = {"keypoint": "Keypoints", "split": "Splits", "run": "Runs"}
_PICTURES = (12, 24, 48)
_MOST_POINTS = 6000
_MOST_CARDS = 1500


def show(place: Place) -> None:
    """The page."""
    runs = choose_runs(place, "analyze_frames:runs")
    if not runs:
        return
    stems = list(dict.fromkeys(stem for run in runs for stem in stems_of(run.path)))
    first, second, third, fourth = st.columns([1.1, 1.2, 2, 1.4])
    stem = first.selectbox("Images", stems, key=field_key(place, "analyze_frames:images"), format_func=_stem_title)
    measured: dict[str, Measured] = {}
    for run in runs:
        try:
            measured[run.name] = _measured(str(run.path), stem, _changed(run.path, stem))
        except VitruveError as error:
            st.warning(verbatim(f"{run.name} is left out: {error}"), icon=":material/warning:")
    if not measured:
        page_link(place, "detectors", "Detectors")
        return
    metrics = known_metrics([each.table for each in measured.values()])
    if not metrics:
        st.info("Nothing is known of these predictions: there are neither labels to compare them with nor confidences.")
        return
    name = second.selectbox(
        "Metric",
        [metric.name for metric in metrics],
        key=field_key(place, "analyze_frames:metric"),
        format_func=lambda each: METRICS[each].title,
        help="\n".join(f"- **{metric.title}**: {metric.help}" for metric in metrics),
    )
    metric = METRICS[name]
    known = list(dict.fromkeys(name for each in measured.values() for name in each.report.keypoints))
    keypoints = third.multiselect(
        "Keypoints", [MEAN, *known], key=field_key(place, "analyze_frames:keypoints"), placeholder="All keypoints"
    )
    if MEAN in keypoints:
        keypoints = [MEAN]
    there = ordered(split for each in measured.values() for split in each.table["split"])
    splits = fourth.multiselect(
        "Splits", there, key=field_key(place, "analyze_frames:splits"), placeholder="All splits"
    )
    table = joined(measured, name, keypoints=keypoints, splits=splits)
    if table.empty:
        st.info(f"No value of {metric.title.lower()} for these keypoints and splits: choose others above.")
        return
    _tabs(place, metric, measured, table)


def _tabs(place: Place, metric: Metric, measured: dict[str, Measured], table: pd.DataFrame) -> None:
    names = ["Distribution", "Run against run", "Worst frames"]
    chosen = st.segmented_control(
        "Show", names, default=names[0], key=field_key(place, "analyze_frames:shown"), label_visibility="collapsed"
    )
    colors = colors_of(measured)
    if chosen == names[1]:
        _against(place, metric, measured, table, colors)
    elif chosen == names[2]:
        _worst(place, metric, measured, table, colors)
    else:
        keypoints = [name for each in measured.values() for name in each.report.keypoints]
        _spread(place, metric, table, colors, [*keypoints, *ordered(table["split"]), *measured])
        _people(measured)


def _people(measured: dict[str, Measured]) -> None:
    """How well people were found, for runs that find any number of them."""
    found = {name: each.report.people.average_precision for name, each in measured.items() if each.report.people}
    if found:
        st.markdown("**How many are found** (average precision by object keypoint similarity, in percent)")
        tables = [table.assign(run=name) for name, table in found.items()]
        table = pd.concat(tables, ignore_index=True)
        st.dataframe(table[["run", *(name for name in table if name != "run")]], hide_index=True)


def _spread(place: Place, metric: Metric, table: pd.DataFrame, colors: dict[str, str], order: list[str]) -> None:
    """Distributions, and what they amount to."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Drawn as",
            _KINDS,
            default="box",
            key=field_key(place, "analyze_frames:kind"),
            format_func=_KINDS.__getitem__,
        )
        by = st.segmented_control(
            "Beside one another",
            _BESIDE,
            default="keypoint",
            key=field_key(place, "analyze_frames:by"),
            format_func=_BESIDE.__getitem__,
        )
        threshold = st.number_input(
            f"Threshold{' (px)' if metric.unit else ''}",
            0.0,
            None if metric.unit else 1.0,
            None,
            key=field_key(place, f"analyze_frames:threshold:{metric.name}"),
            placeholder="None",
            help="Draws a line, and counts the share of keypoints on the better side of it.",
            width=150,
        )
        log = st.toggle("Logarithmic", key=field_key(place, "analyze_frames:log"))
    figure = distribution(
        table,
        colors,
        kind=kind or "box",
        by=by or "keypoint",
        axis=metric.axis,
        order=order,
        log=log,
        threshold=threshold,
    )
    chart(figure, key=field_key(place, "analyze_frames:distribution"))
    st.dataframe(
        figures(table, threshold, rising=metric.rising),
        hide_index=True,
        column_config=_columns(metric, threshold),
        key=field_key(place, "analyze_frames:figures"),
    )
    st.download_button(
        "Values as CSV",
        lambda: table.drop(columns="frame").to_csv(index=False, float_format="%.4f"),
        f"{metric.name}.csv",
        "text/csv",
        key=field_key(place, "analyze_frames:download"),
        icon=":material/download:",
        on_click="ignore",
    )


def _against(
    place: Place, metric: Metric, measured: dict[str, Measured], table: pd.DataFrame, colors: dict[str, str]
) -> None:
    """One run against another, with the image under the pointer."""
    if len(measured) < 2:
        st.info("Choose at least two runs above to compare them keypoint by keypoint.")
        return
    first, second, third = st.columns([2, 2, 1], vertical_alignment="bottom")
    one = first.selectbox("To the right", list(measured), 0, key=field_key(place, "analyze_frames:right"))
    other = second.selectbox(
        "Upwards", [name for name in measured if name != one], key=field_key(place, "analyze_frames:up")
    )
    log = third.toggle("Logarithmic", key=field_key(place, "analyze_frames:log_against"))
    both = pairs(table, one, other)
    if both.empty:
        st.info("These runs have no keypoint of an image in common: they were trained with other labels.")
        return
    away = (both["first"] - both["second"]).abs()
    if len(both) > _MOST_POINTS:
        st.caption(f"The {_MOST_POINTS:,} of {len(both):,} keypoints in which the runs differ most.")
    both = both.loc[away.sort_values(ascending=False, kind="stable").index[:_MOST_POINTS]]
    worse = (both["second"] > both["first"]) != metric.rising
    st.caption(
        f"{counted(len(both), 'keypoint')}; in {100 * worse.mean():.0f} % of them **{other}** is worse than **{one}**. "
        "Below the line, the run upwards has less. Rest on a point to see it, click to enlarge, drag to look closer, "
        "double-click to see all; with the keyboard, left and right go through the points that differ most."
    )
    cards: dict[tuple[str, str], int] = {}
    shown: list[Picture] = []
    for image, view in dict.fromkeys(zip(both["image"], both["view"], strict=True)):
        card = None if len(shown) >= _MOST_CARDS else _picture(place, measured, colors, one, image, view, (one, other))
        cards[image, view] = -1 if card is None else len(shown)
        shown += [] if card is None else [card]
    groups = split_colors(ordered(both["split"]))
    numbers = {name: number for number, name in enumerate(groups)}
    scatter(
        field_key(place, "analyze_frames:against"),
        [
            Point(row["first"], row["second"], cards[row["image"], row["view"]], row["keypoint"], numbers[row["split"]])
            for row in both.to_dict("records")
        ],
        shown,
        groups=groups,
        axes=(f"{one}: {metric.axis}", f"{other}: {metric.axis}"),
        unit=metric.unit,
        log=log,
    )


def _worst(
    place: Place, metric: Metric, measured: dict[str, Measured], table: pd.DataFrame, colors: dict[str, str]
) -> None:
    """The worst images of a run, as pictures."""
    first, second, third = st.columns([2, 1, 1.4], vertical_alignment="bottom")
    run = first.selectbox("Worst of", list(dict.fromkeys(table["run"])), key=field_key(place, "analyze_frames:worst"))
    count = second.selectbox("Pictures", _PICTURES, key=field_key(place, "analyze_frames:count"))
    every = third.toggle(
        "Also the other runs", key=field_key(place, "analyze_frames:every"), disabled=len(measured) < 2
    )
    worst = worst_images(table, run, count, rising=metric.rising)
    shown = []
    for row in worst.to_dict("records"):
        named = f"{row['keypoint']} {_said(row['extreme'], metric)}"
        lines = [
            f"{row['split']}: mean {_said(row['value'], metric)}",
            f"worst: {named}" if row["keypoint"] != MEAN else "",
        ]
        card = _picture(
            place, measured, colors, run, row["image"], row["view"], tuple(measured) if every else (run,), lines
        )
        shown += [] if card is None else [card]
    if not shown:
        nothing_to_show("The images are not there any more, or lie outside the folders of this app.")
    else:
        st.caption("Rings are labels, dots are predictions. Click a picture to enlarge it.")
        pictures(field_key(place, "analyze_frames:pictures"), shown)
    with st.expander("As a table"):
        st.dataframe(worst.drop(columns="frame"), hide_index=True)


def _picture(
    place: Place,
    measured: dict[str, Measured],
    colors: dict[str, str],
    run: str,
    image: str,
    view: str,
    drawn: tuple[str, ...],
    lines: list[str] | None = None,
) -> Picture | None:
    marks, points = pose_marks({name: measured[name] for name in drawn}, colors, image, view)
    number = measured[run].places.get((image, view))
    if number is None:
        return None
    frame, at = number
    truth = measured[run].report.truth
    title = f"{image} ({view})" if view else image
    return image_part(
        place.workspace, truth, truth[frame].images[at], points, marks, title, [line for line in lines or [] if line]
    )


def _said(value: float, metric: Metric) -> str:
    return f"{value:.2f} {metric.unit}".strip()


def _columns(metric: Metric, threshold: float | None) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    titles = {"mean": "Mean", "median": "Median", "p90": "90 %", "p95": "95 %", "p10": "10 %", "p5": "5 %"}
    columns: dict[str, Any] = {
        name: number(f"{title} ({metric.unit})" if metric.unit else title, format="%.2f")
        for name, title in titles.items()
    }
    better = "at least" if metric.rising else "within"
    columns["good"] = number(f"{better} {0 if threshold is None else threshold:g}", format="%.1f %%")
    return columns | {"run": "Run", "split": "Split", "keypoints": "Keypoints"}


def _stem_title(stem: str) -> str:
    return _STEMS.get(stem, stem)


def _changed(run: Path, stem: str) -> float:
    """When what is read was changed last."""
    return max((path.stat().st_mtime for path in (*run.glob(f"{stem}*"), run / "config.yaml")), default=0.0)


@st.cache_resource(max_entries=24, show_spinner="Comparing predictions with labels")
def _measured(run: str, stem: str, changed: float) -> Measured:
    return measure(Path(run), stem)
