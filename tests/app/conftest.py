"""Workspaces with projects, pages without a browser, and the real app in a real browser."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import vitruve
from vitruve.app.place import Place
from vitruve.app.projects import AppProject, open_project
from vitruve.app.workspace import Workspace
from vitruve.jobs import Job, Jobs

SMALL = {"frames": 16, "videos": 1, "video_frames": 12, "seed": 3}
"""Of the mouse that tests are made with."""
BACKBONE = "mobilenetv3_small_050"
"""Of the run in :func:`mouse`: small on disk too."""
QUICK = {
    "data": {"image_resize_dims": {"height": 64, "width": 64}},
    "model": {"model_type": "heatmap", "backbone": BACKBONE},
    "training": {"max_epochs": 2, "train_batch_size": 4, "backbone_pretrained": False, "device": "cpu"},
}
"""Settings with which a training is over in seconds."""


@pytest.fixture(scope="session", autouse=True)
def _components() -> Iterator[None]:
    """Streamlit looks for components in all packages once, not anew for each page without a browser: half its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def mouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project ``mouse`` and a finished run in it, ``outputs/first``; copy it before changing it."""
    home = tmp_path_factory.mktemp("app") / "home"
    project = vitruve.example("mouse", home / "mouse", **SMALL)
    settings = {**QUICK, "data": {**QUICK["data"], "data_dir": str(project), "csv_file": "CollectedData.csv"}}
    vitruve.train(settings, run_dir=project / "outputs" / "first", quiet=True)
    return home


@pytest.fixture
def home(mouse: Path, tmp_path: Path) -> Path:
    """A copy of :func:`mouse` that a test may change."""
    return Path(shutil.copytree(mouse, tmp_path / "home"))


@pytest.fixture
def place(home: Path) -> Place:
    """The project ``mouse`` of :func:`home`, open."""
    workspace = Workspace.of([home])
    return Place(workspace, open_project(workspace, "mouse"))


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """A workspace with nothing in it."""
    (tmp_path / "nothing").mkdir()
    return Place(Workspace.of([tmp_path / "nothing"]), None)


def shown(page: ModuleType, place: Place, **query: str) -> AppTest:
    """A page as it is shown, without a browser. What it raises makes the test fail.

    Args:
        page: A module of ``vitruve.app.pages``.
        place: Where.
        **query: Of the address.

    Returns:
        The page: set widgets and run it again.
    """

    def script(name: str, roots: list[str], project: str | None) -> None:
        import importlib
        from pathlib import Path

        from vitruve.app.place import Place, serve
        from vitruve.app.projects import open_project
        from vitruve.app.workspace import Workspace

        workspace = Workspace(tuple(map(Path, roots)))
        serve(workspace)
        place = Place(workspace, None if project is None else open_project(workspace, project))
        importlib.import_module(name).show(place)

    project: AppProject | None = place.project
    given: dict[str, Any] = {
        "name": page.__name__,
        "roots": [str(root) for root in place.workspace.roots],
        "project": None if project is None else str(project.path),
    }
    test = AppTest.from_function(script, default_timeout=60, kwargs=given)
    for name, value in query.items():
        test.query_params[name] = value
    result = test.run()
    assert not result.exception, result.exception
    return result


class Submitted(list[Job]):
    """Jobs that were handed in, without a process of theirs."""

    def take(
        self,
        jobs: Jobs,
        arguments: Sequence[str],
        folder: Path,
        *,
        title: str,
        about: Mapping[str, str],
        waits: bool = True,
    ) -> Job:
        path = jobs.folder / f"job-{len(jobs.all()) + 1:06d}"
        path.mkdir(parents=True)
        job = Job(path, tuple(arguments), Path(folder), title, dict(about), 1.0, waits)
        job.save()
        self.append(job)
        return job


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> Submitted:
    """What pages hand in, instead of doing it."""
    found = Submitted()
    monkeypatch.setattr(Jobs, "submit", lambda jobs, *given, **more: found.take(jobs, *given, **more))
    return found


def field_of(test: AppTest, name: str, *, form: str) -> Any:
    """A widget of a form by its name, which is the middle of its key.

    Args:
        test: The page.
        name: Of the field.
        form: What its key begins with.
    """
    return next(each for each in test if (getattr(each, "key", None) or "").startswith(f"{form}:{name}:"))


@dataclass(frozen=True)
class Served:
    """The app, served by a process of its own.

    Attributes:
        url: Its address.
        process: The process.
        log: What it prints.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """End it, as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


Start = Callable[..., Served]


def serve(folder: Path, *folders: Path, more: tuple[str, ...] = ()) -> Served:
    """Start the app for folders, as ``vitruve launch`` does.

    Args:
        folder: Its working directory, where its log goes.
        *folders: What it serves.
        more: Further arguments.
    """
    log = folder / f"launch_{len(list(folder.glob('launch_*.txt')))}.txt"
    words = ["launch", *map(str, folders), "--no-browser", "--port", "0", *more]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "vitruve.cli.main", *words],
            stdout=stream,
            stderr=stream,
            cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    return Served(_address(process, log), process, log)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """:func:`serve` in a folder of the test; all are stopped in the end, and each may be before."""
    running: list[Served] = []

    def begin(*folders: Path, more: tuple[str, ...] = ()) -> Served:
        running.append(serve(tmp_path, *folders, more=more))
        return running[-1]

    yield begin
    for served in running:
        served.stop()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    import time

    limit = time.monotonic() + 120
    while time.monotonic() < limit and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("app: "):
                return line.removeprefix("app: ")
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"the app did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, without a window; Playwright's own browsers are not needed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium here; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
