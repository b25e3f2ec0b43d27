"""The settings that a search may change: all there are, with what each of them takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from vitruve.algorithms import registry
from vitruve.config.explain import expectation
from vitruve.config.schema import Config
from vitruve.config.table import fields_of
from vitruve.errors import ConfigError, nearest

# A search cannot change itself, and each trial is a run of its own.
_NOT_THESE = ("tune", "resume", "ensemble")


def find_setting(key: str, algorithms: Sequence[str], prefix: str) -> tuple[FieldInfo, list[str]]:
    """The setting of a full key.

    Args:
        key: For example ``training.optimizer_params.learning_rate``.
        algorithms: Those that trials may have.
        prefix: What the key stands under, for messages.

    Returns:
        What pydantic knows of it, and which of the algorithms have it.

    Raises:
        ConfigError: There is no such setting; the message names the nearest.
    """
    if key.partition(".")[0] in _NOT_THESE:
        raise ConfigError(f"{prefix}{key}: cannot be searched; name a setting of what a trial trains")
    known = {name: searchable(name) for name in algorithms}
    owners = [name for name in algorithms if key in known[name]]
    if owners:
        return known[owners[0]][key], owners
    every = list(dict.fromkeys(each for settings in known.values() for each in settings))
    inside = [each for each in every if each.startswith(f"{key}.")]
    if inside:
        raise ConfigError(f"{prefix}{key}: is a section; name one of its settings, such as {inside[0]}")
    others = [name for name in registry.available() if key in searchable(name)]
    if others:
        raise ConfigError(f"{prefix}{key}: is not a setting of {', '.join(algorithms)}, but of {', '.join(others[:3])}")
    raise ConfigError(f"{prefix}{key}: unknown key{_nearest(key, every) or '; see vitruve list settings'}")


def kinds_of(setting: FieldInfo) -> set[Any]:
    """The types that a setting may have, such as int and float."""

    def kinds(annotation: Any) -> set[Any]:
        inner = get_args(annotation)
        return set().union(*(kinds(each) for each in inner)) if inner else {annotation}

    return kinds(setting.annotation)


def check_value(setting: FieldInfo, value: Any, where: str) -> None:
    """Make sure that a setting takes a value.

    Args:
        setting: What pydantic knows of it.
        value: To be tried.
        where: What a message begins with: place and value.

    Raises:
        ConfigError: It does not.
    """
    kind: Any = setting.annotation
    for limit in setting.metadata:
        kind = Annotated[kind, limit]
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        raise ConfigError(f"{where} cannot be; the setting must be {expectation(setting)}") from None


def _nearest(key: str, every: Sequence[str]) -> str:
    hint = nearest(key, every)
    if hint:
        return hint
    # Who writes lr or learning_rat means the end of a key.
    ends = {each.rpartition(".")[2]: each for each in every}
    return next(
        (f" (did you mean '{full}'?)" for end, full in ends.items() if nearest(key.rpartition(".")[2], [end])), ""
    )


def searchable(algorithm: str) -> dict[str, FieldInfo]:
    """The settings of runs of an algorithm that a search may change.

    Args:
        algorithm: Its name.

    Returns:
        What pydantic knows of each, by full keys.

    Raises:
        ConfigError: There is no such algorithm.
    """
    found = {key: field for key, field in fields_of(Config) if key.partition(".")[0] not in (*_NOT_THESE, "model")}
    return found | dict(fields_of(registry.get(algorithm).Config, "model."))
