"""What is typed into forms."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.conftest import Submitted
from app.filled import fill
from vitruve.app.parts.fields import hand_in, type_in, typed
from vitruve.app.place import Place
from vitruve.app.projects import open_project
from vitruve.app.workspace import Workspace

# What looks for something, and what is decided on the spot.
NO_FORM = ("Find a setting", "Only what differs from the defaults", "Trials in all")
FORMS = ("train", "predict", "create_video", "create_project", "study", "map", "review", "settings")


def _walk(place: Place) -> AppTest:
    """Pages of one browser, one after the other: ``session_state["page"]`` says which one is drawn."""

    def script(roots: list[str], project: str) -> None:
        import importlib
        from pathlib import Path

        import streamlit as st

        from vitruve.app.place import Place, serve
        from vitruve.app.projects import open_project
        from vitruve.app.workspace import Workspace

        workspace = Workspace(tuple(map(Path, roots)))
        serve(workspace)
        place = Place(workspace, open_project(workspace, st.session_state["project"]))
        importlib.import_module(f"vitruve.app.pages.{st.session_state['page']}").show(place)

    assert place.project is not None
    given = {"roots": [str(root) for root in place.workspace.roots], "project": ""}
    test = AppTest.from_function(script, default_timeout=120, kwargs=given)
    test.session_state["project"] = str(place.project.path)
    return test


def _at(test: AppTest, page: str) -> AppTest:
    test.session_state["page"] = page
    test.run()
    assert not test.exception, test.exception
    return test


def _fields(test: AppTest) -> list[Any]:
    kinds = (test.number_input, test.text_input, test.text_area, test.slider, test.toggle, test.checkbox)
    return [each for kind in kinds for each in kind if not each.disabled and each.label not in NO_FORM]


def _other(field: Any) -> Any:
    """Another value than a field has."""
    if isinstance(field.value, bool):
        return not field.value
    if isinstance(field.value, str):
        return f"{field.value}1"
    value = field.value if field.value is not None else field.min
    return value + field.step if field.max is None or value + field.step <= field.max else value - field.step


@pytest.fixture(scope="module")
def filled(mouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A project with everything that forms ask for; no test changes it."""
    workspace = Workspace.of([Path(shutil.copytree(mouse, tmp_path_factory.mktemp("forms") / "home"))])
    place = Place(workspace, open_project(workspace, "mouse"))
    fill(place)
    assert place.project is not None
    predictions = place.project.path / "outputs/first/video_preds"
    (predictions / "plain.csv").rename(predictions / "mouse.csv")
    return place


@pytest.mark.parametrize("page", FORMS)
def test_what_was_typed_is_there_when_one_comes_back(filled: Place, page: str) -> None:
    test = _at(_walk(filled), page)
    changed = {field.key: _other(field) for field in _fields(test)}
    for field in _fields(test):
        field.set_value(changed[field.key])
    test.run()
    assert not test.exception
    shown = {field.key: field.value for field in _fields(test)}
    # Some fields are gone with what others hold now.
    kept = {key: value for key, value in changed.items() if shown.get(key) == value}
    assert len(kept) > 1
    assert {field.key for field in _fields(_at(test, "overview"))}.isdisjoint(kept)
    _at(test, page)
    assert {field.key: field.value for field in _fields(test) if field.key in kept} == kept


def test_what_was_handed_in_stays_for_the_next_one_alike(place: Place, submitted: Submitted) -> None:
    test = _at(_walk(place), "train")
    next(each for each in test.number_input if each.label == "Epochs").set_value(7).run()
    next(each for each in test.button if each.label.startswith("Train 7 epochs")).click().run()
    assert len(submitted) == 1 and "training.max_epochs=7" in submitted[0].arguments
    assert next(each for each in test.number_input if each.label == "Epochs").value == 7


def test_a_field_that_nobody_touched_follows_the_settings(place: Place) -> None:
    assert place.project is not None
    test = _at(_walk(place), "train")
    config = place.project.config
    epochs = next(each for each in test.number_input if each.label == "Epochs").value
    next(each for each in test.number_input if each.label == "Networks").set_value(3).run()
    _at(test, "overview")
    text = config.read_text()
    config.write_text(text.replace(f"max_epochs: {epochs}", f"max_epochs: {epochs + 11}"))
    _at(test, "train")
    values = {each.label: each.value for each in test.number_input}
    assert values["Epochs"] == epochs + 11 and values["Networks"] == 3


def test_a_run_that_was_shown_is_not_replaced_by_one_that_ends_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)

    def value(options: list[str], *, stays: bool) -> Any:
        return state[typed(place, f"form:{stays}", options[0], options, stays=stays)["key"]]

    assert [value(["old"], stays=stays) for stays in (True, False)] == ["old", "old"]
    assert [value(["new", "old"], stays=stays) for stays in (True, False)] == ["old", "new"]
    assert value(["new"], stays=True) == "new"


def test_projects_do_not_mix(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)

    def value(place: Place, options: list[str] | None = None) -> Any:
        return state[typed(place, "form:name", "first", options)["key"]]

    other = Place(place.workspace, None)
    type_in(place, "form:name", "mine")
    assert (value(place), value(other)) == ("mine", "first")
    hand_in(other, "form")
    assert (value(place, ["first", "mine"]), value(place, ["first", "new"])) == ("mine", "first")
    hand_in(place, "form")
    assert value(place) == "first"
