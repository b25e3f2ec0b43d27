"""What unlabelled video is good for where there are several people: against labels alone, same steps, several seeds.

Rendered crowds (``vitruve example crowd``): 40 labelled images, 10 unlabelled videos, tested on images of other squares
and other people. ``semi_supervised`` adds the temporal loss on people followed from frame to frame. Figure: the mean
keypoint error of the people who are found is lower in at least 4 of 5 seeds. OKS-AP stands beside it, since an error
counts only whom a network finds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from common import Timed, by_seed, parser_of_seeds, record, timed, vitruve, workplace

from vitruve import api
from vitruve.evaluation.matching import labelled_keypoints, match_instances
from vitruve.evaluation.oks import average_precision, similarity
from vitruve.example_project import write_example
from vitruve.formats.hub import read_labels
from vitruve.structures.labels import Labels

WAYS = ("supervised", "semi_supervised")
EXTENT = {"people": 3, "images": 40, "new": 150, "videos": 10, "frames": 60, "width": 192, "height": 160}
SETTINGS = (
    "model.backbone=mobilenet_small",
    "model.head_channels=64",
    "training.train_batch_size=4",
    "training.optimizer_params.learning_rate=0.004",
    "training.imgaug={rotate: 0.4, rotate_degrees: 15, zoom: 0.4, hflip: 0.5}",
    "training.train_prob=0.9",
    "training.val_prob=0.1",
    "training.check_val_every_n_epoch=1000",
    "training.max_epochs=null",
    "eval.predict_vids_after_training=false",
)
MATCHED = 0.3
"""Object keypoint similarity from which a labelled person counts as found."""


def project(folder: Path, seed: int) -> Path:
    """The crowd of a seed; one that is there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_example("crowd", folder / f"seed{seed}", seed=seed, **EXTENT)


def judge(run: Path, project: Path) -> dict[str, float]:
    """Errors on images of squares that nothing was learned from."""
    truth = read_labels(project / "labels_new.json")
    return figures(truth, api.load_run(run, runtime="torch").predict(truth))


def figures(truth: Labels, found: Labels) -> dict[str, float]:
    """Mean and median distance of the keypoints of people who are found, how many are, and OKS-AP.

    Args:
        truth: One view.
        found: Predictions of the same images.

    Returns:
        ``error_px``, ``median_px``, ``found`` (share of labelled people), ``keypoints`` (share of the labelled
        keypoints of those), ``ap`` and ``ap50``.
    """
    sigmas, errors, people, labelled, pairs = truth.skeleton.oks_sigmas, [], 0, 0, []
    for wanted, seen in zip(truth, found, strict=True):
        one, other = wanted.instances[0], seen.instances[0]
        pairs.append((one, other))
        points = labelled_keypoints(wanted.instances)[0]
        known = np.isfinite(points).all(-1).any(-1)
        people += int(known.sum())
        alike = similarity(other.keypoints, one, sigmas)
        for place, chosen in enumerate(match_instances(points, np.asarray(other.keypoints, np.float64))):
            if known[place] and chosen >= 0 and alike[chosen, place] >= MATCHED:
                away = np.linalg.norm(other.keypoints[chosen] - points[place], axis=-1)
                errors.append(away[np.isfinite(away)])
                labelled += int(np.isfinite(points[place]).all(-1).sum())
    every, summary = np.concatenate(errors), average_precision(pairs, sigmas).summary
    values = {"error_px": every.mean(), "median_px": np.median(every), "found": len(errors) / people}
    values |= {"keypoints": len(every) / labelled, "ap": summary["AP"], "ap50": summary["AP50"]}
    return {name: round(float(value), 4) for name, value in values.items()}


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Figures of both ways, seed by seed."""

    def learn(data: Path, run: Path, seed: int, way: str) -> Timed:
        seeds = (f"training.rng_seed_data_pt={seed}", f"training.rng_seed_model_pt={seed}")
        where = ("train", "--config-path", str(data), "--config-name", "config", f"hydra.run.dir={run}")
        more = (f"training.max_steps={arguments.steps}", *arguments.overrides)
        if way == "semi_supervised":
            more += (
                "model.losses_to_use=[temporal]",
                f"losses.temporal.log_weight={arguments.log_weight}",
                f"losses.temporal.epsilon={arguments.epsilon}",
                "losses.temporal.prob_threshold=0.05",
                "dali.base.train.sequence_length=8",
                "dali.base.train.windows=2",
                "callbacks.anneal_weight.init_val=0.0",
                "callbacks.anneal_weight.increase_factor=0.1",
                f"callbacks.anneal_weight.freeze_until_epoch={arguments.freeze}",
            )
        return timed(*vitruve(*where, *SETTINGS, *seeds, *more))

    runs = by_seed(folder, arguments.seeds, WAYS, project, learn, judge)
    kinds = next(iter(runs.values()))["supervised"]
    values = {way: {kind: [run[way][kind] for run in runs.values()] for kind in kinds} for way in WAYS}
    lower = sum(run["semi_supervised"]["error_px"] < run["supervised"]["error_px"] for run in runs.values())
    higher = sum(run["semi_supervised"]["ap"] > run["supervised"]["ap"] for run in runs.values())
    return {
        "mean": {way: {kind: round(mean(v), 4) for kind, v in each.items()} for way, each in values.items()},
        "spread": {
            way: {kind: round(stdev(v), 4) for kind, v in each.items() if len(v) > 1} for way, each in values.items()
        },
        "error_lower": f"{lower} of {len(runs)}",
        "ap_higher": f"{higher} of {len(runs)}",
        "runs": runs,
    }


def main() -> None:
    parser = parser_of_seeds(__doc__, "crowd_semi_supervised", [0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--freeze", type=int, default=50, help="epochs before the term counts")
    parser.add_argument("--log-weight", type=float, default=3.0)
    parser.add_argument("--epsilon", type=float, default=3.0, help="pixels a frame that cost nothing")
    arguments = parser.parse_args()
    with workplace(arguments.folder) as folder:
        found = compare(arguments, folder)
    made = {key: value for key, value in vars(arguments).items() if key not in ("folder", "name")}
    print(json.dumps(found["mean"], indent=1))
    record(arguments.name, {"arguments": made, **found})


if __name__ == "__main__":
    main()
