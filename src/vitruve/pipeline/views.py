"""Sources that belong together, for runs that see several views at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitruve.algorithms import registry
from vitruve.errors import InputError
from vitruve.inference.jobs import Job, title
from vitruve.media.recordings import frame_count, group_views
from vitruve.media.sources import expand_sources
from vitruve.media.video import is_video
from vitruve.structures.labels import Labels


def views_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The views that a run's network sees together.

    Args:
        record: The run's ``model.json``.

    Returns:
        Their names in order; none where the network looks at images one by one.
    """
    together = registry.get(str(record["model"]["model_type"])).needs.views
    return tuple(record["view_names"]) if together else ()


def grouped_jobs(jobs: Sequence[Job], views: Sequence[str]) -> list[list[Job]]:
    """The jobs that are done together: the videos of each recording, or each job alone.

    Args:
        jobs: All of them.
        views: See :func:`views_of`.

    Returns:
        Groups, in which the jobs are in the order of the views.

    Raises:
        InputError: A source is no video, is of no view, lacks the other views, or is shorter than they are.
    """
    if not views:
        return [[job] for job in jobs]
    by_video = {}
    for job in jobs:
        if not (isinstance(job.source, Path) and is_video(job.source)):
            raise InputError(
                f"{title(job)}: this run sees {len(views)} views together ({', '.join(views)}); give the videos of all "
                "views (SESSION_VIEW), a folder with one folder of images a view, or one label file a view"
            )
        by_video[job.source] = job
    recordings = group_views(list(by_video), views)
    for recording in recordings:
        frame_count(recording)
    return [[replace(by_video[path], beside=tuple(recording)) for path in recording] for recording in recordings]


def holds_views(folder: Path, views: Sequence[str]) -> bool:
    """Whether a folder holds images of several views: it has a subfolder named as a view, and no video.

    Args:
        folder: Any path.
        views: See :func:`views_of`.

    Returns:
        False also for what is no folder.
    """
    return any((folder / view).is_dir() for view in views) and not any(map(is_video, folder.iterdir()))


def jobs_of_views(folder: Path, views: Sequence[str], target: Path, formats: Sequence[str]) -> list[Job]:
    """The jobs of a folder with one subfolder of images a view, in which images of one name show one instant.

    Args:
        folder: See :func:`holds_views`.
        views: See :func:`views_of`.
        target: Folder of the tables ``<folder>_<view>.csv``.
        formats: ``csv``, ``h5``.

    Returns:
        One job a view, in the order of the views.

    Raises:
        InputError: A view has no subfolder, or lacks an image that another has.
    """
    holders: dict[str, Path] = {}
    names: list[list[str]] = []
    for view in views:
        place = folder / view
        if not place.is_dir():
            raise InputError(
                f"{place}: no such folder; {folder} must hold one folder of images a view: {', '.join(views)}"
            )
        names.append([path.name for path in expand_sources([place]) if not is_video(path)])
        for name in names[-1]:
            holders.setdefault(name, place)
    for view, found in zip(views, names, strict=True):
        missing = [name for name in holders if name not in set(found)]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InputError(
                f"{folder / view}: lacks {missing[0]}{more}, which {holders[missing[0]]} has; images of one name show "
                "one instant: add it, or remove it from the other views"
            )
    sources = [tuple(folder / view / name for name in names[0]) for view in views]
    stem, beside = folder.resolve().name, tuple(path for source in sources for path in source)
    return [
        Job(source, target / f"{stem}_{view}.csv", formats=tuple(formats), beside=beside)
        for source, view in zip(sources, views, strict=True)
    ]


def grouped_tables(tables: Sequence[Path], views: Sequence[str]) -> list[tuple[Path, ...]]:
    """The label files that are read together: one a view.

    Args:
        tables: Files whose names hold that of their view (``CollectedData_top.csv``), or one a view, in order.
        views: See :func:`views_of`.

    Returns:
        Groups in the order of the views; each file alone where the run looks at images one by one.

    Raises:
        InputError: A view has no file, or two.
    """
    if not views:
        return [(path,) for path in tables]
    sets: dict[tuple[Path, str], dict[str, Path]] = {}
    unnamed = []
    for path in tables:
        view = next((name for name in views if f"_{name}_" in f"_{path.stem}_"), None)
        if view is None:
            unnamed.append(path)
            continue
        others = f"_{path.stem}_".replace(f"_{view}_", "_", 1)
        known = sets.setdefault((path.parent, others), {})
        if view in known:
            raise InputError(f"{path}: {known[view]} is the label file of view '{view}' already; give one a view")
        known[view] = path
    if unnamed:
        if sets or len(unnamed) != len(views):
            raise InputError(
                f"{unnamed[0]}: this run sees {len(views)} views together ({', '.join(views)}); give one label file a "
                "view, with the view in its name (CollectedData_VIEW.csv)"
            )
        return [tuple(unnamed)]
    for found in sets.values():
        missing = next((name for name in views if name not in found), None)
        if missing is not None:
            raise InputError(f"{next(iter(found.values()))}: the label file of view '{missing}' is not given; add it")
    return [tuple(found[name] for name in views) for found in sets.values()]


def in_view_order(labels: Labels, views: Sequence[str], source: str) -> Labels:
    """Labels with their views in the order that a run knows.

    Args:
        labels: Must have the same views, in any order.
        views: See :func:`views_of`.
        source: The file, for messages.

    Returns:
        The labels.

    Raises:
        InputError: They have other views.
    """
    if not views or labels.view_names == tuple(views):
        return labels
    if sorted(labels.view_names) != sorted(views):
        has = f"the views {', '.join(labels.view_names)}" if labels.view_names else "one view"
        raise InputError(
            f"{source}: has {has}, but this run sees {', '.join(views)} together; give one label file a view"
        )
    return labels.views([labels.view_names.index(name) for name in views])


def check_videos(folder: Path, views: Sequence[str]) -> None:
    """Make sure before training that the videos to be predicted after it come in whole recordings.

    Args:
        folder: Of videos.
        views: The views that the network sees together.

    Raises:
        InputError: A video is of no view, lacks the other views, or is shorter than they are.
    """
    if not folder.is_dir():
        return  # said after training, as for single views
    videos = sorted(path for path in folder.iterdir() if path.is_file() and is_video(path))
    for recording in group_views(videos, views):
        frame_count(recording)
