"""What a setting looks like in a form: which kind of field, and how its values are written there."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from vitruve.config.yaml_edit import flow
from vitruve.config.yaml_file import parse_yaml
from vitruve.errors import ConfigError


class Look(Enum):
    """Kinds of fields."""

    SWITCH = auto()
    CHOICE = auto()
    INTEGER = auto()
    NUMBER = auto()
    TEXT = auto()
    SEVERAL = auto()
    YAML = auto()


@dataclass(frozen=True)
class Control:
    """The field of a setting.

    Attributes:
        look: Its kind.
        empty: Whether nothing, which is null, is a value.
        options: What can be chosen.
        other: Whether something else than the options can be typed.
        least: Smallest integer; None for any.
        most: Largest integer; None for any.
        step: Between integers.
    """

    look: Look
    empty: bool = False
    options: tuple[Any, ...] = ()
    other: bool = False
    least: int | None = None
    most: int | None = None
    step: int = 1


def control_of(field: FieldInfo, value: Any, known: Sequence[str] = ()) -> Control:
    """The field for a setting.

    Args:
        field: The setting.
        value: What it is now, plain; one that the natural field cannot show is shown as YAML, so that it can be mended.
        known: Names that are offered for it, if it is a text or a list of texts.

    Returns:
        The field.
    """
    control = _natural(field.annotation, field.metadata, tuple(known))
    return control if _shows(control, value) else Control(Look.YAML, control.empty)


def to_field(control: Control, value: Any) -> Any:
    """A value as its field holds it.

    Args:
        control: The field.
        value: Plain.

    Returns:
        Text for fields of text, otherwise the value.
    """
    if control.look is Look.SEVERAL:
        return list(value or ())
    if control.look in (Look.SWITCH, Look.CHOICE, Look.INTEGER):
        return value
    if value is None and control.empty:
        return ""
    if control.look is Look.TEXT or (control.look is Look.YAML and isinstance(value, str) and value[:1] in ("[", "{")):
        # A list that lacks its end is a text: quoted, it could not be mended.
        return value
    return repr(value) if isinstance(value, float) else flow(value)


def from_field(control: Control, shown: Any) -> Any:
    """The value that a field holds.

    Args:
        control: The field.
        shown: What is in it.

    Returns:
        A plain value; text that is no YAML is a text, which the setting's check refuses.
    """
    if not isinstance(shown, str) or control.look is Look.CHOICE:
        return shown
    text = shown.strip()
    if not text and control.empty:
        return None
    if control.look is Look.TEXT:
        return text
    try:
        return parse_yaml(f"value: {text}")["value"]
    except ConfigError:
        return text


def _natural(annotation: Any, metadata: Sequence[Any], known: tuple[str, ...]) -> Control:
    kinds, empty = _kinds(annotation)
    limits = _limits([*metadata, *(item for kind in kinds for item in _metadata(kind))])
    bare = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds]
    if len(bare) != 1:
        return Control(Look.NUMBER if set(bare) == {int, float} else Look.YAML, empty)
    kind = bare[0]
    if kind is bool:
        return Control(Look.CHOICE, True, (True, False)) if empty else Control(Look.SWITCH)
    if get_origin(kind) is Literal:
        return Control(Look.CHOICE, empty, get_args(kind))
    if kind is int:
        return Control(Look.INTEGER, empty, **limits)
    if kind is float:
        return Control(Look.NUMBER, empty)
    if known and get_origin(kind) is tuple:
        return Control(Look.SEVERAL, False, known)
    if known and kind is str:
        return Control(Look.CHOICE, empty, known, other=True)
    if kind is str or getattr(kind, "__name__", "") == "Path":
        return Control(Look.TEXT, empty)
    return Control(Look.YAML, empty)


def _kinds(annotation: Any) -> tuple[list[Any], bool]:
    """What a setting may be besides null, and whether it may be null."""
    if get_origin(annotation) in (Union, types.UnionType):
        choices = get_args(annotation)
        return [choice for choice in choices if choice is not type(None)], type(None) in choices
    return [annotation], False


def _metadata(kind: Any) -> Sequence[Any]:
    return get_args(kind)[1:] if get_origin(kind) is Annotated else ()


def _limits(metadata: Sequence[Any]) -> dict[str, Any]:
    """Limits of an integer, as pydantic keeps them: bare, or within the field of an annotated type."""
    flat = [item for entry in metadata for item in (entry.metadata if isinstance(entry, FieldInfo) else [entry])]
    found: dict[str, Any] = {}
    for item in flat:
        for name, ours, shift in (("ge", "least", 0), ("gt", "least", 1), ("le", "most", 0), ("lt", "most", -1)):
            if getattr(item, name, None) is not None:
                found[ours] = int(getattr(item, name)) + shift
        if getattr(item, "multiple_of", None) is not None:
            found["step"] = int(item.multiple_of)
    return found


def _shows(control: Control, value: Any) -> bool:
    """Whether a field can hold a value."""
    if value is None:
        return control.empty or control.look is Look.SEVERAL
    match control.look:
        case Look.SWITCH:
            return isinstance(value, bool)
        case Look.INTEGER:
            whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
            return (
                whole
                and (control.least is None or value >= control.least)
                and (control.most is None or value <= control.most)
            )
        case Look.CHOICE:
            return (control.other and isinstance(value, str)) or any(
                value == option and type(value) is type(option) for option in control.options
            )
        case Look.TEXT:
            return isinstance(value, str) and value.isprintable()
        case Look.SEVERAL:
            return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return True
