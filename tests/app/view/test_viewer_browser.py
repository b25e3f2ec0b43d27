"""The viewer in a real browser: keys, playing, and another look at the same frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.conftest import Start
from app.view.conftest import FRAMES


def test_keys_step_and_another_look_stays_at_the_frame(rig_home: Path, start: Start, chromium: Any) -> None:
    served = start(rig_home)
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{served.url}labels_2d?project=projects/rat")
    count = page.locator("#count")
    page.get_by_text(f"1 / {FRAMES}", exact=True).wait_for(timeout=120_000)
    for key, now in (
        ("ArrowRight", 2),
        ("End", FRAMES),
        ("ArrowLeft", FRAMES - 1),
        ("Home", 1),
        ("Shift+ArrowRight", FRAMES),
    ):
        page.keyboard.press(key)
        assert count.inner_text() == f"{now} / {FRAMES}"
    page.keyboard.press("ArrowLeft")
    name = page.locator("#said b").inner_text()
    page.locator("[data-testid=stSelectbox]", has_text="Show").locator("input").click()
    page.get_by_text("KeypointDetect: crops", exact=False).last.click()
    page.locator("#zoom").wait_for(state="hidden", timeout=60_000)
    assert page.locator("#said b").inner_text() == name
    page.locator("#play").click()
    # It plays on to the end, and begins anew.
    page.get_by_text(f"1 / {FRAMES}", exact=True).wait_for(timeout=30_000)
    assert not errors


def test_keys_step_through_space_as_well(rig_home: Path, start: Start, chromium: Any) -> None:
    served = start(rig_home)
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    for name in ("labels_3d", "playback_3d"):
        page.goto(f"{served.url}{name}?project=projects/rat")
        page.get_by_text(f"1 / {FRAMES}", exact=True).wait_for(timeout=120_000)
        for key, now in (("ArrowRight", 2), ("Shift+ArrowRight", FRAMES), ("ArrowLeft", FRAMES - 1), ("Home", 1)):
            page.keyboard.press(key)
            assert page.locator("#count").inner_text() == f"{now} / {FRAMES}"
        # A button that was clicked keeps no key for itself but the space bar.
        page.locator("#next").click()
        page.keyboard.press("ArrowRight")
        assert page.locator("#count").inner_text() == f"3 / {FRAMES}"
