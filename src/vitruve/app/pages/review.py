"""What networks propose, before it goes to CVAT: accept, refuse, and correct by dragging."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from vitruve.annotation.cvat.access import Access
from vitruve.annotation.proposals.into_labels import write_review
from vitruve.annotation.proposals.judge import KINDS
from vitruve.annotation.proposals.pending import DecidedMeanwhile, Decision, Pending, decide, open_pending, state_of
from vitruve.annotation.proposals.propose import OUTPUT
from vitruve.annotation.proposals.trail import ACCEPTED, REJECTED, Proposal
from vitruve.app.labels import LabelFile
from vitruve.app.parts.at_work import show_at_work
from vitruve.app.parts.component import component
from vitruve.app.parts.fields import field_key, typed
from vitruve.app.parts.jobs import jobs_of, show_command, submit
from vitruve.app.parts.labels import choose_labels
from vitruve.app.parts.runs import choose_run
from vitruve.app.parts.stepper import jump, stepper
from vitruve.app.parts.tabs import open_tab, tabs
from vitruve.app.parts.text import show_error, verbatim
from vitruve.app.place import Place
from vitruve.app.reviews import OPEN, STATES, decision_of, drawing, find_reviews, labels_with, table
from vitruve.errors import VitruveError
from vitruve.jobs.job import DONE

_WAITING, _NEW = "Proposals", "Let a network propose"
_FORM = "review:new"


def show(place: Place) -> None:
    """The page."""
    assert place.project is not None
    reviews = {_called(path): path for path in find_reviews(place.project)}
    waiting, new = tabs(field_key(place, "review/tab"), (_WAITING, _NEW))
    with waiting:
        show_at_work(place, jobs_of(place, "propose", "send"), "review", instead=not reviews)
        _ended_last(place)
        if reviews:
            _chosen(place, reviews)
        else:
            st.info(
                "Nothing waits for a review. A network can look through labels, or through images without any, and "
                "propose what lacks or is wrong.",
                icon=":material/rate_review:",
            )
            if st.button(_NEW, key=field_key(place, "review/begin"), icon=":material/add:"):
                open_tab(field_key(place, "review/tab"), _NEW)
    with new:
        _new(place)


def _ended_last(place: Place) -> None:
    """What the newest proposing has found: where that is nothing, there is nothing else to be seen of it."""
    last = next((job for job in jobs_of(place, "propose") if not job.active), None)
    if last is not None and last.state == DONE and (said := last.said(1)):
        st.caption(f"{verbatim(last.title)}: {verbatim(said[0])}. With lower scores a new one finds more.")


def _called(path: Path) -> str:
    """Variant, date and source of proposals."""
    return f"{path.parents[2].name} {path.parents[1].name}: {path.name}"


def _chosen(place: Place, reviews: dict[str, Path]) -> None:
    name = st.selectbox("Proposals", list(reviews), key=field_key(place, "review/chosen"))
    pending = open_pending(reviews[name])
    if not pending.proposals:
        st.info("Nothing was proposed.")
        return
    key = field_key(place, f"review/{name}")
    _summary(place, pending, key)
    problem = st.session_state.pop(f"{key}/problem", None)
    if problem:
        show_error(problem)
    wanted = st.segmented_control(
        "Show", ["all", *STATES], default="all", key=f"{key}/filter", required=True, label_visibility="collapsed"
    )
    found = [p for p in pending.proposals if wanted in ("all", state_of(pending.decisions.get(p.id)))]
    if not found:
        st.info(f"None is {wanted}.")
    else:
        _one(place, pending, found, key, str(wanted))
    _write(place, pending, key)
    with st.expander("All proposals as a table"):
        st.dataframe(table(pending), hide_index=True)
    if pending.sent is None:
        show_command(_sending(place, pending), "Command line that sends what was accepted")


def _sending(place: Place, pending: Pending) -> list[str]:
    return ["annotate", "send", place.name(pending.folder), "--apply"]


def _summary(place: Place, pending: Pending, key: str) -> None:
    states = [state_of(pending.decisions.get(item.id)) for item in pending.proposals]
    # In one line: the image below is what is looked at.
    counts = ", ".join(f"**{states.count(state)}** {state}" for state in STATES)
    if pending.sent is not None:
        st.markdown(counts)
        said = f"These went to CVAT as task {pending.sent}." if pending.sent else "All were refused; no task was made."
        st.success(said, icon=":material/task_alt:")
        return
    left = states.count(OPEN)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(counts, width="content")
        if left:
            for state, label in ((ACCEPTED, f"Accept the {left} open"), (REJECTED, f"Refuse the {left} open")):
                with st.popover(label):
                    st.caption("These were not looked at one by one. Each can be left open again, or all together.")
                    st.button(
                        f"{label}: yes",
                        key=f"{key}/all/{state}",
                        on_click=_decide_all,
                        args=(pending, pending.open, Decision(state), f"{key}/problem"),
                    )
        decided = [item for item in pending.proposals if item.id in pending.decisions]
        if decided:
            with st.popover("Leave all open"):
                said = "the decision" if len(decided) == 1 else f"all {len(decided)} decisions"
                st.caption(f"Takes {said} back, with what was corrected, also by other people.")
                st.button(
                    f"Take {said} back: yes",
                    key=f"{key}/all/{OPEN}",
                    icon=":material/undo:",
                    on_click=_decide_all,
                    args=(pending, decided, None, f"{key}/problem"),
                )
        sends = len(states) - left - states.count(REJECTED)
        sending = any(job.active for job in jobs_of(place, "send"))
        if st.button(
            f"Send {sends} to CVAT" if sends else "Send to CVAT" if left else "Close: all refused",
            key=f"{key}/send",
            type="primary",
            icon=":material/cloud_upload:",
            disabled=bool(left) or sending,
            help="Once all are decided. The address of the server and the access token are those of the environment "
            "of 'vitruve launch' (VITRUVE_CVAT_URL, CVAT_ACCESS_TOKEN).",
        ):
            submit(place, _sending(place, pending), title=f"Send {pending.folder.name}", kind="send", waits=False)
            st.rerun()
    try:
        Access.find()
    except VitruveError as error:
        st.caption(f"To send them: {verbatim(error)}, and start 'vitruve launch' again.")


def _decide_all(pending: Pending, proposals: Sequence[Proposal], decision: Decision | None, problem: str) -> None:
    """Decide, of proposals as they were drawn, all but those that somebody else has decided otherwise since."""
    refused: list[str] = []
    try:
        for item in proposals:
            try:
                decide(pending, item.id, decision)
            except DecidedMeanwhile as error:
                refused.append(str(error))
    except VitruveError as error:
        refused.append(str(error))
    if refused:
        others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        st.session_state[problem] = refused[0] + others


def _write(place: Place, pending: Pending, key: str) -> None:
    """What was accepted goes into a label file, or comes as one."""
    for line in st.session_state.pop(f"{key}/written", []):
        st.success(verbatim(line), icon=":material/save:")
    if all(decision.state != ACCEPTED for decision in pending.decisions.values()):
        return
    fold = st.expander("Write what was accepted into labels", key=f"{key}/write", on_change="rerun")
    if not fold.open:
        return
    with fold:
        file = choose_labels(place, "review-write:labels", "Label file")
        if file is None:
            return
        try:
            planned = write_review(pending.folder, file.path, format=file.format, root=file.root)
        except VitruveError as error:
            show_error(error)
            return
        st.text("\n".join(_in_project(place, line) for line in planned.lines))
        with st.container(horizontal=True):
            if st.button(
                f"Write into {verbatim(place.name(file.path))}",
                key=f"{key}/write/do",
                type="primary",
                icon=":material/save:",
                disabled=not planned.changes,
                help="All else in the file stays as it is. A copy of it as it was is kept beside it.",
            ):
                made = write_review(pending.folder, file.path, format=file.format, root=file.root, apply=True)
                st.session_state[f"{key}/written"] = [_in_project(place, each) for each in made.lines if each[0] != " "]
                st.rerun()
            st.download_button(
                "Download labels with them",
                # Put together when it is clicked.
                lambda: labels_with(pending, file),
                file.path.name,
                key=f"{key}/write/get",
                icon=":material/download:",
            )
        show_command(["annotate", "write", place.name(pending.folder), *_source(file), "--apply"])


def _in_project(place: Place, line: str) -> str:
    assert place.project is not None
    return line.replace(f"{place.project.path}/", "")


def _source(file: LabelFile) -> list[str]:
    """Labels as the verbs of annotation take them."""
    format = [] if file.format is None else ["--from", file.format]
    return [str(file.path), *format, *([] if file.root is None else ["--images", str(file.root)])]


def _one(place: Place, pending: Pending, found: list[Proposal], key: str, wanted: str) -> None:
    """One proposal on its image; a decision leads to the next."""
    steps = f"{key}/{wanted}/place"
    number = stepper(steps, len(found), label="Proposal", first=1)
    item = found[number]
    facts = [
        item.kind,
        item.category,
        f"score {item.score:.2f}",
        *(["keypoints " + ", ".join(item.keypoints)] if item.keypoints else []),
    ]
    st.markdown(f"**{verbatim('; '.join(facts))}**")
    st.caption(verbatim(item.image if item.index is None else f"{item.image}, frame {item.index}"))
    inner = f"{key}/drawn"
    try:
        data = drawing(place.workspace, pending, item)
    except VitruveError as error:
        show_error(error)
        return
    following = (steps, number, len(found) if wanted == "all" else 0)
    component("review")(
        key=inner, data=data, on_decided_change=lambda: _decided(pending.folder, inner, f"{key}/problem", following)
    )
    if item.id in pending.decisions and pending.sent is None:
        st.button(
            "Leave it open again",
            key=f"{key}/open",
            icon=":material/undo:",
            # What was drawn, not what is there when it is clicked: another may have decided in between.
            on_click=_decide_all,
            args=(pending, [item], None, f"{key}/problem"),
        )


def _decided(folder: Path, inner: str, problem: str, following: tuple[str, int, int]) -> None:
    said: Any = st.session_state[inner].get("decided")
    try:
        if isinstance(said, dict):
            pending, proposal = open_pending(folder), str(said.get("id"))
            decide(pending, proposal, decision_of(pending, proposal, said))
            steps, number, count = following
            if number + 1 < count:
                jump(steps, number + 1)
    except VitruveError as error:
        st.session_state[problem] = str(error)


def _new(place: Place) -> None:
    run = choose_run(place, f"{_FORM}:run", label="Network", address=False)
    if run is None:
        return
    file = choose_labels(place, f"{_FORM}:labels", "Labels, or a folder of images, to look through")
    if file is None:
        return
    one, other, kinds = st.columns([1, 1, 3])
    least = typed(place, f"{_FORM}:score", 0.5)
    score = one.slider("Least score", 0.0, 1.0, step=0.05, help="Of predictions that count.", **least)
    least = typed(place, f"{_FORM}:keypoint", 0.5)
    keypoint = other.slider("Least keypoint score", 0.0, 1.0, step=0.05, **least)
    usual = "missing objects, and all that speaks of keypoints"
    wanted = kinds.multiselect("What is proposed", KINDS, placeholder=usual, **typed(place, f"{_FORM}:kinds", []))
    limits = ["--threshold", f"{score:g}", "--keypoint-threshold", f"{keypoint:g}", "--output", OUTPUT]
    chosen = [word for kind in wanted for word in ("--kind", kind)]
    arguments = ["annotate", "propose", str(run.path), *_source(file), *limits, *chosen]
    if st.button("Propose", type="primary", key=field_key(place, f"{_FORM}:start"), icon=":material/play_arrow:"):
        submit(place, arguments, title=f"Propose with {run.name}", kind="propose", waits=False)
        open_tab(field_key(place, "review/tab"), _WAITING)
    st.caption("Nothing is sent: what is proposed waits here for your decision.")
    show_command(arguments)
