"""Ten browser sessions on a running training: `python benchmarks/app_load.py`.

Bars: pages answer in under 1 s (median), and the training slows by under 5 %. A training on the generated example,
handed in as the app does, goes on all the time; sessions come and go in turns, so that both rates are of the same
minutes. Between the turns nobody looks, and the app is there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from common import record, vitruve, workplace

from vitruve.api import example
from vitruve.app.training.progress import Step, about_steps
from vitruve.jobs import Jobs
from vitruve.run import RunFiles

SESSIONS = 10
_EPOCHS = 5000
SETTINGS = (
    *("data.data_dir=.", "data.csv_file=CollectedData.csv", "model.model_type=heatmap", "model.backbone=resnet18"),
    *("data.image_resize_dims.height=128", "data.image_resize_dims.width=128", "training.backbone_pretrained=false"),
    *("training.train_batch_size=8", f"training.max_epochs={_EPOCHS}", "training.device=cpu"),
)
_BETWEEN = 3.0
"""Seconds after sessions have come or gone that count for nothing."""


def main() -> None:
    """Measure, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the project here")
    parser.add_argument("--turns", type=int, default=6, help="with sessions, and as many without")
    parser.add_argument("--seconds", type=float, default=40.0, help="of a turn")
    given = parser.parse_args()
    with workplace(given.folder) as folder:
        record("app_load", measure(folder, given.turns, given.seconds))


def measure(folder: Path, turns: int, seconds: float) -> dict[str, Any]:
    """Rates of the training with sessions and without, and how fast they were answered.

    Args:
        folder: For the project.
        turns: How often.
        seconds: How long each.

    Returns:
        The figures.
    """
    project = example("mouse", folder / "mouse", frames=160, videos=1, video_frames=20, seed=1)
    run = project / "outputs" / "load"
    jobs = Jobs(folder / ".vitruve" / "jobs")
    server = subprocess.Popen(
        vitruve("launch", str(folder), "--no-browser", "--port", "0"), stdout=subprocess.PIPE, text=True
    )
    try:
        address = _address(server)
        about = {"project": str(project), "run": str(run), "kind": "train", **about_steps([Step(run, _EPOCHS)])}
        job = jobs.submit(["train", *SETTINGS, f"hydra.run.dir={run}"], project, title="load", about=about)
        _until_epoch(run, 2)
        _walk(address, 1, 60)  # pages are loaded at the first visit
        busy: list[float] = []
        watched: list[float] = []
        alone: list[float] = []
        answers: dict[str, list[Any]] = {"pages": [], "parts": [], "looks": [], "faults": []}
        for _ in range(turns):
            alone.append(_rate(run, None, seconds))
            with_sessions = _start(address, SESSIONS, seconds + 2 * _BETWEEN)
            before = _processor_seconds(server)
            watched.append(_rate(run, with_sessions, seconds))
            busy.append((_processor_seconds(server) - before) / (seconds + _BETWEEN))
            said, _ = with_sessions.communicate()
            for name, values in json.loads(said).items():
                answers[name] += values
            time.sleep(_BETWEEN)
            print(f"{alone[-1]:.3f} epochs/s alone, {watched[-1]:.3f} watched", flush=True)
        if job.state != "running":
            sys.exit(f"the training ended: {job.message}")
    finally:
        for each in jobs.all():
            jobs.stop(each)
        server.terminate()
        server.wait()
    times = [took for _, took in answers["pages"]]
    return {
        "sessions": SESSIONS,
        "turns": turns,
        "seconds_of_a_turn": seconds,
        "pages_opened": len(times),
        "median_page_s": round(median(times), 3),
        "page_s_90_percent": round(float(np.quantile(times, 0.9)), 3),
        "median_s_by_page": {
            page: round(median([took for name, took in answers["pages"] if name == page]), 3)
            for page in sorted({name for name, _ in answers["pages"]})
        },
        "parts_drawn_anew": len(answers["parts"]),
        "median_part_s": round(median(answers["parts"]), 3),
        "looks": len(answers["looks"]),
        "median_look_s": round(median(answers["looks"]), 4),
        "processors_used_by_the_app": round(median(busy), 3),
        "faults": sorted(set(answers["faults"])),
        "epochs_per_s_alone": [round(rate, 4) for rate in alone],
        "epochs_per_s_watched": [round(rate, 4) for rate in watched],
        "slower_by": round(1 - median([one / other for one, other in zip(watched, alone, strict=True)]), 4),
    }


def _address(server: subprocess.Popen[str]) -> str:
    for line in server.stdout or ():
        if line.startswith("app: "):
            return line.removeprefix("app: ").strip()
    raise SystemExit("the app did not start")


def _processor_seconds(server: subprocess.Popen[str]) -> float:
    used = psutil.Process(server.pid).cpu_times()
    return used.user + used.system


def _until_epoch(run: Path, count: int) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        if _epochs(run) >= count:
            return
        time.sleep(0.5)
    raise SystemExit("the training did not begin")


def _epochs(run: Path) -> int:
    files = RunFiles(run)
    return len(files.read_metrics()) if files.metrics.is_file() else 0


def _start(address: str, count: int, seconds: float) -> subprocess.Popen[str]:
    program = Path(__file__).with_name("app_sessions.py")
    words = [sys.executable, str(program), address, "mouse", str(count), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def _walk(address: str, count: int, seconds: float) -> None:
    _start(address, count, seconds).communicate()


def _rate(run: Path, sessions: subprocess.Popen[str] | None, seconds: float) -> float:
    """Epochs a second, from the end of the first to the end of the last that ended in this turn."""
    time.sleep(_BETWEEN)
    end = time.monotonic() + seconds
    seen: list[tuple[float, int]] = []
    size = -1
    metrics = RunFiles(run).metrics
    while time.monotonic() < end:
        if sessions is not None and sessions.poll() is not None:
            raise SystemExit(f"the sessions ended: exit code {sessions.returncode}")
        # The file is read only when it has changed: looking must not cost what is measured.
        if metrics.stat().st_size != size:
            size = metrics.stat().st_size
            seen.append((time.monotonic(), _epochs(run)))
        time.sleep(0.02)
    (first, before), (last, after) = seen[1], seen[-1]
    return (after - before) / (last - first)


if __name__ == "__main__":
    main()
