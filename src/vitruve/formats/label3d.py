"""DANNCE's and Label3D's ``*label3d_dannce.mat``: cameras and hand-labelled framesets of one animal.

Everything in it is for MATLAB: matrices are transposed, and the first pixel is number 1. Lengths are millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.formats import mpii
from vitruve.formats.camera_values import check_lens, distortion, intrinsics, numbers, rotation
from vitruve.formats.mat_file import is_matlab, read_mat, variable_names
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAME = "label3d"
DESCRIPTION = "DANNCE label3d .mat: one animal in several calibrated videos, in the picture and in space; read only"
SUFFIXES = (".mat",)
KEEPS: frozenset[str] = frozenset()
_FIRST_PIXEL = 1.0


def sniff(path: Path) -> bool:
    """Whether a file is MATLAB's, of the version that holds no HDF5, and not MPII's.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    return is_matlab(path) and mpii.RELEASE not in variable_names(path)


def read(path: Path, *, root: Path | None = None) -> Labels:
    """The labelled framesets, in the picture and in space.

    The file names neither keypoints nor videos: keypoints are numbered, and videos are ``videos/<camera>/0.mp4`` beside
    it, as DANNCE has them.

    Args:
        path: The file.
        root: The folder that video names start from; the folder of the file by default.

    Returns:
        The labels: one frame a labelled instant, one view a camera, with the cameras.

    Raises:
        InputError: The file is not as it should be; the message names camera and field.
    """
    content = _load(path)
    cameras = _cameras(path, content)
    tables = _structs(path, content, "labelData", len(cameras))
    pixels, indices = [], []
    for name, table in zip(cameras, tables, strict=True):
        where = f"{path}: labelData of {name}"
        pixels.append(_points(where, table, "data_2d", 2) - _FIRST_PIXEL)
        indices.append(_array(where, table, "data_frame").astype(np.int64).ravel())
        if pixels[-1].shape != pixels[0].shape or len(indices[-1]) != len(pixels[0]):
            raise InputError(
                f"{where}: {len(indices[-1])} frames and {pixels[-1].shape[:2]} points; the first camera has "
                f"{pixels[0].shape[:2]} of (frames, keypoints)"
            )
    space = _points(f"{path}: labelData of {next(iter(cameras))}", tables[0], "data_3d", 3)
    if space.shape[:2] != pixels[0].shape[:2]:
        raise InputError(f"{path}: labelData: data_3d has {space.shape[:2]} points, data_2d {pixels[0].shape[:2]}")
    session = path.stem.removesuffix("label3d_dannce").rstrip("_") or path.stem
    frames = tuple(
        Frame(
            tuple(
                ImageRef(Path("videos", name, "0.mp4"), int(each[row]))
                for name, each in zip(cameras, indices, strict=True)
            ),
            Instances.from_keypoints(np.stack([each[row] for each in pixels])[:, None]),
            session,
            instances_3d=Instances.from_keypoints(space[row][None]),
        )
        for row in range(len(space))
    )
    names = tuple(f"keypoint_{number}" for number in range(space.shape[1]))
    return Labels(
        Skeleton(names),
        frames,
        path.parent if root is None else root,
        cameras={session: tuple(cameras.values())},
        scorer="label3d",
        view_names=tuple(cameras),
    )


def read_calibration(path: Path) -> dict[str, Camera]:
    """The cameras of a file.

    Args:
        path: The file: ``params`` with ``K``, ``RDistort``, ``TDistort``, ``r`` and ``t`` a camera, and ``camnames``.

    Returns:
        Cameras by their names, in the order of the file; float64. The file says no image size: it is NaN.

    Raises:
        InputError: The file is not as it should be; the message names camera and field.
    """
    return _cameras(path, _load(path))


def write_calibration(cameras: Mapping[str, Camera], path: Path) -> None:
    """Write cameras as Label3D does; :func:`read_calibration` gives the same ones back, without their sizes.

    Args:
        cameras: Single cameras by their names.
        path: The ``.mat`` file; it is replaced in one step.

    Raises:
        InputError: A lens has no place in this file, or the file cannot be written.
    """
    from scipy.io import savemat

    params = np.empty((len(cameras), 1), object)
    for number, (name, camera) in enumerate(cameras.items()):
        check_lens(name, camera, "Label3D")
        matrix = camera.intrinsics.T.copy()
        matrix[2, :2] += _FIRST_PIXEL
        params[number, 0] = {
            "K": matrix,
            "RDistort": camera.distortion[None, [0, 1, 4]],
            "TDistort": camera.distortion[None, [2, 3]],
            "r": camera.rotation.T,
            "t": camera.translation[None],
        }
    names = np.empty((1, len(cameras)), object)
    names[0] = list(cameras)
    with atomic_path(path) as temporary:
        savemat(temporary, {"params": params, "camnames": names})


def _load(path: Path) -> dict[str, Any]:
    content = read_mat(path, ["params", "camnames", "labelData"], "DANNCE's label3d file or MPII's annotations")
    if not {"params", "camnames", "labelData"} & content.keys():
        raise InputError(f"{path}: holds neither params and labelData of DANNCE nor RELEASE of MPII; give one of these")
    return content


def _cameras(path: Path, content: Mapping[str, Any]) -> dict[str, Camera]:
    tables = _structs(path, content, "params")
    given = [str(np.ravel(name)[0]) for name in np.ravel(content.get("camnames", ())) if np.size(name)]
    names = given or [f"Camera{number}" for number in range(1, len(tables) + 1)]
    if len(names) != len(tables) or len(set(names)) != len(names):
        raise InputError(f"{path}: camnames: {', '.join(names)} for {len(tables)} cameras; give each its own name")
    return {name: _camera(f"{path}: params of {name}", table) for name, table in zip(names, tables, strict=True)}


def _camera(where: str, table: Mapping[str, Any]) -> Camera:
    matrix = intrinsics(where, table, "K", transposed=True)
    matrix[:2, 2] -= _FIRST_PIXEL
    radial = numbers(where, table, "RDistort", *((1, n) for n in (2, 3)), *((n, 1) for n in (2, 3))).ravel()
    tangential = numbers(where, table, "TDistort", (1, 2), (2, 1)).ravel()
    return Camera(
        matrix,
        rotation(where, table, "r", transposed=True),
        numbers(where, table, "t", (1, 3), (3, 1)).ravel(),
        distortion(np.concatenate([radial[:2], tangential, radial[2:]])),
        np.full(2, np.nan),
    )


def _structs(path: Path, content: Mapping[str, Any], key: str, count: int | None = None) -> list[dict[str, Any]]:
    """One struct a camera, from a cell array."""
    cells = [np.ravel(cell) for cell in np.ravel(content.get(key, ()))]
    if not cells or (count is not None and len(cells) != count):
        raise InputError(f"{path}: {key}: has {len(cells)} cameras; expected {count or 'one struct a camera'}")
    if any(cell.dtype.names is None or len(cell) != 1 for cell in cells):
        raise InputError(f"{path}: {key}: must be a cell array with one struct a camera")
    return [{name: cell[0][name] for name in cell.dtype.names or ()} for cell in cells]


def _array(where: str, table: Mapping[str, Any], key: str) -> np.ndarray:
    if key not in table:
        raise InputError(f"{where}.{key}: is missing")
    return np.asarray(table[key])


def _points(where: str, table: Mapping[str, Any], key: str, dims: int) -> np.ndarray:
    values = _array(where, table, key)
    if values.ndim != 2 or values.shape[1] % dims or not np.issubdtype(values.dtype, np.number):
        raise InputError(f"{where}.{key}: has shape {values.shape}; expected (frames, {dims} x keypoints) numbers")
    return values.astype(np.float64).reshape(len(values), -1, dims)
