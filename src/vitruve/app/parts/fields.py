"""Fields of forms: their keys, and what was typed into them, which stays while other pages are looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypedDict

import streamlit as st

from vitruve.app.place import Place

_TYPED = "typed"


class Field(TypedDict):
    """What a field of a form is drawn with, besides what it is."""

    key: str
    on_change: Callable[[], None]


def typed(place: Place, key: str, first: Any, options: Sequence[Any] | None = None, *, stays: bool = False) -> Field:
    """A field that keeps what was typed into it; untouched, it follows what it begins with.

    Streamlit forgets the value of a field as soon as a page is drawn without it.

    Args:
        place: Where the field is; what was typed belongs to the open project.
        key: Of the field, unique in the app: its form, a colon, its name.
        first: What the field begins with.
        options: What can be chosen, where that changes: what was chosen and is not there any more is forgotten.
        stays: What was shown first stays as well: a run that ends meanwhile must not take the place of another.

    Returns:
        Arguments of the widget, which must be drawn without a value of its own.
    """
    field = field_key(place, key)
    value = _known(_typed(place).get(key, first), first, options)
    if stays:
        _typed(place)[key] = value
    # Also where it is there already: browsers draw a field that comes back at its least value until they are told.
    st.session_state[field] = value
    return {"key": field, "on_change": partial(_told, place, key)}


def type_in(place: Place, key: str, value: Any) -> None:
    """Fill in a field of :func:`typed` for somebody.

    Args:
        place: Where the field is.
        key: Of the field.
        value: What is typed.
    """
    _typed(place)[key] = value


def hand_in(place: Place, form: str) -> None:
    """Forget what was typed into a form: its fields begin anew.

    Args:
        place: Where the form is.
        form: What the keys of its fields begin with.
    """
    values = _typed(place)
    for key in [key for key in values if key.startswith(f"{form}:")]:
        del values[key]


def field_key(place: Place, key: str) -> str:
    """A key for a field that must not keep its value when another project is opened.

    Args:
        place: Where the field is.
        key: Unique on its page.

    Returns:
        The key.
    """
    return key if place.project is None else f"{key}:{place.project.path}"


def _known(value: Any, first: Any, options: Sequence[Any] | None) -> Any:
    if options is None:
        return value
    if isinstance(value, list):
        return [each for each in value if each in options]
    return value if value in options else first


def _told(place: Place, key: str) -> None:
    _typed(place)[key] = st.session_state[field_key(place, key)]


def _typed(place: Place) -> dict[str, Any]:
    """What was typed in this session for a project, by key of the field."""
    values: dict[str, Any] = st.session_state.setdefault(field_key(place, _TYPED), {})
    return values
