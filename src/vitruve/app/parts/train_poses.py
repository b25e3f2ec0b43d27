"""The form that begins a training of one network."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from vitruve.app.composed import composed
from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.jobs import jobs_of, show_command, submit, submitting
from vitruve.app.parts.runs import runs_of
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.place import Place
from vitruve.app.projects import AppProject
from vitruve.app.settings_file import missing_labels
from vitruve.app.training.command import AS_SET, PUBLISHED, RANDOM, PosesTraining, run_name, settings_lines
from vitruve.app.training.progress import Step, about_steps
from vitruve.app.words import counted
from vitruve.config.schema import Config
from vitruve.errors import VitruveError

_OUTPUTS = "outputs"


def poses_form(place: Place) -> None:
    """Fields of a training, checked while they are filled in, and the button that begins it.

    Args:
        place: A project of kind ``poses`` must be open.
    """
    project = place.project
    assert project is not None
    settings = _settings(project.config)
    if isinstance(settings, str):
        show_error(settings)
        return

    name = st.text_input(
        "Name of the run",
        **typed(place, "train:name", settings.model.model_type),
        help="Its folder in outputs; a number is added where there is one of that name.",
    )
    epochs = st.number_input(
        "Epochs",
        min_value=1,
        max_value=1_000_000,
        value=None,
        step=1,
        placeholder="as the settings say",
        **typed(place, "train:epochs", settings.training.max_epochs),
        help="How often all training images are seen.",
    )
    runs = {run.name: str(run.path) for run in runs_of(place) if not run.files.members()}
    beginnings = [AS_SET, RANDOM, PUBLISHED, *runs]
    weights = st.selectbox(
        "Starting weights",
        beginnings,
        **typed(place, "train:weights", AS_SET, beginnings),
        format_func=lambda choice: _started_from(choice, settings),
        help="From published weights of the backbone training is shorter; a run's weights go on from what it learned.",
    )
    with st.expander("More", icon=":material/tune:"):
        networks = st.number_input(
            "Networks",
            min_value=1,
            max_value=100,
            **typed(place, "train:networks", settings.ensemble),
            help="Several make an ensemble, which says how sure it is; training takes as many times as long.",
        )
        more = st.text_area(
            "Settings that differ in this run",
            **typed(place, "train:more", ""),
            placeholder="training.train_batch_size=4",
            help="One a line, as key=value. What should differ in all runs belongs on the page Settings.",
        )
    try:
        training = PosesTraining(
            project.config,
            _free(place, project, run_name(name)),
            None if epochs == settings.training.max_epochs else epochs,
            runs.get(weights, weights),
            None if networks == settings.ensemble else networks,
            settings_lines(more),
        )
    except VitruveError as error:
        show_error(error)
        return
    made = _settings(project.config, tuple(training.overrides))
    wrong = made if isinstance(made, str) else missing_labels(made)
    if isinstance(made, str) or wrong:
        show_error(wrong)
        return
    st.caption(_summary(made))
    waiting = any(job.active and job.waits for job in place.jobs.all())
    count = made.training.max_epochs
    length = counted(count, "epoch") if count else counted(made.training.max_steps or 0, "step")
    does = f"{'Queue' if waiting else 'Train'} {length}"
    if st.button(
        f"{does} into {_OUTPUTS}/{verbatim(training.run.name)}",
        type="primary",
        icon=":material/model_training:",
        width="stretch",
        key=field_key(place, "train:start"),
        help="It begins when what was handed in before it has ended." if waiting else None,
    ):
        _start(place, project, training, made)
    show_command(training.arguments)


def _start(place: Place, project: AppProject, training: PosesTraining, made: Config) -> None:
    with submitting():
        # Another browser may have taken the name since this page was drawn.
        run = _free(place, project, training.run.name)
        chosen = PosesTraining(
            training.config, run, training.epochs, training.weights, training.networks, training.more
        )
        steps = [Step(run, (made.training.max_epochs or 0) * made.ensemble)]
        submit(
            place, chosen.arguments, title=f"Train {run.name}", kind="train", run=place.name(run), **about_steps(steps)
        )
    st.rerun()


def _free(place: Place, project: AppProject, name: str) -> Path:
    """A directory for a run that neither is there nor is about to be made by a job."""
    taken = {line for job in jobs_of(place, "train") if job.active for line in job.about.get("runs", "").split("\n")}
    path, number = project.new_run(name), 2
    while str(path) in taken:
        path, number = project.new_run(f"{name}_{number}"), number + 1
    return path


def _settings(file: Path, overrides: tuple[str, ...] = ()) -> Config | str:
    """The settings of a training, or what is wrong with them."""
    try:
        return composed(file, overrides)
    except VitruveError as error:
        return str(error)


def _started_from(choice: str, settings: Config) -> str:
    if choice == AS_SET:
        set_so = settings.model.checkpoint or settings.model.backbone_checkpoint
        said = f"from {set_so.name}" if set_so else PUBLISHED if settings.training.backbone_pretrained else RANDOM
        return f"As the settings say ({said})"
    return {RANDOM: "Random", PUBLISHED: f"Published weights of {settings.model.backbone}"}.get(choice, choice)


def _summary(settings: Config) -> str:
    size = settings.data.image_resize_dims
    looks = "" if size is None else f" on {size.width} x {size.height} px"
    unlabelled = f"; also learns from video: {', '.join(settings.model.losses_to_use)}" * bool(
        settings.model.losses_to_use
    )
    return (
        f"{settings.model.model_type} with {settings.model.backbone}{looks}, batches of "
        f"{settings.training.train_batch_size}{unlabelled}"
    )
