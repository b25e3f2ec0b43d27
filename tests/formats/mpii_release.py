"""Writes MPII's .mat file with all its quirks, from people in HRNet's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat


def struct(**fields: Any) -> np.ndarray:
    """A 1 x 1 struct of MATLAB with just these fields."""
    made = np.empty((1, 1), [(name, object) for name in fields])
    made[0, 0] = tuple(fields.values())
    return made


def structs(entries: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """A 1 x N struct array; what an entry lacks is empty."""
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    made = np.empty((1, len(entries)), [(name, object) for name in names])
    for place, entry in enumerate(entries):
        made[0, place] = tuple(entry.get(name, np.zeros((0, 0))) for name in names)
    return made


def cells(values: Sequence[Any]) -> np.ndarray:
    """An N x 1 cell array."""
    made = np.empty((len(values), 1), object)
    made[:, 0] = values
    return made


def person(entry: Mapping[str, Any], turn: int) -> dict[str, Any]:
    """A person whose visibilities are numbers, texts and nothing in turn, as in the real file."""
    points = []
    for number, ((x, y), seen) in enumerate(zip(entry["joints"], entry["joints_vis"], strict=True)):
        if not seen:
            continue
        kinds = [np.array([[1]], np.uint8), "1", np.array([[0]], np.uint8), "0", np.zeros((0, 0))]
        derived = number in (8, 9)
        points.append({"x": x, "y": y, "id": number, "is_visible": kinds[4 if derived else (number + turn) % 4]})
    neck, top = np.array(entry["joints"][8]), np.array(entry["joints"][9])
    middle, half = (neck + top) / 2, np.linalg.norm(neck - top) / 2
    return {
        "x1": round(middle[0] - half),
        "y1": round(middle[1] - half),
        "x2": round(middle[0] + half),
        "y2": round(middle[1] + half),
        "annopoints": struct(point=structs(points)),
        "scale": entry["scale"],
        "objpos": struct(x=entry["center"][0], y=entry["center"][1]),
    }


def write_release(path: Path, images: Sequence[tuple[str, bool, Sequence[Mapping[str, Any]], Sequence[int]]]) -> None:
    """Write the file.

    Args:
        path: Where to.
        images: For each its name, whether it is for training, its ``annorect`` entries, and ``single_person``.
    """
    annolist = [
        {
            "image": struct(name=name),
            "annorect": structs(people) if people else np.zeros((0, 0)),
            "frame_sec": np.zeros((0, 0)),
            "vididx": np.zeros((0, 0)),
        }
        for name, _, people, _ in images
    ]
    release = struct(
        annolist=structs(annolist),
        img_train=np.array([[train for _, train, _, _ in images]], np.uint8),
        version="12",
        single_person=cells([np.array(apart, np.uint8).reshape(-1, 1) for *_, apart in images]),
        act=structs([{"act_name": "walking", "cat_name": "", "act_id": -1}] * len(images)),
    )
    savemat(path, {"RELEASE": release}, do_compression=True)
