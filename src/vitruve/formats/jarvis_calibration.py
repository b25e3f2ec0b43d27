"""JARVIS' calibration: a folder with one OpenCV file storage a camera, ``<camera>.yaml``.

Camera matrix and rotation are stored for row vectors, transposed against OpenCV; lengths are millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.camera_values import check_lens, distortion, intrinsics, numbers, rotation
from vitruve.structures.camera import Camera

SUFFIXES = (".yaml", ".yml")
_DIRECTIVE = "%YAML:1.0"
_MATRIX = "tag:yaml.org,2002:opencv-matrix"
_KEYS = ("intrinsicMatrix", "distortionCoefficients", "R", "T")
_WIDTH = 76


def is_calibration(path: Path) -> bool:
    """Whether a file is a camera of JARVIS.

    Args:
        path: Any file.

    Returns:
        True where :func:`read_camera` is the right reader.
    """
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    with path.open("rb") as stream:
        return f"{_KEYS[0]}:".encode() in stream.read(1000)


def read_calibration(folder: Path) -> dict[str, Camera]:
    """The cameras of a folder.

    Args:
        folder: Has one YAML file a camera.

    Returns:
        Cameras by their names, sorted; float64. The files say no image size: it is NaN.

    Raises:
        InputError: There is no such file, or one is not as it should be; the message names the key.
    """
    files = sorted((file for file in folder.glob("*") if is_calibration(file)), key=lambda file: file.stem)
    if not files:
        raise InputError(f"{folder}: holds no camera; expected one <camera>.yaml each, with {', '.join(_KEYS)}")
    return {file.stem: read_camera(file) for file in files}


def read_camera(path: Path) -> Camera:
    """The camera of one file.

    Args:
        path: The file.

    Returns:
        A single camera; float64, with NaN as its size.

    Raises:
        InputError: The file is not as it should be; the message names the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text.removeprefix(_DIRECTIVE), Loader=_Loader)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a calibration of JARVIS") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; give a calibration of JARVIS") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}:" if mark else ""
        raise InputError(f"{path}:{place} not YAML ({getattr(error, 'problem', None) or 'unreadable'})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys; expected {', '.join(_KEYS)}")
    where = f"{path}: "
    table = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in content.items()}
    lens = numbers(where, table, _KEYS[1], *((1, count) for count in (4, 5, 8)), *((n, 1) for n in (4, 5, 8)))
    return Camera(
        intrinsics(where, table, _KEYS[0], transposed=True),
        rotation(where, table, _KEYS[2], transposed=True),
        numbers(where, table, _KEYS[3], (3, 1), (1, 3)).ravel(),
        distortion(lens),
        np.full(2, np.nan),
    )


def write_calibration(cameras: Mapping[str, Camera], folder: Path) -> None:
    """Write cameras as JARVIS does; :func:`read_calibration` gives the same ones back, without their sizes.

    Args:
        cameras: Single cameras by their names.
        folder: The folder; it is made when missing. JARVIS reads k1 and k2 of a lens only.

    Raises:
        InputError: A lens has no place in these files, or the folder cannot be written.
    """
    texts = {}
    for name, camera in cameras.items():
        check_lens(name, camera, "JARVIS")
        values = (
            camera.intrinsics.T,
            camera.distortion[None, :5],
            camera.rotation.T,
            camera.translation[:, None],
        )
        matrices = "".join(_matrix(key, np.asarray(value)) for key, value in zip(_KEYS, values, strict=True))
        texts[folder / f"{name}{SUFFIXES[0]}"] = f"{_DIRECTIVE}\n---\n{matrices}"
    for path, text in texts.items():
        atomic_write(path, text)


class _Loader(yaml.SafeLoader):
    """Safe YAML with OpenCV's matrices."""


def _matrix_node(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    content = loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else {}
    try:
        values = np.array([_number(value) for value in content["data"]])
        return values.reshape(int(content["rows"]), int(content["cols"]))
    except (KeyError, TypeError, ValueError):
        raise yaml.constructor.ConstructorError(
            None, None, "a matrix needs rows, cols and rows x cols numbers of data", node.start_mark
        ) from None


def _number(value: Any) -> float:
    """OpenCV writes ``.Nan`` and ``.Inf``, which YAML spells otherwise."""
    return float(value.lower().replace(".nan", "nan").replace(".inf", "inf") if isinstance(value, str) else value)


_Loader.add_constructor(_MATRIX, _matrix_node)


def _matrix(key: str, values: np.ndarray) -> str:
    """A matrix as OpenCV's file storage lays it out: full precision, lines of at most 76 characters."""
    rows, cols = values.shape
    lines, line = [], "   data: ["
    words = [f"{v:.0f}." if v == int(v) else f"{v:.16e}" for v in values.ravel().tolist()]
    for number, word in enumerate(words):
        piece = f" {word}," if number < len(words) - 1 else f" {word}"
        if len(line) + len(piece) > _WIDTH:
            lines.append(line)
            line = "      "
        line += piece
    lines.append(f"{line} ]")
    head = f"{key}: !!opencv-matrix\n   rows: {rows}\n   cols: {cols}\n   dt: d\n"
    return head + "\n".join(lines) + "\n"
