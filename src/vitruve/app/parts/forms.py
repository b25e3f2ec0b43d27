"""A form of settings, made from what is known of them: help, ranges, defaults, what differs, what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vitruve.app.controls import Control, Look, control_of, from_field, to_field
from vitruve.app.parts.text import code, verbatim
from vitruve.app.settings_file import default_of, plain, problem
from vitruve.config.explain import expectation
from vitruve.config.table import fields_of
from vitruve.config.yaml_edit import flow, value_at

_COLUMNS = 3
_SHOWN = 28


@dataclass(frozen=True)
class Form:
    """What a form is about.

    Attributes:
        schema: The settings that there are.
        values: Those that were made, unchecked.
        saved: Those of the file on disk.
        reasons: Why a value was proposed, by full key.
        known: Names that are offered for a setting, by full key.
    """

    schema: type[BaseModel]
    values: Mapping[str, Any]
    saved: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def fields(self) -> Iterator[tuple[str, FieldInfo]]:
        """All settings by full key."""
        return fields_of(self.schema)

    def value(self, key: str, info: FieldInfo) -> Any:
        """What a setting is: as it was made, or its default."""
        return value_at(self.values, key, plain(default_of(info)))

    def differs(self, key: str, info: FieldInfo) -> bool:
        """Whether a setting is not at its default."""
        return bool(plain(self.value(key, info)) != plain(default_of(info)))

    def unsaved(self, key: str, info: FieldInfo) -> bool:
        """Whether a setting is not what the file says."""
        default = plain(default_of(info))
        return bool(self.value(key, info) != value_at(self.saved, key, default))


def settings_form(form: Form, key: str, changed: Callable[[str, Any], None]) -> None:
    """Fields for all settings: a section at a time, or those that a word is found in, or those that differ.

    Args:
        form: What it is about.
        key: Of its fields, unique on the page.
        changed: Is told the full key and the new value of a setting that somebody changes.
    """
    sections = _sections(form)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        word = st.text_input(
            "Find a setting",
            key=f"{key}/find",
            placeholder="Find a setting, such as epochs",
            label_visibility="collapsed",
            icon=":material/search:",
            width=340,
        )
        only = st.toggle("Only what differs from the defaults", key=f"{key}/only")
    if word or only:
        found = [
            (name, info)
            for name, info in form.fields()
            if (not only or form.differs(name, info)) and word.lower() in f"{name} {info.description}".lower()
        ]
        if not found:
            st.info("No setting is like that." if word else "All settings are at their defaults.")
    else:
        section = st.segmented_control(
            "Section", list(sections), default=next(iter(sections)), key=f"{key}/section", required=True
        )
        found = sections[section or next(iter(sections))]
        st.caption(_about(form.schema, found[0][0]))
    _groups(form, found, key, changed)


def fields_form(form: Form, keys: Sequence[str], key: str, changed: Callable[[str, Any], None]) -> None:
    """Fields for some settings, each with the reason for its value.

    Args:
        form: What it is about.
        keys: Their full keys.
        key: Of the fields, unique on the page.
        changed: As for :func:`settings_form`.
    """
    known = dict(form.fields())
    _groups(form, [(name, known[name]) for name in keys if name in known], key, changed)


def _sections(form: Form) -> dict[str, list[tuple[str, FieldInfo]]]:
    """Settings by the first part of their key; those without one come first or last, as ``general``."""
    found: dict[str, list[tuple[str, FieldInfo]]] = {}
    for name, info in form.fields():
        found.setdefault(name.partition(".")[0] if "." in name else "general", []).append((name, info))
    return found


def _about(schema: type[BaseModel], key: str) -> str:
    section, _, rest = key.partition(".")
    info = schema.model_fields[section]
    if not rest:
        return "Settings of no section."
    inner = info.annotation
    return info.description or (inner.__doc__ if isinstance(inner, type) else "") or ""


def _groups(form: Form, fields: Sequence[tuple[str, FieldInfo]], key: str, changed: Callable[[str, Any], None]) -> None:
    """Fields in rows; a heading where the part of the settings changes."""
    groups: dict[str, list[tuple[str, FieldInfo]]] = {}
    for name, info in fields:
        groups.setdefault(name.rpartition(".")[0], []).append((name, info))
    for group, members in groups.items():
        if group:
            st.markdown(f"###### {verbatim(group)}")
        for start in range(0, len(members), _COLUMNS):
            for column, (name, info) in zip(st.columns(_COLUMNS), members[start : start + _COLUMNS], strict=False):
                with column:
                    _field(form, name, info, key, changed)


def _field(form: Form, name: str, info: FieldInfo, key: str, changed: Callable[[str, Any], None]) -> None:
    value = form.value(name, info)
    control = control_of(info, plain(value), form.known.get(name, ()))
    # A field that has become one of another kind is another field.
    place = f"{key}/{name}/{control.look.name}"
    st.session_state[place] = to_field(control, plain(value))

    def told() -> None:
        new = from_field(control, st.session_state[place])
        if new != value:
            changed(name, new)

    _draw(control, _label(form, name, info), place, _help(name, info), told)
    wrong = problem(info, plain(value)) if form.unsaved(name, info) or form.differs(name, info) else ""
    if wrong:
        st.caption(f":red[:material/error: {verbatim(wrong)}]")
    if name in form.reasons:
        st.caption(verbatim(form.reasons[name]))


def _draw(control: Control, label: str, key: str, help: str, told: Callable[[], None]) -> None:
    match control.look:
        case Look.SWITCH:
            st.segmented_control(
                label, [True, False], key=key, help=help, on_change=told, format_func=_word, required=True
            )
        case Look.CHOICE:
            options = list(control.options)
            current = st.session_state[key]
            if current is not None and current not in options:
                options.insert(0, current)
            st.selectbox(
                label,
                options,
                index=None if control.empty else 0,
                key=key,
                help=help,
                on_change=told,
                format_func=_word,
                placeholder="null",
                accept_new_options=control.other,
            )
        case Look.INTEGER:
            st.number_input(
                label,
                min_value=control.least,
                max_value=control.most,
                value=None if control.empty else "min",
                step=control.step,
                key=key,
                help=help,
                on_change=told,
                placeholder="null",
            )
        case Look.SEVERAL:
            st.multiselect(label, control.options, key=key, help=help, on_change=told, placeholder="none")
        case _:
            st.text_input(label, key=key, help=help, on_change=told, placeholder="null" if control.empty else None)


def _word(option: Any) -> str:
    return flow(option) if isinstance(option, bool) else str(option)


def _label(form: Form, name: str, info: FieldInfo) -> str:
    label = name.rpartition(".")[2]
    if form.unsaved(name, info) and form.saved:
        label += " :orange-badge[not saved]"
    elif form.differs(name, info) and not info.is_required() and name not in form.reasons:
        label += f" :gray-badge[default {verbatim(_short(default_of(info)))}]"
    return label


def _help(name: str, info: FieldInfo) -> str:
    default = "" if info.is_required() else f" Default: {code(_short(default_of(info), 80))}."
    return f"{info.description or ''}\n\nMay be {verbatim(expectation(info))}.{default}\n\n`{name}`"


def _short(value: Any, length: int = _SHOWN) -> str:
    text = repr(value) if isinstance(value, float) else flow(plain(value))
    return text if len(text) <= length else text[: length - 1] + "…"
