"""The form that begins a search: which settings are tried, from where to where, and how many trials there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from pydantic.fields import FieldInfo

from vitruve.app.composed import composed
from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.jobs import show_command, submit, submitting
from vitruve.app.parts.text import show_error
from vitruve.app.place import Place
from vitruve.app.study import (
    RATE,
    Range,
    beginnings,
    checked_search,
    proposed_range,
    read_choices,
    search_arguments,
    settings_to_search,
    words_of,
)
from vitruve.app.words import counted
from vitruve.config.schema import Config
from vitruve.errors import VitruveError
from vitruve.tuning.settings import TuneSettings
from vitruve.tuning.space import value_at

_FORM = "search"
_RANGE, _VALUES = "range", "values"


def new_search(place: Place) -> str:
    """The form.

    Args:
        place: Where; a project must be open.

    Returns:
        The folder of the search that was begun just now, relative to the project; empty while none was.
    """
    assert place.project is not None
    files = beginnings(place.project)
    if not files:
        st.info(
            "A search needs the settings of one network to begin with. This project has three networks: train a stage "
            "first, and its run's settings can be searched here.",
            icon=":material/info:",
        )
        return ""
    name = st.selectbox(
        "Settings to begin with",
        list(files),
        help="What is not searched stays as it is there.",
        **typed(place, f"{_FORM}:file", next(iter(files)), list(files)),
    )
    settings = files[name]
    config = composed(settings)
    fields = settings_to_search(config)
    chosen = st.multiselect(
        "Settings to search",
        list(fields),
        format_func=lambda each: f"{each} = {value_at(config.model_dump(mode='json'), each)}",
        placeholder="Choose settings",
        **typed(place, f"{_FORM}:keys", [RATE] if RATE in fields else [], list(fields)),
    )
    ranges = [_range(place, each, fields[each], config, f"{_FORM}:{name}:{each}") for each in chosen]
    values = _values(place, config)
    target = place.name(place.project.new_run("search"))
    arguments = search_arguments(settings, [each for each in ranges if each is not None], target, values, place.project)
    problem, said = _checked(settings, arguments, [each is None for each in ranges])
    if problem:
        show_error(problem)
    st.caption(said)
    trials = values["max_trials"]
    if st.button(
        f"Start a search of {counted(trials, 'trial')}",
        key=field_key(place, f"{_FORM}:start"),
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(problem),
    ):
        with submitting():
            target = place.name(place.project.new_run("search"))
            arguments = [*arguments[:-1], f"hydra.run.dir={target}"]
            place.workspace.resolve(place.project.path / target).mkdir(parents=True, exist_ok=True)
            submit(place, arguments, title=f"Search {target}", kind="tune", study=target)
        return target
    show_command(arguments)
    return ""


def _range(place: Place, key: str, field: FieldInfo, config: Config, form: str) -> Range | None:
    """Fields for what is tried of one setting; None where they say nothing."""
    usual = proposed_range(key, field, config)
    with st.container(border=True):
        st.markdown(f"**{key}**", help=field.description)
        if words_of(field):
            words = st.multiselect(
                "Values", usual.choices, format_func=str, **typed(place, f"{form}:words", list(usual.choices))
            )
            return Range(key, choices=tuple(words)) if words else None
        kind, low, high, log = st.columns([3, 3, 3, 2], vertical_alignment="bottom")
        how = kind.segmented_control("Try a", [_RANGE, _VALUES], required=True, **typed(place, f"{form}:how", _RANGE))
        if how == _VALUES:
            text = low.text_input("Values", placeholder="4, 8, 16", **typed(place, f"{form}:values", ""))
            found = read_choices(text)
            return Range(key, choices=found) if found else None
        least = low.text_input("From", **typed(place, f"{form}:low", _written(usual.low)))
        most = high.text_input("To", **typed(place, f"{form}:high", _written(usual.high)))
        logarithm = log.checkbox("log", help="Search in the logarithm.", **typed(place, f"{form}:log", usual.log))
        ends = (read_choices(least), read_choices(most))
        if not all(len(end) == 1 and isinstance(end[0], (int, float)) for end in ends):
            return None
        return Range(key, ends[0][0], ends[1][0], logarithm)


def _written(end: float | None) -> str:
    return "" if end is None else f"{end:g}"


def _values(place: Place, config: Config) -> dict[str, Any]:
    """Further settings of the search; those that are left as they are usual are left out."""
    usual = TuneSettings()
    known = {name: field.description for name, field in TuneSettings.model_fields.items()}
    trials, epochs, processes, sampler, pruner = st.columns(5)
    values: dict[str, Any] = {
        "max_trials": trials.number_input(
            "Trials", 1, 10_000, help=known["max_trials"], **typed(place, f"{_FORM}:trials", usual.max_trials)
        )
    }
    longest = config.training.max_epochs
    given = epochs.number_input(
        "Epochs of a trial",
        1,
        100_000,
        value=None,
        placeholder=str(longest or "as set"),
        help=known["epochs"],
        **typed(place, f"{_FORM}:epochs", None),
    )
    at_once = processes.number_input(
        "At a time", 1, 64, help=known["processes"], **typed(place, f"{_FORM}:processes", 1)
    )
    samplers, pruners = ("auto", "gp", "tpe", "random"), ("median", "hyperband", "none")
    by = sampler.selectbox(
        "Proposed by", samplers, help=known["sampler"], **typed(place, f"{_FORM}:sampler", samplers[0])
    )
    ends = pruner.selectbox(
        "Ended early by", pruners, help=known["pruner"], **typed(place, f"{_FORM}:pruner", pruners[0])
    )
    more = {"epochs": given, "processes": at_once, "sampler": by, "pruner": ends}
    return values | {name: value for name, value in more.items() if value != getattr(usual, name)}


def _checked(settings: Path, arguments: list[str], empty: list[bool]) -> tuple[str, str]:
    """What is wrong with a search, or else what it will look for."""
    if not empty:
        return "Choose at least one setting to search.", ""
    if any(empty):
        return "Give a setting two numbers, from and to, or at least one value.", ""
    try:
        column, direction = _objective(str(settings), settings.stat().st_mtime_ns, tuple(arguments))
    except VitruveError as error:
        return str(error), ""
    return "", f"Looks for what {direction}s {column}; each trial is a run of its own."


@st.cache_data(max_entries=64, show_spinner=False)
def _objective(settings: str, age: int, arguments: tuple[str, ...]) -> tuple[str, str]:
    return checked_search(Path(settings), arguments)
