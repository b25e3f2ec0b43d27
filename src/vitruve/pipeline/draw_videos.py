"""Tables of predictions drawn into copies of their videos, whoever made them; no network is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vitruve.config.schema import Config
from vitruve.errors import InputError
from vitruve.formats.keypoint_table import KeypointTable
from vitruve.inference.drawing import Look, draw_video, read_table
from vitruve.media.video import is_video
from vitruve.pipeline.bones import skeleton_for
from vitruve.pipeline.rig_recording import frames_of
from vitruve.run import RunFiles

_ANYWHERE = Look(0.3)
"""For tables of other programs, whose likelihood is another number."""


def draw_videos(
    tables: str | Path | Sequence[str | Path],
    videos: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    threshold: float | None = None,
    colormap: str | None = None,
    skeleton: str | Path | None = None,
    frame_start: int | None = None,
    number_frames: int = -1,
) -> list[Path]:
    """Draw the keypoints of tables into copies of the videos that they were predicted in.

    Args:
        tables: What ``vitruve predict`` wrote of videos, CSV or HDF5, or files of the same kind.
        videos: The video of each table.
        output: Folder of the drawn videos, which have the names of the tables; ``labeled_videos`` beside each table by
            default.
        threshold: Likelihood, 0 to 1, from which keypoints are drawn; None as :func:`usual_look` says.
        colormap: Name of a matplotlib colormap; None as :func:`usual_look` says.
        skeleton: What says which keypoints are joined: a skeleton YAML, a project's ``config.yaml``, a run, or a label
            set; by default one of the first three that lies beside the table or above it.
        frame_start: The first frame; None for that of the table.
        number_frames: How many; -1 for all of the table.

    Returns:
        The drawn videos.

    Raises:
        InputError: A file is missing or not as it should be, there is no such frame, or a video would be written over
            one that is read.
    """
    sources = [Path(each) for each in ([videos] if isinstance(videos, (str, Path)) else videos)]
    read = [Path(each) for each in ([tables] if isinstance(tables, (str, Path)) else tables)]
    if len(sources) != len(read):
        raise InputError(f"{len(read)} tables and {len(sources)} videos: give each table its video, in the same order")
    targets = [
        (table.parent / "labeled_videos" if output is None else Path(output)) / f"{table.stem}_labeled.mp4"
        for table in read
    ]
    for table, source, target in zip(read, sources, targets, strict=True):
        if not is_video(source) or not source.is_file():
            raise InputError(f"{source}: no such video; name the one that {table} was predicted in")
        if targets.count(target) > 1 or target.resolve() in {each.resolve() for each in sources}:
            raise InputError(f"{target}: would be written over; draw one after the other with other --output folders")
    for table, source, target in zip(read, sources, targets, strict=True):
        found = read_table(table)
        if not all(isinstance(name, int) for name in found.index):
            raise InputError(f"{table}: its rows are images, not the frames of a video")
        first = int(found.index[0])
        start = first if frame_start is None else frame_start
        if start < first:
            raise InputError(f"--frame-start {start}: {table} begins with frame {first}")
        count = frames_of(table, first + len(found.index), start, number_frames)
        bones = skeleton_for(found.names, table, None if skeleton is None else Path(skeleton))
        part = _rows(found, slice(start - first, start - first + count))
        look = usual_look(table)
        look = Look(look.threshold if threshold is None else threshold, colormap or look.colormap)
        draw_video(source, part, target, bones, look, start=start)
    return targets


def usual_look(place: Path) -> Look:
    """How predictions are drawn when nobody says: as the run that made them draws them itself.

    Args:
        place: A run, an ensemble, or a table.

    Returns:
        Threshold and colours of the settings of the run that it is, or lies in; 0.3 and ``cool`` without a run.

    Raises:
        ConfigError: The run's settings are not as they should be.
    """
    for folder in (place, *place.resolve().parents):
        run = RunFiles(folder)
        # The folder of an ensemble has no network of its own.
        if run.config.is_file() and (run.model.is_file() or run.members()):
            settings = Config.load(run.config).eval
            return Look(settings.confidence_thresh_for_vid, settings.colormap)
    return _ANYWHERE


def _rows(table: KeypointTable, rows: slice) -> KeypointTable:
    scores = None if table.scores is None else table.scores[rows]
    return replace(table, keypoints=table.keypoints[rows], visible=table.visible[rows], scores=scores)
