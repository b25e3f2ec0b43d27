"""Prediction of videos, images and label files with a run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitruve.algorithms import registry
from vitruve.atomic import atomic_json
from vitruve.config.schema import Config
from vitruve.data.centers import CENTER, center_labels
from vitruve.data.crops import keep_boxes
from vitruve.data.object_boxes import box_labels
from vitruve.errors import ConfigError, InputError, RunError
from vitruve.formats.bbox_file import boxes_file
from vitruve.formats.hub import read_labels
from vitruve.geometry.warp import use_one_thread
from vitruve.inference.drawing import Look
from vitruve.inference.files import Done, predict_views
from vitruve.inference.jobs import Job, is_finished, stamp_of
from vitruve.inference.open import Opened, open_run
from vitruve.inference.settings import EvalSettings
from vitruve.media.recordings import Recording
from vitruve.media.video import VideoReader
from vitruve.pipeline.diagnostics import subspaces_of, write_for_video
from vitruve.pipeline.heatmaps import write_heatmaps
from vitruve.pipeline.label_predictions import write_coco_results, write_table
from vitruve.pipeline.plan import Plan, PredictOptions, make_plan
from vitruve.pipeline.views import in_view_order, views_of
from vitruve.run import RunFiles
from vitruve.structures.conversion import convert
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import recognised


def predict_sources(directory: Path, sources: Sequence[Path], options: PredictOptions) -> list[Done]:
    """Predict videos, images and label files; see :func:`vitruve.api.predict`.

    Args:
        directory: The run directory of one network.
        sources: Videos, images, folders of them, label files.
        options: How.

    Returns:
        What became of each table.

    Raises:
        VitruveError: The run, a source or an output is not as it should be. Sources that can be predicted are.
    """
    run = RunFiles(directory)
    needs = registry.get(str(run.read_model()["model"]["model_type"])).needs
    if needs.boxes and "h5" in options.formats:
        raise ConfigError("--format h5: holds keypoints; detections are written as csv and coco")
    if needs.classes:
        raise RunError(
            f"{directory}: tells classes and finds no keypoints; start a pose network from it instead "
            f"(model.backbone_checkpoint={directory})"
        )
    plan = make_plan(run, views_of(run.read_model()), sources, options)
    done, failures = carry_out(run, plan, options)
    say_failures(list(failures.values()), len(plan.files), list(done.values()))
    return list(done.values())


def carry_out(run: RunFiles, plan: Plan, options: PredictOptions) -> tuple[dict[Path, Done], dict[int, InputError]]:
    """Predict with one network what is planned.

    Args:
        run: Its run.
        plan: The tables.
        options: How.

    Returns:
        What became of each table, and, by their places in ``plan.files``, what could not be predicted.

    Raises:
        VitruveError: The run cannot be used, or a label file or its table is not as it should be.
    """
    files = plan.files
    expected = sum(_expected(job) for group in files for job in group)
    opened = open_run(
        run.path,
        options.runtime,
        options.batch_size,
        expected,
        locator=options.locator,
        boxes=options.boxes,
        flip=options.flip,
        scales=options.scales,
    )
    if opened.predictor.locator is not None:
        opened.predictor.locator.check([path for group in files for job in group for path in _paths(job)])
        files = tuple(tuple(_with_boxes(job, options.boxes) for job in group) for group in files)
    leave_cores_to(opened.runtime)
    done: dict[Path, Done] = {}
    failures: dict[int, InputError] = {}
    for place, group in enumerate(files):
        try:
            made = _predict_together(opened, group, options)
        except InputError as error:
            failures[place] = error
        else:
            done |= {one.table: one for one in made}
    for group in plan.labels:
        done |= {one.table: one for one in _predict_labels(opened, run, group, options)}
    return done, failures


def say_failures(failures: Sequence[InputError], count: int, done: Sequence[Done]) -> None:
    """Raise one error for all sources that could not be predicted, and all images that could not be read.

    Args:
        failures: Errors of sources.
        count: How many sources there were in all.
        done: What was predicted.

    Raises:
        InputError: There are failures.
    """
    if failures and count == 1:
        raise failures[0]
    parts = []
    if failures:
        others = f"the other {count - len(failures)} are predicted"
        listed = "; ".join(map(str, failures))
        parts.append(f"{len(failures)} of {count} could not be predicted ({others}): {listed}")
    for one in done:
        if one.unreadable:
            more = f"; and {len(one.unreadable) - 3} more" if len(one.unreadable) > 3 else ""
            listed = "; ".join(one.unreadable[:3]) + more
            parts.append(f"{one.table}: images that could not be read have empty rows ({listed})")
    if parts:
        raise InputError("; ".join(parts))


def with_outputs(made: Sequence[Done], files: Sequence[Path]) -> list[Done]:
    """Add files that lie beside the tables of a recording.

    Args:
        made: What was done, one a view.
        files: The files; of each kind one a view, in the same order.

    Returns:
        The same, with these among the outputs.
    """
    views = len(made)
    return [replace(one, outputs=(*one.outputs, *files[view::views])) for view, one in enumerate(made)]


def look_of(settings: EvalSettings, threshold: float | None) -> Look:
    """How keypoints are drawn.

    Args:
        settings: The run's section ``eval``.
        threshold: Likelihood from which keypoints are drawn; None as the settings say.

    Returns:
        Threshold and colours.
    """
    return Look(settings.confidence_thresh_for_vid if threshold is None else threshold, settings.colormap)


def _predict_together(opened: Opened, jobs: Sequence[Job], options: PredictOptions) -> list[Done]:
    """Predict a video, several images, or the views of one recording, with what lies beside their tables."""
    made = predict_views(
        opened.predictor,
        jobs,
        scorer=str(opened.record["scorer"]),
        identity=opened.identity,
        look=look_of(opened.config.eval, options.threshold),
        overwrite=options.overwrite,
        data_dir=opened.config.data.data_dir,
    )
    if not jobs[0].of_video or opened.predictor.several:
        # What moves how far is asked of tracks, which several instances do not have yet.
        return made
    tables = [one.table for one in made]
    made = with_outputs(made, write_for_video(tables, subspaces_of(opened.record), jobs[0].start))
    if options.heatmaps:
        recording = Recording(path for job in jobs for path in _paths(job))
        made = with_outputs(made, write_heatmaps(opened.predictor, recording, tables))
    return made


def _with_boxes(job: Job, given: Path | None) -> Job:
    """The job with a table of the boxes that were looked at, unless the very same table says where to look."""
    target = job.table.with_name(boxes_file(job.table.stem))
    source = given if given is None or given.is_file() else given / target.name
    return job if source is not None and source.resolve() == target.resolve() else replace(job, boxes=target)


def leave_cores_to(runtime: str) -> None:
    """Let only the network use several cores: threads that decode and warp wait for one another more than they help.

    Args:
        runtime: What carries the network out.
    """
    import torch

    use_one_thread()
    if not runtime.startswith("torch"):
        torch.set_num_threads(1)


def _paths(job: Job) -> tuple[Path, ...]:
    return (job.source,) if isinstance(job.source, Path) else job.source


def _expected(job: Job) -> int:
    """How many frames there will be, as far as is known."""
    if not job.of_video:
        return len(_paths(job))
    if job.count is not None:
        return job.count
    try:
        with VideoReader(_paths(job)[0]) as reader:
            return reader.estimated_count or 0
    except InputError:
        return 0  # said when its turn comes: the other videos are predicted all the same


def _predict_labels(opened: Opened, run: RunFiles, jobs: Sequence[Job], options: PredictOptions) -> list[Done]:
    """Predict the images of a label file, or of one label file a view."""
    began = time.monotonic()
    stamps = [stamp_of(job, opened.identity, opened.predictor.batch_size) for job in jobs]
    # All are asked, also behind one that is not: a table of somebody else's must not be replaced.
    finished = [not options.overwrite and is_finished(job, stamp) for job, stamp in zip(jobs, stamps, strict=True)]
    if all(finished) and all(path.is_file() for job in jobs for path in job.outputs):
        return [Done(job.table, None, tuple(job.outputs), 0, 0.0, True) for job in jobs]
    files = [path for job in jobs for path in _paths(job)]
    labels = labels_for(run.path, opened.record, opened.predictor.algorithm.task.skeleton, files)
    predictions = replace(opened.predictor.predict_labels(labels), scorer=str(opened.record["scorer"]))
    if options.boxes is None:
        keep_boxes(predictions, jobs[0].table.parent)
    results: list[Path] = []
    for view, (job, stamp) in enumerate(zip(jobs, stamps, strict=True)):
        several = opened.predictor.several
        write_table(predictions, job.table, several=several, view=view, formats=job.formats)
        if "coco" in job.formats and len(jobs) == 1:
            name = opened.config.model.model_name
            results += write_coco_results(predictions, job.table.parent, files[0], name)
        atomic_json(job.finished, stamp)
    seconds = time.monotonic() - began
    return [Done(job.table, None, (*job.outputs, *results), len(labels), seconds, False) for job in jobs]


def labels_for(
    run: Path, record: Mapping[str, Any], skeleton: Skeleton, tables: Path | Sequence[Path], *, as_known: bool = False
) -> Labels:
    """Labels from a file, or from one a view, which must have a run's keypoints and views.

    Args:
        run: The run directory.
        record: Its ``model.json``.
        skeleton: Its keypoints.
        tables: The files.
        as_known: Leave labels of another known skeleton as they are: the predictions are to be converted to theirs.

    Returns:
        Checked labels.

    Raises:
        InputError: A file or an image is not as it should be, or the keypoints or views are others.
    """
    from vitruve.data.dataset import checked
    from vitruve.data.sources import without_missing

    files = [tables] if isinstance(tables, Path) else list(tables)
    views = views_of(record) if len(files) > 1 else ()
    config = Config.load(RunFiles(run).config)
    root = _root_of(files[0], config)
    labels = read_labels(files[0] if len(files) == 1 else files, root=root, view_names=views)
    labels = in_view_order(labels, views_of(record), str(files[0]))
    if not (as_known and _are_known(labels.skeleton, skeleton)):
        labels = with_keypoints_of(labels, skeleton, str(files[0]))
    return checked(without_missing(labels, config.data.missing_images))


def with_keypoints_of(labels: Labels, skeleton: Skeleton, source: str) -> Labels:
    """Labels in which a skeleton's keypoints stand in its order.

    Args:
        labels: Must have the same keypoints, in any order, or be of a known skeleton as the other is; any keypoints
            where the skeleton is the centre alone.
        skeleton: The run's.
        source: The file, for messages.

    Returns:
        The labels with that skeleton.

    Raises:
        InputError: A keypoint is missing, or there is one more.
    """
    names = skeleton.names
    if not names:
        return box_labels(labels)
    if names == CENTER.names and labels.skeleton.names != names:
        return center_labels(labels)
    if _are_known(labels.skeleton, skeleton):
        return convert(labels, skeleton)
    if set(labels.skeleton.names) != set(names):
        extra = [name for name in labels.skeleton.names if name not in names]
        missing = [name for name in names if name not in labels.skeleton.names]
        parts = [f"has {', '.join(extra)} beyond them"] * bool(extra) + [f"lacks {', '.join(missing)}"] * bool(missing)
        raise InputError(
            f"{source}: other keypoints than the run's: {' and '.join(parts)}; give labels of the same keypoints"
        )
    if labels.skeleton.names == names:
        return replace(labels, skeleton=skeleton)
    order = [labels.skeleton.names.index(name) for name in names]
    frames = tuple(
        replace(
            frame,
            instances=frame.instances.reordered(order),
            instances_3d=frame.instances_3d and frame.instances_3d.reordered(order),
        )
        for frame in labels
    )
    return replace(labels, frames=frames, skeleton=skeleton)


def _are_known(some: Skeleton, other: Skeleton) -> bool:
    """Whether labels of one skeleton can become those of the other although their joints differ."""
    differ = set(some.names) != set(other.names)
    return differ and recognised(some.names) is not None and recognised(other.names) is not None


def _root_of(table: Path, config: Config) -> Path | None:
    """Image paths start beside the label file, or, as in Lightning Pose, in the run's ``data_dir``."""
    inside = config.data.data_dir
    if inside is not None and inside.is_dir() and table.resolve().is_relative_to(inside.resolve()):
        return inside
    return None
