"""The whole story in a real browser: from an empty folder to a network that is trained, used and trained on."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from app.conftest import Served, Start
from app.walk import TINY, fill, go, job, pick, press, until, walk
from vitruve.app.training.progress import COMPLETED
from vitruve.run import RunFiles

EPOCHS, LONG = 2, 1000


@pytest.mark.timeout(900)
def test_the_whole_story(tmp_path: Path, start: Start, chromium: Any) -> None:
    home = tmp_path / "home"
    home.mkdir()
    served = start(home)
    page = walk(chromium, 120)
    page.goto(served.url)
    own = home / "own"
    create(page, home)
    train_to_the_end(page, own / "outputs" / "short")
    predict(page, own / "outputs" / "short")
    draw(page, own)
    look_at_the_worst(page)
    stop_and_go_on(page, own / "outputs" / "long")
    kill_the_server(page, served, start, own / "outputs" / "long")
    assert not page.faults
    for log in tmp_path.glob("launch_*.txt"):
        assert "Traceback" not in log.read_text()


def create(page: Any, home: Path) -> None:
    """In an empty folder an example is offered, which opens by itself; of its images a project of one's own is made."""
    press(page, "Write it to example_mouse")
    page.get_by_role("heading", name="example_mouse").wait_for()
    assert (home / "example_mouse" / "config.yaml").is_file()
    go(page, "New project")
    fill(page, "Name", "own")
    press(page, "Derive the settings")
    press(page, "Create own")
    page.get_by_text("Created own:").wait_for()
    assert (home / "own" / "config.yaml").is_file()


def train_to_the_end(page: Any, run: Path) -> None:
    begin_training(page, run.name, EPOCHS)
    job(page, f"Train {run.name}", "done")
    files = RunFiles(run)
    assert files.read_status().status == COMPLETED and len(files.read_metrics()) == EPOCHS
    page.get_by_text("validation error (px)").first.wait_for()


def predict(page: Any, run: Path) -> None:
    go(page, "Predict")
    pick(page, "Video, image, or folder of them", "example_mouse/videos/mouse.mp4")
    fill(page, "Number of frames", 10)
    press(page, "Predict 10 frames of mouse.mp4")
    job(page, f"Predict mouse.mp4, frames 0 to 9 with outputs/{run.name}", "done")
    assert (run / "video_preds" / "mouse_frames_0_9.csv").is_file()
    page.get_by_role("tab", name="Table").click()
    page.get_by_test_id("stDataFrame").first.wait_for()


def draw(page: Any, project: Path) -> None:
    go(page, "Create video")
    press(page, "Draw the video")
    job(page, "Video of outputs/short (frames 0 to 9): mouse", "done")
    assert len(list((project / "visualization").rglob("*.mp4"))) == 1
    until(lambda: page.locator("video").first.evaluate("video => video.readyState > 0"))


def look_at_the_worst(page: Any) -> None:
    go(page, "Labelled frames")
    page.locator(".js-plotly-plot .boxlayer .box").first.wait_for(state="attached")
    page.get_by_role("radio", name="Worst frames").click()
    page.locator("button.card").first.wait_for()
    kind = "async image => (await fetch(image.href.baseVal)).headers.get('content-type')"
    assert page.locator("button.card image").first.evaluate(kind).startswith("image/")


def stop_and_go_on(page: Any, run: Path) -> None:
    go(page, "Train")
    begin_training(page, run.name, LONG)
    running = job(page, f"Train {run.name}", "running")
    running.get_by_text(re.compile(rf"epoch (?!1 )\d+ of {LONG}")).wait_for()
    running.get_by_role("button", name="Stop", exact=True).click()
    stopped = job(page, f"Train {run.name}", "stopped")
    before = completed(run)
    assert 1 <= before < LONG
    stopped.get_by_role("button", name="Go on", exact=True).click()
    job(page, f"Train {run.name}", "running")
    until(lambda: completed(run) > before)


def kill_the_server(page: Any, served: Served, start: Start, run: Path) -> None:
    """The training does not notice, and whoever serves next finds it."""
    served.process.send_signal(signal.SIGKILL)
    served.process.wait()
    before = completed(run)
    until(lambda: completed(run) > before)
    page.goto(f"{start(run.parents[2]).url}train?project={run.parents[1].name}")
    running = job(page, f"Train {run.name}", "running")
    running.get_by_text(re.compile(rf"epoch \d+ of {LONG}")).wait_for()
    running.get_by_role("button", name="Stop", exact=True).click()
    job(page, f"Train {run.name}", "stopped")
    epochs = [int(row["epoch"]) for row in RunFiles(run).read_metrics()]
    assert epochs == list(range(epochs[0], epochs[0] + len(epochs))) and len(epochs) > before


def begin_training(page: Any, name: str, epochs: int) -> None:
    """Fill in the form of a training of a tiny network, and begin."""
    if page.get_by_role("heading", name="Train", exact=True).count() == 0:
        go(page, "Train")
    fill(page, "Name of the run", name)
    fill(page, "Epochs", epochs)
    pick(page, "Starting weights", "Random")
    more = page.get_by_label("Settings that differ in this run", exact=True)
    if not more.is_visible():
        page.get_by_text("More", exact=True).click()
    fill(page, "Settings that differ in this run", "\n".join(TINY))
    page.get_by_text("mobilenetv3_small_050 on 64 x 64 px").wait_for()
    press(page, f"Train {epochs} epochs into outputs/{name}")


def completed(run: Path) -> int:
    """Epochs that a run has done."""
    return RunFiles(run).read_status().completed
