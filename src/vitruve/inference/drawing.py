"""Videos with the predicted keypoints drawn into them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from vitruve.formats.csv_table import read_csv_table
from vitruve.formats.hdf5_table import is_hdf5, read_hdf5_table
from vitruve.formats.keypoint_table import KeypointTable
from vitruve.inference.layout import Found
from vitruve.inference.overlap import overlap
from vitruve.inference.progress import progress
from vitruve.inference.shown import Shown
from vitruve.media.video import VideoReader, VideoWriter
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.tracking.tracker import Following, Tracker
from vitruve.visualize.draw import draw_instances, instance_colors, keypoint_colors

# Frames that are decoded ahead of drawing.
_AHEAD = 4


@dataclass(frozen=True)
class Look:
    """How keypoints are drawn into videos.

    Attributes:
        threshold: Keypoints with a lower likelihood are not drawn.
        colormap: Name of a matplotlib colormap.
    """

    threshold: float = 0.9
    colormap: str = "cool"


class Painter:
    """Draws frame after frame, and counts the keypoints that reach the threshold.

    Args:
        skeleton: Edges and colours.
        look: How keypoints are drawn.
        several: Any number of instances: each has one colour, which stays the same from frame to frame. Otherwise each
            keypoint has its own.
    """

    def __init__(self, skeleton: Skeleton, look: Look, *, several: bool = False) -> None:
        self._skeleton = skeleton
        self._look = look
        self._colors = keypoint_colors(skeleton, look.colormap)
        self._tracker = Tracker(skeleton, Following()) if several else None
        self._shown = Shown(look.threshold)

    def count(self, found: Found) -> None:
        """Count the keypoints of a frame, drawn or not."""
        self._shown.add(found.points[..., 2])

    def draw(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        frame: int,
        found: Found,
        tracks: Sequence[int] | None = None,
    ) -> UInt8[np.ndarray, "H W 3"]:
        """Draw a frame.

        Args:
            image: Its pixels.
            frame: Its number; it rises from call to call.
            found: What was found in it.
            tracks: Who they are; None to follow them from frame to frame.

        Returns:
            A drawn copy.
        """
        points = found.points
        people = Instances.from_keypoints(points[..., :2], keypoint_scores=points[..., 2])
        colors = self._colors
        if self._tracker is not None:
            if tracks is None:
                tracks = self._tracker.step(frame, points[..., :2], points[..., 2].mean(-1)).tolist()
            colors = np.repeat(instance_colors(tracks)[:, None], len(self._skeleton), 1)
        return draw_instances(image, people, self._skeleton, threshold=self._look.threshold, colors=colors)

    def warn(self, video: Path) -> None:
        """Say so in a warning when few keypoints were shown."""
        self._shown.warn(video)


def draw_video(
    source: Path,
    table: Path | KeypointTable,
    target: Path,
    skeleton: Skeleton,
    look: Look,
    *,
    tracked: bool = False,
    start: int = 0,
) -> None:
    """Draw predictions from a table into a copy of a video.

    Args:
        source: The video.
        table: Its predictions, of one animal or of several.
        target: The video to write.
        skeleton: Edges and colours.
        look: How keypoints are drawn.
        tracked: Each individual of the table is one throughout; otherwise they are followed from frame to frame.
        start: The frame that the first row is of.

    Raises:
        InputError: A file cannot be read or written.
    """
    found = table if isinstance(table, KeypointTable) else read_table(table)
    likely = np.ones(found.visible.shape) if found.scores is None else found.scores
    points = np.concatenate([found.keypoints, likely[..., None]], -1)
    several = found.individuals != ("",)
    _draw(source, points, target, Painter(skeleton, look, several=several), start, several=several, tracked=tracked)


def read_table(table: Path) -> KeypointTable:
    """A table of predictions, whichever of both formats it has.

    Args:
        table: CSV or HDF5.

    Returns:
        The checked table.

    Raises:
        InputError: The file is not as it should be.
    """
    return read_hdf5_table(table) if is_hdf5(table) else read_csv_table(table)


def draw_points(
    source: Path, points: Float[np.ndarray, "T K 3"], target: Path, skeleton: Skeleton, look: Look, start: int = 0
) -> None:
    """Draw keypoints into a copy of a part of a video.

    Args:
        source: The video.
        points: x, y and likelihood in T frames; NaN where missing.
        target: The video to write.
        skeleton: Edges and colours.
        look: How keypoints are drawn.
        start: The first frame that is drawn.

    Raises:
        InputError: A file cannot be read or written.
    """
    _draw(source, points[:, None], target, Painter(skeleton, look), start)


def _draw(
    source: Path,
    points: Float[np.ndarray, "T N K 3"],
    target: Path,
    painter: Painter,
    start: int,
    *,
    several: bool = False,
    tracked: bool = False,
) -> None:
    with (
        VideoReader(source) as video,
        VideoWriter(target, video.fps, times=video.uneven_times(start)) as writer,
        closing(overlap(video.frames(start), _AHEAD)) as images,
        progress(f"drawing {source.name}", len(points)) as advance,
    ):
        for frame, (image, people) in enumerate(zip(images, points, strict=False), start):
            places = np.flatnonzero(np.isfinite(people).any((-2, -1))) if several else np.arange(len(people))
            found = Found(people[places], np.full(len(places), np.nan))
            painter.count(found)
            writer.write(painter.draw(image, frame, found, places.tolist() if tracked else None))
            advance(1)
    painter.warn(target)
