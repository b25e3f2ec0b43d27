"""What to label next on a rendered field: average precision over the number of labels, for each way to choose.

    python benchmarks/label_next.py

A pool of clips is rendered. From a few images, the same for all ways, a small detector is trained from random weights;
each way chooses the next ones with it, they get their true labels, and a new detector is trained of all of them, round
by round. The figure is the area under the curve of AP50 on other fields over the number of labels, as a share of that
of ``random``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from common import record, workplace

import vitruve
from vitruve.curation.choice import STRATEGIES
from vitruve.curation.label_next import label_next
from vitruve.evaluation.boxes import box_average_precision
from vitruve.formats.hub import write_labels
from vitruve.inference.open import open_run
from vitruve.structures.labels import Labels
from vitruve.synthetic.field_files import FieldExtent, field_images

WAYS = tuple(way for way in STRATEGIES if way != "spread")


def trained(folder: Path, labels: Labels, epochs: int, seed: int) -> Path:
    """A detector that has learned some labels; a fifth of them, at least one, validates."""
    names = ["validation" if i % 5 == 0 else "train" for i in range(len(labels))]
    file = folder.with_suffix(".json")
    write_labels(labels.with_splits(names), file, format="coco")
    settings = {
        "data": {
            "data_dir": str(labels.root),
            "csv_file": str(file.resolve()),
            "image_resize_dims": {"height": 160, "width": 192},
        },
        "model": {"model_type": "retinanet", "backbone": "resnet18", "fpn_channels": 64},
        "training": {
            "split": {"method": "given"},
            "max_epochs": epochs,
            "min_epochs": epochs,
            "train_batch_size": 4,
            "check_val_every_n_epoch": epochs,
            "backbone_pretrained": False,
            "device": "cpu",
            "rng_seed_model_pt": seed,
        },
        "eval": {"predict_vids_after_training": False},
    }
    vitruve.train(settings, run_dir=folder, quiet=True)
    return folder


def precision(run: Path, labels: Labels) -> float:
    """AP50 in percent on images that nothing is learned from."""
    found = open_run(run, "torch").predictor.predict_labels(labels)
    pairs = [(a.instances[0], b.instances[0]) for a, b in zip(labels, found, strict=True)]
    return 100 * box_average_precision(pairs, len(labels.categories)).summary["AP50"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep images and runs here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=15, help="to begin with, and more in each round")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    curves: dict[str, dict[int, list[float]]] = {way: {} for way in arguments.ways}
    began = time.perf_counter()
    with workplace(arguments.folder) as folder:
        for seed in arguments.seeds:
            extent = FieldExtent(clips=30, frames=6, new=12, plants=8, smallest=16, width=192, height=160, seed=seed)
            place = (folder / f"seed{seed}").resolve()
            pool, test = field_images(place, extent), field_images(place, extent, new=True)
            number = {pool.path(frame.images[0]): index for index, frame in enumerate(pool)}
            start = np.random.default_rng(seed).permutation(len(pool))[: arguments.images].tolist()
            first = trained(place / "begin", pool[start], arguments.epochs, seed)
            score = precision(first, test)
            clips = sorted({path.parent for path in number})
            for way in arguments.ways:
                known, run, curve = list(start), first, [score]
                for turn in range(arguments.rounds):
                    file = place / f"{way}_{turn}_known.json"
                    write_labels(pool[known], file, format="coco")
                    done = label_next(
                        clips,
                        place / f"{way}_{turn}_next",
                        arguments.images,
                        runs=run,
                        by=way,
                        labels=file,
                        seed=seed,
                        device="cpu",
                    )
                    known += [number[frame.images[0].path] for frame in done.chosen]
                    run = trained(place / f"{way}_{turn}", pool[known], arguments.epochs, seed)
                    curve.append(precision(run, test))
                curves[way][seed] = [round(value, 2) for value in curve]
                print(seed, way, curves[way][seed], flush=True)
    areas = {
        way: float(np.mean([np.trapezoid(curve) / arguments.rounds for curve in runs.values()]))
        for way, runs in curves.items()
    }
    record(
        "label_next",
        {
            "labels": [arguments.images * (turn + 1) for turn in range(arguments.rounds + 1)],
            "epochs": arguments.epochs,
            "AP50_percent": curves,
            "area_percent": {way: round(area, 2) for way, area in areas.items()},
            "area_of_random": {
                way: round(area / areas["random"], 3) for way, area in areas.items() if areas.get("random")
            },
            "seconds": round(time.perf_counter() - began),
        },
    )


if __name__ == "__main__":
    main()
