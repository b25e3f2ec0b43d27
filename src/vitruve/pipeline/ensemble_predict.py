"""Prediction with all networks of an ensemble: one table of each network, and one of their medians."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitruve.atomic import atomic_json
from vitruve.config.schema import Config
from vitruve.errors import InputError, RunError
from vitruve.evaluation.subspace import Subspace
from vitruve.formats.table import write_h5
from vitruve.inference.files import Done, Look, draw_video
from vitruve.inference.jobs import Job, jobs_for, same_note
from vitruve.media.images import IMAGE_SUFFIXES
from vitruve.media.sources import expand_sources
from vitruve.media.video import VIDEO_SUFFIXES, is_video
from vitruve.pipeline.diagnostics import subspaces_of, write_for_video
from vitruve.pipeline.ensemble_tables import write_median, write_smoothed
from vitruve.pipeline.predict import predict_sources
from vitruve.pipeline.views import grouped_jobs, grouped_tables, views_of
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton


@dataclass(frozen=True)
class How:
    """How networks predict and what is drawn; see :func:`vitruve.api.predict`."""

    formats: tuple[str, ...] = ("csv",)
    labeled_video: bool = False
    threshold: float | None = None
    overwrite: bool = False
    runtime: str | None = None
    batch_size: int | None = None
    locator: Path | None = None
    boxes: Path | None = None
    smooth: bool = False


def finished_members(run: RunFiles) -> list[RunFiles]:
    """The networks of an ensemble, all of which must be trained.

    Args:
        run: The run directory.

    Returns:
        Their runs, in order.

    Raises:
        RunError: It is no ensemble, or its training has not finished.
    """
    wanted = Config.load(run.config).ensemble if run.config.is_file() else 1
    members = [member for member in run.members() if member.model.is_file() and member.weights.is_file()]
    if wanted == 1 or len(members) < wanted:
        found = f"{len(members)} of {wanted} networks are trained" if wanted > 1 else "this is no ensemble"
        raise RunError(f"{run.path}: {found}; go on with: vitruve train resume={run.path}")
    return members


def predict_ensemble(
    directory: Path,
    sources: Sequence[Path],
    *,
    output: Path | None = None,
    formats: Sequence[str] = ("csv",),
    labeled_video: bool = False,
    threshold: float | None = None,
    overwrite: bool = False,
    runtime: str | None = None,
    batch_size: int | None = None,
    locator: Path | None = None,
    boxes: Path | None = None,
    smooth: bool = False,
) -> list[Done]:
    """Predict videos, images and label files with every network; see :func:`vitruve.api.predict`.

    Each network writes into ``member_<n>`` of the folder in which the medians are.

    Args:
        directory: The run directory.
        sources: Videos, images, folders of them, label files.
        output: Folder of the files, or None.
        formats: ``csv``, ``h5``.
        labeled_video: Draw the medians into videos.
        threshold: Likelihood from which keypoints are drawn.
        overwrite: Predict again.
        runtime: What carries the networks out.
        batch_size: Images that go through a network together.
        locator: Run that says where the animal is.
        boxes: A table of boxes, or a folder of them, instead.
        smooth: Of videos, write what the ensemble Kalman smoother makes of the networks' tables, not the medians.

    Returns:
        What became of each source; one entry a table of medians.

    Raises:
        RunError: Not all networks are trained.
        InputError: A source cannot be read, or a table there is somebody else's.
    """
    run = RunFiles(directory)
    members = finished_members(run)
    record = members[0].read_model()
    views = views_of(record)
    how = How(tuple(formats), labeled_video, threshold, overwrite, runtime, batch_size, locator, boxes, smooth)
    tables = [path for path in sources if path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES]
    groups = grouped_tables(tables, views)
    files = expand_sources([path for path in sources if path not in tables]) if len(tables) < len(sources) else []
    folders = (output or run.video_predictions, output or run.path / "image_preds")
    jobs = jobs_for(files, *folders, formats=formats, labeled_video=labeled_video)
    done: list[Done] = []
    for folder, part in zip(folders, (filter(is_video, files), (f for f in files if not is_video(f))), strict=True):
        named = list(part)
        if named:
            made = _predict(members, named, folder, how)
            mine = [
                job for job in jobs if (isinstance(job.source, Path) and is_video(job.source)) == is_video(named[0])
            ]
            by_table = {job.table: job for job in mine}
            done += [_medians(run, by_table[target], tables, how) for target, tables in made.items()]
    _measure_videos(grouped_jobs(jobs, views), subspaces_of(record))
    for group in groups:
        folder = output or run.path / "image_preds" / group[0].stem
        for target, each in _predict(members, list(group), folder, how).items():
            done.append(_medians(run, Job(tuple(group), target, formats=how.formats), each, how))
    return done


def _predict(members: Sequence[RunFiles], sources: Sequence[Path], folder: Path, how: How) -> dict[Path, list[Done]]:
    """Predict with each network; for every table of medians what the networks made."""
    made: dict[Path, list[Done]] = {}
    for member in members:
        for done in predict_sources(
            member.path,
            sources,
            output=folder / member.path.name,
            overwrite=how.overwrite,
            runtime=how.runtime,
            batch_size=how.batch_size,
            locator=how.locator,
            boxes=how.boxes,
        ):
            made.setdefault(folder / done.table.name, []).append(done)
    return made


def _medians(run: RunFiles, job: Job, made: Sequence[Done], how: How) -> Done:
    """Write the medians of one table, unless they are there and the networks' tables are as they were."""
    tables = [done.table for done in made]
    smooth = how.smooth and isinstance(job.source, Path) and is_video(job.source)
    stamp = {"median_of": [_note(table) for table in tables], **({"smoothed": True} if smooth else {})}
    seconds = sum(done.seconds for done in made)
    outputs = (*job.outputs, *tables)
    whole = job.table.is_file() and same_note(job.finished, stamp)
    if job.table.is_file() and not whole and not how.overwrite and "median_of" not in _note(job.table):
        raise InputError(
            f"{job.table}: is there already and was not written by this ensemble; "
            "give --overwrite to replace it, or another --output"
        )
    if whole and not how.overwrite and all(path.is_file() for path in job.outputs):
        return Done(job.table, job.labeled_video, outputs, 0, 0.0, True)
    job.finished.unlink(missing_ok=True)
    frames = (write_smoothed if smooth else write_median)(tables, job.table)
    if "h5" in job.formats:
        write_h5(job.table, job.table.with_suffix(".h5"))
    if job.labeled_video is not None and isinstance(job.source, Path):
        settings = Config.load(run.config).eval
        threshold = settings.confidence_thresh_for_vid if how.threshold is None else how.threshold
        skeleton = Skeleton.from_dict(run.member(0).read_model()["task"]["skeleton"])
        draw_video(job.source, job.table, job.labeled_video, skeleton, Look(threshold, settings.colormap))
    atomic_json(job.finished, stamp)
    return Done(job.table, job.labeled_video, outputs, frames, seconds, False)


def _note(table: Path) -> dict[str, Any]:
    """What a table was made of and with, as its note beside it says; nothing where there is no note."""
    try:
        note = json.loads(Job(table, table).finished.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _measure_videos(groups: Sequence[Sequence[Job]], subspaces: dict[str, Subspace]) -> None:
    for together in groups:
        if isinstance(together[0].source, Path) and is_video(together[0].source):
            write_for_video([job.table for job in together], subspaces)
