"""Frames of videos to label next, written as images with their neighbours in time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.config.yaml_file import read_yaml
from vitruve.data.selection import choose, doubt_of, gather
from vitruve.errors import InputError
from vitruve.formats.csv_table import read_csv_table
from vitruve.formats.hub import read_labels
from vitruve.formats.keypoint_table import LABELED_DATA
from vitruve.formats.to_label import add_to_labels, list_of_view
from vitruve.inference.progress import progress
from vitruve.media.images import write_image
from vitruve.media.recordings import Recording, group_views
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
        indices: The frames to label, as the decoder counts them; the same in all views of a recording.
        written: How many images were written, neighbours in time too.
        existing: How many were there already and were left as they are.
        labelled: How many frames of this video are labelled already, in this view or in another.
        rows: How many were added to the list of images to label.
    """

    video: Path
    folder: Path
    indices: tuple[int, ...]
    written: int
    existing: int
    labelled: int
    rows: int = 0


@dataclass(frozen=True)
class Selection:
    """How frames are chosen; :func:`vitruve.labelling.select_frames` says what each means."""

    count: int
    output: Path
    context: int = 2
    seed: int = 0
    run: Path | None = None
    labels: Path | None = None
    views: tuple[str, ...] = ()
    shortest: bool = False


def select_frames(videos: Sequence[Path], how: Selection) -> list[SelectedFrames]:
    """Choose frames of videos and write them into ``labeled-data/<video>/`` of a project.

    Args:
        videos: Videos, or folders of them.
        how: How many, and where to.

    Returns:
        What became of each video.

    Raises:
        InputError: A video, the predictions of it, or a label file is not as it should be. All that can be known
            without looking through the videos is said before anything is written.
    """
    if how.count < 1 or how.context < 0:
        raise InputError(f"n={how.count}, context={how.context}: at least one frame, with at least 0 neighbours")
    files = [path for path in expand_sources(videos) if is_video(path)]
    if not files:
        raise InputError(f"{', '.join(map(str, videos))}: no video among these; name videos to choose frames of")
    stems: dict[str, Path] = {}
    for path in files:
        other = stems.setdefault(path.stem, path)
        if other != path:
            raise InputError(f"{path}: has the name of {other}; frames of both would go to one folder, so rename one")
    views = _views(how)
    recordings = group_views(files, views) if views else [Recording((path,)) for path in files]
    for recording in recordings if views and not how.shortest else ():
        # Before all frames are looked at, packets tell which videos end early.
        _same_length(recording, [_length(path) for path in recording])
    names = () if how.run is None else Skeleton.from_dict(_record(how.run)["task"]["skeleton"]).names
    doubts = {} if how.run is None else {path: _doubt(how.run, path) for path in files}
    lists = [] if how.labels is None else [list_of_view(how.labels, view) for view in views or ("",)]
    add_to_labels(dict.fromkeys(lists, ()), names)
    known = _labelled(how.output, lists)
    found: list[SelectedFrames] = []
    for recording in recordings:
        labelled = set().union(*(known.get(path.stem, ()) for path in recording))
        made = _select(recording, how, [doubts[path] for path in recording if path in doubts], labelled)
        if lists:
            waiting = {
                place: [f"{LABELED_DATA}/{one.video.stem}/{_image(number)}" for number in one.indices]
                for place, one in zip(lists, made, strict=True)
            }
            counts = add_to_labels(waiting, names)
            made = [replace(one, rows=rows) for one, rows in zip(made, counts, strict=True)]
        found += made
    return found


def _views(how: Selection) -> tuple[str, ...]:
    """The views whose videos show the same instants: as named, or those of the run, or of the project's settings."""
    settings = how.output / "config.yaml"
    if how.views:
        views = how.views
    elif how.run is not None:
        views = tuple(_record(how.run).get("view_names") or ())
    elif settings.is_file():
        data = read_yaml(settings).get("data")
        several = isinstance(data, dict) and isinstance(data.get("csv_file"), list)
        views = tuple(map(str, data.get("view_names") or ())) if isinstance(data, dict) and several else ()
    else:
        views = ()
    return views if len(views) > 1 else ()


def _record(run: Path) -> dict[str, Any]:
    """``model.json`` of a run, or of the first network of an ensemble."""
    files = RunFiles(run)
    return next(iter(files.members()), files).read_model()


def _select(
    recording: Recording, how: Selection, doubts: Sequence[Float[np.ndarray, " T"]], labelled: set[int]
) -> list[SelectedFrames]:
    """Choose instants of one recording and write the images of all its views."""
    with ExitStack() as stack:
        readers = [stack.enter_context(VideoReader(path)) for path in recording]
        damages: list[list[str]] = [[] for _ in readers]
        candidates = gather(_watched(readers, damages, how.shortest), labelled)
        for reader, damage in zip(readers, damages, strict=True):
            if damage:
                # A reader that has met the damage itself counts frames as this pass did, and says what is wrong.
                deque(reader.frames(), maxlen=0)
        total = candidates.total
        for path, doubt in zip(recording, doubts, strict=False):
            if len(doubt) < total or (len(doubt) > total and not how.shortest):
                raise InputError(
                    f"{path}: {total} frames, but the run's predictions of it have {len(doubt)}; predict it again with "
                    "--overwrite"
                )
        doubts_of_all = np.mean([each[:total] for each in doubts], axis=0) if doubts else None
        indices = choose(candidates, how.count, seed=how.seed, apart=2 * how.context + 1, doubt=doubts_of_all)
        near = sorted({n for i in indices for n in range(max(0, i - how.context), min(total, i + how.context + 1))})
        made = []
        for reader in readers:
            folder = how.output / LABELED_DATA / reader.path.stem
            missing = [number for number in near if not (folder / _image(number)).exists()]
            for number in missing:
                write_image(folder / _image(number), reader.read([number])[0])
            if indices:
                _list(folder / LIST_NAME, [_image(number) for number in indices])
            existing = len(near) - len(missing)
            made.append(SelectedFrames(reader.path, folder, tuple(indices), len(missing), existing, len(labelled)))
    return made


def _watched(readers: Sequence[VideoReader], damages: Sequence[list[str]], shortest: bool) -> Iterator[np.ndarray]:
    """Small images of each instant, those of the views side by side: what differs in one view, differs."""
    counts = [0] * len(readers)
    title = f"watching {', '.join(reader.path.name for reader in readers)}"
    views = [
        thumbnails(reader.path, damage, frame_size=(reader.width, reader.height))
        for reader, damage in zip(readers, damages, strict=True)
    ]
    with progress(title, readers[0].estimated_count) as advance:
        for images in zip_longest(*views):
            there = [image for image in images if image is not None]
            counts = [count + (image is not None) for count, image in zip(counts, images, strict=True)]
            if len(there) < len(images):
                if shortest:
                    return
                continue
            advance(1)
            yield _side_by_side(there)
    _same_length([reader.path for reader in readers], counts)


def _side_by_side(images: Sequence[np.ndarray]) -> np.ndarray:
    if len(images) == 1:
        return images[0]
    height = max(image.shape[0] for image in images)
    # Even widths: groups are found on means of two by two pixels, which must not mix views.
    return np.hstack([np.pad(each, ((0, height - each.shape[0]), (0, each.shape[1] % 2))) for each in images])


def _length(path: Path) -> int:
    with VideoReader(path) as reader:
        return reader.count()


def _same_length(paths: Sequence[Path], counts: Sequence[int]) -> None:
    for path, count in zip(paths, counts, strict=True):
        if count != counts[0]:
            raise InputError(
                f"{path}: {count} frames, but {paths[0]} has {counts[0]}; the views of one recording must show the "
                "same instants (--shortest leaves out those that are not in all)"
            )


def _image(number: int) -> str:
    return f"img{number:08d}.png"


def _list(path: Path, names: Sequence[str]) -> None:
    """Add names to a list of them, sorted."""
    there = path.read_text(encoding="utf-8").split() if path.is_file() else []
    atomic_write(path, "".join(f"{name}\n" for name in sorted({*there, *names})))


def _labelled(output: Path, lists: Sequence[Path]) -> dict[str, set[int]]:
    """Numbers of the frames that are labelled in a project, for each folder of ``labeled-data``."""
    files = [*output.glob("CollectedData*.csv"), *(path for path in lists if path.suffix.lower() == ".csv")]
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
