"""The app in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.conftest import Start


def test_the_first_page_is_shown(home: Path, start: Start, chromium: Any) -> None:
    served = start(home)
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto(served.url)
    page.get_by_role("heading", name="Overview").wait_for(timeout=30_000)
    page.screenshot(path=str(home / "first.png"))
    served.stop()
    assert "Traceback" not in served.log.read_text()
