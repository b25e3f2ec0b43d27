"""The forms that begin a prediction: of one network's poses or boxes, or of a rig's networks."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.jobs import show_command, submit
from vitruve.app.parts.runs import choose_run, no_runs, runs_of
from vitruve.app.parts.sources import choose_source, length_of
from vitruve.app.parts.text import verbatim
from vitruve.app.place import Place
from vitruve.app.prediction.command import ALL, PosePrediction, RigPrediction, check_frames
from vitruve.app.projects import RunEntry
from vitruve.app.sources import Kind, Source
from vitruve.app.words import counted
from vitruve.errors import ConfigError, InputError
from vitruve.inference.jobs import FORMATS
from vitruve.media.recordings import videos_of_cameras
from vitruve.pipeline.draw_videos import usual_look
from vitruve.pipeline.rig_recording import find_cameras
from vitruve.project import Project, Stage
from vitruve.project.folder import LATEST, is_finished

PREDICT = "predict"
"""Kind of these jobs."""

SPACE, IMAGE = "3D: a recording", "2D: one video"
_AS_SET = "as the run's settings say"
_RUNTIMES = ("torch", "torch_bf16", "onnx", "openvino", "openvino_bf16", "auto")
_VIDEOS = (Kind.VIDEO, Kind.VIDEOS)


def poses_form(place: Place) -> None:
    """Fields of a prediction with one network, and the button that begins it.

    Args:
        place: A project of kind ``poses`` must be open.
    """
    run = choose_run(place, "predict:run", latest=True, help="The network that predicts.")
    if run is None:
        return
    source = choose_source(place, "predict:source")
    of_video = source is None or source.kind in _VIDEOS
    start, number = _frames(place, of_video)
    drawn = st.toggle(
        "Draw a labelled video",
        **typed(place, "predict:drawn", True),
        disabled=not of_video,
        help="A copy of the video with the keypoints in it, to look at below.",
    )
    with st.expander("More", icon=":material/tune:"):
        usual = usual_look(run.path).threshold
        threshold = st.number_input(
            "Confidence from which keypoints are drawn",
            0.0,
            1.0,
            step=0.05,
            disabled=not drawn,
            help="It begins with what the settings of the run say.",
            **typed(place, f"predict:threshold:{run.name}", usual),
        )
        formats = st.multiselect(
            "Tables",
            FORMATS,
            help="CSV is always written; coco is COCO's json.",
            **typed(place, "predict:formats", ["csv"]),
        )
        smooth = bool(run.files.members()) and st.toggle("Smooth over time", **typed(place, "predict:smooth", False))
        runtime = _runtime(place)
        overwrite = st.toggle(
            "Predict again what is there",
            **typed(place, "predict:overwrite", False),
            help="Otherwise finished predictions stay as they are, and unfinished ones go on.",
        )
    if source is None:
        _button(place, "")
        return
    wanted = PosePrediction(
        run.path,
        source.path,
        start,
        number,
        labeled_video=drawn and of_video,
        threshold=None if threshold == usual else threshold,
        formats=tuple(dict.fromkeys(["csv", *formats])),
        smooth=smooth,
        runtime=runtime,
        overwrite=overwrite,
    )
    what = _amount(source, start, number)
    if _button(place, what):
        tables = wanted.tables()
        submit(
            place,
            wanted.arguments,
            title=f"Predict {source.path.name}{_range(start, number)} with {run.name}",
            kind=PREDICT,
            run=str(run.path),
            tables="\n".join(str(table) for table, _ in tables),
            videos="\n".join(str(video or "") for _, video in tables),
        )
        st.rerun()
    show_command(wanted.arguments)


def rig_form(place: Place) -> None:
    """Fields of a prediction with the networks of a rig, and the button that begins it.

    Args:
        place: A project of kind ``rig`` must be open.
    """
    assert place.project is not None
    project = place.project.rig
    what = st.segmented_control(
        "What",
        [SPACE, IMAGE],
        required=True,
        label_visibility="collapsed",
        **typed(place, "predict:what", SPACE),
    )
    space = what != IMAGE
    stage = Stage.HYBRID if space else Stage.KEYPOINT
    network = _weights(place, stage)
    center = _weights(place, Stage.CENTER)
    if network is None or center is None:
        no_runs(place, stage=str(stage if network is None else Stage.CENTER))
        return
    label = "Recording: a folder with one video a camera" if space else "Video"
    source = choose_source(place, f"predict:source:{stage}", (Kind.VIDEOS,) if space else (Kind.VIDEO,), label=label)
    start, number = _frames(place, True)
    dataset, cameras = _cameras(place, source) if space else ("", ())
    with st.expander("More", icon=":material/tune:"):
        shortest = space and st.toggle(
            "Go on to the end of the shortest video",
            help="Where the videos differ in length.",
            **typed(place, "predict:shortest", False),
        )
        smooth = space and st.toggle("Also write smoothed points", **typed(place, "predict:smooth", False))
        column = st.toggle("Begin the rows with the number of the frame", **typed(place, "predict:column", False))
        runtime = _runtime(place)
    if source is None:
        _button(place, "")
        return
    wanted = RigPrediction(
        project.path,
        source.path,
        space,
        center,
        network,
        start,
        number,
        dataset,
        cameras,
        shortest,
        smooth,
        column,
        runtime,
    )
    if _button(place, _amount(source, start, number)):
        submit(
            place,
            wanted.arguments,
            title=f"Predict {source.path.name}{_range(start, number)} in {'3D' if space else '2D'}",
            kind=PREDICT,
            run=str(project.run(stage, network)),
            parent=str(wanted.parent),
            source=str(source.path),
            dataset=dataset,
        )
        st.rerun()
    show_command(wanted.arguments)


def calibrated(project: Project, recording: Path, dataset: str) -> list[str]:
    """Names of the cameras that a recording can be predicted with.

    Args:
        project: The project.
        recording: The folder of the videos.
        dataset: Whose calibration counts; empty for the only one.

    Returns:
        Those that are calibrated and have a video.

    Raises:
        InputError: There is no calibration, or it is not as it should be.
    """
    cameras, _ = find_cameras(dataset or None, recording, training_set(project))
    videos = videos_of_cameras(recording)
    return [name for name in cameras if name in videos]


def training_set(project: Project) -> Path | None:
    """The training set of a project; None where it is elsewhere."""
    try:
        return project.dataset("3D")
    except ConfigError:
        return None


def _cameras(place: Place, source: Source | None) -> tuple[str, tuple[str, ...]]:
    """The calibration and the cameras that count; empty for the only one, and for all."""
    assert place.project is not None
    project = place.project.rig
    home = training_set(project)
    known = sorted(path.name for path in (home / "calib_params").glob("*/")) if home is not None else []
    dataset = ""
    if len(known) > 1:
        dataset = st.selectbox("Calibration of the dataset", known, **typed(place, "predict:dataset", known[0], known))
    if source is None:
        return dataset, ()
    names = calibrated(project, source.path, dataset)
    if len(names) < 2:
        raise InputError(
            f"{source.path}: {len(names)} of its videos are of calibrated cameras; two are needed. A video is named "
            "after its camera, such as Camera_1.mp4"
        )
    field = typed(place, f"predict:cameras:{source.path}:{dataset}", names, names)
    chosen = st.multiselect("Cameras", names, wrap=True, **field)
    if len(chosen) < 2:
        raise InputError("Cameras: points in space need two or more")
    return dataset, () if len(chosen) == len(names) else tuple(chosen)


def _weights(place: Place, stage: Stage) -> str | None:
    """A run of a network: ``latest``, or its name; None where there is none."""
    runs = [run for run in runs_of(place, stage=str(stage)) if is_finished(run.path)]
    if not runs:
        return None
    named = {LATEST: _newest(runs), **{run.path.name: run for run in runs}}

    def said(name: str) -> str:
        return f"{LATEST} ({named[name].path.name})" if name == LATEST else name

    field = typed(place, f"predict:weights:{stage}", LATEST, list(named))
    return str(st.selectbox(str(stage), list(named), format_func=said, **field))


def _newest(runs: list[RunEntry]) -> RunEntry:
    return max(runs, key=lambda run: run.path.name)


def _frames(place: Place, of_video: bool) -> tuple[int, int]:
    """The first frame and the number of frames."""
    left, right = st.columns(2)
    first = typed(place, "predict:start_frame", 0)
    start = left.number_input("First frame", 0, step=1, disabled=not of_video, **first)
    number = right.number_input(
        "Number of frames",
        ALL,
        step=1,
        **typed(place, "predict:number", ALL),
        disabled=not of_video,
        help="-1 for all to the end. A few hundred give a first impression.",
    )
    return (int(start), int(number)) if of_video else (0, ALL)


def _runtime(place: Place) -> str | None:
    return st.selectbox(
        "Runtime",
        _RUNTIMES,
        index=None,
        placeholder=_AS_SET,
        **typed(place, "predict:runtime", None),
        help="What carries the network out on this machine.",
    )


def _amount(source: Source, start: int, number: int) -> str:
    """What will be predicted, in words; it is made sure that there are such frames."""
    if source.kind is Kind.VIDEO:
        count = check_frames(length_of(source.path), start, number)
        return f"{counted(count, 'frame')} of {source.path.name}"
    return f"{source.path.name}{_range(start, number)}" if source.kind is Kind.VIDEOS else source.path.name


def _range(start: int, number: int) -> str:
    if (start, number) == (0, ALL):
        return ""
    return f", frames {start} to {'the end' if number == ALL else start + number - 1}"


def _button(place: Place, what: str) -> bool:
    """What begins it; nothing can be begun while it is not known what is predicted."""
    waiting = bool(what) and any(job.active and job.waits for job in place.jobs.all())
    said = "It begins when what was handed in before it has ended." if waiting else None
    return st.button(
        f"{'Queue' if waiting else 'Predict'} {verbatim(what)}".rstrip(),
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        key=field_key(place, "predict:start"),
        disabled=not what,
        help=said if what else "Name a source.",
    )
