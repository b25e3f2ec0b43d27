"""Calibrated cameras in Anipose's ``calibration.toml``: one table a camera, and ``metadata``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.camera_values import distortion, intrinsics, numbers
from vitruve.formats.text_file import read_text
from vitruve.geometry.rotation import matrix_from_vector, vector_from_matrix
from vitruve.structures.camera import Camera

FILE_NAME = "calibration.toml"
_METADATA = "metadata"
_DISTORTIONS = (4, 5, 8)
_FISHEYE = 4


def read_calibration(path: Path) -> dict[str, Camera]:
    """The cameras of a calibration file.

    Args:
        path: A TOML file with a table a camera: ``name``, ``size``, ``matrix``, ``distortions`` (k1 k2 p1 p2 k3),
            ``rotation`` (Rodrigues) and ``translation``; where ``fisheye`` is true, the distortions are k1 k2 k3 k4 of
            OpenCV's fisheye model.

    Returns:
        Cameras by their names, in the order of the file; float64.

    Raises:
        InputError: The file cannot be read, or a value is missing or wrong; the message names table and key.
    """
    try:
        content = tomllib.loads(read_text(path, f"Anipose's {FILE_NAME}"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML ({error}); give Anipose's {FILE_NAME}") from error
    cameras: dict[str, Camera] = {}
    for key, table in content.items():
        if key == _METADATA:
            continue
        if not isinstance(table, dict):
            raise InputError(f"{path}: {key}: is no table; expected one table a camera ([cam_0], [cam_1] and so on)")
        name, camera = _camera(f"{path}: {key}", table)
        if name in cameras:
            raise InputError(f"{path}: {key}.name: '{name}' is the name of two cameras; names must differ")
        cameras[name] = camera
    if not cameras:
        raise InputError(f"{path}: holds no camera; expected one table a camera ([cam_0], [cam_1] and so on)")
    return cameras


def write_calibration(
    cameras: Mapping[str, Camera], path: Path, metadata: Mapping[str, bool | int | float | str] | None = None
) -> None:
    """Write cameras as Anipose does; :func:`read_calibration` gives the same ones back.

    Args:
        cameras: Single cameras by their names, in the order to write them.
        path: The TOML file; it is replaced in one step.
        metadata: What the table ``metadata`` holds.

    Raises:
        InputError: The file cannot be written, or the size of a camera is not known.
    """
    tables = []
    for number, (name, camera) in enumerate(cameras.items()):
        if not np.isfinite(camera.size).all():
            raise InputError(
                f"{path}: camera '{name}': its width and height are not known, and this file must say them"
            )
        fisheye = camera.fisheye is not None and bool(camera.fisheye)
        count = _FISHEYE if fisheye else 8 if np.any(camera.distortion[5:]) else 5
        values: dict[str, Any] = {
            "name": name,
            "size": [int(length) for length in camera.size],
            "matrix": np.asarray(camera.intrinsics, np.float64).tolist(),
            "distortions": np.asarray(camera.distortion, np.float64)[:count].tolist(),
            "rotation": vector_from_matrix(camera.rotation).tolist(),
            "translation": np.asarray(camera.translation, np.float64).tolist(),
        }
        if fisheye:
            values["fisheye"] = True
        tables.append(_table(f"cam_{number}", values))
    if metadata:
        tables.append(_table(_METADATA, metadata))
    atomic_write(path, "\n".join(tables))


def _camera(where: str, table: dict[str, Any]) -> tuple[str, Camera]:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"{where}.name: must be the camera's name, a text")
    fisheye = table.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise InputError(f"{where}.fisheye: must be true or false")
    size = numbers(where, table, "size", (2,))
    if (size < 1).any():
        raise InputError(f"{where}.size: is {size.tolist()}; give width and height in pixels")
    counts = (_FISHEYE,) if fisheye else _DISTORTIONS
    return name, Camera(
        intrinsics(where, table, "matrix"),
        matrix_from_vector(numbers(where, table, "rotation", (3,))),
        numbers(where, table, "translation", (3,)),
        distortion(numbers(where, table, "distortions", *((count,) for count in counts))),
        size,
        np.ones(()) if fisheye else None,
    )


def _table(name: str, values: Mapping[str, Any]) -> str:
    return "".join([f"[{name}]\n", *(f"{key} = {_toml(value)}\n" for key, value in values.items())])


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return repr(value)
