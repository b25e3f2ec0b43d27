"""Triangulation of real rigs with a fifth of the 2D points displaced by 50 px, against the clean points.

Bar: the median 3D error is at most 1.5 times that of the clean points. None of the recordings has a second, independent
truth in space: the points triangulated from the recording are taken for it, and are seen again through the recording's
own cameras, with the recording's own residuals dealt out anew (of jarvis_hand and eks_fly) or with 0.5 px of noise (of
dannce_mouse, whose 2D labels are exact projections).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
import scipy.io
from common import record

from vitruve.formats.calibration import read_cameras
from vitruve.formats.csv_table import read_csv_table
from vitruve.geometry.triangulation import Method, reconstruct, reprojection_errors, triangulate
from vitruve.structures.camera import Camera, stack_cameras

SHARE, DISTANCE, NOISE, POINTS = 0.2, 50.0, 0.5, 1500
Rig = tuple[Camera, np.ndarray]


def data() -> Path:
    """The folder of the recordings: ``VITRUVE_DATA``, or ``../shared/data`` beside the repository."""
    root = Path(os.environ.get("VITRUVE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        sys.exit(f"{root}: not there; set VITRUVE_DATA to the folder that holds jarvis_hand, dannce_mouse and eks_fly")
    return root


def jarvis_hand(root: Path) -> Rig:
    """Three framesets of 12 views."""
    folder = root / "jarvis_hand"
    cameras = read_cameras(folder)
    labels = json.loads((folder / "annotations" / "instances_val.json").read_text())
    labelled = {item["image_id"]: item["keypoints"] for item in labels["annotations"]}
    joints = max(map(len, labelled.values())) // 3
    frames = []
    for frameset in labels["framesets"].values():
        views = [np.reshape(labelled.get(image, [0] * 3 * joints), (-1, 3))[:, :2] for image in frameset["frames"]]
        frames.append(views)
    pixels = np.array(frames, np.float64)
    pixels[(pixels == 0).all(-1)] = np.nan
    return stack_cameras(tuple(cameras[name] for name in sorted(cameras))), pixels


def dannce_mouse(root: Path) -> Rig:
    """81 hand-labelled framesets of 6 views, seen exactly."""
    path = root / "dannce_mouse" / "label3d_dannce.mat"
    cameras = stack_cameras(tuple(read_cameras(path).values()))
    label = scipy.io.loadmat(path, squeeze_me=True, struct_as_record=False)["labelData"][0]
    points = np.asarray(label.data_3d, np.float64)
    points = points.reshape(len(points), -1, 3)
    return cameras, cameras.project(points[:, None])


def eks_fly(root: Path) -> Rig:
    """500 frames of 3 views, as one network predicts them."""
    folder = root / "eks_fly"
    cameras = read_cameras(folder / "calibration.toml")
    files = [next(iter(sorted(folder.glob(f"*{name}*.csv")))) for name in cameras]
    return stack_cameras(tuple(cameras.values())), np.stack([read_csv_table(file).keypoints[:, 0] for file in files], 1)


def measure(cameras: Camera, pixels: np.ndarray) -> dict[str, Any]:
    """Errors in space of all methods, clean and displaced."""
    rng = np.random.default_rng(0)
    truth = reconstruct(cameras, pixels, method="robust").points
    exact = cameras.project(truth[:, None])
    residual = (pixels - exact)[~np.isnan(pixels - exact).any(-1)]
    measured = reprojection_errors(cameras, triangulate(cameras, pixels), pixels)
    found: dict[str, Any] = {
        "framesets": len(pixels),
        "views": pixels.shape[1],
        "recording_linear_median_px": float(np.nanmedian(measured)),
        "recording_linear_worst_px": float(np.nanmax(measured)),
    }
    repeats = -(-POINTS // truth[..., 0].size)
    exact, truth = np.tile(exact, (repeats, 1, 1, 1)), np.tile(truth, (repeats, 1, 1))
    seen = np.where(np.isnan(np.tile(pixels, (repeats, 1, 1, 1))), np.nan, exact)
    if np.median(np.abs(residual)) < 1e-3:
        clean = seen + rng.normal(size=seen.shape) * NOISE
    else:
        clean = seen + residual[rng.integers(0, len(residual), seen.shape[:-1])]
    angle = rng.uniform(0, 2 * np.pi, clean.shape[:-1])
    moved = DISTANCE * np.stack([np.cos(angle), np.sin(angle)], -1)
    displaced = clean + (rng.random(clean.shape[:-1]) < SHARE)[..., None] * moved
    for method in get_args(Method):
        began = time.perf_counter()
        medians = {}
        for name, given in (("clean", clean), ("displaced", displaced)):
            away = np.linalg.norm(reconstruct(cameras, given, method=method).points - truth, axis=-1)
            medians[f"{name}_median_mm"] = float(np.nanmedian(away))
            medians[f"{name}_lost"] = float((np.isnan(away) & ~np.isnan(truth[..., 0])).mean())
        seconds = time.perf_counter() - began
        found[method] = {
            **medians,
            "ratio": medians["displaced_median_mm"] / medians["clean_median_mm"],
            "points_a_second": 2 * truth[..., 0].size / seconds,
        }
    best = min(found[method]["clean_median_mm"] for method in get_args(Method))
    for method in get_args(Method):
        found[method]["ratio_to_best_clean"] = found[method]["displaced_median_mm"] / best
    return found


if __name__ == "__main__":
    rigs = {rig.__name__: rig(data()) for rig in (jarvis_hand, dannce_mouse, eks_fly)}
    record("triangulation", {"share": SHARE, "px": DISTANCE, **{name: measure(*rig) for name, rig in rigs.items()}})
