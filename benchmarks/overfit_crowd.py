"""Whether an algorithm for several instances can learn the four COCO images of ``coco_mini`` by heart, on one core.

A light backbone from random weights, no augmentation, no mirror images; scored by pycocotools on the same images. Bar:
an average precision of .90 within minutes.

    python benchmarks/overfit_crowd.py --algorithm openpose
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")  # before they are loaded

import argparse
import contextlib
import io
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, record
from crowds import build, photographs, whole
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vitruve.algorithms.base import Algorithm
from vitruve.data.dataset import checked
from vitruve.formats.coco_results import write_results
from vitruve.formats.hub import read_labels
from vitruve.inference.predictor import Predictor
from vitruve.structures.conversion import convert
from vitruve.structures.labels import Labels
from vitruve.structures.skeletons import known_skeleton


@dataclass(frozen=True)
class Recipe:
    """How an algorithm is trained here.

    Attributes:
        model: Settings of the section ``model``.
        skeleton: What is learned; the score is always that of COCO's 17 joints.
        size: Of the input.
        steps: Of all four images each.
        rate: Highest learning rate, reached after a tenth of the steps.
    """

    model: dict[str, Any] = field(default_factory=dict)
    skeleton: str = "openpose18"
    size: tuple[int, int] = (384, 256)
    steps: int = 200
    rate: float = 4e-3


RECIPES = {
    "openpose": Recipe({"backbone": "mobilenetv2", "num_stages": 2, "head_channels": 48}, steps=300),
    "lightweight_openpose": Recipe({"backbone": "mobilenetv2", "head_channels": 64}),
    "mobilenet_thin_openpose": Recipe({"backbone": "mobilenetv2", "num_stages": 3, "head_channels": 64}),
    "pose_proposal": Recipe({"backbone": "resnet10t"}, "coco17", (384, 256), 120, 2e-3),
    "pifpaf": Recipe({"backbone": "resnet10t"}, "coco17", (384, 256), 120, 2e-3),
}


def train(name: str, recipe: Recipe, labels: Labels) -> tuple[Algorithm, float]:
    """The algorithm, trained on all frames of labels, and the loss of the last step."""
    torch.manual_seed(0)
    algorithm = build(name, labels, recipe.size, recipe.model).train()
    batch = whole(labels, algorithm)
    optimizer = torch.optim.AdamW(algorithm.parameters(), recipe.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, recipe.steps, pct_start=0.1, final_div_factor=1e3
    )
    for step in range(recipe.steps):
        optimizer.zero_grad()
        total = torch.stack(list(algorithm.training_losses(batch).values())).sum()
        total.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            print(f"step {step}: {float(total.detach()):.4f}", flush=True)
    return algorithm.eval(), float(total.detach())


def average_precision(predictions: Labels, truth: Path) -> float:
    """COCO's average precision of keypoints, by its own program."""
    if not any(len(frame.instances.keypoints[0]) for frame in predictions):
        return 0.0  # pycocotools reads no empty file
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        file = Path(folder) / "results.json"
        write_results(predictions, file, truth)
        whole = COCO(str(truth))
        score = COCOeval(whole, whole.loadRes(str(file)), "keypoints")
        score.evaluate()
        score.accumulate()
        score.summarize()
    return float(score.stats[0])


def run(name: str, recipe: Recipe) -> dict[str, Any]:
    """Seconds and average precision."""
    file = photographs("coco")
    read = read_labels(file)
    labels = checked(convert(read, known_skeleton(recipe.skeleton)))
    began = time.perf_counter(), time.process_time()
    algorithm, loss = train(name, recipe, labels)
    seconds, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    predicted = convert(Predictor(algorithm, 4).predict_labels(labels), read.skeleton)
    return {
        "average_precision": round(average_precision(predicted, file), 4),
        "seconds": round(seconds),
        "processor_seconds": round(processor),
        "steps": recipe.steps,
        "loss": round(loss, 5),
        **recipe.model,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--algorithm", choices=RECIPES, required=True)
    parser.add_argument("--steps", type=int, default=None)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES[given.algorithm]
    if given.steps:
        recipe = Recipe(recipe.model, recipe.skeleton, recipe.size, given.steps, recipe.rate)
    figures = run(given.algorithm, recipe)
    kept = RESULTS / "overfit_crowd.json"  # read now: others may have ended meanwhile
    former = json.loads(kept.read_text()) if kept.is_file() else {}
    former.pop("machine", None)
    record("overfit_crowd", {**former, given.algorithm: figures})
