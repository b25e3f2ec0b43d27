"""A batch of the core as HyperPose's classes see its images, and as a user's augmentor changes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from vitruve.algorithms.crowd import labelled
from vitruve.compat.hyperpose.anatomy import MISSING
from vitruve.compat.hyperpose.custom import array, name_of, tensor
from vitruve.errors import InputError
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances


def annotated(batch: Batch, parts: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What is labelled in each image, in pixels of the input.

    Args:
        batch: Labelled.
        parts: How many parts HyperPose counts.

    Returns:
        Keypoints ``(N, parts, 2)``, -1000 where missing, a mask of what is known, and boxes ``x y w h`` of each image.
    """
    points, boxes = labelled(batch)
    keypoints = array(points)
    found = []
    for n, people in enumerate(keypoints):
        there = np.isfinite(people).all(-1).any(-1)
        people = people[there]
        annos = np.full((len(people), parts, 2), MISSING, np.float32)
        annos[:, : people.shape[1]] = np.where(np.isfinite(people), people, MISSING)
        corners = np.concatenate([np.nanmin(people, 1), np.nanmax(people, 1)], -1) if len(people) else np.zeros((0, 4))
        if boxes is not None:
            own = array(boxes[n])[there]
            corners = np.where(np.isfinite(own), own, corners)
        sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1).astype(np.float32)
        size = batch.input_size[::-1]
        mask = np.ones(size, np.uint8) if batch.ignore is None else (~batch.ignore[n, 0]).cpu().numpy().astype(np.uint8)
        found.append((annos, mask, sides))
    return found


def augmented(batch: Batch, augmentor: Any, parts: int) -> Batch:
    """The batch as the user's augmentor changes each image of it.

    Args:
        batch: Labelled.
        augmentor: Has ``process(image, annos, mask, bbxs)``.
        parts: How many parts HyperPose counts.

    Returns:
        A batch whose truth is in pixels of the input.

    Raises:
        InputError: It gives something else than is expected; the message says what.
    """
    where = f"augmentor {name_of(augmentor)}"
    width, height = batch.input_size
    images, points, boxes, known = [], [], [], []
    joints = 0 if batch.truth is None else batch.truth.num_keypoints
    for n, (annos, mask, sides) in enumerate(annotated(batch, parts)):
        image = array(batch.images[n, 0, 0]).transpose(1, 2, 0) / np.float32(255)
        given = augmentor.process(image=image, annos=annos, mask=mask, bbxs=sides)
        if not isinstance(given, (list, tuple)) or len(given) not in (3, 4):
            raise InputError(f"{where}: gave {type(given).__name__}; image, annos, mask and bbxs are expected")
        changed, people, shown = (np.array(each) for each in given[:3])
        people = people if people.size else np.zeros((0, parts, 2))
        if changed.shape != (height, width, 3) or shown.size != height * width:
            raise InputError(f"{where}: image is {changed.shape}, mask {shown.shape}; expected {(height, width, 3)}")
        if people.ndim != 3 or people.shape[1] != parts or people.shape[2] < 2:
            raise InputError(f"{where}: annos is {people.shape}; expected (people, {parts}, 2)")
        around = given[3] if len(given) == 4 and given[3] is not None else np.full((len(people), 4), np.nan)
        if np.shape(around) != (len(people), 4):
            raise InputError(f"{where}: bbxs is {np.shape(around)}; expected {(len(people), 4)}")
        images.append(np.clip(np.rint(changed * 255), 0, 255).astype(np.uint8).transpose(2, 0, 1))
        places = people[:, :joints, :2].astype(np.float32)
        inside = np.asarray((places >= -0.5) & (places < np.array([width, height]) - 0.5)).all(-1)
        points.append(np.where(np.expand_dims(inside, -1), places, np.nan))
        boxes.append(np.asarray(around, np.float32))
        known.append(shown.reshape(height, width) > 0)
    most = max(1, *(len(each) for each in points)) if len(points) > 1 else max(1, len(points[0]))
    device = batch.to_image.device
    keypoints = tensor(_filled(points, most, (joints, 2))).to(device)[:, None]
    corners = _filled(boxes, most, (4,))
    corners[..., 2:] += corners[..., :2]
    truth = Instances.from_keypoints(keypoints, boxes=tensor(corners).to(device)[:, None])
    ignore = torch.from_numpy(~np.stack(known)).to(device)[:, None]
    pixels = torch.from_numpy(np.stack(images)).to(device)[:, None, None]
    return replace(
        batch,
        images=pixels,
        to_image=torch.eye(3, device=device).expand_as(batch.to_image),
        truth=truth,
        ignore=ignore,
    )


def _filled(rows: Sequence[np.ndarray], most: int, shape: tuple[int, ...]) -> np.ndarray:
    result = np.full((len(rows), most, *shape), np.nan, np.float32)
    for place, row in zip(result, rows, strict=True):
        place[: len(row)] = row[:most]
    return result
