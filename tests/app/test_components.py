"""Components that are JavaScript, under the hands of somebody in a real browser: what is done arrives in Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vitruve
from app.conftest import SMALL, Served, serve
from app.walk import fill, press, until, walk
from vitruve.annotation.proposals.pending import keep_review
from vitruve.annotation.proposals.review import ATTRIBUTE, Review
from vitruve.annotation.proposals.sources import Source
from vitruve.annotation.proposals.trail import Proposal
from vitruve.curation.crops import Crop
from vitruve.curation.files import write_map
from vitruve.curation.tsne_map import Map
from vitruve.formats.hub import read_labels
from vitruve.formats.table import format_rows, header_lines
from vitruve.structures.annotation import AnnotationTask, AttributeSpec, LabelSpec, Shape, TaskFrame
from vitruve.structures.labels import Labels

FRAMES = SMALL["video_frames"]
SIDE = 4
"""Of the grid that the map's pictures lie in."""
PROPOSAL = "0123456789ab"
SIZE = (224, 192)


CONTROLS = """
() => {
  const roots = [...document.querySelectorAll("*")].map((each) => each.shadowRoot).filter(Boolean), found = [];
  for (const root of roots) for (const each of root.querySelectorAll("button, input, select, a, [tabindex='0']")) {
    if (!each.checkVisibility() || each.disabled) continue;
    each.focus();
    const name = each.ariaLabel || each.labels?.[0]?.textContent.trim() || each.textContent.trim() || each.title;
    const { outlineStyle, outlineWidth } = getComputedStyle(each);
    const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
    found.push({ what: each.outerHTML.slice(0, 150), name, outlined });
  }
  return found;
}"""
"""What the app's own components can be told by the keyboard, what it is called, and whether its focus is seen."""
_DRAWN = {"video_traces": "canvas.cursor", "map": ".map-field", "review": ".review-field", "labels_2d": ".views canvas"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mouse with tables of a run that was never trained, a map, and one proposal."""
    project = vitruve.example("mouse", tmp_path_factory.mktemp("components") / "home" / "mouse", **SMALL)
    run = project / "outputs" / "first"
    (run / "video_preds").mkdir(parents=True)
    (run / "config.yaml").write_bytes((project / "config.yaml").read_bytes())
    for name in ("model.json", "model.safetensors"):
        (run / name).write_text("{}")
    points = np.random.default_rng(0).uniform(0, 100, (FRAMES, 2, 2))
    rows = format_rows(range(FRAMES), points, np.full((FRAMES, 2), 0.9))
    table = "\n".join(header_lines("net", ["nose", "tail"])) + "\n" + rows
    (run / "video_preds" / "mouse.csv").write_text(table)
    labels = read_labels(project / "CollectedData.csv")
    _map(project, labels)
    _proposal(project, labels)
    return project


def _map(project: Path, labels: Labels) -> None:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE)), -1).reshape(-1, 2)
    crops = tuple(Crop(number, 0, (1.0, 2.0, 11.0, 22.0), 0) for number in range(SIDE**2))
    pictures = np.zeros((SIDE**2, 48, 48, 3), np.uint8)
    (project / "maps" / "made").mkdir(parents=True)
    write_map(Map(labels, crops, grid, np.zeros(SIDE**2, int), pictures, "two", "none"), project / "maps" / "made")


def _proposal(project: Path, labels: Labels) -> None:
    """A nose at (100, 80) and a tail at (140, 120)."""
    image = labels[0].first_image.path.as_posix()
    parts = (LabelSpec("nose", "points"), LabelSpec("tail", "points"))
    spec = LabelSpec(
        "mouse", "skeleton", attributes=(AttributeSpec(ATTRIBUTE),), parts=parts, edges=(("nose", "tail"),)
    )
    drawn = (Shape("points", "nose", 0, (100.0, 80.0)), Shape("points", "tail", 0, (140.0, 120.0)))
    shape = Shape("skeleton", "mouse", 0, parts=drawn, attributes=((ATTRIBUTE, PROPOSAL),), source="auto")
    task = AnnotationTask("review", (spec,), (TaskFrame(image, *SIZE),), (shape,))
    made = Proposal(
        PROPOSAL,
        "missing",
        "run",
        "id",
        "now",
        "clip",
        None,
        image,
        None,
        "mouse",
        0.5,
        0.0,
        (90, 70, 150, 130),
        ("nose",),
    )
    keep_review(project / "auto_annotation" / "net" / "2026", Review(task, (made,), 0), Source("clip", labels))


@pytest.fixture(scope="module")
def served(project: Path) -> Iterator[Served]:
    found = serve(project.parents[1], project.parent)
    yield found
    found.stop()


@pytest.fixture
def page(served: Served, chromium: Any) -> Iterator[Any]:
    page = walk(chromium)
    yield page
    faults = page.faults
    page.close()
    assert not faults


def test_a_click_into_a_trace_and_keys_lead_to_the_frame(page: Any, served: Served) -> None:
    page.goto(f"{served.url}video_traces")
    number = page.get_by_role("spinbutton", name="Frame")
    shown = page.locator(".traces .when")
    plot = page.locator("canvas.cursor")
    plot.wait_for()
    until(lambda: page.locator(".traces .note").inner_text() == "")
    # Of a plot that is `left` from the canvas's edge, and ends `right` before it.
    left, right = 58, 12
    across = plot.bounding_box()["width"] - left - right
    plot.click(position={"x": left + across * 7 / (FRAMES - 1), "y": 40})
    assert (number.input_value(), shown.inner_text().split(",")[0]) == ("7", "Frame 7")
    for key, frame in (("ArrowRight", 8), ("ArrowLeft", 7), ("Home", 0), ("Shift+ArrowRight", 10), ("End", FRAMES - 1)):
        page.keyboard.press(key)
        assert number.input_value() == str(frame)
    # The very frame is drawn, and the address leads back to it.
    until(lambda: page.locator(".traces .note").inner_text() == "")
    page.wait_for_url(re.compile(rf"frame={FRAMES - 1}\b"))


def test_a_lasso_picks_what_it_holds(page: Any, served: Served) -> None:
    page.goto(f"{served.url}map")
    field = page.locator(".map-field canvas")
    field.wait_for()
    page.get_by_text(f"0 picked, {SIDE**2} of {SIDE**2} shown").wait_for()
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    # Around the left half of the grid, which lies in the middle of the field.
    reach = 0.49 * min(box["width"], box["height"])
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - reach)
    page.mouse.down()
    for across, down in ((0, 1), (-1, 1), (-1, -1), (0, -1)):
        page.mouse.move(x + across * reach, y + down * reach, steps=5)
    page.mouse.up()
    page.get_by_role("heading", name=f"{SIDE**2 // 2} picked, of {SIDE**2 // 2} frames").wait_for()


def test_a_keypoint_that_is_dragged_lands_in_the_file(page: Any, served: Served, project: Path) -> None:
    page.goto(f"{served.url}review")
    field = page.locator(".review-field canvas")
    field.wait_for()
    press(page, "Whole image (W)")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    zoom = min(box["width"] / SIZE[0], box["height"] / SIZE[1])
    corner = box["x"] + (box["width"] - zoom * SIZE[0]) / 2, box["y"] + (box["height"] - zoom * SIZE[1]) / 2

    def at(x: float, y: float) -> tuple[float, float]:
        return corner[0] + zoom * x, corner[1] + zoom * y

    page.mouse.move(*at(100, 80))
    page.mouse.down()
    page.mouse.move(*at(60, 50), steps=4)
    page.mouse.up()
    page.get_by_text("1 corrected").wait_for()
    page.keyboard.press("a")
    file = project / "auto_annotation" / "net" / "2026" / "review" / "clip" / "decisions" / f"{PROPOSAL}.json"
    until(file.is_file)
    said = json.loads(file.read_text())
    assert said["state"] == "accepted" and list(said["parts"]) == ["nose"]
    assert said["parts"]["nose"] == pytest.approx((60, 50), abs=1 / zoom)


def test_a_file_of_the_browser_s_computer_becomes_the_source(page: Any, served: Served, project: Path) -> None:
    page.goto(f"{served.url}predict")
    page.get_by_role("radio", name="Upload").click()
    video = project / "videos" / "mouse.mp4"
    page.locator("input[type=file]").set_input_files(
        {"name": "sent.mp4", "mimeType": "video/mp4", "buffer": video.read_bytes()}
    )
    press(page, "Keep sent.mp4 in mouse/uploads")
    page.get_by_text(f"Video: {FRAMES} frames of {SIZE[0]} x {SIZE[1]} px").wait_for()
    assert (project / "uploads" / "sent.mp4").read_bytes() == video.read_bytes()
    fill(page, "First frame", 4)
    page.get_by_role("button", name=f"Predict {FRAMES - 4} frames of sent.mp4", exact=True).wait_for()


@pytest.mark.parametrize("name", _DRAWN)
def test_each_control_has_a_name_and_is_seen_when_it_is_reached(page: Any, served: Served, name: str) -> None:
    page.goto(f"{served.url}{name}")
    page.locator(_DRAWN[name]).first.wait_for()
    # Focus is shown to those who use keys.
    page.keyboard.press("Tab")
    found = page.evaluate(CONTROLS)
    assert len(found) > 3
    assert not [each for each in found if not each["name"] or not each["outlined"]]
