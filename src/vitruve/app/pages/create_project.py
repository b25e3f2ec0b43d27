"""A new project: name, data, what follows from the data and why, and its settings before anything is written."""

from __future__ import annotations

import streamlit as st

from vitruve.app.create_project import Plan, find_data, plan_poses, plan_rig, project_folder
from vitruve.app.main import choose
from vitruve.app.parts.fields import hand_in, type_in, typed
from vitruve.app.parts.links import page_link
from vitruve.app.parts.settings_editor import Draft, settings_editor
from vitruve.app.parts.text import code, verbatim
from vitruve.app.place import Place
from vitruve.app.projects import POSES, RIG, open_project
from vitruve.app.settings_file import create_settings
from vitruve.errors import VitruveError

_KEY = "create_project"
_PLAN, _DRAFT, _MADE = f"{_KEY}/plan", f"{_KEY}/draft", f"{_KEY}/made"
_KINDS = {
    POSES: "Images → poses or boxes (one network)",
    RIG: "Several calibrated cameras → points in mm (three networks)",
}
_DATA = {
    POSES: "Label file, or the folder of a labelled data set",
    RIG: "Training set of framesets (Dataset3D)",
}
_DATA_HELP = {
    POSES: "Any format that Vitruve reads: Lightning Pose, DeepLabCut, COCO, SLEAP, … It must lie in the folders that "
    "this app was started for.",
    RIG: "A folder as JARVIS' AnnotationTool exports it, with annotations and calib_params. It must lie in the folders "
    "that this app was started for.",
}
_RECOMMENDED = "recommended"


def show(place: Place) -> None:
    """The page."""
    made = st.session_state.get(_MADE)
    if made is not None and place.project is not None and str(place.project.path) == made:
        _done(place)
        return
    plan: Plan | None = st.session_state.get(_PLAN)
    if plan is None:
        _questions(place)
    else:
        _proposal(place, plan)


def _questions(place: Place) -> None:
    """First step: what it is called, and what it is made of."""
    st.caption("Step 1 of 2. Nothing is written before you have seen the settings.")
    anywhere = _anywhere(place)
    _asked(anywhere)
    kind = st.radio(
        "What is it for?",
        list(_KINDS),
        format_func=_KINDS.__getitem__,
        horizontal=True,
        **typed(anywhere, f"{_KEY}:kind", POSES),
    )
    left, right = st.columns(2)
    name = left.text_input("Name", placeholder="mouse_2024", max_chars=80, **typed(anywhere, f"{_KEY}:name", ""))
    folder = right.text_input(
        "Folder that it is made in",
        placeholder=str(place.workspace.home),
        help="Below the folders that this app was started for; empty for the first of them.",
        **typed(anywhere, f"{_KEY}:folder", ""),
    )
    offered = [place.workspace.name(path) for path in find_data(place.workspace, kind)]
    field = typed(anywhere, f"{_KEY}:data:{kind}", offered[0] if len(offered) == 1 else None)
    given = st.session_state[field["key"]]
    if given and given not in offered:
        offered.insert(0, given)
    data = st.selectbox(
        _DATA[kind],
        offered,
        index=None,
        accept_new_options=True,
        placeholder="Choose one that was found, or type a path" if offered else "None was found: type a path",
        help=_DATA_HELP[kind],
        **field,
    )
    if kind == RIG:
        flat = st.text_input(
            "Training set of images (Dataset2D)",
            placeholder="the same",
            help="Empty for the same set. A project of images alone, without cameras: give it here and leave the "
            "other one empty.",
            **typed(anywhere, f"{_KEY}:flat", ""),
        )
        algorithm = _RECOMMENDED
    else:
        flat = ""
        algorithm = _algorithm(anywhere)
    problem = _problem(place, name, folder, data or flat)
    if problem and (name or data):
        st.caption(f":orange[{verbatim(problem)}]")
    if not st.button(
        "Derive the settings", type="primary", icon=":material/arrow_forward:", disabled=bool(problem), key=f"{_KEY}/go"
    ):
        return
    with st.spinner("Reading the labels, and finding what suits them…"):
        path = project_folder(place.workspace, name, folder)
        if kind == RIG:
            plan = plan_rig(place.workspace, path, data or "", flat)
        else:
            named = None if algorithm == _RECOMMENDED else algorithm
            plan = plan_poses(place.workspace, path, data or "", named)
    st.session_state[_PLAN] = plan
    st.session_state[_DRAFT] = Draft(plan.kind, plan.config, plan.text, reasons=plan.reasons)
    st.rerun()


def _algorithm(anywhere: Place) -> str:
    from vitruve.listing import list_available

    known = dict(list_available("algorithms"))
    chosen = st.selectbox(
        "Network",
        [_RECOMMENDED, *known],
        format_func=lambda each: f"{each}: {known[each]}" if each in known else "As recommended for the data",
        help="Settings are recommended for one animal an image. For people in a crowd, for boxes and for classes, "
        "choose an algorithm: its settings begin at their defaults.",
        **typed(anywhere, f"{_KEY}:algorithm", _RECOMMENDED),
    )
    return str(chosen)


def _problem(place: Place, name: str, folder: str, data: str) -> str:
    """What is missing before anything can be derived."""
    try:
        project_folder(place.workspace, name, folder)
    except VitruveError as error:
        return str(error)
    return "" if data.strip() else "Data: choose what the project is made of"


def _proposal(place: Place, plan: Plan) -> None:
    """Second step: what was derived, why, and the chance to change it."""
    st.caption(
        f"Step 2 of 2. Settings of the new project {code(place.workspace.name(plan.path))}; nothing is written yet."
    )
    bar = st.container(horizontal=True, vertical_alignment="center")
    for fact in plan.facts:
        st.markdown(f"- {verbatim(fact)}")
    for warning in plan.warnings:
        st.warning(verbatim(warning), icon=":material/lightbulb:")
    st.subheader("What follows from the data")
    draft: Draft = st.session_state[_DRAFT]
    found = settings_editor(draft, f"{_KEY}/{plan.path}")
    with bar:
        if st.button(
            f"Create {verbatim(plan.path.name)}",
            type="primary",
            icon=":material/check:",
            disabled=bool(found.error),
            key=f"{_KEY}/create",
        ):
            _create(place, plan, draft)
        if st.button("Back", icon=":material/arrow_back:", key=f"{_KEY}/back"):
            _forget()
            st.rerun()
        if found.error:
            st.caption(":red[A setting is not right yet: see below.]")


def _create(place: Place, plan: Plan, draft: Draft) -> None:
    create_settings(plan.config, draft.text)
    project = open_project(place.workspace, plan.path)
    hand_in(_anywhere(place), _KEY)
    _forget()
    choose(project)
    st.session_state[_MADE] = str(plan.path)
    st.rerun()


def _asked(anywhere: Place) -> None:
    """Answer what a link to this page has answered; from then on it can be changed like anything else."""
    kind, data = st.query_params.pop("kind", None), st.query_params.pop("data", None)
    if kind in _KINDS:
        type_in(anywhere, f"{_KEY}:kind", kind)
        if data:
            type_in(anywhere, f"{_KEY}:data:{kind}", data)


def _anywhere(place: Place) -> Place:
    """Where the questions stand: what is answered does not belong to the project that happens to be open."""
    return Place(place.workspace, None)


def _forget() -> None:
    for key in (_PLAN, _DRAFT, _MADE):
        st.session_state.pop(key, None)


def _done(place: Place) -> None:
    assert place.project is not None
    st.success(f"Created {verbatim(place.project.name)}: {code(place.project.path)}", icon=":material/check:")
    st.markdown("**Next**")
    page_link(place, "train", "Train it")
    page_link(place, "settings", "Change its settings")
    page_link(place, "overview", "See what there is")
    if st.button("Create another one", icon=":material/add:", key=f"{_KEY}/again"):
        _forget()
        st.rerun()
