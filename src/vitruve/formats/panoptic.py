"""CMU Panoptic Studio's ``calibration_<sequence>.json``; its lengths are centimetres, those here millimetres."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_json
from vitruve.errors import InputError
from vitruve.formats.camera_values import check_lens, distortion, intrinsics, numbers, rotation
from vitruve.formats.json_file import read_json
from vitruve.structures.camera import Camera

MILLIMETRES = 10.0
"""A centimetre."""


def read_calibration(path: Path) -> dict[str, Camera]:
    """The cameras of a sequence: HD, VGA and Kinect together.

    Args:
        path: The JSON file.

    Returns:
        Cameras by their names (``00_03`` is panel 0, node 3), in the order of the file; float64, millimetres.

    Raises:
        InputError: The file is not as it should be; the message names camera and key.
    """
    listed = read_json(path).get("cameras")
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{path}: cameras: must be a list of cameras")
    cameras: dict[str, Camera] = {}
    for number, table in enumerate(listed):
        where = f"{path}: cameras[{number}]"
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(name, str) or not name:
            raise InputError(f"{where}.name: must be the camera's name, a text")
        if name in cameras:
            raise InputError(f"{where}.name: '{name}' is the name of two cameras; names must differ")
        cameras[name] = Camera(
            intrinsics(where, table, "K"),
            rotation(where, table, "R"),
            numbers(where, table, "t", (3, 1), (3,)).ravel() * MILLIMETRES,
            distortion(numbers(where, table, "distCoef", (5,), (4,), (8,))),
            numbers(where, table, "resolution", (2,)),
        )
    return cameras


def write_calibration(cameras: Mapping[str, Camera], path: Path) -> None:
    """Write cameras as the Panoptic Studio does; :func:`read_calibration` gives the same ones back.

    Args:
        cameras: Single cameras by their names.
        path: The JSON file; it is replaced in one step.

    Raises:
        InputError: A lens has no place in this file, a size is not known, or the file cannot be written.
    """
    tables = []
    for number, (name, camera) in enumerate(cameras.items()):
        check_lens(name, camera, "Panoptic")
        if not np.isfinite(camera.size).all():
            raise InputError(
                f"{path}: camera '{name}': its width and height are not known, and this file must say them"
            )
        tables.append(
            {
                "name": name,
                "type": "hd",
                "resolution": [int(length) for length in camera.size],
                "panel": 0,
                "node": number,
                "K": camera.intrinsics.tolist(),
                "distCoef": camera.distortion[:5].tolist(),
                "R": camera.rotation.tolist(),
                "t": (camera.translation[:, None] / MILLIMETRES).tolist(),
            }
        )
    atomic_json(path, {"calibDataSource": "vitruve", "cameras": tables})
