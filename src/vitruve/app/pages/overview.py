"""What there is, and what to do next."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from vitruve.app.main import choose
from vitruve.app.overview import (
    EXAMPLES,
    example_arguments,
    facts,
    next_steps,
    project_rows,
    run_rows,
)
from vitruve.app.parts.jobs import show_command, show_job, submit
from vitruve.app.parts.links import page_link
from vitruve.app.parts.text import code, verbatim
from vitruve.app.place import Place
from vitruve.app.projects import RIG, AppProject, find_projects, open_project
from vitruve.app.words import counted
from vitruve.errors import VitruveError
from vitruve.jobs.job import DONE

_EXAMPLE = "example"
_SHOWN_RUNS = 8
_SHOWN_STEPS = 4


def show(place: Place) -> None:
    """The page."""
    projects = find_projects(place.workspace)
    if place.project is not None:
        _project(place, place.project)
        st.divider()
    elif not projects:
        st.markdown(
            "There is no project in "
            + ", ".join(code(root) for root in place.workspace.roots)
            + " yet. Make one of your own labelled images, or begin with an example."
        )
    _projects(place, projects)
    st.subheader("Begin" if projects else "Begin with")
    own, example = st.columns(2, border=True)
    with own:
        st.markdown("**Your own data**")
        st.caption("Labelled images of any known format, or a training set of calibrated cameras.")
        page_link(place, "create_project", "New project")
    with example:
        _examples(place)


def _project(place: Place, project: AppProject) -> None:
    """The open project: what it is, its newest runs, what to do next."""
    runs = project.runs()
    st.subheader(verbatim(project.name))
    st.caption(code(project.path))
    rows = facts(project)
    for column, (name, value) in zip(st.columns(len(rows)), rows, strict=True):
        column.markdown(f":gray[{name}]  \n{verbatim(value)}")
    st.markdown("**What next**")
    active = sum(job.active for job in place.jobs.all() if job.about.get("project") == str(project.path))
    steps = next_steps(project, runs, active)[:_SHOWN_STEPS]
    for column, step in zip(st.columns(len(steps), border=True), steps, strict=True):
        with column:
            page_link(place, step.page, step.label)
            st.caption(step.why)
    st.markdown("**Runs**")
    if not runs:
        st.caption("None yet.")
        return
    st.dataframe(_rows(tuple(runs[:_SHOWN_RUNS]), _age(project)), hide_index=True, height="content")
    if len(runs) > _SHOWN_RUNS:
        st.caption(f"and {counted(len(runs) - _SHOWN_RUNS, 'older run')}")


def _projects(place: Place, projects: list[AppProject]) -> None:
    if not projects:
        return
    st.subheader("Projects")
    rows = project_rows(projects, {project.path: place.workspace.name(project.path) for project in projects})
    picked = st.dataframe(
        rows,
        hide_index=True,
        height="content",
        key="overview/projects",
        on_select="rerun",
        selection_mode="single-row",
    )
    chosen = picked.selection.rows
    project = projects[chosen[0]] if chosen and chosen[0] < len(projects) else None
    named = project is not None and (place.project is None or project.path != place.project.path)
    if st.button(
        f"Open {verbatim(project.name)}" if named and project is not None else "Open the marked project",
        icon=":material/folder_open:",
        key="overview/open",
        disabled=not named,
    ):
        assert project is not None
        choose(project)
        st.rerun()


def _examples(place: Place) -> None:
    """Examples that can be written, and those that are or were."""
    st.markdown("**An example**")
    jobs = {job.about.get(_EXAMPLE, ""): job for job in reversed(place.jobs.all()) if job.about.get("kind") == _EXAMPLE}
    names = list(EXAMPLES)
    name = st.selectbox(
        "Rendered, with exact truth",
        names,
        format_func=lambda each: f"{each}: {EXAMPLES[each][0]}",
        key="overview/example",
    )
    target = place.workspace.home / f"example_{name}"
    job = jobs.get(name)
    arguments = example_arguments(name, target)
    if target.is_dir() and (job is None or not job.active):
        _example_there(place, target)
        return
    if job is None or not job.active:
        if st.button(
            f"Write it to {target.name}", icon=":material/auto_awesome:", key="overview/write", type="primary"
        ):
            submit(
                place,
                arguments,
                title=f"Example {name}",
                kind=_EXAMPLE,
                folder=place.workspace.home,
                waits=False,
                **{_EXAMPLE: name},
            )
            st.rerun()
        show_command(arguments)
    if job is not None and (job.active or job.state != DONE):
        show_job(place, job, "overview/job")


def _example_there(place: Place, target: Path) -> None:
    try:
        project = open_project(place.workspace, target)
    except VitruveError:
        project = None
    st.caption(f":material/check: {code(target.name)} is there.")
    if project is not None:
        if place.project is not None and place.project.path == project.path:
            st.caption("It is open.")
        elif st.button(f"Open {verbatim(project.name)}", icon=":material/folder_open:", key="overview/open_example"):
            choose(project)
            st.rerun()
    elif (target / "TrainingSet").is_dir():
        data = place.workspace.name(target / "TrainingSet")
        page_link(place, "create_project", "Make a project of it", kind=RIG, data=data)


@st.cache_data(show_spinner=False, max_entries=20)
def _rows(_runs: tuple[object, ...], age: tuple[float, ...]) -> list[dict[str, object]]:
    """Results are read from the reports of runs: not anew with each click."""
    return run_rows(_runs)  # type: ignore[arg-type]


def _age(project: AppProject) -> tuple[float, ...]:
    """Changes when any run does."""
    return tuple(
        file.stat().st_mtime
        for run in project.runs()[:_SHOWN_RUNS]
        for file in (run.files.status, run.files.model, run.files.evaluation / "summary.csv")
        if file.is_file()
    )
