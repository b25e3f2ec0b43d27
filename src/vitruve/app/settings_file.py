"""Settings of a project as text: read, checked, and saved only where nobody else has changed them meanwhile."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo

from vitruve.app.projects import RIG
from vitruve.atomic import alone, atomic_write
from vitruve.config.explain import expectation
from vitruve.config.schema import Config
from vitruve.config.table import fields_of
from vitruve.config.yaml_edit import value_at
from vitruve.errors import ConfigError, InputError, VitruveError

_LARGEST = 1 << 20


@dataclass(frozen=True)
class Read:
    """A settings file as it was read.

    Attributes:
        text: What it holds.
        mark: Tells this text from any other.
    """

    text: str
    mark: str


@dataclass(frozen=True)
class Checked:
    """What there is to say of a settings text.

    Attributes:
        error: What is wrong; empty for settings that can be used.
        remarks: What was converted, and what has no effect.
    """

    error: str = ""
    remarks: tuple[str, ...] = ()


def read_settings(path: Path) -> Read:
    """Read a settings file.

    Args:
        path: The file.

    Returns:
        Its text.

    Raises:
        ConfigError: It cannot be read, or is no text.
    """
    try:
        content = path.read_bytes()
        if len(content) > _LARGEST:
            raise ConfigError(f"{path}: larger than {_LARGEST >> 20} MiB; give a settings file")
        return Read(content.decode(), mark_of(content))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file (byte {error.start} is no UTF-8)") from error


def mark_of(content: bytes) -> str:
    """What tells a text from any other."""
    return hashlib.sha256(content).hexdigest()


def save_settings(path: Path, text: str, mark: str) -> Read:
    """Replace a settings file in one step.

    Args:
        path: The file.
        text: What it is to hold.
        mark: Of what it held when it was read.

    Returns:
        What it holds now.

    Raises:
        InputError: It has changed since, or cannot be written. Nothing is written then.
    """
    with alone(path):
        if not path.is_file() or mark_of(path.read_bytes()) != mark:
            raise InputError(
                f"{path.name}: somebody has changed it since it was read here, so nothing was saved; load it again"
            )
        atomic_write(path, text)
        return Read(text, mark_of(text.encode()))


def create_settings(path: Path, text: str) -> None:
    """Write a settings file that is not there yet.

    Args:
        path: The file; its folder is made.
        text: What it is to hold.

    Raises:
        InputError: It is there already, or cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        if path.exists():
            raise InputError(f"{path}: is there already; choose another name")
        atomic_write(path, text)


def check(kind: str, text: str, path: Path) -> Checked:
    """Whether settings can be used, by the code that training reads them with.

    Args:
        kind: Of the project.
        text: What the file would hold.
        path: The file.

    Returns:
        What there is to say.
    """
    try:
        if kind == RIG:
            from vitruve.project.config_file import parse_config

            parse_config(text, path)
            return Checked()
        from vitruve.config.compose import examine_text

        settings, remarks = examine_text(text, path)
        if lacking := missing_labels(settings):
            return Checked(lacking)
        return Checked("", (*remarks.changed, *(f"no effect: {line}" for line in remarks.idle)))
    except VitruveError as error:
        return Checked(str(error))


def missing_labels(settings: Config) -> str:
    """Which label file is not there.

    Args:
        settings: Of a training.

    Returns:
        What is wrong, in one line; empty where all are there.
    """
    gone = next((file for file in settings.data.label_files() if not file.exists()), None)
    return "" if gone is None else f"data.csv_file: {gone}: no such file or folder; name it from data.data_dir on"


def schema(kind: str, values: Mapping[str, Any]) -> type[BaseModel]:
    """What settings there are.

    Args:
        kind: Of the project.
        values: The settings; they name the algorithm, whose own settings belong to them.

    Returns:
        The section that holds all others.
    """
    if kind == RIG:
        from vitruve.project.config_file import ProjectConfig

        return ProjectConfig
    from vitruve.algorithms import registry
    from vitruve.config.sections import Sections

    name = value_at(values, "model.model_type", "heatmap")
    try:
        own = registry.get(str(name)).Config
    except ConfigError:
        return Sections
    # The same sections, but for the one that depends on a value.
    described = Field(default=own(), description=Sections.model_fields["model"].description)
    return create_model("Settings", __base__=Sections, model=(own, described))


def differing(kind: str, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that differ from their defaults.

    Args:
        kind: Of the project.
        values: The settings of its file.

    Returns:
        Value and default by full key, in the order of the schema; values of the wrong type, too.
    """
    found = {}
    for key, field in fields_of(schema(kind, values)):
        default = plain(default_of(field))
        value = value_at(values, key, default)
        if plain(value) != default:
            found[key] = (value, default)
    return found


def default_of(field: FieldInfo) -> Any:
    """The value of a setting that nobody has made; None where it must be made."""
    return None if field.is_required() else field.get_default(call_default_factory=True)


def plain(value: Any) -> Any:
    """A value as YAML has it: lists for tuples, text for paths, mappings for sections."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, os.PathLike) else value


def problem(field: FieldInfo, value: Any) -> str:
    """What is wrong with the value of a setting, looked at alone.

    Args:
        field: The setting.
        value: Plain.

    Returns:
        What it must be; empty for a value that can be.
    """
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":
            return str(first["msg"]).removeprefix("Value error, ")
        return f"must be {expectation(field)}"
    return ""


def diff(before: str, after: str) -> str:
    """The lines that differ, as ``diff -u`` shows them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "on disk", "here", lineterm="", n=1)
    return "\n".join(lines)
