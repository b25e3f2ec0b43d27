"""Whether the five algorithms for several instances find everybody again in the maps that the truth makes.

People of photographs (``coco_mini``, 17 joints; ``mpii_mini``, 16) and of rendered crowds with figures of 3, 14, 17 and
21 joints are encoded and decoded; no network is asked. Bar: an object keypoint similarity of .95 for each person. Each
below it is counted by its cause, and in images of few people listed.

    python benchmarks/roundtrip_crowd.py
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")  # before they are loaded

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from common import record
from crowds import build, known_outputs, photographs, whole

from vitruve.algorithms.base import Algorithm
from vitruve.algorithms.crowd import labelled
from vitruve.algorithms.pose_proposal.algorithm import PoseProposal
from vitruve.codecs import grid, limb_graph
from vitruve.data.dataset import checked
from vitruve.data.limbs import with_limbs
from vitruve.evaluation.oks import similarity
from vitruve.formats.hub import read_labels
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.crowd_files import CrowdExtent, crowd_images

BAR = 0.95
NEAR = 16.0
"""Pixels of the input within which two people's keypoints of a kind may count as one: two cells of most maps."""
IMAGES, FEW, MANY = 12, 5, 20
# However few keypoints somebody has: what decoders leave out on purpose is not what is asked here.
SIZES = {
    **dict.fromkeys(("openpose", "lightweight_openpose", "mobilenet_thin_openpose"), (432, 368)),
    **{"pose_proposal": (384, 384), "pifpaf": (432, 368)},
}
SETTINGS = {name: {"backbone": "resnet10t", "min_keypoints": 1} for name in SIZES}
SETTINGS["pifpaf"]["instance_threshold"] = 0


def sets() -> Iterator[tuple[str, Labels]]:
    """The names of sets of labels, and the labels."""
    for name in ("coco", "mpii"):
        yield f"{name}_mini", read_labels(photographs(name))
    for people in (FEW, MANY):
        for joints in (3, 14, 17, 21):
            with tempfile.TemporaryDirectory() as folder:
                extent = CrowdExtent(people=people, joints=joints, images=IMAGES, new=0, videos=0)
                yield f"rendered_{people}_people_{joints}_joints", crowd_images(folder, extent)


def measure(name: str, labels: Labels, listed: bool) -> dict[str, Any]:
    """How many people are found again, and why the others are not."""
    algorithm = build(name, labels, SIZES[name], SETTINGS[name]).eval()
    batch = whole(labels, algorithm)
    with torch.no_grad():
        found = algorithm.decode(known_outputs(algorithm.encode(batch)), batch).numpy()
    points, boxes = labelled(batch)
    causes: Counter[str] = Counter()
    count, below = 0, []
    for image, frame in enumerate(labels):
        alike = similarity(found.keypoints[image, 0], frame.instances[0], labels.skeleton.oks_sigmas).max(0, initial=0)
        for person in np.flatnonzero(points[image].isfinite().all(-1).any(-1)):
            count += 1
            if alike[person] < BAR:
                cause, of = _cause(algorithm, points[image], None if boxes is None else boxes[image], int(person))
                causes[cause] += 1
                below.append(f"image {image}, person {person}: {alike[person]:.2f}, {cause} {' '.join(of)}".strip())
    figures = {"people": count, "found": round(1 - len(below) / count, 4), "causes": dict(causes)}
    return {**figures, "below": below} if listed else figures


def _cause(
    algorithm: Algorithm, points: torch.Tensor, boxes: torch.Tensor | None, person: int
) -> tuple[str, Sequence[str]]:
    """What is the matter, and with which keypoints."""
    skeleton = algorithm.task.skeleton
    if isinstance(algorithm, PoseProposal):
        size, layout = algorithm.task.input_size, algorithm.layout
        lost = grid.collisions(points, grid.person_boxes(points, boxes, size), layout, size)
        if kinds := [(*skeleton.names, "box")[each.kind] for each in lost if person in each.persons[1:]]:
            return "collides with a larger person's", kinds
    mine = points[person].numpy()
    if _parts(skeleton, np.isfinite(mine).all(-1)) > 1:
        return "no limb joins what is labelled", ()
    away = np.linalg.norm(np.delete(points.numpy(), person, 0) - mine, axis=-1)
    close = [name for name, pixels in zip(skeleton.names, away.T, strict=True) if (pixels < NEAR).any()]
    return ("close to another's", close) if close else ("other", ())


def _parts(skeleton: Skeleton, known: np.ndarray) -> int:
    """In how many parts labelled keypoints fall, when ways around one that is missing are taken, too."""
    edges = limb_graph.connected(len(skeleton), skeleton.edges)
    part = np.arange(len(skeleton))
    for a, b in (*edges, *limb_graph.bridges(len(skeleton), edges)):
        if known[a] and known[b]:
            part[part == part[b]] = part[a]
    return len(set(part[known]))


def main() -> None:
    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {name: {} for name in SIZES}
    for what, given in sets():
        labels = with_limbs(checked(given, without_images=True))
        for name in SIZES:
            found[name][what] = measure(name, labels, listed=str(MANY) not in what)
            print(name, what, found[name][what], flush=True)
    record("roundtrip_crowd", found)


if __name__ == "__main__":
    main()
