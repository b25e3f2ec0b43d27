"""What of labels that were taken out is proposed, and whether a second run leaves everything as it is.

A tenth of the labels of a rendered set, drawn at random, is taken out; a network that learned from what is left looks
through them. ``boxes`` takes plants out, ``keypoints`` single keypoints, ``poses`` whole people. Bars: four of five of
those that lack are proposed, and four of five proposals are among them. Then a reviewer who knows the truth takes out
the wrong ones, the rest comes back, and neither way may change anything again. The server is the stand-in of the tests.

A proposal is one of those that lack from an overlap (boxes) or object keypoint similarity (poses, keypoints) of .5 on;
beside it stands, of boxes and poses, how many are the same object by the overlap of their boxes whatever their class.

    python benchmarks/annotate.py boxes          # vitruve example field
    python benchmarks/annotate.py keypoints      # vitruve example mouse
    python benchmarks/annotate.py poses          # vitruve example crowd
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import detect
import numpy as np
from common import record, workplace
from scipy.optimize import linear_sum_assignment

import vitruve
from vitruve.annotation.bulk_upload import upload_labels
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.proposals.accept import accept_proposals
from vitruve.annotation.proposals.propose import propose
from vitruve.annotation.proposals.review import named_shapes
from vitruve.annotation.proposals.trail import Trail
from vitruve.evaluation.oks import instance_areas, instance_boxes
from vitruve.evaluation.verdicts import Kind, judge_boxes, judge_keypoints
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.shapes import labels_of
from vitruve.geometry.boxes import overlaps
from vitruve.structures.annotation import AnnotationTask
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.labels import Labels

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from annotation.cvat_standin import StandIn

SHARE, ALIKE = 0.1, 0.5
GAPS = "labels_gaps.json"
CROWD_SIZE = {"width": 192, "height": 160}
USUAL = {"train_prob": 0.95, "val_prob": 0.05, "check_val_every_n_epoch": 1000, "backbone_pretrained": False}


@dataclass(frozen=True)
class Case:
    """What labels are taken out of, how a network learns from the rest, and what it is asked."""

    example: str
    extent: dict[str, Any]
    truth: str
    model: dict[str, Any]
    training: dict[str, Any]
    size: dict[str, int]
    kind: str
    threshold: float


CASES = {
    "boxes": Case(
        "field",
        detect.FIELD | {"new": 0},
        "labels.json",
        detect.MODEL,
        detect.TRAINING | {"max_epochs": 20},
        detect.SIZE,
        "missing",
        0.5,
    ),
    "keypoints": Case(
        "mouse",
        {"frames": 200, "video_frames": 1},
        "CollectedData.csv",
        {"model_type": "heatmap", "backbone": "resnet18"},
        {"max_epochs": 40, "train_batch_size": 8},
        {"width": 128, "height": 128},
        "missing keypoint",
        0.5,
    ),
    "poses": Case(
        "crowd",
        {"people": 2, "images": 400, "new": 0, "videos": 0, "objects": 1} | CROWD_SIZE,
        "labels.json",
        {"model_type": "pifpaf", "backbone": "resnet10t"},
        {
            "max_epochs": 72,
            "train_batch_size": 8,
            "optimizer": "AdamW",
            "optimizer_params": {"learning_rate": 2e-3},
            "lr_scheduler": "onecycle",
            "imgaug": {"rotate": 0.4, "rotate_degrees": 15, "zoom": 0.4, "hflip": 0.5},
        },
        CROWD_SIZE,
        "missing",
        0.3,
    ),
}


def with_gaps(labels: Labels, seed: int, joints: bool) -> tuple[Labels, Labels]:
    """The labels without a tenth of what is in them, and that tenth; of keypoints, or of whole instances."""
    known = [np.isfinite(frame.instances.keypoints[0]).all(-1) for frame in labels]
    counts = [int(each.sum()) if joints else len(each) for each in known]
    chosen = np.random.default_rng(seed).permutation(sum(counts)) < round(SHARE * sum(counts))
    kept, gone = [], []
    for frame, there, out in zip(labels, known, np.split(chosen, np.cumsum(counts)[:-1]), strict=True):
        if joints:
            lost = np.zeros_like(there)
            lost[there] = out
            pair = _without(frame.instances, lost), _without(frame.instances, there & ~lost)
        else:
            pair = frame.instances[:, ~out], frame.instances[:, out]
        kept.append(replace(frame, instances=pair[0]))
        gone.append(replace(frame, instances=pair[1]))
    return replace(labels, frames=tuple(kept)), replace(labels, frames=tuple(gone))


def _without(instances: Instances, lost: np.ndarray) -> Instances:
    keypoints = np.where(lost[None, ..., None], np.nan, instances.keypoints)
    return replace(instances, keypoints=keypoints, visible=np.where(lost[None], UNLABELLED, instances.visible))


def learn(case: Case, root: Path, run: Path) -> float:
    """Train on what is left of the labels; seconds."""
    began = time.monotonic()
    settings = {
        "data": {"data_dir": str(root), "csv_file": GAPS, "image_resize_dims": case.size},
        "model": case.model,
        "training": USUAL | case.training,
        "eval": {"predict_vids_after_training": False},
    }
    vitruve.train(settings, run_dir=run, quiet=True)
    return time.monotonic() - began


def review(server: CvatServer, number: int, gone: Labels, folder: Path, joints: bool) -> tuple[int, int, int]:
    """Take what is wrong out of a review task, and complete it; how many were proposed, are right, are there at all."""
    task = server.read(number)
    named = {item.image for item in Trail(folder).of_review(number)}
    whole = {frame.first_image.path.as_posix(): frame.instances[0] for frame in gone}
    truth = {key: one for key, one in whole.items() if any(f"/{key}".endswith(f"/{name}") for name in named)}
    review_one = _review_keypoints if joints else _review_objects
    result = review_one(server, task, truth, gone, folder)
    server.set_status(number, "completed")
    return result


def _review_objects(
    server: CvatServer, task: AnnotationTask, truth: dict[str, Instances], gone: Labels, _: Path
) -> tuple[int, int, int]:
    assert task.id is not None
    proposed = labels_of(task)
    right: set[int] = set()
    there = 0
    for frame in proposed.with_categories(tuple(dict.fromkeys((*gone.categories, *proposed.categories)))):
        wanted, found = truth[_name(frame.first_image.path, truth)], frame.instances[0]
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
    server.change(task.id, remove=[*wrong, *partners])
    return len(leading), len(leading) - len(wrong), there


def _review_keypoints(
    server: CvatServer, task: AnnotationTask, truth: dict[str, Instances], gone: Labels, folder: Path
) -> tuple[int, int, int]:
    """Wrong keypoints become outside; where all that is proposed of a pose is wrong, the shape goes."""
    assert task.id is not None
    names, scale = gone.skeleton.names, (2 * gone.skeleton.oks_sigmas) ** 2
    spoken = {item.id: item.keypoints for item in Trail(folder).of_review(task.id)}
    counts, wrong, changed = [0, 0], [], []
    for proposal, shape in named_shapes(task).items():
        wanted = truth[_name(Path(task.frames[shape.frame].name), truth)]
        parts = {part.label: part for part in shape.parts}
        area = max(float(np.asarray(instance_areas(wanted))[0]), float(_area(shape.parts)))
        bad = []
        for joint in spoken[proposal]:
            place = names.index(joint)
            # CVAT counts from the corner of the image.
            away = np.asarray(parts[joint].points) - 0.5 - wanted.keypoints[0, place]
            if not np.exp(-(away**2).sum() / (2 * scale[place] * area)) >= ALIKE:
                bad.append(joint)
        counts[0] += len(spoken[proposal])
        counts[1] += len(spoken[proposal]) - len(bad)
        if len(bad) == len(spoken[proposal]):
            wrong.append(shape)
        elif bad:
            left = tuple(replace(part, outside=True) if part.label in bad else part for part in shape.parts)
            changed.append(replace(shape, parts=left))
    server.change(task.id, update=changed, remove=wrong)
    return counts[0], counts[1], counts[1]


def _area(parts: tuple[Any, ...]) -> float:
    points = np.array([part.points for part in parts if not part.outside])
    return float(np.prod(np.ptp(points, axis=0)))


def _name(path: Path, truth: dict[str, Instances]) -> str:
    (name,) = [key for key in truth if f"/{key}".endswith(f"/{path.as_posix()}")]
    return name


def measured(case: Case, run: Path, root: Path, output: Path, threshold: float, seed: int) -> dict[str, Any]:
    """What is proposed and right, and what second runs change."""
    joints = case.kind == "missing keypoint"
    _, gone = with_gaps(read_labels(root / case.truth), seed, joints)
    present = [np.isfinite(frame.instances.keypoints[0]).all(-1) for frame in gone]
    lacking = sum(int(each.sum()) if joints else len(each) for each in present)
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
            "kinds": [case.kind],
            "pictures": 12,
        }
        done = propose(run, apply=True, server=server, **options)
        counts = [review(server, number, gone, output, joints) for number in done.tasks]
        back: dict[str, Any] = {"output": output, "apply": True, "server": server}
        names = ("", "auto_annotation")
        first = accept_proposals(*names, **back).changes if done.tasks else 0
        after = [server.read(number) for number in tasks]
        labelled = sum(len(task.shapes) + sum(len(track.shapes) for track in task.tracks) for task in after)
        before = len(standin.changes())
        again = accept_proposals(*names, **back).changes if done.tasks else 0
        twice = propose(run, apply=True, server=server, **options).changes
        sent = len(standin.changes()) - before
    proposed, right, there = (sum(values) for values in zip((0, 0, 0), *counts, strict=True))
    return {
        "lacking": lacking,
        "proposed": proposed,
        "right": right,
        "there": there,
        "brought_back": first,
        "labels_after": labelled,
        "changed_by_a_second_run": again + twice + sent,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=CASES)
    parser.add_argument("--folder", type=Path, help="keep data and run here")
    parser.add_argument("--threshold", type=float, help="score of proposals, 0 to 1")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    case = CASES[given.what]
    threshold = case.threshold if given.threshold is None else given.threshold
    with workplace(given.folder) as place:
        root, run, seconds = vitruve.example(case.example, place / case.example, **case.extent), place / "run", None
        kept, _ = with_gaps(read_labels(root / case.truth), given.seed, case.kind == "missing keypoint")
        write_labels(kept, root / GAPS, "coco")
        if not run.is_dir():
            seconds = round(learn(case, root, run))
        output = place / f"annotated_{given.seed}_{threshold:g}"
        # What was proposed before is not proposed again.
        shutil.rmtree(output, ignore_errors=True)
        row = measured(case, run, root, output, threshold, given.seed)
    figures = {
        "recall": row["right"] / row["lacking"],
        "precision": row["right"] / max(1, row["proposed"]),
        "recall_there": row["there"] / row["lacking"],
        "precision_there": row["there"] / max(1, row["proposed"]),
    }
    met = min(figures["recall"], figures["precision"]) >= 0.8 and row["changed_by_a_second_run"] == 0
    figures = {name: round(value, 4) for name, value in figures.items()}
    record(
        f"annotate_{given.what}", figures | row | {"threshold": threshold, "seconds_of_training": seconds, "met": met}
    )


if __name__ == "__main__":
    main()
