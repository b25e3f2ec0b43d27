"""The ensemble Kalman smoother: error and intervals on simulated walks, geometry and jerk on a fly, speed of both."""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import mirror_mouse, record, timed, vitruve

from vitruve.formats.anipose import read_calibration
from vitruve.formats.csv_table import read_csv_table
from vitruve.formats.table import format_rows, header_lines
from vitruve.geometry.triangulation import reprojection_errors, triangulate_robust
from vitruve.structures.camera import stack_cameras

FRAMES, KEYPOINTS, MEMBERS = 2000, 17, 5
NAMES = [f"keypoint{number}" for number in range(KEYPOINTS)]

WALKS = {
    "independent": {"own": 2.0, "shared": 0.0, "spread": 0.0},
    "shared_errors": {"own": 1.5, "shared": 1.5, "spread": 0.0},
    "uneven_frames": {"own": 2.0, "shared": 0.0, "spread": 0.7},
}
"""Standard deviations in pixels: of each member's error, of the one that all share, of the logarithm over frames."""


def simulate(folder: Path, seed: int, own: float, shared: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Write the predictions of a simulated ensemble; the truth walks by 1 px a frame.

    Returns:
        Truth and members.
    """
    rng = np.random.default_rng(seed)
    truth = 200 + np.cumsum(rng.normal(size=(FRAMES, KEYPOINTS, 2)), 0)
    size = np.exp(rng.normal(size=(FRAMES, KEYPOINTS, 1)) * spread)
    errors = rng.normal(size=(MEMBERS, *truth.shape)) * own + rng.normal(size=truth.shape) * shared
    members = truth + size * errors
    folder.mkdir()
    for number, member in enumerate(members):
        scores = rng.uniform(0.8, 1, truth.shape[:2])
        text = "\n".join([*header_lines("net", NAMES), format_rows(range(FRAMES), member, scores)])
        (folder / f"net{number}.csv").write_text(text)
    rows = [
        ["scorer", *["truth"] * 2 * KEYPOINTS],
        ["bodyparts", *np.repeat(NAMES, 2)],
        ["coords", *["x", "y"] * KEYPOINTS],
    ]
    with (folder.parent / "truth.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
        csv.writer(stream).writerows([number, *row] for number, row in enumerate(truth.reshape(FRAMES, -1).round(4)))
    return truth, members


def rmse(error: np.ndarray) -> float:
    return float(np.sqrt((error**2).mean()))


def walk(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """One simulated recording through the command line."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    truth, members = simulate(folder / "nets", seed, **WALKS[name])
    run = timed(*vitruve("smooth", str(folder / "nets"), "-o", str(folder / "out.csv")))
    compared = vitruve("smooth", str(folder / "nets"), "-o", str(folder / "out.csv"))
    timed(*compared, "--labels", str(folder / "truth.csv"))
    with (folder / "out_coverage.csv").open() as stream:
        covered = list(csv.DictReader(stream))[-1]
    median = np.median(members, 0)
    return {
        "members_rmse_px": [rmse(member - truth) for member in members],
        "median_rmse_px": rmse(median - truth),
        "smoothed_rmse_px": float(covered["rmse_px"]),
        **{f"within_{p}": float(covered[f"within_{p}_percent_interval"]) for p in (50, 90, 95)},
        "seconds": run.seconds,
        "peak_mib": run.peak_mib,
    }


def errors_and_jerk(errors: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """Reprojection error in pixels over all views, frames and keypoints, and mean length of the third difference."""
    return {
        "mean_px": float(errors.mean()),
        "median_px": float(np.median(errors)),
        "rms_px": rmse(errors),
        "jerk": float(np.linalg.norm(np.diff(points, n=3, axis=0), axis=-1).mean()),
    }


def fly(folder: Path, times: int) -> dict[str, Any]:
    """The calibrated recording, against robust triangulation of the ensemble's median frame by frame."""
    data = mirror_mouse().parent / "eks_fly"
    if not data.is_dir():
        sys.exit(f"{data}: not there")
    command = vitruve("smooth", str(data), "-o", str(folder), "--calibration", str(data / "calibration.toml"))
    runs = [timed(*command) for _ in range(times)]
    calibration = read_calibration(data / "calibration.toml")
    cameras = stack_cameras(tuple(calibration.values()))
    files = [sorted(data.glob(f"*{name}*.csv")) for name in calibration]
    pixels = np.stack([np.median([read_csv_table(f).keypoints[:, 0] for f in group], 0) for group in files], 1)
    table = np.loadtxt(next(folder.glob("*_3d.csv")), delimiter=",", skiprows=3)[:, 1:]
    smoothed = table.reshape(len(table), -1, 6)[..., :3]
    result: dict[str, Any] = {}
    for name, points in (
        ("smoothed", smoothed),
        ("robust_cauchy", triangulate_robust(cameras, pixels)),
        ("robust_huber", triangulate_robust(cameras, pixels, loss="huber")),
    ):
        result[name] = errors_and_jerk(reprojection_errors(cameras, points, pixels), points)
    return {**result, "seconds": [run.seconds for run in runs], "peak_mib": runs[0].peak_mib}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--name", default="smoother")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        values: dict[str, Any] = {}
        for name in WALKS:
            rows = [walk(name, seed, root / "walk") for seed in range(chosen.seeds)]
            means = {
                key: statistics.mean(row[key] for row in rows)
                for key in ("median_rmse_px", "smoothed_rmse_px", "within_50", "within_90", "within_95", "seconds")
            }
            best = min(min(row["members_rmse_px"]) for row in rows)
            values[name] = {"mean": means, "best_member_rmse_px": best, "seeds": rows}
        values["fly"] = fly(root / "fly", chosen.seeds)
    record(chosen.name, values)


if __name__ == "__main__":
    main()
