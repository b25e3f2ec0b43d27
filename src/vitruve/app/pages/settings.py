"""Settings of the project, as a form and as YAML, checked while they are changed."""

from __future__ import annotations

import streamlit as st

from vitruve.app.parts.live import fragment
from vitruve.app.parts.settings_editor import Draft, settings_editor
from vitruve.app.parts.text import code, show_error
from vitruve.app.place import Place
from vitruve.app.projects import RIG
from vitruve.app.settings_file import Checked, diff, read_settings, save_settings
from vitruve.errors import InputError

_ABOUT = {
    RIG: "What the three networks of this project are trained with. Trainings that run already keep theirs.",
}
_ABOUT_POSES = "What the next training starts from. Runs keep the settings that they were trained with."


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    st.caption(
        f"{_ABOUT.get(place.project.kind, _ABOUT_POSES)} File: {code(place.workspace.name(place.project.config))}"
    )
    fragment(_editor)(place)


def _editor(place: Place) -> None:
    project = place.project
    assert project is not None
    key = f"settings/{project.path}"
    now = read_settings(project.config)
    draft: Draft | None = st.session_state.get(key)
    # What nobody has touched here follows the file.
    if draft is None or (not draft.changed and draft.mark != now.mark):
        draft = st.session_state[key] = Draft(project.kind, project.config, now.text, now.text, now.mark)
    if draft.mark != now.mark:
        st.warning(
            "The file has been changed by somebody else since it was read here. What you have changed cannot be saved "
            "over it: load the file again, which discards your changes.",
            icon=":material/sync_problem:",
        )
    # The buttons are above the form, but can only be drawn when it has said whether it is right.
    bar = st.container(horizontal=True, vertical_alignment="center")
    found = settings_editor(draft, key)
    with bar:
        _buttons(draft, found, key, stale=draft.mark != now.mark)
    if draft.changed:
        with st.expander("Changes that are not saved yet", icon=":material/difference:"):
            st.code(diff(draft.saved, draft.text), language="diff")


def _buttons(draft: Draft, found: Checked, key: str, *, stale: bool) -> None:
    if st.button(
        f"Save {draft.path.name}",
        type="primary",
        icon=":material/save:",
        key=f"{key}/save",
        disabled=bool(found.error) or not draft.changed or stale,
    ):
        try:
            kept = save_settings(draft.path, draft.text, draft.mark)
        except InputError as error:
            show_error(error)
            return
        st.session_state[key] = Draft(draft.kind, draft.path, kept.text, kept.text, kept.mark)
        st.toast(f"Saved {draft.path.name}", icon=":material/check:")
        st.rerun()
    label = "Load it again" if stale else "Discard changes"
    if st.button(label, key=f"{key}/discard", icon=":material/undo:", disabled=not draft.changed and not stale):
        del st.session_state[key]
        st.rerun()
    st.caption(_state(draft, found, stale))


def _state(draft: Draft, found: Checked, stale: bool) -> str:
    if found.error:
        return ":red[There is something wrong: see below.]"
    if stale:
        return "The file on disk is another one now."
    return ":orange[Changes are not saved yet.]" if draft.changed else "Saved; all settings can be used."
