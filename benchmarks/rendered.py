"""Rendered recordings with clutter and occlusion: made once a seed, trained on, and judged by exact truth.

``project(folder, seed)`` writes (or finds) a project of 30 labelled frames, 10 unlabelled videos and 100 test frames of
recordings that neither is of. ``train(project, run, *overrides)`` trains on it, and ``judge(run, project)`` gives the
test errors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from common import Timed, timed, vitruve

from vitruve import api
from vitruve.evaluation.metrics import pixel_error
from vitruve.example_project import write_example
from vitruve.formats.hub import read_labels
from vitruve.structures.instances import OCCLUDED

SETTINGS = (
    "training.train_batch_size=8",
    "training.train_prob=0.9",
    "training.val_prob=0.1",
    "eval.predict_vids_after_training=false",
)


def project(folder: Path, seed: int, **extent: int) -> Path:
    """The project of a seed.

    Args:
        folder: Holds one project a seed; those that are there are kept.
        seed: Other seeds are other recordings.
        **extent: See :class:`vitruve.example_project.Extent`: ``frames`` labelled (30), ``videos`` (10) of
            ``video_frames`` (100) each, ``new_frames`` to test with (100).

    Returns:
        Its folder: ``config.yaml``, ``CollectedData.csv``, ``CollectedData_new.csv`` (for testing, with ``visible`` 1
        where a keypoint is hidden), ``videos/``. Labelled images of both lie among the two frames before and after.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return write_example("cluttered_mouse", folder / f"seed{seed}", seed=seed, **extent)


def train(project: Path, run: Path, seed: int, *overrides: str) -> Timed:
    """Train on a project as a whole process.

    Args:
        project: Of :func:`project`.
        run: The run directory.
        seed: Of the split and the weights.
        *overrides: Settings that differ, after :data:`SETTINGS`.

    Returns:
        Time and memory.
    """
    seeds = (f"training.rng_seed_data_pt={seed}", f"training.rng_seed_model_pt={seed}")
    where = ("train", "--config-path", str(project), "--config-name", "config")
    return timed(*vitruve(*where, *SETTINGS, *seeds, f"hydra.run.dir={run}", *overrides))


def judge(run: Path, project: Path) -> dict[str, float]:
    """Errors on frames that were not labelled.

    Args:
        run: A run on that project.
        project: Of :func:`project`.

    Returns:
        Mean pixel errors on recordings that were not trained on: of all keypoints, of those in frames with a hidden
        keypoint, of hidden and of seen ones; the median over all; and ``videos_px``, the mean on the frames of the
        unlabelled videos.
    """
    network = api.load_run(run, runtime="torch")
    truth = read_labels(project / "CollectedData_new.csv")
    found = network.predict(truth)
    errors = pixel_error(found.keypoints()[..., 0, :, :], truth.keypoints()[..., 0, :, :])
    hidden = truth.visible()[..., 0, :] == OCCLUDED
    occluded = np.broadcast_to(hidden.any(-1, keepdims=True), errors.shape)
    parts = {"all": np.ones_like(hidden), "occluded_frames": occluded, "hidden": hidden, "seen": ~hidden}
    means = {f"{name}_px": round(float(np.nanmean(errors[part])), 3) for name, part in parts.items()}
    videos = []
    for video in sorted((project / "videos").glob("*.mp4")):
        known = read_labels(video.with_name(f"{video.stem}_truth.csv")).keypoints()
        videos.append(pixel_error(network.predict(video).keypoints()[:, 0, 0], known[:, 0, 0]))
    means["videos_px"] = round(float(np.nanmean(np.concatenate(videos))), 3)
    return {**means, "median_px": round(float(np.nanmedian(errors)), 3)}
