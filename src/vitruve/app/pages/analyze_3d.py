"""Points in space: analyses made as jobs, their errors beside one another, and the worst framesets in every view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from vitruve.algorithms import registry
from vitruve.app.analysis.space import (
    SPLITS,
    Method,
    analysis_arguments,
    chosen,
    figures,
    find_analyses,
    frames_by_name,
    methods_of,
    short_name,
    view_pictures,
    worst_framesets,
)
from vitruve.app.figures import space as drawn
from vitruve.app.figures.colors import colors_of
from vitruve.app.parts.charts import chart
from vitruve.app.parts.fields import field_key
from vitruve.app.parts.jobs import jobs_of, show_command, show_job, submit, submitting
from vitruve.app.parts.links import page_link
from vitruve.app.parts.pictures import nothing_to_show, pictures
from vitruve.app.parts.runs import choose_run, no_runs, runs_of
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.place import Place
from vitruve.app.projects import RIG, RunEntry
from vitruve.app.words import counted
from vitruve.config.schema import Config
from vitruve.errors import VitruveError
from vitruve.formats.hub import read_labels
from vitruve.pipeline.compare_3d import read_figures
from vitruve.project import Stage
from vitruve.structures.labels import Labels
from vitruve.visualize.scene3d import upright

_KIND = "analyze"
_TRUTH = "truth"
_OPEN = 2
_PICTURES = 12
_COLUMNS: dict[str, Any] = {
    "method": "Method",
    "framesets": "Framesets",
    "keypoints": "Keypoints",
    "missed": "Missed",
    **{
        name: st.column_config.NumberColumn(title, format="%.2f")
        for name, title in (("mpjpe_mm", "Mean (mm)"), ("median_mm", "Median"), ("p90_mm", "90 %"), ("p95_mm", "95 %"))
    },
    **{
        f"pck3d_{limit}mm_percent": st.column_config.NumberColumn(f"within {limit} mm", format="%.1f %%")
        for limit in (2, 5, 10, 20)
    },
}


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    runs = _runs_in_space(place)
    found = find_analyses(place.project)
    if not runs and not found:
        _nothing(place)
        return
    with st.expander("Analyse labelled framesets", expanded=not found, icon=":material/straighten:"):
        _form(place, runs)
    for job in [job for job in jobs_of(place, _KIND) if job.active or job.message]:
        show_job(place, job, "analyze_3d")
    if not found:
        st.info("No analysis yet: start one above. Its errors are then shown here.", icon=":material/straighten:")
        return
    names = {place.name(folder): folder for folder in found}
    first, second = st.columns([3, 2])
    folders = first.multiselect(
        "Analyses",
        list(names),
        list(names)[:_OPEN],
        key=field_key(place, "analyze_3d:analyses"),
        format_func=short_name,
        wrap=True,
    )
    if not folders:
        st.info("Choose above which analyses are compared.")
        return
    methods = methods_of({short_name(name): names[name] for name in folders})
    known = list(dict.fromkeys(name for each in methods for name in each.report.skeleton.names))
    keypoints = second.multiselect(
        "Keypoints", known, key=field_key(place, "analyze_3d:keypoints"), placeholder="All keypoints", wrap=True
    )
    _figures(place, methods, keypoints)


def _figures(place: Place, methods: list[Method], keypoints: list[str]) -> None:
    names = ["All keypoints", "Each keypoint", "Cameras and bones", "Worst framesets"]
    first, second = st.columns([3, 1], vertical_alignment="bottom")
    shown = first.segmented_control(
        "Show", names, default=names[0], key=field_key(place, "analyze_3d:shown"), label_visibility="collapsed"
    )
    colors = colors_of(each.name for each in methods)
    if shown == names[3]:
        _worst(place, methods, keypoints, colors)
        return
    if shown == names[2]:
        _cameras(place, methods)
        return
    cutoff = second.number_input(
        "Cutoff (mm)",
        0.1,
        None,
        None,
        key=field_key(place, "analyze_3d:cutoff"),
        placeholder="Automatic",
        help="Larger errors, and missed keypoints, are in the last bin.",
    )
    if shown == names[1]:
        _each_keypoint(place, methods, keypoints, colors, cutoff)
        return
    errors = {each.name: chosen(each, keypoints) for each in methods}
    chart(drawn.histogram(errors, colors, cutoff), key=field_key(place, "analyze_3d:histogram"))
    table = figures(methods, keypoints)
    st.dataframe(table, hide_index=True, column_config=_COLUMNS, key=field_key(place, "analyze_3d:figures"))
    chart(drawn.within_distance(errors, colors, cutoff), key=field_key(place, "analyze_3d:within"))
    for folder, count in {each.folder: len(each.report.names) for each in methods}.items():
        lost = read_figures(folder).get("not_located", {}).get("count", 0)
        if lost:
            name = verbatim(short_name(place.name(folder)))
            st.caption(f"{name}: in {counted(lost, 'frameset')} beside these {count} nothing was found.")


def _each_keypoint(
    place: Place, methods: list[Method], keypoints: list[str], colors: dict[str, str], cutoff: float | None
) -> None:
    listed = methods[0].report.skeleton.names
    others = [each for each in methods if each.report.skeleton.names != listed]
    if others:
        st.warning(f"{verbatim(others[0].name)} has other keypoints and is left out.", icon=":material/warning:")
    same = [each for each in methods if each not in others]
    names = [name for name in listed if not keypoints or name in keypoints]
    errors = {each.name: chosen(each, keypoints) for each in same}
    which = st.segmented_control(
        "Bars are", ["Mean", "Median"], default="Mean", key=field_key(place, "analyze_3d:bars")
    )
    found = {name: np.ma.masked_invalid(values) for name, values in errors.items()}
    middle = np.ma.median if which == "Median" else np.ma.mean
    bars = {name: np.ma.filled(middle(values, 0).astype(float), np.nan) for name, values in found.items()}
    title = f"{which or 'Mean'} error (mm)"
    chart(drawn.keypoint_bars(bars, names, colors, title), key=field_key(place, "analyze_3d:keypoint_bars"))
    chart(
        drawn.keypoint_histograms(errors, names, colors, cutoff), key=field_key(place, "analyze_3d:keypoint_histograms")
    )


def _cameras(place: Place, methods: list[Method]) -> None:
    """What the analyses have written of cameras and bones."""
    for number, folder in enumerate(dict.fromkeys(each.folder for each in methods)):
        said = read_figures(folder)
        st.subheader(verbatim(short_name(place.name(folder))))
        if not said:
            st.caption("This analysis holds points alone.")
            continue
        st.caption(verbatim(", ".join(f"{key}: {said[key]}" for key in ("Run", "Labels", "Cameras") if key in said)))
        left, right = st.columns(2)
        for column, name, title in (
            (left, "per_camera_count", "Cameras in which the keypoint is labelled"),
            (right, "with_fewer_cameras", "Cameras given to the methods"),
        ):
            rows = said.get(name) or []
            if len({row["cameras"] for row in rows}) > 1:
                key = field_key(place, f"analyze_3d:{name}:{number}")
                with column:
                    chart(drawn.over_cameras(rows, title), key=key)
        # Each has more columns than half of a narrow window shows.
        if said.get("reprojection_errors"):
            st.markdown("**Distance from the labels in the images**")
            st.dataframe(said["reprojection_errors"], hide_index=True, column_config=_PIXELS)
        if said.get("bones"):
            st.markdown("**Lengths of bones**")
            st.dataframe(said["bones"], hide_index=True, column_config=_BONES)


_PIXELS: dict[str, Any] = {
    "method": "Method",
    "view": "Camera",
    "points": "Points",
    **{
        name: st.column_config.NumberColumn(title, format="%.2f")
        for name, title in (("mean_px", "Mean (px)"), ("median_px", "Median (px)"), ("p95_px", "95 % (px)"))
    },
}
_BONES: dict[str, Any] = {
    "method": "Method",
    "bone": "Bone",
    "mean_mm": st.column_config.NumberColumn("Mean (mm)", format="%.2f"),
    "count": "Framesets",
    "std_mm": st.column_config.NumberColumn("Deviation (mm)", format="%.2f"),
    "coefficient": st.column_config.NumberColumn("Deviation / mean", format="%.3f"),
}


def _worst(place: Place, methods: list[Method], keypoints: list[str], colors: dict[str, str]) -> None:
    """The worst framesets of a method, and one of them in every view and in space."""
    by_name = {each.name: each for each in methods}
    first, second = st.columns([2, 2])
    name = first.selectbox("Worst of", list(by_name), key=field_key(place, "analyze_3d:worst"))
    method = by_name[name]
    worst = worst_framesets(method, _PICTURES, keypoints)
    if worst.empty:
        st.info("None of these keypoints has a truth here.")
        return
    rows = {row["frameset"]: row for row in worst.to_dict("records")}

    def said(frameset: str) -> str:
        row = rows[frameset]
        lost = f", {row['missed']} missed" if row["missed"] else ""
        return f"{frameset}: mean {row['mean_mm']:.2f} mm, {row['worst_keypoint']} {row['worst_mm']:.2f} mm{lost}"

    frameset = second.selectbox(
        "Frameset", list(rows), key=field_key(place, f"analyze_3d:frameset:{name}"), format_func=said
    )
    compared = [each for each in methods if frameset in each.report.names]
    st.dataframe(
        worst.drop(columns="number"),
        hide_index=True,
        height=200,
        column_config={
            "frameset": "Frameset",
            "missed": "Missed",
            "mean_mm": st.column_config.NumberColumn("Mean (mm)", format="%.2f"),
            "worst_keypoint": "Worst keypoint",
            "worst_mm": st.column_config.NumberColumn("its error (mm)", format="%.2f"),
        },
    )
    number = method.report.names.index(frameset)
    labels = _labels(place)
    frame = None if labels is None else frames_by_name(labels).get(frameset)
    left, right = st.columns([3, 2])
    with left:
        shown = []
        if labels is not None and frame is not None:
            shown = view_pictures(place.workspace, labels, frame, compared, colors, keypoints)
        if shown:
            st.caption("Rings are labels, dots the points as the camera sees them. Click a picture to enlarge it.")
            pictures(field_key(place, "analyze_3d:views"), shown, least=180)
        else:
            nothing_to_show(
                "The images of this frameset are not there any more, or lie outside the folders of this app."
            )
    with right:
        poses = {_TRUTH: method.report.truth[number]}
        poses |= {each.name: each.points[each.report.names.index(frameset)] for each in compared}
        skeleton = method.report.skeleton if labels is None else labels.skeleton
        rig = () if labels is None or frame is None else labels.cameras.get(frame.session, ())
        up = upright(rig) if rig else np.array([0.0, 0.0, 1.0])
        if skeleton.names != method.report.skeleton.names:
            skeleton = method.report.skeleton
        poses = {each: points for each, points in poses.items() if len(points) == len(skeleton)}
        figure = drawn.skeletons(poses, skeleton, colors | {_TRUTH: drawn.TRUTH_COLOR}, up)
        chart(figure, key=field_key(place, "analyze_3d:skeletons"))


def _form(place: Place, runs: list[RunEntry]) -> None:
    """What is analysed, and the button that starts it."""
    assert place.project is not None
    if not runs:
        no_runs(place, stage=str(Stage.HYBRID) if place.project.kind == RIG else "")
        return
    rig = place.project.kind == RIG
    first, second, third = st.columns(3)
    with first:
        names = {run.name: run for run in runs}
        run = names[st.selectbox("Network in space", list(names), key=field_key(place, "analyze_3d:run"))]
    locator: RunEntry | None = None
    with second:
        if rig:
            locator = choose_run(
                place,
                "analyze_3d:locator",
                label="Finds the animal",
                stage=str(Stage.CENTER),
                latest=True,
                address=False,
            )
    split = third.selectbox(
        "Framesets", SPLITS, key=field_key(place, "analyze_3d:split"), format_func=_SPLITS.__getitem__
    )
    labels = _label_source(place, run)
    if labels is None:
        return
    try:
        views = _read(str(labels), _changed(labels)).view_names
    except VitruveError as error:
        show_error(error)
        return
    fourth, fifth = st.columns([3, 1], vertical_alignment="bottom")
    cameras = fourth.multiselect(
        "Cameras that the run may see",
        views,
        key=field_key(place, "analyze_3d:cameras"),
        placeholder="All cameras",
        wrap=True,
    )
    every = fifth.toggle("Also with fewer", key=field_key(place, "analyze_3d:every"), help="With 2, 3, ... cameras.")
    few = len(cameras) == 1
    if few:
        st.error("Points in space need at least two cameras: choose another one, or none for all.")
    arguments, _ = analysis_arguments(
        place.project,
        run,
        labels,
        locator=None if locator is None else locator.path,
        cameras=cameras,
        split=split,
        every_count=every,
    )
    if st.button(
        "Analyse", type="primary", icon=":material/play_arrow:", disabled=few, key=field_key(place, "analyze_3d:go")
    ):
        with submitting():
            submit(place, arguments, title=f"Analyse {run.name}", kind=_KIND, run=str(run.path))
        st.rerun()
    show_command(arguments)


_SPLITS = {"validation": "Validation", "train": "Training", "test": "Test", "all": "All"}


def _runs_in_space(place: Place) -> list[RunEntry]:
    """Finished runs whose network gives points in space."""
    assert place.project is not None
    if place.project.kind == RIG:
        return runs_of(place, stage=str(Stage.HYBRID))
    return [run for run in runs_of(place) if _sees_views(str(run.files.config), run.files.config.stat().st_mtime)]


def _nothing(place: Place) -> None:
    assert place.project is not None
    if place.project.kind == RIG:
        st.info("No network in space is trained yet: train HybridNet, or all networks in order.")
        page_link(place, "train", "Train")
    else:
        st.info(
            "Errors in space are of projects with several calibrated cameras; this one has none. "
            "Its errors in the images are on the page of labelled frames."
        )
        page_link(place, "analyze_frames", "Labelled frames")


def _label_source(place: Place, run: RunEntry) -> Path | None:
    """The labels that framesets are from; says what is wrong where there are none."""
    assert place.project is not None
    try:
        if place.project.kind == RIG:
            return place.project.rig.dataset("3D")
        files = Config.load(run.files.config).data.label_files()
        return files[0] if len(files) == 1 else files[0].parent
    except VitruveError as error:
        show_error(error)
        return None


def _labels(place: Place) -> Labels | None:
    """Those of the project's training set; None where they cannot be read."""
    assert place.project is not None
    try:
        if place.project.kind == RIG:
            source = place.project.rig.dataset("3D")
        else:
            runs = _runs_in_space(place)
            found = _label_source(place, runs[0]) if runs else None
            if found is None:
                return None
            source = found
        return _read(str(source), _changed(source))
    except VitruveError:
        return None


def _changed(source: Path) -> float:
    """When labels were changed last."""
    files = [source] if source.is_file() else [*source.glob("*.csv"), *source.glob("annotations/*.json")]
    return max((file.stat().st_mtime for file in files), default=0.0)


@st.cache_resource(max_entries=4, show_spinner="Reading labels")
def _read(source: str, changed: float) -> Labels:
    return read_labels(Path(source))


@st.cache_data(max_entries=256, show_spinner=False)
def _sees_views(config: str, changed: float) -> bool:
    needs = registry.get(Config.load(config).model.model_type).needs
    return needs.cameras or needs.truth_3d
