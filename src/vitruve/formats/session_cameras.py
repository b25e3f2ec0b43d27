"""The calibrations beside labels: ``calibrations/<session>.toml``, or ``calibration.toml`` for all sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vitruve.errors import ConfigError, InputError
from vitruve.formats.anipose import FILE_NAME, write_calibration
from vitruve.formats.calibration import read_cameras
from vitruve.structures.labels import Labels

FOLDER = "calibrations"
"""Where each session's own calibration is looked for: ``<session>.toml``, or a folder ``<session>``."""


def found_calibrations(labels: Labels, folder: Path) -> dict[str, Path]:
    """The calibration of each session, where there is one.

    Args:
        labels: With their sessions.
        folder: Where to look.

    Returns:
        Paths by session; none where there is no calibration at all.

    Raises:
        ConfigError: Some sessions have a calibration and others have not.
    """
    common = folder / FILE_NAME
    found, without = {}, []
    for session in sessions(labels):
        own = folder / FOLDER / f"{session}.toml"
        places = [own, own.with_suffix("")] if session else []
        path = next((place for place in (*places, common) if place.exists()), None)
        if path is not None:
            found[session] = path
        else:
            without.append(own)
    if found and without:
        raise ConfigError(
            f"{without[0]}: no such calibration, but {len(found)} other sessions have one (such as "
            f"{next(iter(found.values()))}); add it, or {common} for all sessions"
        )
    return found


def attached(labels: Labels, calibrations: Mapping[str, Path]) -> Labels:
    """Labels with the cameras of every session, in the order of the views.

    Args:
        labels: With named views.
        calibrations: Of each session, of any kind that :func:`read_cameras` knows; it may have more cameras.

    Returns:
        The labels; those without any calibration are returned as they are.

    Raises:
        InputError: A calibration is broken or lacks a view.
    """
    if not calibrations:
        return labels
    rigs = {}
    for path in set(calibrations.values()):
        cameras = read_cameras(path)
        if not set(labels.view_names) <= set(cameras):
            raise InputError(
                f"{path}: has the cameras {', '.join(cameras)}, but the views are {', '.join(labels.view_names)}; "
                "name the cameras in it as the views (data.view_names)"
            )
        rigs[path] = tuple(cameras[name] for name in labels.view_names)
    return replace(labels, cameras={session: rigs[path] for session, path in calibrations.items()})


def write_found(labels: Labels, folder: Path) -> list[Path]:
    """Write the cameras of labels where :func:`found_calibrations` finds them.

    Args:
        labels: With cameras.
        folder: The folder of the labels.

    Returns:
        The files, one a session.

    Raises:
        InputError: The size of a camera is not known, or a file cannot be written.
    """
    files = []
    for session, cameras in labels.cameras.items():
        files.append(folder / FOLDER / f"{session}.toml" if session else folder / FILE_NAME)
        write_calibration(dict(zip(labels.view_names, cameras, strict=True)), files[-1])
    return files


def sessions(labels: Labels) -> list[str]:
    """The sessions of labels, in the order of their first frames."""
    return list(dict.fromkeys(frame.session for frame in labels))
