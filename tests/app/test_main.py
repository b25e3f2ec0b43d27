"""What holds the pages together."""

from __future__ import annotations

import logging
from types import ModuleType

import pytest

from vitruve.app import launch, main
from vitruve.app.place import Place


def test_what_a_page_fails_of_is_said_in_the_terminal(empty: Place, caplog: pytest.LogCaptureFixture) -> None:
    def show(place: Place) -> None:
        raise ZeroDivisionError("of no use")

    page = ModuleType("broken")
    page.TITLE, page.show = "Broken", show  # type: ignore[attr-defined]
    with caplog.at_level(logging.ERROR, "vitruve.app"):
        main._show(page, empty)
        assert launch._failed(ZeroDivisionError("elsewhere"))
    # The terminal shows messages and nothing else of what is logged.
    first, second = (record.getMessage() for record in caplog.records if record.name == "vitruve.app")
    assert "broken" in first and "ZeroDivisionError: of no use" in first
    assert "ZeroDivisionError: elsewhere" in second
