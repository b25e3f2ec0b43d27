"""What people do in a browser, with the names that they read on the page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

TINY = (
    "model.backbone=mobilenetv3_small_050",
    "data.image_resize_dims.height=64",
    "data.image_resize_dims.width=64",
    "model.losses_to_use=[]",
    "training.train_batch_size=4",
    "training.train_frames=16",
    "training.check_val_every_n_epoch=1",
    "training.device=cpu",
    "eval.predict_vids_after_training=false",
    "eval.save_vids_after_training=false",
)
"""Settings of one training, a line each, with which an epoch takes a second."""


def walk(chromium: Any, patience: float = 60.0) -> Any:
    """An empty page of a browser, which keeps what goes wrong in it in ``page.faults``.

    Args:
        chromium: The browser.
        patience: Longest wait for anything, in seconds.
    """
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(patience * 1000)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def go(page: Any, title: str) -> None:
    """Open a page of the app by its name in the navigation."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    page.get_by_role("heading", name=title, exact=True, level=1).wait_for()


def fill(page: Any, label: str, text: object) -> None:
    """Write into a field, and leave it once the server has taken it."""
    field = page.get_by_label(label, exact=True)
    field.fill(str(text))
    field.press("Control+Enter" if "\n" in str(text) else "Enter")


def pick(page: Any, label: str, option: str) -> None:
    """Choose from a list."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def press(page: Any, name: str) -> None:
    """Click a button."""
    page.get_by_role("button", name=name, exact=True).click()


def job(page: Any, title: str, state: str) -> Any:
    """The newest job of a title on the page, once it is in a state; one that fails ends the walk."""
    boxes = page.locator(".stVerticalBlock[class*=st-key-live-]").filter(has=page.get_by_text(title, exact=True))
    box = boxes.first.filter(has=page.locator(".stMarkdownBadge", has_text=re.compile(f"{state}|failed|lost")))
    box.wait_for()
    said = box.inner_text()
    assert state in said, said
    return box


def until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for what is not on the page, such as a file."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.1)
