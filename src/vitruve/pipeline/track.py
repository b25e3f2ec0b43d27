"""Identities over time in a file of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.evaluation.tracking import Identities, identities
from vitruve.formats.hub import read_labels, write_labels
from vitruve.inference.drawing import Look, draw_video
from vitruve.inference.jobs import FORMATS
from vitruve.structures.labels import Labels
from vitruve.structures.skeletons import recognised
from vitruve.tracking.track import track_labels
from vitruve.tracking.tracker import Following

_WRITTEN = {"csv": "deeplabcut", "h5": "deeplabcut", "coco": "coco"}
_SUFFIXES = {"coco": "json"}


@dataclass(frozen=True)
class Tracked:
    """What became of a file of predictions.

    Attributes:
        outputs: The files written, the table first.
        individuals: How many identities there are; of several videos, in the one that has most.
        identities: How well they fit true ones, where those were given.
    """

    outputs: tuple[Path, ...]
    individuals: int
    identities: Identities | None


def track(
    predictions: str | Path,
    output: str | Path | None = None,
    *,
    max_individuals: int | None = None,
    max_gap: int = 25,
    min_frames: int = 3,
    formats: Sequence[str] = ("csv",),
    truth: str | Path | None = None,
    video: str | Path | None = None,
    threshold: float = 0.3,
) -> Tracked:
    """Give the people or animals in predictions of a video identities that stay the same over time.

    Args:
        predictions: What ``vitruve predict`` wrote of a video: CSV, HDF5 or COCO's json; or a file of the same kind.
        output: The table to write; by default ``<predictions>_tracked.csv`` beside it.
        max_individuals: Never more identities than this.
        max_gap: Frames without being seen after which a track ends. Where ``max_individuals`` is given, it may go on
            later all the same.
        min_frames: Tracks seen in fewer frames are left out.
        formats: ``csv``, ``h5`` and ``coco``; CSV is always written.
        truth: Labels of the same video with true tracks, to measure identities by.
        video: The video, to draw the tracks into a copy, ``<output>.mp4``.
        threshold: Likelihood from which keypoints are drawn, 0 to 1.

    Returns:
        The files, the number of individuals, and how well identities were kept. With ``truth``, that is written to
        ``<output>_identities.csv``, too.

    Raises:
        InputError: A file or a number is not as it should be.
    """
    following = Following(max_individuals, max_gap, min_frames)
    unknown = next((name for name in formats if name not in FORMATS), None)
    if unknown is not None:
        raise InputError(f"--format {unknown}: not known; tracks are written as {', '.join(FORMATS)}")
    source = Path(predictions)
    table = source.with_name(f"{source.stem}_tracked.csv") if output is None else Path(output)
    if table.suffix != ".csv":
        raise InputError(f"{table}: tracks are written to a file that ends in .csv, and others beside it")
    tables = {name: table.with_suffix(f".{_SUFFIXES.get(name, name)}") for name in dict.fromkeys(("csv", *formats))}
    drawn = table.with_suffix(".mp4")
    given = {Path(file).resolve() for file in (predictions, truth, video) if file is not None}
    for file in (*tables.values(), *([] if video is None else [drawn])):
        if file.resolve() in given:
            raise InputError(f"{file}: is read, and would be written over; name another output than {table}")
    found = track_labels(_known(read_labels(source)), following)
    measured = None if truth is None else _measured(found, _known(read_labels(truth)), Path(truth))
    for name, file in tables.items():
        write_labels(found, file, _WRITTEN[name])
    outputs = list(tables.values())
    if measured is not None:
        outputs.append(table.with_name(f"{table.stem}_identities.csv"))
        atomic_write(outputs[-1], pd.DataFrame([asdict(measured)]).to_csv(index=False))
    if video is not None:
        outputs.append(drawn)
        draw_video(Path(video), table, drawn, found.skeleton, Look(threshold), tracked=True)
    names = {int(n) for frame in found if frame.instances.tracks is not None for n in frame.instances.tracks[0]}
    return Tracked(tuple(outputs), len(names), measured)


def _known(labels: Labels) -> Labels:
    """With what is known of its keypoints beyond their names."""
    known = recognised(labels.skeleton.names)
    return labels if known is None or labels.skeleton.sigmas is not None else replace(labels, skeleton=known)


def _measured(found: Labels, truth: Labels, source: Path) -> Identities:
    names = truth.skeleton.names
    if set(names) != set(found.skeleton.names):
        raise InputError(f"{source}: other keypoints than the predictions have; give labels of the same ones")
    order = [found.skeleton.names.index(name) for name in names]
    if any(frame.instances.tracks is None for frame in truth):
        raise InputError(f"{source}: has no tracks; give labels in which each individual is told apart")
    if any(len({frame.first_image.path for frame in labels}) > 1 for labels in (found, truth)):
        raise InputError(f"{source}: identities are measured in one video; give predictions and labels of one")
    predicted, wanted = ({frame.first_image.index or 0: frame for frame in labels} for labels in (found, truth))
    missing = next((index for index in wanted if index not in predicted), None)
    if missing is not None:
        raise InputError(f"{source}: frame {missing} is not predicted; give labels of the same video")
    pairs = [(wanted[i].instances[0], predicted[i].instances[0].reordered(order)) for i in sorted(wanted)]
    return identities(pairs, truth.skeleton.oks_sigmas)
