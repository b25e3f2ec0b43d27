"""Which calibrated cameras saw which session."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from vitruve.errors import ConfigError, InputError, nearest
from vitruve.formats.session_cameras import attached, found_calibrations, sessions
from vitruve.structures.labels import Frame, Labels


def with_cameras(labels: Labels, folder: Path | None = None, params_file: str | Path | None = None) -> Labels:
    """Labels with the cameras of every session, in the order of the views.

    Without ``params_file`` they are found where Lightning Pose keeps them: ``calibrations/<session>.toml`` (or a folder
    ``calibrations/<session>``), or else ``calibration.toml`` for all sessions. They may be of any kind that
    :func:`vitruve.formats.calibration.read_cameras` knows.

    Args:
        labels: With named views; others are returned as they are.
        folder: Where files are looked for; :attr:`Labels.root` by default.
        params_file: A calibration for all sessions, or a CSV file with the columns (nameless) image path without the
            view, and ``file``, the calibration of that image.

    Returns:
        The labels; without any calibration, with the cameras they had.

    Raises:
        ConfigError: Some sessions have a calibration and others have not.
        InputError: A file is missing or broken, or names other cameras than the views.
    """
    place = labels.root if folder is None else folder
    if len(labels.view_names) < 2:
        if params_file is not None:
            raise ConfigError(
                f"data.camera_params_file={params_file}: cameras belong to views, and these labels have one; give "
                "data.csv_file as a list with one file a view"
            )
        return labels
    if params_file:
        return attached(labels, _named_calibrations(labels, place, place / params_file))
    return attached(labels, found_calibrations(labels, place))


def _named_calibrations(labels: Labels, folder: Path, params_file: Path) -> dict[str, Path]:
    """The calibration of each session, as the settings say."""
    if not params_file.exists():
        raise InputError(
            f"{params_file}: no such file; data.camera_params_file is a calibration (TOML) or a table of images "
            "and their calibrations (CSV)"
        )
    if params_file.suffix.lower() != ".csv":
        return dict.fromkeys(sessions(labels), params_file)
    table = _read_table(params_file)
    by_name: dict[str, set[str]] = {}
    for image, file in table.items():
        by_name.setdefault(PurePosixPath(image).name, set()).add(file)
    found: dict[str, tuple[str, Path]] = {}
    for frame in labels:
        image = _without_view(frame, labels.view_names[0])
        # Some tables name the images alone: enough where that leaves no doubt.
        same_name = by_name.get(PurePosixPath(image).name, set())
        chosen = table.get(image) or (next(iter(same_name)) if len(same_name) == 1 else None)
        if chosen is None:
            raise InputError(f"{params_file}: no row for image {image}{nearest(image, table)}; give it one")
        earlier = found.setdefault(frame.session, (image, folder / chosen))
        if earlier[1] != folder / chosen:
            raise InputError(
                f"{params_file}: {image} has {chosen}, but {earlier[0]} of the same session has another calibration; "
                "frames of one session have the same cameras"
            )
    return {session: path for session, (_, path) in found.items()}


def _read_table(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    if not rows or rows[0][1:] != ["file"]:
        raise InputError(f"{path}: row 1: must be ',file': the image path without the view, and its calibration file")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 2 or not all(row):
            raise InputError(f"{path}: row {number}: must name an image and its calibration file")
    return {row[0].replace("\\", "/"): row[1] for row in rows[1:]}


def _without_view(frame: Frame, view: str) -> str:
    """The path of a frame's image as if there were no views."""
    path = frame.images[0].path
    folder = path.parent
    if folder.name == view:
        return (folder.parent / path.name).as_posix()
    return (folder.with_name(folder.name.removesuffix(f"_{view}")) / path.name).as_posix() if folder.name else path.name
