"""Searches of a project: which there are, what their trials have reached, and the verb that begins one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pandas as pd
from pydantic.fields import FieldInfo

from vitruve.app.projects import POSES, AppProject
from vitruve.app.workspace import folders_below
from vitruve.config.compose import compose
from vitruve.config.schema import Config
from vitruve.errors import ConfigError
from vitruve.jobs import Job
from vitruve.tuning.folder import StudyFiles
from vitruve.tuning.known_settings import kinds_of, searchable
from vitruve.tuning.objective import objective_of
from vitruve.tuning.space import read_space, value_at

RATE = "training.optimizer_params.learning_rate"
"""What a search begins with, unless something else is chosen."""

_DEPTH = 4
_SKIPPED = ("labeled-data", "videos", "trials", "checkpoints", "tb_logs")
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
# Words that would be read as something else than text.
_WORDS = ("null", "none", "true", "false", "inf", "nan", "yes", "no", "on", "off")


@dataclass(frozen=True)
class Range:
    """What a search tries of one setting.

    Attributes:
        key: Its full key.
        low: The least value; None with choices, or where somebody has to say it.
        high: The largest value, likewise.
        log: Whether the range is searched in its logarithm.
        choices: The values, where there is no range.
    """

    key: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def override(self) -> str:
        """As the command line takes it."""
        if self.choices:
            return f"tune.space.{self.key}={{choices: [{', '.join(map(override_value, self.choices))}]}}"
        ends = f"low: {override_value(self.low)}, high: {override_value(self.high)}"
        return f"tune.space.{self.key}={{{ends}{', log: true' if self.log else ''}}}"


def find_studies(project: AppProject) -> list[Path]:
    """The folders of all searches of a project.

    Args:
        project: The project.

    Returns:
        The one that changed last first.
    """
    found = [
        path
        for path in folders_below(project.path, _DEPTH, _SKIPPED)
        if StudyFiles(path).settings.is_file() and project.holds(path)
    ]
    return sorted(found, key=lambda path: _changed(StudyFiles(path)), reverse=True)


def beginnings(project: AppProject) -> dict[str, Path]:
    """The settings files that a search can begin with, by what they are called.

    Args:
        project: The project; of one with three networks, only those of its runs are of one network.

    Returns:
        The project's own first, then those of its runs.
    """
    own = {project.config.name: project.config} if project.kind == POSES and project.config.is_file() else {}
    runs = {f"{run.name}/config.yaml": run.files.config for run in project.runs() if run.files.config.is_file()}
    return own | runs


def settings_to_search(config: Config) -> dict[str, FieldInfo]:
    """The settings that are numbers, truths or one of a few words, in their order.

    Args:
        config: All settings.

    Returns:
        What pydantic knows of each, by full keys.
    """
    found = searchable(config.model.model_type)
    return {key: field for key, field in found.items() if kinds_of(field) & {int, float, bool} or words_of(field)}


def words_of(field: FieldInfo) -> tuple[Any, ...]:
    """The values that a setting may have, where these are few.

    Args:
        field: What pydantic knows of it.

    Returns:
        The values; none where it may have any.
    """

    def inside(annotation: Any) -> Iterator[Any]:
        if get_origin(annotation) is Literal:
            yield from get_args(annotation)
        else:
            for each in get_args(annotation):
                yield from inside(each)

    return (False, True) if bool in kinds_of(field) else tuple(inside(field.annotation))


def proposed_range(key: str, field: FieldInfo, config: Config) -> Range:
    """A range around the value that a setting has.

    Args:
        key: Its full key.
        field: What pydantic knows of it.
        config: All settings.

    Returns:
        Of a rate or a weight a factor of ten to both sides, in its logarithm; of another number half and double, as
        far as the setting may go; all words there are. Where it is null or 0, all that it may be: no end where it has
        no limit there, as nothing says how large such a number is.
    """
    words = words_of(field)
    if words:
        return Range(key, choices=words)
    now = value_at(config.model_dump(mode="json"), key)
    whole = float not in kinds_of(field)
    least, most = _limits(field)
    if isinstance(now, bool) or not isinstance(now, (int, float)) or now <= 0:
        return Range(key, least, most)
    small = now < 0.1 and not whole
    low, high = (now / 10, now * 10) if small else (max(1, now // 2), now * 2) if whole else (now / 2, now * 2)
    inside = (now + most) / 2 if most is not None and not whole else most
    return Range(key, low if least is None else max(low, least), high if most is None or high < most else inside, small)


def _limits(field: FieldInfo) -> tuple[float | None, float | None]:
    """The least and the largest number that a setting may be; None for any."""
    ends: dict[str, float | None] = {"ge": None, "gt": None, "le": None, "lt": None}
    for item in field.metadata:
        ends |= {name: getattr(item, name) for name in ends if getattr(item, name, None) is not None}
    least = ends["ge"] if ends["gt"] is None else ends["gt"]
    return least, ends["le"] if ends["lt"] is None else ends["lt"]


def read_choices(text: str) -> tuple[Any, ...]:
    """Values that somebody has written down.

    Args:
        text: Such as ``4, 8, 16`` or ``adam, sgd``.

    Returns:
        Numbers, truths and words.
    """
    return tuple(_value(part.strip()) for part in text.split(",") if part.strip())


def search_arguments(
    settings: Path, ranges: Sequence[Range], target: str, values: Mapping[str, Any], project: AppProject
) -> list[str]:
    """The verb that begins a search, to be run in the project's folder.

    Args:
        settings: The settings file that it begins with.
        ranges: What is searched.
        target: Folder of the study, relative to the project.
        values: Further settings of the section ``tune``.
        project: The project.

    Returns:
        Verb and arguments.
    """
    more = [f"tune.{key}={override_value(value)}" for key, value in values.items()]
    spaces = [each.override for each in ranges]
    file = settings.relative_to(project.path).as_posix()
    return ["tune", file, *spaces, *more, "tune.port=null", f"hydra.run.dir={override_value(target)}"]


def search_goes_on(job: Job) -> tuple[str, ...]:
    """The arguments with which a search that has ended early goes on.

    Args:
        job: Of the kind ``tune``.

    Returns:
        The job's own where no study was begun yet, or where it went on with one already.
    """
    name = job.about.get("study", "")
    begun = bool(name) and StudyFiles(job.folder / name).settings.is_file()
    if not begun or any(word.startswith("resume=") for word in job.arguments):
        return job.arguments
    return ("tune", f"resume={override_value(name)}", "tune.port=null")


def checked_search(settings: Path, arguments: Sequence[str]) -> tuple[str, str]:
    """Make sure that a search could begin.

    Args:
        settings: The settings file.
        arguments: As :func:`search_arguments` gives them.

    Returns:
        The objective and its direction.

    Raises:
        ConfigError: The space or another setting is wrong.
    """
    config = compose(str(settings), None, list(arguments[2:]), quiet=True).config
    if not read_space(config).dimensions:
        raise ConfigError("nothing is searched; choose at least one setting")
    return objective_of(config)


def trials_table(state: Mapping[str, Any]) -> pd.DataFrame:
    """What :func:`~vitruve.tuning.report.study_state` says of trials, a row each.

    Args:
        state: Of the study.

    Returns:
        The newest first; settings under the ends of their keys where these differ.
    """
    names = short_names([each["key"] for each in state["space"]])
    rows = [
        {
            "trial": trial["number"],
            "state": "stopping" if trial["stopping"] else trial["state"],
            state["objective"]: reached(trial, state["direction"]),
            "best epoch": trial["epoch"],
            "epochs": len(trial["curve"]),
            **{name: trial["params"].get(key) for key, name in names.items()},
            "seconds": trial["seconds"],
            "reason": trial["reason"],
        }
        for trial in reversed(state["trials"])
    ]
    return pd.DataFrame(rows)


def reached(trial: Mapping[str, Any], direction: str) -> float | None:
    """The value of a trial, also of one that is not over: the best of its epochs so far.

    Args:
        trial: As the state of a study has it.
        direction: ``minimize`` or ``maximize``.

    Returns:
        None before its first epoch.
    """
    if trial["value"] is not None:
        return float(trial["value"])
    values = [float(value) for _, value in trial["curve"]]
    return (min if direction == "minimize" else max)(values, default=None)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The ends of keys, which tell them apart in little room.

    Args:
        keys: Full keys.

    Returns:
        Names by keys; the full key where two end alike.
    """
    ends = [key.rpartition(".")[2] for key in keys]
    return {key: end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)}


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def override_value(value: Any) -> str:
    """A value as overrides of settings have it; text that could be read as something else stands in quotes.

    Args:
        value: Plain.

    Returns:
        What stands behind ``key=``.
    """
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        # A backslash stands for itself unless a quote follows.
        return "'" + re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + (m[2] and "\\'"), value) + "'"
    return json.dumps(value)


def _changed(files: StudyFiles) -> float:
    return max(file.stat().st_mtime for file in (files.settings, files.journal) if file.is_file())
