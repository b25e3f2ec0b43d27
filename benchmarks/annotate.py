"""What of labels that were taken out is proposed, and whether a second run leaves everything as it is.

A tenth of the objects of a rendered set, drawn at random, is taken out of its labels; a network that learned from what
is left looks through them. Bars: four of five of those that lack are proposed, and four of five proposals are among
them. Then a reviewer who knows the truth takes out the wrong ones, the rest comes back, and neither way may change
anything again. The server is the stand-in of the tests.

A proposal is one of those that lack from an overlap (boxes) or object keypoint similarity (poses) of .5 on; beside it
stands how many are the same object by the overlap of their boxes and whatever their class, which is what a reviewer
who only asks whether somebody is there would count.

    python benchmarks/annotate.py boxes          # vitruve example field
    python benchmarks/annotate.py keypoints      # vitruve example crowd
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import record, timed, vitruve, workplace
from scipy.optimize import linear_sum_assignment

from vitruve.annotation.bulk_upload import upload_labels
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.proposals.accept import accept_proposals
from vitruve.annotation.proposals.propose import propose
from vitruve.annotation.proposals.review import named_shapes
from vitruve.evaluation.oks import instance_boxes
from vitruve.evaluation.verdicts import Kind, judge_boxes, judge_keypoints
from vitruve.example_project import write_example
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.shapes import labels_of
from vitruve.geometry.boxes import overlaps
from vitruve.structures.labels import Labels

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from annotation.cvat_standin import StandIn

SETS = {
    "boxes": (
        "field",
        {"clips": 40, "frames": 2, "new": 0, "videos": 0, "plants": 4, "smallest": 20, "largest": 70}
        | {"width": 160, "height": 128},
    ),
    "keypoints": (
        "crowd",
        {"people": 3, "images": 40, "new": 0, "videos": 0, "width": 192, "height": 160},
    ),
}
TRAINING = {
    "boxes": (
        *("model.backbone=resnet10t", "model.fpn_channels=48", "model.head_channels=128", "model.proposals=60"),
        *(
            "model.sampled_regions=64",
            "data.num_keypoints=null",
            "data.keypoint_names=null",
            "training.imgaug_hflip=true",
        ),
        *("data.image_resize_dims.height=128", "data.image_resize_dims.width=160", "training.max_epochs=60"),
    ),
    "keypoints": (
        *("model.backbone=mobilenet_small", "model.head_channels=64", "training.max_epochs=null"),
        *("training.max_steps=1200", "training.optimizer_params.learning_rate=0.004"),
        "training.imgaug={rotate: 0.4, rotate_degrees: 15, zoom: 0.4, hflip: 0.5}",
    ),
}
USUAL = (
    *("training.train_batch_size=4", "training.train_prob=0.95", "training.val_prob=0.05"),
    *("training.check_val_every_n_epoch=1000", "eval.predict_vids_after_training=false"),
)
SHARE, ALIKE = 0.1, 0.5
GAPS = "labels_gaps.json"


def with_gaps(labels: Labels, seed: int) -> tuple[Labels, Labels]:
    """The labels without a tenth of what is in them, and that tenth."""
    counts = [len(frame.instances.keypoints[0]) for frame in labels]
    chosen = np.random.default_rng(seed).permutation(sum(counts)) < round(SHARE * sum(counts))
    kept, gone = [], []
    for frame, out in zip(labels, np.split(chosen, np.cumsum(counts)[:-1]), strict=True):
        kept.append(replace(frame, instances=frame.instances[:, ~out]))
        gone.append(replace(frame, instances=frame.instances[:, out]))
    return replace(labels, frames=tuple(kept)), replace(labels, frames=tuple(gone))


def review(server: CvatServer, number: int, gone: Labels) -> tuple[int, int, int]:
    """Take what is wrong out of a review task, and complete it; how many were proposed, are right, are there at all."""
    task = server.read(number)
    proposed = labels_of(task)
    truth = {frame.first_image.path.as_posix(): frame.instances[0] for frame in gone}
    right: set[int] = set()
    there = 0
    for frame in proposed.with_categories(_classes(proposed, gone)):
        name = next(key for key in truth if key.endswith(frame.first_image.path.as_posix()))
        wanted, found = truth[name], frame.instances[0]
        if len(gone.skeleton):
            order = [proposed.skeleton.index(joint) for joint in gone.skeleton.names]
            verdicts = judge_keypoints(wanted, found.reordered(order), gone.skeleton.oks_sigmas, ALIKE)
        else:
            verdicts = judge_boxes(wanted, found, ALIKE)
        assert found.ids is not None
        shared = overlaps(instance_boxes(wanted), instance_boxes(found))
        there += int((shared[linear_sum_assignment(-shared)] >= ALIKE).sum())
        right |= set(np.asarray(found.ids)[verdicts.kinds == Kind.CORRECT].tolist())
    leading = list(named_shapes(task).values())
    wrong = [shape for shape in leading if shape.id not in right]
    groups = {(shape.frame, shape.group) for shape in wrong if shape.group}
    partners = [s for s in task.shapes if (s.frame, s.group) in groups and s not in wrong]
    server.change(number, remove=[*wrong, *partners])
    server.set_status(number, "completed")
    return len(leading), len(leading) - len(wrong), there


def _classes(proposed: Labels, gone: Labels) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*gone.categories, *proposed.categories)))


def measured(run: Path, root: Path, output: Path, threshold: float, seed: int) -> dict[str, Any]:
    """What is proposed and right, and what second runs change."""
    _, gone = with_gaps(read_labels(root / "labels.json"), seed)
    lacking = sum(len(frame.instances.keypoints[0]) for frame in gone)
    with StandIn(page_size=50) as standin:
        server = CvatServer.connect(standin.url, standin.token, pause=0.01)
        upload_labels([root / GAPS], apply=True, server=server)
        tasks = [info.id for info in server.tasks()]
        options: dict[str, Any] = {
            "tasks": tasks,
            "images": root,
            "output": output,
            "threshold": threshold,
            "runtime": "torch",
        }
        done = propose(run, kinds=["missing"], apply=True, server=server, **options)
        counts = [review(server, number, gone) for number in done.tasks]
        back: dict[str, Any] = {"output": output, "apply": True, "server": server}
        names = ("", "auto_annotation")
        first = accept_proposals(*names, **back)
        labelled = sum(len(server.read(number).shapes) for number in tasks)
        before = len(standin.changes())
        again = accept_proposals(*names, **back).changes
        twice = propose(run, kinds=["missing"], apply=True, server=server, **options).changes
        sent = len(standin.changes()) - before
    proposed, right, there = (sum(values) for values in zip((0, 0, 0), *counts, strict=True))
    return {
        "lacking": lacking,
        "proposed": proposed,
        "right": right,
        "there": there,
        "brought_back": first.changes,
        "labels_after": labelled,
        "changed_by_a_second_run": again + twice + sent,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=SETS)
    parser.add_argument("--folder", type=Path, help="keep data and run here")
    parser.add_argument("--run", type=Path, help="a run that is there, in place of training one")
    parser.add_argument("--data", type=Path, help="the rendered set of that run")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the draws; a run learns from the first")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    example, extent = SETS[given.what]
    with workplace(given.folder) as place:
        root = given.data or write_example(example, place / example, **extent)
        whole = read_labels(root / "labels.json")
        run, seconds = given.run or place / "run", None
        rows = []
        for seed in given.seeds:
            write_labels(with_gaps(whole, seed)[0], root / GAPS, "coco")
            if given.run is None and seconds is None:
                where = ("train", "--config-path", str(root), "--config-name", "config", f"hydra.run.dir={run}")
                seconds = timed(*vitruve(*where, f"data.csv_file={GAPS}", *USUAL, *TRAINING[given.what])).seconds
            rows.append(measured(run, root, place / f"annotated_{seed}", given.threshold, seed))
    total = {name: sum(row[name] for row in rows) for name in rows[0]}
    figures = {
        "recall": total["right"] / total["lacking"],
        "precision": total["right"] / max(1, total["proposed"]),
        "recall_there": total["there"] / total["lacking"],
        "precision_there": total["there"] / max(1, total["proposed"]),
    }
    record(
        f"annotate_{given.what}",
        {name: round(value, 4) for name, value in figures.items()}
        | {**total, "draws": len(rows), "threshold": given.threshold, "learned_from_the_gaps": given.run is None}
        | {"seconds_of_training": None if seconds is None else round(seconds)},
    )
