"""What is to be predicted, and into which tables: the same for one network and for an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitruve.errors import InputError
from vitruve.inference.jobs import Job, check_tables, jobs_for, part_of
from vitruve.media.images import IMAGE_SUFFIXES
from vitruve.media.sources import expand_sources
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader
from vitruve.pipeline.rig_recording import frames_of
from vitruve.pipeline.views import grouped_jobs, grouped_tables, holds_views, jobs_of_views
from vitruve.run import RunFiles


@dataclass(frozen=True)
class PredictOptions:
    """How sources are predicted; :func:`vitruve.api.predict` says what each means."""

    output: Path | None = None
    formats: tuple[str, ...] = ("csv",)
    labeled_video: bool = False
    threshold: float | None = None
    overwrite: bool = False
    runtime: str | None = None
    batch_size: int | None = None
    flip: bool | None = None
    scales: tuple[float, ...] | None = None
    locator: Path | None = None
    boxes: Path | None = None
    smooth: bool = False
    heatmaps: bool = False
    frame_start: int = 0
    number_frames: int = -1


@dataclass(frozen=True)
class Plan:
    """Tables of predictions to be made.

    Attributes:
        files: Of videos and images; those that are predicted together, one a view, in one list.
        labels: Of the images of label files; those of one label file a view in one list.
    """

    files: tuple[tuple[Job, ...], ...]
    labels: tuple[tuple[Job, ...], ...]

    def within(self, name: str) -> Plan:
        """The same tables, each in a subfolder of where it would be; nothing but tables.

        Args:
            name: Of the subfolder.

        Returns:
            The plan of one network of an ensemble.
        """

        def moved(groups: tuple[tuple[Job, ...], ...]) -> tuple[tuple[Job, ...], ...]:
            return tuple(
                tuple(replace(job, table=inside(job.table, name), labeled_video=None, formats=("csv",)) for job in jobs)
                for jobs in groups
            )

        return Plan(moved(self.files), moved(self.labels))


def inside(file: Path, name: str) -> Path:
    """Where a file lies in a subfolder.

    Args:
        file: The file.
        name: Of the subfolder of its folder.

    Returns:
        The file of the same name in there.
    """
    return file.parent / name / file.name


def make_plan(run: RunFiles, views: Sequence[str], sources: Sequence[Path], options: PredictOptions) -> Plan:
    """Find out which tables a list of sources makes.

    Args:
        run: Where tables go that have no other folder.
        views: See :func:`vitruve.pipeline.views.views_of`.
        sources: Videos, images, folders of them, label files.
        options: How they are predicted.

    Returns:
        The plan.

    Raises:
        InputError: A source is not there, is nothing that can be predicted, or lacks a view; or two would be written
            to one table.
    """
    named = list(dict.fromkeys(sources))
    tables = [path for path in named if is_label_file(path)]
    folders = [path for path in named if holds_views(path, views)]
    rest = [path for path in named if path not in tables and path not in folders]
    files = expand_sources(rest) if rest or not named else []
    images = options.output or run.path / "image_preds"
    jobs = jobs_for(
        files,
        options.output or run.video_predictions,
        images,
        formats=options.formats,
        labeled_video=options.labeled_video,
    )
    if (options.frame_start, options.number_frames) != (0, -1):
        if tables or folders or not all(job.of_video for job in jobs):
            raise InputError("--frame-start, --number-frames: are of videos; leave them out for images")
        jobs = [_part(job, options) for job in jobs]
    groups = grouped_jobs(jobs, views) + [jobs_of_views(path, views, images, options.formats) for path in folders]
    labelled = [_label_jobs(group, views, images, options) for group in grouped_tables(tables, views)]
    check_tables([job for group in (*groups, *labelled) for job in group])
    return Plan(tuple(map(tuple, groups)), tuple(map(tuple, labelled)))


def _part(job: Job, options: PredictOptions) -> Job:
    """The frames that are wanted; all of them are the whole video, by whichever words."""
    assert isinstance(job.source, Path)
    with VideoReader(job.source) as video:
        length = video.count()
    count = frames_of(job.source, length, options.frame_start, options.number_frames)
    return job if count == length else part_of(job, options.frame_start, count)


def _label_jobs(tables: Sequence[Path], views: Sequence[str], images: Path, options: PredictOptions) -> list[Job]:
    if options.output is None:
        targets = [images / table.stem / "predictions.csv" for table in tables]
    else:
        targets = [images / (f"predictions_{view}.csv" if view else "predictions.csv") for view in views or ("",)]
    beside = tuple(tables) if len(tables) > 1 else ()
    return [
        Job(table, target, formats=tuple(options.formats), beside=beside)
        for table, target in zip(tables, targets, strict=True)
    ]


def is_label_file(path: Path) -> bool:
    """Whether a file is taken for a table of labels: it is there, and neither a video nor an image by its suffix.

    Args:
        path: Any path.

    Returns:
        False for folders and for what is not there.

    Raises:
        InputError: The file has no suffix.
    """
    if path.is_file() and not path.suffix:
        raise InputError(
            f"{path}: its name has no suffix, which tells videos, images and tables apart; rename it, to end in "
            ".mp4 for instance"
        )
    return path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES
