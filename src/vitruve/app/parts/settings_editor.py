"""Settings that somebody is changing: as a form and as YAML, which are two looks at one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from vitruve.app.parts.forms import Form, fields_form, settings_form
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.parts.yaml_editor import yaml_editor
from vitruve.app.settings_file import Checked, check, differing, schema
from vitruve.config.yaml_edit import flow, with_values
from vitruve.config.yaml_file import parse_yaml
from vitruve.errors import ConfigError

_FORM, _YAML, _DIFFERS, _PROPOSED = "Form", "YAML", "What differs", "Proposed"


@dataclass
class Draft:
    """A settings file that is being changed; kept in the session.

    Attributes:
        kind: Of the project.
        path: The file.
        text: What it is to hold.
        saved: What it held when it was read; empty for a file that is not there yet.
        mark: Of :attr:`saved`.
        reasons: Why values were proposed, by full key.
        refused: Why the last change could not be made.
    """

    kind: str
    path: Path
    text: str
    saved: str = ""
    mark: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""

    @property
    def changed(self) -> bool:
        """Whether there is something to save."""
        return self.text != self.saved

    def set(self, key: str, value: Any) -> None:
        """Change a setting in the text."""
        try:
            self.text, self.refused = with_values(self.text, {key: value}), ""
        except ConfigError as error:
            self.refused = str(error)

    def rewrite(self, text: str) -> None:
        """Take another text."""
        self.text, self.refused = text, ""


def settings_editor(draft: Draft, key: str) -> Checked:
    """Show settings so that they can be changed.

    Args:
        draft: The settings; changes are made to it.
        key: Of the fields, unique on the page.

    Returns:
        Whether the settings can be used as they stand.
    """
    found = _checked(draft.kind, draft.text, str(draft.path))
    views = [*([_PROPOSED] if draft.reasons else []), _FORM, _YAML, _DIFFERS]
    view = st.segmented_control(
        "Shown as", views, default=views[0], key=f"{key}/view", required=True, label_visibility="collapsed"
    )
    if draft.refused:
        st.warning(verbatim(draft.refused), icon=":material/edit_off:")
    if found.error:
        show_error(found.error)
    if view == _YAML:
        yaml_editor(draft.text, f"{key}/yaml", draft.rewrite, found.error)
    else:
        try:
            values = parse_yaml(draft.text, draft.path)
        except ConfigError:
            st.info("The text is no YAML just now, so there is no form of it: mend it under YAML.")
            return found
        if "defaults" in values:
            st.info(
                "This file puts several together, by the names under `defaults`. What only those set is at its usual "
                "value in the form; what is changed here goes into this file.",
                icon=":material/account_tree:",
            )
        _other(draft, values, str(view), key)
    for remark in found.remarks:
        st.caption(f":material/info: {verbatim(remark)}")
    return found


def _other(draft: Draft, values: dict[str, Any], view: str, key: str) -> None:
    if view == _DIFFERS:
        _table(draft.kind, values)
        return
    saved = parse_yaml(draft.saved, draft.path) if draft.saved else {}
    form = Form(schema(draft.kind, values), values, saved, draft.reasons, _known(draft.kind))
    if view == _PROPOSED:
        fields_form(form, list(draft.reasons), f"{key}/proposed", draft.set)
    else:
        settings_form(form, f"{key}/form", draft.set)


def _table(kind: str, values: dict[str, Any]) -> None:
    rows = differing(kind, values)
    if not rows:
        st.info("All settings are at their defaults.")
        return
    shown = [
        {"setting": key, "here": _line(value), "default": _line(default)} for key, (value, default) in rows.items()
    ]
    st.dataframe(shown, hide_index=True, height="content")


def _line(value: Any) -> str:
    return repr(value) if isinstance(value, float) else flow(value)


@st.cache_data(show_spinner="Checking…", max_entries=50, ttl=60)
def _checked(kind: str, text: str, path: str) -> Checked:
    return check(kind, text, Path(path))


@st.cache_resource(show_spinner=False)
def _known(kind: str) -> dict[str, Sequence[str]]:
    """Names that settings may have, where a list of them helps."""
    from vitruve.app.projects import RIG

    if kind == RIG:
        return {}
    from vitruve.listing import list_available
    from vitruve.losses.settings import UNSUPERVISED

    def names(of: str) -> list[str]:
        return [name for name, _ in list_available(of)]

    return {
        "model.model_type": names("algorithms"),
        "model.backbone": names("backbones"),
        "model.losses_to_use": list(UNSUPERVISED),
        "data.label_format": names("formats"),
    }
