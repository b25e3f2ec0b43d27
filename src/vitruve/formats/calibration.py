"""The one way to calibrated cameras on disk: recognised, read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from vitruve.errors import InputError, nearest
from vitruve.formats import anipose, jarvis_calibration, label3d, panoptic
from vitruve.structures.camera import Camera

FORMATS: Mapping[str, tuple[str, ...]] = {
    "anipose": (".toml",),
    "jarvis": ("",),
    "label3d": (".mat",),
    "panoptic": (".json",),
}
"""Formats that can be written, with the suffixes of their files; ``jarvis`` is a folder of files."""
_WRITERS: Mapping[str, Callable[[Mapping[str, Camera], Path], None]] = {
    "anipose": anipose.write_calibration,
    "jarvis": jarvis_calibration.write_calibration,
    "label3d": label3d.write_calibration,
    "panoptic": panoptic.write_calibration,
}
_EXPECTED = "Anipose's .toml, JARVIS' folder of .yaml files, DANNCE's label3d .mat or CMU Panoptic's .json"


def read_cameras(path: str | Path) -> dict[str, Camera]:
    """The cameras of a calibration of any kind.

    Args:
        path: Anipose's ``calibration.toml``, JARVIS' folder of ``<camera>.yaml`` (or one of them), DANNCE's label3d
            ``.mat`` or CMU Panoptic's ``calibration_<sequence>.json``; or a folder that holds just one of these, also
            in ``calib_params/``.

    Returns:
        Single cameras by their names, in the order of the file; float64. The size is NaN where the file does not say
        it (JARVIS, DANNCE). Lengths are millimetres, except that Anipose's keep the unit of the file.

    Raises:
        InputError: There is no calibration, there are several, or it is not as it should be.
    """
    place = Path(path)
    if place.is_dir():
        return _read_folder(place)
    if not place.exists():
        raise InputError(f"{place}: no such calibration; give {_EXPECTED}")
    suffix = place.suffix.lower()
    if suffix == ".toml":
        return anipose.read_calibration(place)
    if suffix in jarvis_calibration.SUFFIXES:
        return {place.stem: jarvis_calibration.read_camera(place)}
    if suffix == ".mat":
        return label3d.read_calibration(place)
    if suffix == ".json":
        return panoptic.read_calibration(place)
    raise InputError(f"{place}: no known calibration; give {_EXPECTED}")


def write_cameras(cameras: Mapping[str, Camera], path: str | Path, format: str | None = None) -> None:
    """Write cameras so that :func:`read_cameras` gives the same ones back.

    Args:
        cameras: Single cameras by their names.
        path: The file; for ``jarvis`` the folder.
        format: One of :data:`FORMATS`; by default what the suffix says, and ``jarvis`` without one.

    Raises:
        InputError: The format is unknown or has no place for a lens, or the path cannot be written.
    """
    name = format_of(path, format)
    if not cameras:
        raise InputError(f"{path}: no camera to write; give at least one")
    _WRITERS[name](cameras, Path(path))


def format_of(path: str | Path, format: str | None = None) -> str:
    """The format that :func:`write_cameras` writes.

    Args:
        path: As there.
        format: As there.

    Returns:
        One of :data:`FORMATS`.

    Raises:
        InputError: The format is unknown, or none has this suffix.
    """
    suffix = Path(path).suffix.lower()
    name = format or next((each for each, ends in FORMATS.items() if suffix in ends), None)
    if name is None:
        raise InputError(f"{path}: no calibration ends in {suffix}; give {_EXPECTED}")
    if name not in _WRITERS:
        raise InputError(f"no calibration format '{name}'{nearest(name, _WRITERS)}; known are {', '.join(_WRITERS)}")
    return name


def _read_folder(folder: Path) -> dict[str, Camera]:
    files = [folder / anipose.FILE_NAME, *folder.glob("calibration_*.json"), *folder.glob("*label3d*.mat")]
    found = [file for file in files if file.is_file()]
    if any(jarvis_calibration.is_calibration(file) for file in folder.iterdir()):
        found.append(folder)
    else:
        found += [sub for sub in folder.glob("calib_params/*") if sub.is_dir()]
    if len(found) > 1:
        raise InputError(f"{folder}: holds several calibrations ({', '.join(sorted(f.name for f in found))}); name one")
    if not found:
        raise InputError(f"{folder}: holds no calibration; give {_EXPECTED}")
    return jarvis_calibration.read_calibration(found[0]) if found[0].is_dir() else read_cameras(found[0])
