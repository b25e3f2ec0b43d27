"""Frames of videos to label next, written as images with their neighbours in time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.data.selection import choose, doubt_of, gather
from vitruve.errors import InputError
from vitruve.formats.csv_table import read_csv_table
from vitruve.formats.hub import read_labels
from vitruve.formats.keypoint_table import LABELED_DATA
from vitruve.formats.to_label import add_to_label
from vitruve.inference.progress import progress
from vitruve.media.images import write_image
from vitruve.media.sources import expand_sources
from vitruve.media.thumbnails import thumbnails
from vitruve.media.video import VideoReader, is_video
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton

LIST_NAME = "selected_frames.csv"
"""Names the images of a folder that are to be labelled, one a row; their neighbours in time are not among them."""


@dataclass(frozen=True)
class SelectedFrames:
    """What :func:`select_frames` did with one video.

    Attributes:
        video: The video.
        folder: Where the images are.
        indices: The frames to label, as the decoder counts them.
        written: How many images were written, neighbours in time too.
        existing: How many were there already and were left as they are.
        labelled: How many frames of this video are labelled already.
        rows: How many were added to the list of images to label.
    """

    video: Path
    folder: Path
    indices: tuple[int, ...]
    written: int
    existing: int
    labelled: int
    rows: int = 0


def select_frames(
    videos: Sequence[Path],
    count: int,
    output: Path,
    *,
    context: int = 2,
    seed: int = 0,
    run: Path | None = None,
    labels: Path | None = None,
) -> list[SelectedFrames]:
    """Choose frames of videos and write them into ``labeled-data/<video>/`` of a project.

    Args:
        videos: Videos, or folders of them.
        count: Frames of each, at least 1.
        output: The project's folder.
        context: Neighbours in time written before and behind each frame, at least 0.
        seed: The same seed gives the same frames.
        run: A run that has predicted the videos; frames that it is unsure of are preferred.
        labels: A label file (``.csv``) or queue (``.jsonl``) to which the frames are added.

    Returns:
        What became of each video.

    Raises:
        InputError: A video, the predictions of it, or the label file is not as it should be.
    """
    if count < 1 or context < 0:
        raise InputError(f"n={count}, context={context}: at least one frame is chosen, with at least 0 neighbours")
    files = [path for path in expand_sources(videos) if is_video(path)]
    if not files:
        raise InputError(f"{', '.join(map(str, videos))}: no video among these; name videos to choose frames of")
    stems: dict[str, Path] = {}
    for path in files:
        other = stems.setdefault(path.stem, path)
        if other != path:
            raise InputError(f"{path}: has the name of {other}; frames of both would go to one folder, so rename one")
    names = () if run is None else Skeleton.from_dict(RunFiles(run).read_model()["task"]["skeleton"]).names
    doubts = {path: None if run is None else _doubt(run, path) for path in files}
    known = _labelled(output, labels)
    return [
        _select(path, count, output, context, seed, doubts[path], known.get(path.stem, set()), labels, names)
        for path in files
    ]


def _select(
    video: Path,
    count: int,
    output: Path,
    context: int,
    seed: int,
    doubt: Float[np.ndarray, " T"] | None,
    labelled: set[int],
    labels: Path | None,
    names: Sequence[str],
) -> SelectedFrames:
    with VideoReader(video) as reader:
        damage: list[str] = []
        candidates = gather(_watched(reader, damage), labelled)
        if damage:
            # A reader that has met the damage itself counts frames as this pass did, and says what is wrong.
            deque(reader.frames(), maxlen=0)
        if doubt is not None and len(doubt) != candidates.total:
            raise InputError(
                f"{video}: {candidates.total} frames, but the run's predictions of it have {len(doubt)}; predict it "
                "again with --overwrite"
            )
        indices = choose(candidates, count, seed=seed, apart=2 * context + 1, doubt=doubt)
        folder = output / LABELED_DATA / video.stem
        written = existing = 0
        for index in indices:
            near = range(max(0, index - context), min(candidates.total, index + context + 1))
            missing = [number for number in near if not (folder / _image(number)).exists()]
            existing += len(near) - len(missing)
            written += len(missing)
            for number, pixels in zip(missing, reader.read(missing) if missing else (), strict=True):
                write_image(folder / _image(number), pixels)
    rows = 0
    if indices:
        _list(folder / LIST_NAME, [_image(number) for number in indices])
        if labels is not None:
            rows = add_to_label(labels, [f"{LABELED_DATA}/{video.stem}/{_image(number)}" for number in indices], names)
    # Neighbours of two chosen frames may be the same image: each is written once, and then there.
    return SelectedFrames(video, folder, tuple(indices), written, existing, len(labelled), rows)


def _watched(reader: VideoReader, damage: list[str]) -> Iterator[np.ndarray]:
    with progress(f"watching {reader.path.name}", reader.estimated_count) as advance:
        for image in thumbnails(reader.path, damage, frame_size=(reader.width, reader.height)):
            advance(1)
            yield image


def _image(number: int) -> str:
    return f"img{number:08d}.png"


def _list(path: Path, names: Sequence[str]) -> None:
    """Add names to a list of them, sorted."""
    there = path.read_text(encoding="utf-8").split() if path.is_file() else []
    atomic_write(path, "".join(f"{name}\n" for name in sorted({*there, *names})))


def _labelled(output: Path, labels: Path | None) -> dict[str, set[int]]:
    """Numbers of the frames that are labelled in a project, for each folder of ``labeled-data``."""
    files = [*output.glob("CollectedData*.csv"), *([labels] if labels and labels.suffix.lower() == ".csv" else [])]
    found: dict[str, set[int]] = {}
    for file in {path.resolve(): path for path in files if path.is_file()}.values():
        for frame in read_labels(file, root=output):
            digits = re.search(r"(\d+)(?!.*\d)", frame.images[0].path.stem)
            if digits and bool((frame.instances.visible > 0).any()):
                found.setdefault(frame.images[0].path.parent.name, set()).add(int(digits[0]))
    return found


def _doubt(run: Path, video: Path) -> Float[np.ndarray, " T"]:
    path = RunFiles(run).video_predictions / f"{video.stem}.csv"
    if not path.is_file():
        raise InputError(f"{path}: no predictions of this video; make them first: vitruve predict {run} {video}")
    table = read_csv_table(path)
    return doubt_of(table.keypoints[:, 0], None if table.scores is None else table.scores[:, 0])
