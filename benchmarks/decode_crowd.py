"""How long it takes to decode crowds: maps of 46 x 54 cells, encoded from the truth, with noise; one core.

Bars: confidence maps with part affinity fields, and grids, at most 5 ms an image of 5 people, composite fields 10 ms;
at 50 people at most 8 times that.

    python benchmarks/decode_crowd.py
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")  # before they are loaded

import time
from collections.abc import Callable

import numpy as np
import torch
from common import record
from crowds import known_boxes, known_field

from vitruve.codecs import fields, fields_decode, grid, grid_decode, limb_graph, paf
from vitruve.codecs.assembly import assemble, gaps
from vitruve.codecs.peaks import find_peaks
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import known_skeleton

PEOPLE = (1, 5, 20, 50)
SIZE = (432, 368)
IMAGES, REPEATS = 12, 5
# A standing person, in heights of the body.
BODY = {
    "nose": (0, 0.09),
    "neck": (0, 0.18),
    "eye": (0.02, 0.07),
    "ear": (0.045, 0.08),
    "shoulder": (0.11, 0.18),
    "elbow": (0.16, 0.34),
    "wrist": (0.18, 0.5),
    "hip": (0.07, 0.52),
    "knee": (0.08, 0.74),
    "ankle": (0.08, 0.96),
}

Decode = Callable[[], int]
"""Decodes one image and gives the number of people."""


def crowd(number: int, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray:
    """``(N, K, 2)`` people all over the image, none quite like another."""
    pose = []
    for name in skeleton.names:
        side, _, joint = name.rpartition("_")
        x, y = BODY[joint]
        pose.append((x if side == "left" else -x, y - 0.5))
    bodies = np.array(pose) + rng.normal(0, 0.03, (number, len(pose), 2))
    heights = rng.uniform(80, 240, (number, 1, 1))
    return bodies * heights + rng.uniform([20, 60], [SIZE[0] - 20, SIZE[1] - 60], (number, 1, 2))


def affinity_fields(points: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> Decode:
    """OpenPose, Lightweight OpenPose and MobileNet-thin OpenPose."""
    stride, sigma = 8, 7.0
    cells = (SIZE[0] // stride, SIZE[1] // stride)
    tensor = torch.from_numpy(points)[None].float()
    conf = paf.encode_parts(tensor, cells, stride, sigma)[0, :-1].numpy()
    towards = paf.encode_limbs(tensor, skeleton.edges, cells, stride, 8.0)[0].numpy()
    conf = (conf + rng.normal(0, 0.02, conf.shape)).astype(np.float32)
    towards = (towards + rng.normal(0, 0.05, towards.shape)).astype(np.float32)
    limbs, around = np.array(skeleton.edges), gaps(len(skeleton), skeleton.edges)
    return lambda: len(assemble(find_peaks(conf, 0.1, sigma / stride), towards, limbs, around).scores)


def composite_fields(points: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> Decode:
    """PifPaf."""
    stride = 8
    cells = (SIZE[0] // stride, SIZE[1] // stride)
    people = torch.from_numpy(points)[None].float()
    scales = fields.instance_sizes(people)[..., None] * torch.tensor(skeleton.sigmas) / stride
    edges = limb_graph.connected(len(skeleton), skeleton.edges)
    bridges = limb_graph.bridges(len(skeleton), edges)
    at = fields.to_cells(people, stride)
    joints = fields.encode_joints(at, scales, cells)[0]
    limbs = fields.encode_limbs(at, scales, torch.tensor(edges + bridges), cells)[0]

    def raw(target: torch.Tensor, ends: int) -> np.ndarray:
        maps = known_field(target, ends).numpy()
        return (maps + rng.normal(0, 0.05, maps.shape)).astype(np.float32)

    graph, maps = fields_decode.graph(len(skeleton), edges, bridges), (raw(joints, 1), raw(limbs, 2))
    return lambda: len(fields_decode.decode(*maps, graph, stride)[0])


def grids(points: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> Decode:
    """Pose Proposal Networks, on their own grid of 12 x 12 cells and limbs in 9 x 9."""
    size = (384, 384)
    people = torch.from_numpy(points * size / np.array(SIZE))[None].float()
    layout = grid.Layout(grid.root_limbs(skeleton, spokes=True), len(skeleton))
    targets = grid.encode(people, grid.person_boxes(people, None, size), layout, size)
    maps = {
        name: (value[0].numpy() + rng.normal(0, 0.1, value[0].shape)).astype(np.float32)
        for name, value in known_boxes(targets).items()
    }
    order = [maps[name] for name in ("response", "iou", "place", "size", "limbs")]
    return lambda: len(grid_decode.decode(*order, layout).points)


CODECS: dict[str, tuple[str, Callable[[np.ndarray, Skeleton, np.random.Generator], Decode]]] = {
    "affinity_fields": ("openpose18", affinity_fields),
    "composite_fields": ("coco17", composite_fields),
    "grids": ("coco17", grids),
}
"""For each codec a known skeleton, and what makes a decoder of one image from its people."""


def measure(name: str) -> dict[str, dict[str, float]]:
    """Milliseconds an image and people found, by the number of people."""
    skeleton, prepare = CODECS[name]
    found: dict[str, dict[str, float]] = {}
    for number in PEOPLE:
        rng = np.random.default_rng(number)
        kind = known_skeleton(skeleton)
        decoders = [prepare(crowd(number, kind, rng), kind, rng) for _ in range(IMAGES)]
        people = [decode() for decode in decoders]  # compiles, too
        times = []
        for _ in range(REPEATS):
            began = time.process_time()
            for decode in decoders:
                decode()
            times.append((time.process_time() - began) / IMAGES)
        # The least of them: whatever else runs on the machine only ever adds.
        found[str(number)] = {"ms": round(1e3 * min(times), 2), "people": round(float(np.mean(people)), 1)}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    record("decode_crowd", {name: measure(name) for name in CODECS})
