"""Predicted videos: what several runs say of the same frames, and where that is worst."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from vitruve.app.analysis.labelled import MEAN
from vitruve.app.analysis.pictures import DOT, Mark, Picture, image_part
from vitruve.app.analysis.videos import (
    DISAGREEMENT,
    common_keypoints,
    disagreement,
    gap,
    joined,
    known_traces,
    series,
    summary,
    worst_frames,
)
from vitruve.app.figures.colors import colors_of
from vitruve.app.figures.labelled import Kind, distribution
from vitruve.app.figures.videos import over_time
from vitruve.app.parts.charts import chart
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.links import page_link
from vitruve.app.parts.pictures import nothing_to_show, pictures
from vitruve.app.parts.text import verbatim
from vitruve.app.place import Place
from vitruve.app.videos.tables import (
    LIKELIHOOD,
    Trace,
    Traces,
    VideoTable,
    by_video,
    find_tables,
    points_in_video,
    read_traces,
    videos_for,
)
from vitruve.errors import VitruveError
from vitruve.structures.labels import ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

_KINDS: dict[Kind, str] = {"box": "Box", "violin": "Violin", "strip": "Strip", "histogram": "Histogram"}
_FIRST_RUNS, _FIRST_ROWS = 3, 3
_PICTURES = (12, 24, 48)


@dataclass(frozen=True, eq=False)
class _Compared:
    """What is looked at.

    Attributes:
        traces: What each run says.
        tables: Where from.
        keypoint: The chosen one, or the mean of all.
        every: All keypoints that the runs have in common.
        frames: The first and the last.
    """

    traces: dict[str, Traces]
    tables: dict[str, VideoTable]
    keypoint: str
    every: list[str]
    frames: tuple[int, int]

    @property
    def several(self) -> bool:
        """Whether runs can disagree."""
        return len(self.traces) > 1

    @property
    def keypoints(self) -> list[str]:
        """Those that count."""
        return self.every if self.keypoint == MEAN else [self.keypoint]

    @cached_property
    def kinds(self) -> dict[str, Trace]:
        """What the runs say, by name: errors first, then confidence, then coordinates."""
        found = {kind.name: kind for kind in known_traces(list(self.traces.values()))}
        return dict(sorted(found.items(), key=lambda item: (not item[1].error, item[0] != LIKELIHOOD)))

    def disagreed(self) -> tuple[int, np.ndarray]:
        """Number of the first frame, and how far the runs are apart in each."""
        start, values = disagreement(list(self.traces.values()), self.keypoints)
        count = np.isfinite(values).sum(1)
        return start, np.where(count > 0, np.nansum(values, 1) / np.maximum(count, 1), np.nan)


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    groups = by_video(find_tables(place.project))
    if not groups:
        st.info("No video is predicted yet: predict some, with one run or better with two.", icon=":material/movie:")
        page_link(place, "predict", "Predict videos")
        return
    first, second = st.columns([1, 2])
    video = first.selectbox(
        "Video", list(groups), key=field_key(place, "analyze_videos:video"), format_func=lambda key: _titled(*key)
    )
    tables = {_label(table, groups[video]): table for table in groups[video]}
    chosen = second.multiselect(
        "Predicted by",
        list(tables),
        list(tables)[:_FIRST_RUNS],
        key=field_key(place, f"analyze_videos:tables:{video}"),
        placeholder="Choose one or several",
        wrap=True,
    )
    traces: dict[str, Traces] = {}
    for name in chosen:
        try:
            traces[name] = _traces(str(tables[name].path), tables[name].dims, tables[name], _changed(tables[name]))
        except VitruveError as error:
            st.warning(verbatim(f"{name} is left out: {error}"), icon=":material/warning:")
    if not traces:
        st.info("Choose above whose predictions are looked at.")
        return
    keypoints = common_keypoints(list(traces.values()))
    if not keypoints:
        st.info("These predictions have no keypoint in common: choose others above.")
        return
    start = min(each.start for each in traces.values())
    last = max(each.start + each.count - 1 for each in traces.values())
    third, fourth = st.columns([1, 2])
    keypoint = third.selectbox("Keypoint", [MEAN, *keypoints], key=field_key(place, f"analyze_videos:keypoint:{video}"))
    frames = (start, last)
    if last > start:
        frames = fourth.slider("Frames", start, last, frames, key=field_key(place, f"analyze_videos:frames:{video}"))
    _shown(place, _Compared(traces, tables, keypoint, keypoints, frames))


def _shown(place: Place, seen: _Compared) -> None:
    names = ["Over time", "Distribution", "Worst frames"]
    chosen = st.segmented_control(
        "Show", names, default=names[0], key=field_key(place, "analyze_videos:shown"), label_visibility="collapsed"
    )
    if chosen == names[1]:
        _spread(place, seen)
    elif chosen == names[2]:
        _worst(place, seen)
    else:
        _over_time(place, seen)


def _over_time(place: Place, seen: _Compared) -> None:
    """Lines over the frames, one plot a value."""
    traces, kinds = seen.traces, seen.kinds
    options = [*kinds, *([DISAGREEMENT] if seen.several else [])]
    rows = st.multiselect(
        "Values",
        options,
        options[:_FIRST_ROWS],
        key=field_key(place, "analyze_videos:values"),
        format_func=lambda name: "Disagreement of these runs" if name == DISAGREEMENT else kinds[name].title,
        wrap=True,
    )
    if not rows:
        st.info("Choose above what is drawn.")
        return
    colors = colors_of(traces)
    lines = []
    for name in rows:
        if name == DISAGREEMENT:
            unit = next(iter(traces.values())).unit
            lines.append((f"Disagreement ({unit})", {_ALL: seen.disagreed()}))
            colors |= {_ALL: "#8c979e"}
        else:
            found = {run: (each.start, series(each, name, seen.keypoint)) for run, each in traces.items()}
            lines.append(
                (kinds[name].axis, {run: (at, values) for run, (at, values) in found.items() if values is not None})
            )
    chart(over_time(lines, colors, seen.frames), key=field_key(place, "analyze_videos:over_time"))
    table = summary(traces, [name for name in rows if name != DISAGREEMENT], seen.keypoints, seen.frames)
    table["value"] = [kinds[name].axis for name in table["value"]] if len(table) else []
    st.dataframe(table, hide_index=True, column_config=_COLUMNS, key=field_key(place, "analyze_videos:summary"))
    page_link(place, "video_traces", "See the video beside its traces")


_ALL = "all of these runs"
_COLUMNS: dict[str, Any] = {
    "run": "Run",
    "value": "Value",
    **{
        name: st.column_config.NumberColumn(title, format="%.2f")
        for name, title in (("mean", "Mean"), ("median", "Median"), ("p95", "95 %"))
    },
    "missing": st.column_config.NumberColumn("Missing", format="%.1f %%"),
}


def _spread(place: Place, seen: _Compared) -> None:
    """How values are spread over the frames."""
    traces, kinds = seen.traces, seen.kinds
    first, second, third = st.columns([1.5, 2.2, 1], vertical_alignment="bottom")
    options = [name for name in kinds if name not in ("x", "y", "z")] or list(kinds)
    name = first.selectbox(
        "Value", options, key=field_key(place, "analyze_videos:value"), format_func=lambda each: kinds[each].title
    )
    kind = second.segmented_control(
        "Drawn as", _KINDS, default="box", key=field_key(place, "analyze_videos:kind"), format_func=_KINDS.__getitem__
    )
    log = third.toggle("Logarithmic", key=field_key(place, "analyze_videos:log"))
    table = joined(traces, name, seen.keypoints, seen.frames)
    if table.empty:
        st.info(f"No {kinds[name].title.lower()} of these frames.")
        return
    figure = distribution(
        table, colors_of(traces), kind=kind or "box", by="keypoint", axis=kinds[name].axis, order=seen.every, log=log
    )
    chart(figure, key=field_key(place, "analyze_videos:distribution"))


def _worst(place: Place, seen: _Compared) -> None:
    """The worst frames as pictures."""
    traces, tables, kinds, frames = seen.traces, seen.tables, seen.kinds, seen.frames
    errors = [name for name in kinds if kinds[name].error]
    options = [*([DISAGREEMENT] if seen.several else []), *errors, *([LIKELIHOOD] if LIKELIHOOD in kinds else [])]
    if not options:
        st.info("Nothing here says how good a frame is: neither confidences nor errors, and only one run.")
        return
    first, second, third, fourth = st.columns([1.6, 1.4, 1.6, 0.8], vertical_alignment="bottom")
    name = first.selectbox(
        "Worst by",
        options,
        key=field_key(place, f"analyze_videos:worst:{seen.several}"),
        format_func=lambda each: "Disagreement of these runs" if each == DISAGREEMENT else kinds[each].title,
    )
    all_runs = name == DISAGREEMENT
    runs = [_ALL] if all_runs else list(traces)
    picked = second.selectbox(
        "Of", runs, key=field_key(place, f"analyze_videos:worst_of:{all_runs}"), disabled=all_runs
    )
    run = next(iter(traces)) if all_runs else picked
    count = fourth.selectbox("Pictures", _PICTURES, key=field_key(place, "analyze_videos:count"))
    found = seen.disagreed() if name == DISAGREEMENT else (traces[run].start, series(traces[run], name, seen.keypoint))
    start, values = found
    if values is None:
        st.info(f"{verbatim(run)} does not know this: choose another value or run.")
        return
    numbers = start + np.arange(len(values))
    values = np.where((numbers >= frames[0]) & (numbers <= frames[1]), values, np.nan)
    apart = gap(len(values), count)
    worst = worst_frames(values, count, apart, rising=name == LIKELIHOOD)
    places = videos_for(place.workspace, place.project, tables[run]) if place.project else {}
    if not places:
        nothing_to_show("The video is not there any more, or lies outside the folders of this app.")
        return
    camera = third.selectbox(
        "Seen in", list(places), key=field_key(place, f"analyze_videos:camera:{tables[run].video}")
    )
    unit = "" if name == LIKELIHOOD else traces[run].unit
    shown = []
    drawn = traces if name == DISAGREEMENT else {run: traces[run]}
    points = {each: points_in_video(tables[each], drawn[each], camera) for each in drawn}
    for index in worst.tolist():
        frame = start + index
        lines = (f"{values[index]:.2f} {unit}".strip(),)
        card = _picture(place, places[camera], frame, drawn, points, seen.keypoint, lines)
        shown += [] if card is None else [card]
    st.caption(f"The worst first; two of them are at least {apart} frames apart. Click a picture to enlarge it.")
    pictures(field_key(place, "analyze_videos:pictures"), shown)


def _picture(
    place: Place,
    video: Path,
    frame: int,
    traces: dict[str, Traces],
    points: dict[str, np.ndarray | None],
    keypoint: str,
    lines: tuple[str, ...],
) -> Picture | None:
    """A frame, with what runs predicted on it."""
    colors = colors_of(traces)
    marks, all_points = [], []
    for run, each in traces.items():
        found, row = points[run], frame - each.start
        if found is None or not 0 <= row < each.count:
            continue
        for name, (x, y) in zip(each.names, found[row].tolist(), strict=True):
            if np.isfinite((x, y)).all() and keypoint in (MEAN, name):
                marks.append(Mark(DOT, x, y, colors[run], name, f"{name}: {run}"))
                all_points.append((x, y))
    labels = Labels(Skeleton(()), (), video.parent)
    around = np.array(all_points, np.float64).reshape(-1, 2)
    image = ImageRef(Path(video.name), frame)
    return image_part(
        place.workspace, labels, image, around, marks, f"Frame {frame}", lines, 0.6 if keypoint != MEAN else 0.2
    )


def _titled(video: str, dims: int) -> str:
    return f"{video} (in space)" if dims == 3 else video


def _label(table: VideoTable, others: list[VideoTable]) -> str:
    """Who made a table; with its file where that alone does not tell."""
    alone = sum(each.made_by == table.made_by for each in others) == 1
    return table.made_by if alone else f"{table.made_by}: {table.path.parent.name}/{table.path.name}"


def _changed(table: VideoTable) -> float:
    beside = table.path.parent.glob(f"{table.path.stem}_*.csv")
    return max([table.changed, *(path.stat().st_mtime for path in beside)])


@st.cache_resource(max_entries=16, show_spinner="Reading predictions")
def _traces(path: str, dims: int, _table: VideoTable, changed: float) -> Traces:
    return read_traces(_table)
