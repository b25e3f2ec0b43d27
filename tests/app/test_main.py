"""What holds the pages together."""

from __future__ import annotations

import logging
import pkgutil
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from vitruve.app import launch, main, pages
from vitruve.app.pages import PAGES, Page
from vitruve.app.place import Place


def test_what_a_page_fails_of_is_said_in_the_terminal(
    empty: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(place: Place) -> None:
        raise ZeroDivisionError("of no use")

    page = Page("broken", "Data", "Broken", ":material/home:")
    monkeypatch.setattr(Page, "load", lambda self: show)
    with caplog.at_level(logging.ERROR, "vitruve.app"):
        main._show(page, empty)
        assert launch._failed(ZeroDivisionError("elsewhere"))
    # The terminal shows messages and nothing else of what is logged.
    first, second = (record.getMessage() for record in caplog.records if record.name == "vitruve.app")
    assert "broken" in first and "ZeroDivisionError: of no use" in first
    assert "ZeroDivisionError: elsewhere" in second


def test_every_module_of_the_pages_is_listed_once() -> None:
    names = [page.name for page in PAGES]
    assert sorted(names) == sorted(item.name for item in pkgutil.iter_modules(pages.__path__))
    assert all(callable(page.load()) for page in PAGES)


def _whole(roots: list[str], broken: str | None) -> None:
    """The app as each browser runs it; a page's module may fail to load."""
    from pathlib import Path

    from vitruve.app.main import main
    from vitruve.app.pages import Page
    from vitruve.app.place import serve
    from vitruve.app.workspace import Workspace

    load = Page.load

    def failing(page: Page) -> object:
        if page.name == broken:
            raise ImportError("half of it is missing")
        return load(page)

    serve(Workspace(tuple(map(Path, roots))))
    Page.load = failing  # type: ignore[method-assign]
    try:
        main()
    finally:
        Page.load = load  # type: ignore[method-assign]


def test_a_page_that_cannot_be_loaded_leaves_the_others(place: Place) -> None:
    roots = [str(root) for root in place.workspace.roots]
    test = AppTest.from_function(_whole, default_timeout=60, kwargs={"roots": roots, "broken": "train"}).run()
    assert not test.exception and not test.error and test.title[0].value == "Overview"
    test = AppTest.from_function(_whole, default_timeout=60, kwargs={"roots": roots, "broken": "overview"}).run()
    assert not test.exception and "This page failed" in test.error[0].value


def test_a_project_that_is_gone_is_said_and_another_can_be_chosen(place: Place) -> None:
    assert place.project is not None
    home = place.project.path.parent
    shutil.copytree(home / "mouse", home / "second", ignore=shutil.ignore_patterns("outputs"))
    test = AppTest.from_function(_whole, default_timeout=60, kwargs={"roots": [str(home)], "broken": None})
    test.query_params["project"] = "second"
    assert test.run().sidebar.selectbox[0].value.path == home / "second"
    shutil.rmtree(home / "second")
    test.run()
    assert not test.exception and "second" in test.error[0].value
    assert test.sidebar.selectbox[0].options == ["mouse"]
    assert not test.run().error
