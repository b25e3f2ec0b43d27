"""Faster R-CNN with a resnet18 from random weights on a rendered field, on the processor.

Training images are of 150 fields, the score is of others, of other days. Bars: an average precision at IoU .5 of .60
after at most 15 minutes of training, and every class is predicted at least once.

    python benchmarks/detect.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import record

import vitruve
from vitruve.evaluation.boxes import box_average_precision
from vitruve.formats.hub import read_labels
from vitruve.structures.labels import Labels

FIELD = {"clips": 150, "frames": 2, "new": 15, "videos": 0}
SIZE = {"width": 320, "height": 256}
MODEL = {
    "model_type": "faster_rcnn",
    "backbone": "resnet18",
    "fpn_channels": 64,
    "head_channels": 256,
    "proposals": 300,
    "sampled_regions": 128,
}
TRAINING = {
    "imgaug": "default",
    "imgaug_hflip": True,
    "train_batch_size": 8,
    "train_prob": 0.95,
    "val_prob": 0.05,
    "check_val_every_n_epoch": 2,
    "optimizer": "AdamW",
    "optimizer_params": {"learning_rate": 1e-3},
    "lr_scheduler": "onecycle",
    "backbone_pretrained": False,
}


def settings(root: Path, epochs: int) -> dict[str, Any]:
    """All that differs from the defaults."""
    return {
        "data": {"data_dir": str(root), "csv_file": "labels.json", "image_resize_dims": SIZE},
        "training": {**TRAINING, "max_epochs": epochs},
        "model": MODEL,
        "eval": {"predict_vids_after_training": False},
    }


def measured(truth: Labels, found: Labels) -> tuple[dict[str, float], list[str]]:
    """Average precision on images of one view, and the classes that are predicted at all."""
    pairs = [(a.instances[0], b.instances[0]) for a, b in zip(truth, found, strict=True)]
    numbers = np.concatenate([each.categories[np.asarray(each.present)] for _, each in pairs])
    return box_average_precision(pairs, len(truth.categories)).summary, [
        found.categories[n] for n in np.unique(numbers)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--field", type=Path, help="an example that is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.field or vitruve.example("field", Path(folder) / "field", **FIELD)
        began = time.monotonic()
        (run,) = vitruve.train(settings(root, options.epochs), run_dir=Path(folder) / "run", quiet=True)
        seconds = time.monotonic() - began
        (done,) = vitruve.predict(run, root / "labels_new.json", output=Path(folder) / "new", formats=("csv", "coco"))
        truth, found = read_labels(root / "labels_new.json"), read_labels(done.table.with_suffix(".json"))
        figures, classes = measured(truth, found)
    print(f"AP50 {figures['AP50']:.3f}, AP {figures['AP']:.3f} after {seconds:.0f} s; classes: {', '.join(classes)}")
    met = figures["AP50"] >= 0.6 and seconds < 900 and len(classes) == len(truth.categories)
    result = {"AP50": figures["AP50"], "AP": figures["AP"], "seconds": seconds, "classes": classes, "met": met}
    record("detect", result)


if __name__ == "__main__":
    main()
