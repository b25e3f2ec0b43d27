"""Training on real recordings: ResNet-18, random weights, 256 x 256, batch 8, split .8/.1/.1, 60 epochs, several seeds.

Errors are means over all labelled keypoints of a split, in original pixels; times are those of the whole process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean

import pandas as pd
from common import mirror_mouse, record, timed, vitruve

SETTINGS = (
    "data.image_resize_dims.height=256",
    "data.image_resize_dims.width=256",
    "training.train_batch_size=8",
    "training.train_prob=0.8",
    "training.val_prob=0.1",
    "training.max_epochs=60",
    "training.backbone_pretrained=false",
    "model.backbone=resnet18",
    "eval.predict_vids_after_training=false",
)


def one(seed: int, folder: Path, extra: list[str]) -> dict[str, float]:
    """Train with a seed; errors a split, seconds, images a second."""
    data = mirror_mouse()
    run = folder / f"seed{seed}"
    result = timed(
        *vitruve(
            "train",
            "--config-path",
            str(Path(__file__).parent),
            "--config-name",
            "mirror_mouse.yaml",
            f"data.data_dir={data}",
            *SETTINGS,
            f"training.rng_seed_data_pt={seed}",
            f"training.rng_seed_model_pt={seed}",
            f"hydra.run.dir={run}",
            *extra,
        )
    )
    errors = pd.read_csv(run / "predictions_pixel_error.csv", index_col=0)
    means = {str(name): float(part.drop(columns="set").stack().mean()) for name, part in errors.groupby("set")}
    metrics = pd.read_csv(run / "metrics.csv")
    return {
        **{f"{name}_px": round(value, 3) for name, value in means.items()},
        "seconds": round(result.seconds, 1),
        "images_per_second": round(float(metrics["images_per_second"].median()), 1),
        "peak_mib": round(result.peak_mib),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--peer", type=Path, help="JSON with the same figures of a peer, to be recorded beside")
    parser.add_argument("--name", default="train_mirror_mouse")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = {seed: one(seed, Path(folder), arguments.overrides) for seed in arguments.seeds}
    keys = ("train_px", "validation_px", "test_px", "seconds", "images_per_second")
    average = {key: round(mean(run[key] for run in runs.values()), 2) for key in keys}
    peer = json.loads(arguments.peer.read_text()) if arguments.peer else None
    record(arguments.name, {"overrides": arguments.overrides, "runs": runs, "mean": average, "peer": peer})


if __name__ == "__main__":
    main()
