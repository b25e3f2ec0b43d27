"""A prediction in space as frames to play, beside what cameras saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.app.media import frame_url
from vitruve.app.videos.tables import LIKELIHOOD, Traces, VideoTable, points_in_video
from vitruve.app.workspace import Workspace
from vitruve.formats.calibration import read_cameras
from vitruve.pipeline.predict_3d import CALIBRATION
from vitruve.visualize.scene3d import upright
from vitruve.visualize.viewer_page import ShownFrame


def upward(table: VideoTable) -> Float[np.ndarray, " 3"]:
    """Which way is up, as far as the cameras of a prediction tell.

    Args:
        table: The table of points.

    Returns:
        A unit vector; the z axis where no calibration lies beside the table.

    Raises:
        InputError: The calibration is damaged.
    """
    file = table.path.with_name(CALIBRATION)
    return upright(list(read_cameras(file).values()) if file.is_file() else [])


def sure_points(traces: Traces, least: float) -> Float[np.ndarray, "T K 3"]:
    """Points in space that a network is sure enough of.

    Args:
        traces: What a table says.
        least: The lowest confidence, from 0 to 1.

    Returns:
        Millimetres, NaN where missing or less sure.
    """
    points = np.stack([traces.values[axis] for axis in "xyz"], -1)
    if least > 0 and LIKELIHOOD in traces.values:
        points[~(traces.values[LIKELIHOOD] >= least)] = np.nan
    return points


def played_frames(
    workspace: Workspace,
    table: VideoTable,
    traces: Traces,
    numbers: Sequence[int],
    cameras: Mapping[str, Path],
    least: float = 0.0,
) -> list[ShownFrame]:
    """Frames for :func:`vitruve.app.parts.viewer.show_frames`.

    Args:
        workspace: The folders.
        table: The table.
        traces: What it says.
        numbers: Of the rows that are shown.
        cameras: The videos that are shown beside the skeleton, by the names of their cameras.
        least: The lowest confidence of points that are shown.

    Returns:
        The frames.

    Raises:
        InputError: The calibration beside the table is damaged.
    """
    rows = np.asarray(numbers)
    points = sure_points(traces, least)[rows]
    missing = np.isnan(points).any(-1)
    seen = []
    for camera in cameras:
        found = points_in_video(table, traces, camera)
        pixels = np.full((*points.shape[:2], 2), np.nan) if found is None else found[rows].copy()
        pixels[missing] = np.nan
        seen.append(pixels)
    frames = []
    for place, row in enumerate(rows.tolist()):
        number = traces.start + row
        sure = "" if LIKELIHOOD not in traces.values else _said(traces.values[LIKELIHOOD][row])
        frames.append(
            ShownFrame(
                f"frame {number}",
                tuple(frame_url(workspace, path, number) for path in cameras.values()),
                reprojected=np.stack([pixels[place] for pixels in seen]) if seen else None,
                points=points[place],
                note=sure,
            )
        )
    return frames


def _said(confidence: Float[np.ndarray, " K"]) -> str:
    known = confidence[np.isfinite(confidence)]
    return f"confidence {known.mean():.2f} (lowest {known.min():.2f})" if known.size else "nothing found"
