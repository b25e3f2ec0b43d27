"""Splits of rendered clips of nearly equal frames: what leaks, and how clusters are shared out.

    python benchmarks/split.py

Renders a field (``vitruve example field``), splits it by every tenth frame, by chance, and as ``vitruve split`` does,
and once more as if images had no names. What leaks is measured by what rendered the clips, not by the embedding: a
validation frame leaks when a frame of its clip trains. Beside it stands what the report of leakage says by looks.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import record, workplace

from vitruve.curation.embedding import Embedder
from vitruve.curation.split import Split, SplitPlan, split_labels
from vitruve.data.images import ImageCache
from vitruve.structures.labels import Labels
from vitruve.synthetic.field_files import FieldExtent, field_images

EXTENT = FieldExtent(clips=24, frames=10, width=320, height=256)
PLANS = {
    "every_10th": SplitPlan(method="every-nth"),
    "random": SplitPlan(method="random"),
    "default": SplitPlan(),
    "default_nameless": SplitPlan(),
}


def figures(made: Split, clips: list[str]) -> dict[str, float]:
    """What is to be known of a split, in percent and points."""
    split = [frame.split for frame in made.labels]
    train = {clip for clip, name in zip(clips, split, strict=True) if name == "train"}
    held = [clip for clip, name in zip(clips, split, strict=True) if name == "validation"]
    shares = {kind: made.shares(kind) for kind in ("cluster", "class")}
    points = {
        kind: max(abs(each["train"].get(name, 0) - share) for name, share in each["validation"].items())
        for kind, each in shares.items()
    }
    return {
        "validation_frames": len(held),
        "leaks_by_clip_percent": 100 * sum(clip in train for clip in held) / len(held),
        "leaks_by_looks_percent": 100 * made.leakage.share("similar"),
        "clusters": made.map.count,
        "cluster_shares_differ_points": round(100 * points["cluster"], 2),
        "class_shares_differ_points": round(100 * points["class"], 2),
        "classes_in_validation": sum(share > 0 for share in shares["class"]["validation"].values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the images here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--most", type=int, default=1500, help="crops on each map")
    arguments = parser.parse_args()
    found: dict[str, dict[int, Any]] = {name: {} for name in PLANS}
    with workplace(arguments.folder) as folder:
        for seed in arguments.seeds:
            labels = field_images(folder / f"seed{seed}", replace(EXTENT, seed=seed))
            clips = [frame.session for frame in labels]
            nameless = Labels(
                labels.skeleton,
                tuple(replace(frame, session=str(number)) for number, frame in enumerate(labels)),
                labels.root,
                labels.categories,
            )
            cache, embedder = ImageCache(2.0), Embedder.of_backbone(pretrained=False, device="cpu", seed=0)
            for name, plan in PLANS.items():
                began = time.perf_counter()
                given = nameless if name.endswith("nameless") else labels
                made = split_labels(given, replace(plan, seed=seed, most=arguments.most), embedder, cache)
                found[name][seed] = {**figures(made, clips), "seconds": round(time.perf_counter() - began, 1)}
                print(seed, name, found[name][seed], flush=True)
    record("split", {"network": "resnet18, random weights", "crops": arguments.most, "splits": found})


if __name__ == "__main__":
    main()
