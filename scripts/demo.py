"""The whole way on the rendered example: train, predict its video, evaluate, say where everything lies."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

from vitruve.run import RunFiles

FOLDER = Path("outputs", "demo")
WORST_PX = 2.0


def vitruve(*arguments: str) -> None:
    """Run one command in the demo's folder, after showing it."""
    print(f"\n$ vitruve {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "vitruve.cli.main", *arguments]
    if code := subprocess.run(command, cwd=FOLDER, check=False).returncode:
        sys.exit(code)


def test_error(run: RunFiles) -> float:
    """The mean error on the test frames, in pixels."""
    with (run.evaluation / "summary.csv").open(newline="") as stream:
        return next(float(row["mean_error_px"]) for row in csv.DictReader(stream) if row["split"] == "test")


def main() -> None:
    """Run the demo; the exit code is 1 when the network came out worse than it should."""
    start = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    vitruve("example", "mouse", "example_mouse")
    vitruve("train")
    run = RunFiles(max(FOLDER.glob("outputs/*/*/model.json")).parent)
    here = run.path.relative_to(FOLDER).as_posix()
    vitruve("predict", here, "example_mouse/videos/mouse.mp4", "--labeled-video")
    vitruve("evaluate", here)
    videos = run.video_predictions
    error = test_error(run)
    print(f"\nlabelled video  {videos / 'labeled_videos' / 'mouse_labeled.mp4'}")
    print(f"report page     {run.evaluation / 'report.html'}")
    print(f"coordinates     {videos / 'mouse.csv'}")
    print(f"test error      {error:.2f} px on average, after {(time.monotonic() - start) / 60:.1f} minutes")
    if error >= WORST_PX:
        sys.exit(f"that is more than the {WORST_PX:g} px this example must reach")


if __name__ == "__main__":
    main()
