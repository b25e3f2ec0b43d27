"""Which tables of predictions are to be made, and whether they are there already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitruve.errors import InputError
from vitruve.formats.bbox_file import boxes_file
from vitruve.media.video import is_video
from vitruve.structures.labels import ImageRef

FORMATS = ("csv", "h5", "coco")

DRAWN = "_labeled"
"""Ends the names of drawn videos."""

# The folder of labelled images in projects of Lightning Pose and DeepLabCut; their label files name images from it on.
_LABELED = "labeled-data"


@dataclass(frozen=True)
class Job:
    """One table of predictions to be made.

    Attributes:
        source: A video, or the images that fill one table.
        table: The CSV file.
        labeled_video: The video with keypoints drawn, or None.
        formats: ``csv`` is always written; ``h5`` and ``coco`` beside it where named.
        boxes: The table of the boxes that were looked at, or None.
        beside: The sources of all views, where they are predicted together.
        start: The first frame of a video.
        count: How many frames of it; None for all.
    """

    source: Path | tuple[Path, ...]
    table: Path
    labeled_video: Path | None = None
    formats: tuple[str, ...] = ("csv",)
    boxes: Path | None = None
    beside: tuple[Path, ...] = ()
    start: int = 0
    count: int | None = None

    @property
    def of_video(self) -> bool:
        """Whether the source is a video."""
        return isinstance(self.source, Path) and is_video(self.source)

    @property
    def outputs(self) -> list[Path]:
        """All files that a finished job leaves."""
        more = [self.table.with_suffix(".h5")] if "h5" in self.formats else []
        more += [self.coco] if "coco" in self.formats else []
        more += [path for path in (self.boxes, self.labeled_video) if path is not None]
        return [self.table, *more]

    @property
    def coco(self) -> Path:
        """COCO's json."""
        return self.table.with_suffix(".json")

    @property
    def part(self) -> Path:
        """Hidden beside the table: the rows so far."""
        return self.table.with_name(f".{self.table.stem}.csv.part")

    @property
    def boxes_part(self) -> Path:
        """Hidden beside the table: the boxes of those rows."""
        return self.table.with_name(f".{boxes_file(self.table.stem)}.part")

    @property
    def note(self) -> Path:
        """Says what :attr:`part` belongs to. It is there from the first row until :attr:`finished` is."""
        return self.table.with_name(f".{self.table.stem}.part.json")

    @property
    def finished(self) -> Path:
        """Says what the table belongs to."""
        return self.table.with_name(f".{self.table.stem}.json")

    @property
    def drawn(self) -> Path:
        """Says what the drawn video belongs to, and how it was drawn."""
        return self.table.with_name(f".{self.table.stem}.drawn.json")


def jobs_for(
    sources: Sequence[Path], video_folder: Path, image_folder: Path, *, formats: Sequence[str], labeled_video: bool
) -> list[Job]:
    """Which tables a list of videos and images makes.

    Args:
        sources: Videos and images. All images of one folder fill one table named after it; a single one has its own.
        video_folder: Where tables of videos go; drawn videos go to ``labeled_videos`` in it.
        image_folder: Where tables of images go.
        formats: Of :data:`FORMATS`.
        labeled_video: Draw videos.

    Returns:
        The jobs.

    Raises:
        InputError: A format is unknown, or two sources would be written to one table.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"--format {name}: not known; predictions are written as {', '.join(FORMATS)}")
    jobs: list[Job] = []
    images: dict[Path, list[Path]] = {}
    for source in sources:
        if is_video(source):
            drawn = video_folder / "labeled_videos" / f"{source.stem}{DRAWN}.mp4" if labeled_video else None
            jobs.append(Job(source, video_folder / f"{source.stem}.csv", drawn, tuple(formats)))
        else:
            images.setdefault(source.parent.resolve(), []).append(source)
    for parent, group in images.items():
        stem = group[0].stem if len(group) == 1 else parent.name
        jobs.append(Job(tuple(group), image_folder / f"{stem}.csv", None, tuple(formats)))
    check_tables(jobs)
    return jobs


def part_of(job: Job, start: int, count: int) -> Job:
    """The same job for some of the frames of its video, in files of their own.

    Args:
        job: Of a video.
        start: The first frame.
        count: How many.

    Returns:
        The job; its files are named after the frames.
    """
    named = f"_frames_{start}_{start + count - 1}"

    def own(path: Path) -> Path:
        return path.with_stem(path.stem + named)

    drawn = job.labeled_video
    if drawn is not None:
        drawn = drawn.with_stem(drawn.stem.removesuffix(DRAWN) + named + DRAWN)
    return replace(job, table=own(job.table), labeled_video=drawn, start=start, count=count)


def check_tables(jobs: Sequence[Job]) -> None:
    """Make sure that each job has a table of its own.

    Args:
        jobs: The jobs.

    Raises:
        InputError: Two would be written to one table.
    """
    tables: dict[Path, Job] = {}
    for job in jobs:
        other = tables.setdefault(job.table, job)
        if other is not job:
            raise InputError(
                f"{title(job)} and {title(other)} would both be written to {job.table}; "
                "predict them one after the other with different --output folders"
            )


def stamp_of(job: Job, identity: str, batch_size: int) -> dict[str, Any]:
    """What a finished table was made of and with; another stamp means that it has to be made again.

    Args:
        job: The table.
        identity: Names the weights and the runtime.
        batch_size: Images that went through the network together.

    Returns:
        Plain values.

    Raises:
        InputError: The source is not there.
    """
    stamp = {"source": stamp_of_source(job.beside or job.source), "identity": identity, "batch_size": batch_size}
    return stamp if job.count is None else {**stamp, "frames": [job.start, job.count]}


def is_finished(job: Job, stamp: dict[str, Any]) -> bool:
    """Whether a table is there that has this stamp.

    Args:
        job: The table.
        stamp: See :func:`stamp_of`.

    Returns:
        False where there is no table, or one of the same source made in another way.

    Raises:
        InputError: The table there belongs to another source.
    """
    if not job.table.is_file():
        return False
    if not same_note(job.finished, stamp):
        check_owner(job.finished, stamp, job)
        return False
    return True


def stamp_of_source(source: Path | Sequence[Path]) -> str:
    """Names a source as the note beside its table does; it changes when a file is replaced or edited.

    Reading whole videos to know that would take too long: paths, sizes and times of change count.

    Args:
        source: A file, or several that are predicted together.

    Returns:
        The stamp.

    Raises:
        InputError: The source is not there.
    """
    digest = hashlib.sha256()
    for path in [source] if isinstance(source, Path) else source:
        if not path.is_file():
            raise InputError(f"{path}: no such file; name a video, an image or a folder of them")
        state = path.stat()
        digest.update(f"{path.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def same_note(note: Path, stamp: dict[str, Any]) -> bool:
    """Whether a note beside a table holds this stamp.

    Args:
        note: The file.
        stamp: See :func:`stamp_of`.

    Returns:
        False also where there is no note, or it is damaged.
    """
    try:
        return bool(json.loads(note.read_text(encoding="utf-8")) == stamp)
    except (OSError, ValueError):
        return False


def check_owner(note: Path, stamp: dict[str, Any], job: Job) -> None:
    """Refuse to replace a table that another video of the same name, or another program, has written.

    Args:
        note: What says whom the table belongs to.
        stamp: See :func:`stamp_of`.
        job: The table.

    Raises:
        InputError: It belongs to another source, or nobody knows.
    """
    try:
        owner = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{job.table}: is there already and was not written by 'vitruve predict'; "
            "give --overwrite to replace it, or another --output"
        ) from None
    if owner.get("source") != stamp["source"]:
        raise InputError(
            f"{job.table}: holds predictions of another file, or of {title(job)} before it was changed; "
            "give --overwrite to replace them, or another --output"
        )


def row_name(image: ImageRef, data_dir: Path | None) -> str:
    """How a table of predictions names an image, from wherever and however its path was given.

    It is the name that label files have for it, if it lies in a project: the path from ``data_dir`` or from the folder
    ``labeled-data`` on. Other images are named by their folder and file.

    Args:
        image: The image, or the frame of a video.
        data_dir: The folder that the images of a run's label file are named from, or None.

    Returns:
        The first cell of the row.
    """
    if image.index is not None:
        return image.name
    file = image.path.parent.resolve() / image.path.name
    if data_dir is not None and file.is_relative_to(data_dir.resolve()):
        return file.relative_to(data_dir.resolve()).as_posix()
    parts = file.parts[1:]
    start = parts.index(_LABELED) if _LABELED in parts[:-1] else -2
    return "/".join(parts[start:])


def title(job: Job) -> str:
    """What messages call a job's source.

    Args:
        job: The table.

    Returns:
        The name of the video, or the number of images.
    """
    return job.source.name if isinstance(job.source, Path) else f"{len(job.source)} images"
