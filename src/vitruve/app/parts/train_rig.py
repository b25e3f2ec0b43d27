"""The form that begins a training in a project of several cameras: all networks, or one of them."""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import partial
from pathlib import Path

import streamlit as st

from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.jobs import jobs_of, show_command, submit, submitting
from vitruve.app.parts.runs import runs_of
from vitruve.app.parts.text import show_error
from vitruve.app.place import Place
from vitruve.app.projects import RIG, find_projects
from vitruve.app.training.command import ALL, RigTraining, settings_lines
from vitruve.app.training.progress import COMPLETED, Step, about_steps, steps_of
from vitruve.app.words import counted
from vitruve.errors import VitruveError
from vitruve.project import Project, Stage
from vitruve.project.folder import LATEST, is_finished
from vitruve.project.training import train_project

_NONE = "none"
_SCRATCH = "from scratch"
_KEYPOINT_ALONE = "KeypointDetect alone"
_NETWORKS = {
    ALL: "All networks, in order",
    Stage.CENTER.short: f"{Stage.CENTER}: where the animal is",
    Stage.KEYPOINT.short: f"{Stage.KEYPOINT}: keypoints in each image",
    Stage.HYBRID.short: f"{Stage.HYBRID}: points in space",
}
_MODES = {
    "3D_only": "the network in space alone",
    "last_layers": "also the last layers of KeypointDetect",
    "bifpn": "also KeypointDetect without its backbone",
    "all": "everything",
}


def rig_form(place: Place) -> None:
    """Fields of a training, and the button that checks it and begins it.

    Args:
        place: A project of kind ``rig`` must be open.
    """
    assert place.project is not None
    project = place.project.rig

    config = project.config
    stages = [stage for stage in Stage if config.DATASET.DATASET_3D is not None or stage is not Stage.HYBRID]
    choices = [ALL, *(stage.short for stage in stages)]
    what = st.radio(
        "Train",
        choices,
        **typed(place, "train:what", ALL, choices),
        format_func=_NETWORKS.__getitem__,
        help="All trains the networks in order, each on what the one before has learned. That is how to begin.",
    )
    chosen = stages if what == ALL else [Stage.named(what)]
    epochs = {}
    st.caption("Epochs")
    for column, stage in zip(st.columns(len(chosen)), chosen, strict=True):
        planned = getattr(config, stage.section).NUM_EPOCHS
        epochs[stage.short] = column.number_input(
            _short(stage.short), min_value=1, max_value=1_000_000, **typed(place, f"train:epochs:{stage}", planned)
        )
    training = RigTraining(project.path, _name(place, project), what, epochs)
    training = _weights(place, project, training)
    with st.expander("More", icon=":material/tune:"):
        more = st.text_area(
            "Settings that differ in this training",
            **typed(place, "train:more", ""),
            placeholder="training.precision=32",
            help="Settings of Vitruve, one a line, as key=value. What is in config.yaml belongs on the page Settings.",
        )
    try:
        training = replace(training, more=settings_lines(more))
    except VitruveError as error:
        show_error(error)
        return
    waiting = any(job.active and job.waits for job in place.jobs.all())
    again = epochs[Stage.HYBRID.short] if what == ALL and training.finetune else 0
    total = sum(epochs.values()) + again
    networks = "all networks" if what == ALL else str(chosen[0])
    if st.button(
        f"{'Queue' if waiting else 'Train'} {networks}, {counted(total, 'epoch')}",
        type="primary",
        icon=":material/model_training:",
        width="stretch",
        key=field_key(place, "train:start"),
        help="It begins when what was handed in before it has ended." if waiting else None,
    ):
        _start(place, project, training)
    show_command(training.arguments)


def _weights(place: Place, project: Project, training: RigTraining) -> RigTraining:
    """What the networks start from and are built on."""
    pretrained = _pretrained(place, project)
    if training.what == ALL:
        choices = [_SCRATCH, *pretrained]
        start = st.selectbox(
            "Starting weights",
            choices,
            **typed(place, "train:pretrained", _SCRATCH, choices),
            format_func=_capital,
            help="Networks in a folder 'pretrained' of this project or beside it, or of another project.",
        )
        training = replace(training, pretrained=pretrained.get(start, ""))
        fine = (
            st.toggle("Then train all of HybridNet at last", help=_FINETUNE, **typed(place, "train:finetune", False))
            if _in_space(project)
            else False
        )
        return replace(training, finetune=fine)
    stage = Stage.named(training.what)
    own = _own(place, stage)
    if stage is not Stage.HYBRID:
        choices = [_SCRATCH, *own, *pretrained]
        start = st.selectbox(
            "Starting weights",
            choices,
            **typed(place, f"train:weights:{stage}", _SCRATCH, choices),
            format_func=_capital,
        )
        training = replace(training, weights=own.get(start, ""), pretrained=pretrained.get(start, ""))
        if stage is Stage.CENTER:
            return training
        center = _built_on(place, Stage.CENTER, "Finds the animal in predictions; training looks around labels.")
        return replace(training, weights_center=center)
    keypoint = _built_on(place, Stage.KEYPOINT, "The network of images that is taken into space.")
    center = _built_on(place, Stage.CENTER, "Finds the animal.")
    choices = [_KEYPOINT_ALONE, *own, *pretrained]
    start = st.selectbox(
        "Starting weights",
        choices,
        **typed(place, f"train:weights:{stage}", _KEYPOINT_ALONE, choices),
        help="A run of HybridNet goes on from what it learned.",
    )
    mode = st.selectbox(
        "What is learned",
        list(_MODES),
        format_func=lambda mode: _capital(_MODES[mode]),
        **typed(place, "train:mode", next(iter(_MODES))),
    )
    fine = st.toggle("Only fine-tune all of the latest run", help=_FINETUNE, **typed(place, "train:finetune", False))
    return replace(
        training,
        weights=own.get(start, ""),
        pretrained=pretrained.get(start, ""),
        weights_keypoint=keypoint,
        weights_center=center,
        mode=mode,
        finetune=fine,
    )


def _built_on(place: Place, stage: Stage, help: str) -> str:
    """Which run of another network is taken; empty for the latest."""
    own = _own(place, stage)
    if not own:
        st.warning(f"{stage} has no run yet; train it first, or train all.", icon=":material/info:")
        return ""
    field = typed(place, f"train:on:{stage}", next(iter(own)), list(own))
    chosen = st.selectbox(str(stage), list(own), format_func=_capital, help=help, **field)
    return "" if own[chosen] == LATEST else own[chosen]


def _own(place: Place, stage: Stage) -> dict[str, str]:
    """Runs of a network as they are named, the latest first, and as the command line takes them."""
    runs = [run.path for run in runs_of(place, stage=str(stage)) if is_finished(run.path)]
    finished = {run.name: str(run) for run in sorted(runs, reverse=True)}
    coming = {f"{run.name}, once it is trained": str(run) for run in _coming(place, stage)}
    if finished and not coming:
        return {f"{LATEST} ({next(iter(finished))})": LATEST, **finished}
    return {**coming, **finished}


def _coming(place: Place, stage: Stage | None = None) -> list[Path]:
    """Runs of trainings that have not ended, the last one first: what is handed in now waits for them."""
    steps = [step for job in jobs_of(place, "train") if job.active and job.waits for step in reversed(steps_of(job))]
    unfinished = [step.run for step in steps if step.status is None or step.status.status != COMPLETED]
    return [run for run in unfinished if stage is None or run.parent.name == stage]


def _pretrained(place: Place, project: Project) -> dict[str, str]:
    """Folders of networks that were trained elsewhere, as they are named and where they are."""
    own = [folder for place_ in project.pretrained if place_.is_dir() for folder in sorted(place_.iterdir())]
    found = {f"pretrained: {folder.name}": folder for folder in own if folder.is_dir()}
    for other in find_projects(place.workspace):
        if other.kind == RIG and other.path != project.path and any(run.finished for run in other.runs()):
            found[f"project: {other.name}"] = other.path / "models"
    return {name: str(folder) for name, folder in found.items() if place.workspace.holds(folder)}


def _start(place: Place, project: Project, training: RigTraining) -> None:
    with submitting(), st.spinner("Checking settings and labels"):
        training = replace(training, run=_name(place, project))
        try:
            runs = _checked(place, project, training)
        except VitruveError as error:
            show_error(error)
            return
        epochs = [training.epochs[Stage.named(run.parent.name).short] for run in runs]
        what = "all networks" if training.what == ALL else str(Stage.named(training.what))
        submit(
            place,
            training.arguments,
            title=f"Train {what}, {training.run}",
            kind="train",
            run=training.run,
            **about_steps([Step(run, count) for run, count in zip(runs, epochs, strict=True)]),
        )
    st.rerun()


def _checked(place: Place, project: Project, training: RigTraining) -> list[Path]:
    """The runs that a training makes; what is wrong with it is said before it begins."""
    return train_project(
        project,
        training.what,
        epochs=dict(training.epochs),
        weights=training.weights or None,
        weights_keypoint=training.weights_keypoint or LATEST,
        weights_center=training.weights_center or LATEST,
        pretrained=training.pretrained or None,
        mode=training.mode,  # type: ignore[arg-type]
        finetune=training.finetune,
        overrides=tuple(training.more),
        quiet=True,
        run=training.run,
        check=True,
        expected=_coming(place),
    )


def _name(place: Place, project: Project) -> str:
    """A name that neither a run nor a job has."""
    taken = {job.about.get("run") for job in place.jobs.all() if job.about.get("project") == str(project.path)}
    moment = datetime.datetime.now()
    name = project.new_run_name()
    while name in taken:
        moment += datetime.timedelta(seconds=1)
        name = project.new_run_name(partial(_same, moment))
    return name


def _same(moment: datetime.datetime) -> datetime.datetime:
    return moment


def _in_space(project: Project) -> bool:
    return project.config.DATASET.DATASET_3D is not None


def _short(name: str) -> str:
    """The name of a network where there is little room."""
    return "HybridNet" if name == Stage.HYBRID.short else name.capitalize()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_FINETUNE = "All of HybridNet learns together once more, with a tenth of the learning rate."
