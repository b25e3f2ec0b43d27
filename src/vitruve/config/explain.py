"""Turn what pydantic finds wrong into one line: the full key, the value, and what would be right."""

from __future__ import annotations

import re
import types
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vitruve.errors import ConfigError, nearest

_SHOWN = 3
_WORDS: dict[Any, str] = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    type(None): "null",
}


def config_error(
    errors: Sequence[ErrorDetails],
    model: type[BaseModel],
    values: Any,
    source: str | None,
    overridden: Collection[str] = (),
    prefix: str = "",
) -> ConfigError:
    """One line for everything that is wrong, the first few in full.

    Args:
        errors: What pydantic found, located from ``model`` on.
        model: The section the errors are located in.
        values: What was to become that section.
        source: The file the settings come from.
        overridden: Full keys that come from the command line instead.
        prefix: The key of ``model`` itself.

    Returns:
        The error to raise.
    """
    lines: dict[str, None] = {}
    for error in errors:
        key, line = _explain(error, model, values, prefix)
        lines[place(_blamed(key, line, overridden), source, overridden) + line] = None
    shown = list(lines)[:_SHOWN]
    more = len(lines) - len(shown)
    return ConfigError("; ".join(shown) + (f"; and {more} more" if more else ""))


def _blamed(section: str, line: str, overridden: Collection[str]) -> str:
    """The key that a message is about: of settings that contradict one another, one from the command line if any is."""
    within = [key for key in overridden if key.startswith(f"{section}.")]
    named = [key for key in within if re.search(rf"\b{re.escape(key.removeprefix(f'{section}.'))}\b", line)]
    return named[0] if named else section


def place(key: str, source: str | None, overridden: Collection[str] = ()) -> str:
    """Where a setting was made, as the start of a message.

    Args:
        key: The full key.
        source: The file the settings come from.
        overridden: Full keys that come from the command line.

    Returns:
        ``"config.yaml: "``, ``"command line: "`` or nothing.
    """
    if any(key == other or key.startswith(f"{other}.") for other in overridden):
        return "command line: "
    return f"{source}: " if source else ""


def unknown_key(key: str, known: Collection[str]) -> str:
    """What to say of a key that does not exist.

    Args:
        key: The full key.
        known: The names that exist at that place.

    Returns:
        The message, with the nearest name or else all of them.
    """
    hint = nearest(key.rpartition(".")[2], known)
    return f"{key}: unknown key{hint or '; known are ' + ', '.join(known)}"


def _explain(error: ErrorDetails, model: type[BaseModel], values: Any, prefix: str) -> tuple[str, str]:
    location = error["loc"]
    section, names, field = _walk(model, location)
    before = [prefix] if prefix else []
    if error["type"] == "extra_forbidden":
        key = ".".join([*before, *(str(part) for part in location)])
        return key, unknown_key(key, list(section.model_fields))
    key = ".".join([*before, *names])
    if error["type"] == "value_error":
        return key, f"{key}: {error['msg'].removeprefix('Value error, ')}"
    wanted = expectation(field) if field is not None else "a mapping of settings"
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return key, f"{key}={_shown(values)}: must be {wanted}"


def _walk(model: type[BaseModel], location: Sequence[int | str]) -> tuple[type[BaseModel], list[str], FieldInfo | None]:
    """The section an error lies in, the names that lead to it, and its field unless it is a section."""
    names: list[str] = []
    section = model
    for part in location:
        field = section.model_fields.get(str(part))
        if field is None:
            break
        names.append(str(part))
        inner = _section(field.annotation)
        if inner is None:
            return section, names, field
        section = inner
    return section, names, None


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a setting is, also where it may be null."""
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation, *others) = [choice for choice in get_args(annotation) if choice is not type(None)]
        if others:
            return None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def expectation(field: FieldInfo) -> str:
    """What a setting may be, in words.

    Args:
        field: A field of a section.

    Returns:
        For example ``"an integer, at least 1, or null"``.
    """
    return _describe(field.annotation, field.metadata)


def _describe(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _describe(arguments[0], [*arguments[1:], *metadata])
    if origin in (Union, types.UnionType):
        return _either(arguments, metadata)
    if _section(annotation) is not None:
        return "a mapping of settings"
    limits = _limits(metadata)
    if origin is Literal:
        return _one_of([str(value) for value in arguments]) + limits
    if origin is tuple or origin is list:
        return f"a list of {_plural(_describe(arguments[0]))}{limits}"
    if annotation is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return "a mapping"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation))) + limits


def _either(choices: Sequence[Any], metadata: Sequence[Any]) -> str:
    nullable = type(None) in choices
    words = [_describe(choice) for choice in choices if choice is not type(None)]
    if words == ["an integer", "a number"]:
        words = ["a number"]
    return (
        " or ".join(words)
        + _limits(metadata)
        + ((", or null" if _limits(metadata) else " or null") if nullable else "")
    )


def _plural(words: str) -> str:
    article, _, noun = words.partition(" ")
    first, comma, rest = (noun if article in ("a", "an") else words).partition(",")
    if first.startswith("list of "):
        return f"lists{first.removeprefix('list')}{comma}{rest}"
    return f"{first if first == 'text' else first + 's'}{comma}{rest}"


def _one_of(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"one of {', '.join(values)}"


def _limits(metadata: Sequence[Any]) -> str:
    words = {
        "ge": "at least {}",
        "gt": "more than {}",
        "le": "at most {}",
        "lt": "less than {}",
        "multiple_of": "a multiple of {}",
        "min_length": "not empty",
    }
    # Field() keeps its limits bare, or packed in one more FieldInfo where it stands inside Annotated.
    flat = [item for entry in metadata for item in (entry.metadata if isinstance(entry, FieldInfo) else [entry])]
    found = [
        text.format(getattr(item, name))
        for item in flat
        for name, text in words.items()
        if getattr(item, name, None) is not None
    ]
    return "".join(f", {text}" for text in found)
