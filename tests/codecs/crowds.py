"""People to encode and decode again: drawn at random in any skeleton, and those of real photographs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.crowd_files import CrowdExtent

NUMBERS = (3, 14, 16, 17, 21, 133)
"""How many keypoints skeletons are tried with."""


def skeleton(count: int, seed: int = 0) -> Skeleton:
    """A random tree of limbs over as many keypoints."""
    rng = np.random.default_rng(seed)
    edges = tuple((int(rng.integers(max(0, i - 3), i)), i) for i in range(1, count))
    return Skeleton(tuple(f"k{i}" for i in range(count)), edges)


def people(
    number: int,
    kind: Skeleton,
    size: tuple[int, int],
    seed: int = 0,
    height: tuple[float, float] = (60, 160),
    missing: bool = True,
) -> np.ndarray:
    """``(number, K, 2)``: bodies side by side in the input, of random size, some of their keypoints missing."""
    rng = np.random.default_rng(seed)
    count = len(kind)
    columns = max(2, int(np.ceil(np.sqrt(count))))
    unit = np.stack([np.arange(count) % columns, np.arange(count) // columns], -1) / (columns - 1) - 0.5
    bodies = []
    for place in range(number):
        tall = rng.uniform(*height)
        shape = unit * [0.5, 1.0] + rng.normal(0, 0.03, (count, 2))
        center = np.array([(place + 0.5) * size[0] / number, rng.uniform(0.6 * tall, size[1] - 0.6 * tall)])
        body = center + tall * shape
        gone: set[int] = set()
        for k in rng.permutation(count)[: count // 10 * missing]:
            if not any({a, b} & gone for a, b in kind.edges if k in (a, b)):  # no two neighbours
                gone.add(int(k))
        body[sorted(gone)] = np.nan
        bodies.append(body)
    return np.stack(bodies)


def photographs(data_dir: Path, size: tuple[int, int]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Keypoints ``(N, 17, 2)``, boxes ``(N, 4)`` and areas of each coco_mini image, letterboxed into the input."""
    content = json.loads((data_dir / "coco_mini" / "test_coco.json").read_text())
    found = []
    for image in content["images"]:
        rows = [a for a in content["annotations"] if a["image_id"] == image["id"] and a["num_keypoints"]]
        scale = min(size[0] / image["width"], size[1] / image["height"])
        points = np.array([row["keypoints"] for row in rows], float).reshape(len(rows), -1, 3)
        points = np.where(points[..., 2:] > 0, (points[..., :2] + 0.5) * scale - 0.5, np.nan)
        boxes = np.array([row["bbox"] for row in rows], float)
        boxes[:, 2:] += boxes[:, :2]
        found.append((points, boxes * scale - 0.5, np.array([row["area"] for row in rows]) * scale**2))
    return found


@cache
def rendered(joints: int, size: tuple[int, int]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The same of rendered crowds, without people of whom less than three quarters are labelled."""
    extent = CrowdExtent(people=5, joints=joints)
    scale = min(size[0] / extent.width, size[1] / extent.height)
    found = []
    for number in range(4):
        truth = extent.scene(number).look(20.0).people[0].numpy()
        points = np.where((truth.visible > 0)[..., None], truth.keypoints, np.nan)
        there = np.isfinite(points).all(-1).mean(-1) >= 0.75
        assert truth.boxes is not None and truth.areas is not None
        moved = [(places[there] + 0.5) * scale - 0.5 for places in (points, truth.boxes)]
        found.append((moved[0], moved[1], truth.areas[there] * scale**2))
    return found


def similarity(found: np.ndarray, truth: np.ndarray, areas: np.ndarray, sigma: float | np.ndarray) -> np.ndarray:
    """The best object keypoint similarity that each person of the truth ``(M, K, 2)`` has with one found."""
    away = np.square(found[None] - truth[:, None]).sum(-1)
    near = np.nan_to_num(np.exp(-away / (2 * areas[:, None, None] * (2 * np.asarray(sigma)) ** 2)))
    known = np.isfinite(truth[:, None]).all(-1)
    return ((near * known).sum(-1) / known.sum(-1)).max(1, initial=0)
