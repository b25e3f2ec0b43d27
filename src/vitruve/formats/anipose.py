"""Calibrated cameras in Anipose's ``calibration.toml``: one table a camera, and ``metadata``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.geometry.rotation import matrix_from_vector, vector_from_matrix
from vitruve.structures.camera import Camera

FILE_NAME = "calibration.toml"
_METADATA = "metadata"
_DISTORTIONS = (4, 5, 8)
_COEFFICIENTS = 8


def read_calibration(path: Path) -> dict[str, Camera]:
    """The cameras of a calibration file.

    Args:
        path: A TOML file with a table a camera: ``name``, ``size``, ``matrix``, ``distortions`` (k1 k2 p1 p2 k3),
            ``rotation`` (Rodrigues) and ``translation``.

    Returns:
        Cameras by their names, in the order of the file; float64.

    Raises:
        InputError: The file cannot be read, a value is missing or wrong, or a camera has a fisheye lens; the message
            names table and key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give Anipose's {FILE_NAME}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; give Anipose's {FILE_NAME}") from error
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
        InputError: The file cannot be written.
    """
    tables = []
    for number, (name, camera) in enumerate(cameras.items()):
        rational = bool(np.any(camera.distortion[5:]))
        values = {
            "name": name,
            "size": [int(length) for length in camera.size],
            "matrix": np.asarray(camera.intrinsics, np.float64).tolist(),
            "distortions": np.asarray(camera.distortion, np.float64)[: _COEFFICIENTS if rational else 5].tolist(),
            "rotation": vector_from_matrix(camera.rotation).tolist(),
            "translation": np.asarray(camera.translation, np.float64).tolist(),
        }
        tables.append(_table(f"cam_{number}", values))
    if metadata:
        tables.append(_table(_METADATA, metadata))
    atomic_write(path, "\n".join(tables))


def _camera(where: str, table: dict[str, Any]) -> tuple[str, Camera]:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"{where}.name: must be the camera's name, a text")
    if table.get("fisheye", False):
        raise InputError(
            f"{where}.fisheye: camera '{name}' is calibrated with the fisheye model, which is not understood; "
            "calibrate it with the standard model (fisheye = false)"
        )
    size = _numbers(where, table, "size", (2,))
    intrinsics = _numbers(where, table, "matrix", (3, 3))
    distortion = np.zeros(_COEFFICIENTS)
    given = _numbers(where, table, "distortions", *((count,) for count in _DISTORTIONS))
    distortion[: len(given)] = given
    if (size < 1).any():
        raise InputError(f"{where}.size: is {size.tolist()}; give width and height in pixels")
    if intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0 or intrinsics[2].tolist() != [0, 0, 1] or intrinsics[1, 0] != 0:
        raise InputError(f"{where}.matrix: must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0")
    rotation = matrix_from_vector(_numbers(where, table, "rotation", (3,)))
    return name, Camera(intrinsics, rotation, _numbers(where, table, "translation", (3,)), distortion, size)


def _numbers(where: str, table: dict[str, Any], key: str, *shapes: tuple[int, ...]) -> np.ndarray:
    wanted = " or ".join("x".join(map(str, shape)) for shape in shapes)
    if key not in table:
        raise InputError(f"{where}.{key}: is missing; give {wanted} numbers")
    try:
        values = np.array(table[key], dtype=np.float64)
    except (ValueError, TypeError):
        raise InputError(f"{where}.{key}: must be {wanted} numbers") from None
    if values.shape not in shapes:
        given = "x".join(map(str, values.shape)) or "one"
        raise InputError(f"{where}.{key}: has {given} numbers; give {wanted}")
    if not np.isfinite(values).all():
        raise InputError(f"{where}.{key}: holds a value that is not finite; give {wanted} numbers")
    return values


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
