"""Prediction with all networks of an ensemble: one table of each network, and one of their medians."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitruve.atomic import atomic_json
from vitruve.config.schema import Config
from vitruve.errors import InputError, RunError
from vitruve.formats.table import write_h5
from vitruve.inference.drawing import draw_video
from vitruve.inference.files import Done
from vitruve.inference.jobs import Job, same_note
from vitruve.pipeline.diagnostics import subspaces_of, write_for_video
from vitruve.pipeline.ensemble_tables import write_median, write_smoothed
from vitruve.pipeline.heatmaps import write_mean_heatmaps
from vitruve.pipeline.plan import PredictOptions, inside, make_plan
from vitruve.pipeline.predict import carry_out, look_of, say_failures, with_outputs
from vitruve.pipeline.views import views_of
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton


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


def predict_ensemble(directory: Path, sources: Sequence[Path], options: PredictOptions) -> list[Done]:
    """Predict videos, images and label files with every network; see :func:`vitruve.api.predict`.

    Each network writes into ``member_<n>`` of the folder in which the medians are.

    Args:
        directory: The run directory of the ensemble.
        sources: Videos, images, folders of them, label files.
        options: How. With ``smooth``, what the ensemble Kalman smoother makes of the networks' tables of a video is
            written, not their medians. Heatmaps are the mean of the networks' probability maps.

    Returns:
        What became of each table of medians.

    Raises:
        RunError: Not all networks are trained.
        InputError: A source cannot be read, or a table there is somebody else's. Sources that can be predicted are.
    """
    run = RunFiles(directory)
    members = finished_members(run)
    record = members[0].read_model()
    plan = make_plan(run, views_of(record), sources, options)
    count = len(plan.files)
    failures: list[InputError] = []
    made: list[dict[Path, Done]] = []
    for member in members:
        done, failed = carry_out(member, plan.within(member.path.name), options)
        made.append(done)
        failures += failed.values()
        plan = replace(plan, files=tuple(group for place, group in enumerate(plan.files) if place not in failed))
    results: list[Done] = []
    for group in (*plan.files, *plan.labels):
        together = []
        for job in group:
            each = [done[inside(job.table, member.path.name)] for member, done in zip(members, made, strict=True)]
            together.append(_medians(run, job, each, options))
        tables = [job.table for job in group]
        if group[0].of_video:
            together = with_outputs(together, write_for_video(tables, subspaces_of(record), group[0].start))
        if group[0].of_video and options.heatmaps:
            names = [member.path.name for member in members]
            maps = [write_mean_heatmaps([inside(table, name) for name in names], table) for table in tables]
            together = with_outputs(together, maps)
        results += together
    say_failures(failures, count, list(made[0].values()))
    return results


def _medians(run: RunFiles, job: Job, made: Sequence[Done], options: PredictOptions) -> Done:
    """Write the medians of one table, unless they are there and the networks' tables are as they were."""
    tables = [done.table for done in made]
    smooth = options.smooth and job.of_video
    stamp = {"median_of": [_note(table) for table in tables], **({"smoothed": True} if smooth else {})}
    seconds = sum(done.seconds for done in made)
    outputs = (*job.outputs, *tables)
    whole = job.table.is_file() and same_note(job.finished, stamp)
    if job.table.is_file() and not whole and not options.overwrite and "median_of" not in _note(job.table):
        raise InputError(
            f"{job.table}: is there already and was not written by this ensemble; "
            "give --overwrite to replace it, or another --output"
        )
    if whole and not options.overwrite and all(path.is_file() for path in job.outputs):
        return Done(job.table, job.labeled_video, outputs, 0, 0.0, True)
    job.finished.unlink(missing_ok=True)
    frames = (write_smoothed if smooth else write_median)(tables, job.table)
    if "h5" in job.formats:
        write_h5(job.table, job.table.with_suffix(".h5"))
    if job.labeled_video is not None and isinstance(job.source, Path):
        skeleton = Skeleton.from_dict(run.member(0).read_model()["task"]["skeleton"])
        look = look_of(Config.load(run.config).eval, options.threshold)
        draw_video(job.source, job.table, job.labeled_video, skeleton, look, start=job.start)
    atomic_json(job.finished, stamp)
    return Done(job.table, job.labeled_video, outputs, frames, seconds, False)


def _note(table: Path) -> dict[str, Any]:
    """What a table was made of and with, as its note beside it says; nothing where there is no note."""
    try:
        note = json.loads(Job(table, table).finished.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
