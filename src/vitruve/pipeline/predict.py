"""Prediction of videos, images and label files with a run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitruve.atomic import atomic_json, atomic_write
from vitruve.config.schema import Config
from vitruve.data.crops import keep_boxes
from vitruve.errors import InputError
from vitruve.formats.bbox_file import boxes_file
from vitruve.formats.hub import read_labels
from vitruve.formats.table import to_frame
from vitruve.geometry.warp import use_one_thread
from vitruve.inference.files import Done, Look, predict_views
from vitruve.inference.jobs import Job, is_finished, jobs_for, stamp_of
from vitruve.inference.open import Opened, open_run
from vitruve.media.images import IMAGE_SUFFIXES
from vitruve.media.recordings import Recording
from vitruve.media.sources import expand_sources
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader, is_video
from vitruve.pipeline.diagnostics import subspaces_of, write_for_video
from vitruve.pipeline.heatmaps import write_heatmaps
from vitruve.pipeline.views import grouped_jobs, grouped_tables, in_view_order, views_of
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton


def predict_sources(
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
    heatmaps: bool = False,
) -> list[Done]:
    """Predict videos, images and label files; see :func:`vitruve.api.predict`.

    Args:
        directory: The run directory.
        sources: Videos, images, folders of them, label files.
        output: Folder of the files, or None.
        formats: ``csv``, ``h5``.
        labeled_video: Draw videos.
        threshold: Likelihood from which keypoints are drawn.
        overwrite: Predict again.
        runtime: What carries the network out.
        batch_size: Images that go through the network together.
        locator: Run that says where the animal is.
        boxes: A table of boxes, or a folder of them, instead.
        heatmaps: Also write the heatmaps of videos.

    Returns:
        What became of each.
    """
    run = RunFiles(directory)
    views = views_of(run.read_model())
    tables = grouped_tables([path for path in sources if is_label_file(path)], views)
    named = {path for group in tables for path in group}
    files = expand_sources([path for path in sources if path not in named]) if len(named) < len(sources) else []
    videos = [path for path in files if is_video(path)]
    folders = (output or run.video_predictions, output or run.path / "image_preds")
    jobs = grouped_jobs(jobs_for(files, *folders, formats=formats, labeled_video=labeled_video), views)
    expected = len(files) - len(videos) + sum(_estimated_frames(path) for path in videos)
    opened = open_run(directory, runtime, batch_size, expected, locator=locator, boxes=boxes)
    if opened.predictor.locator is not None:
        opened.predictor.locator.check(files)
        jobs = [[_with_boxes(job, boxes) for job in together] for together in jobs]
    _leave_cores_to(opened.runtime)
    look = Look(
        opened.config.eval.confidence_thresh_for_vid if threshold is None else threshold,
        opened.config.eval.colormap,
    )
    subspaces = subspaces_of(opened.record)
    done: list[Done] = []
    failures: list[str] = []
    for together in jobs:
        try:
            made = predict_views(
                opened.predictor,
                together,
                scorer=str(opened.record["scorer"]),
                identity=opened.identity,
                look=look,
                overwrite=overwrite,
            )
        except InputError as error:
            if len(jobs) == 1:
                raise
            failures.append(str(error))
            continue
        if isinstance(together[0].source, Path) and is_video(together[0].source):
            beside = write_for_video([one.table for one in made], subspaces)
            of_view = [tuple(beside[view :: len(made)]) for view in range(len(made))]
            made = [replace(one, outputs=(*one.outputs, *more)) for one, more in zip(made, of_view, strict=True)]
            if heatmaps:
                arrays = [one.table.with_name(f"{one.table.stem}_heatmaps.npy") for one in made]
                recording = Recording(job.source for job in together if isinstance(job.source, Path))
                write_heatmaps(opened.predictor, recording, arrays)
                made = [replace(one, outputs=(*one.outputs, more)) for one, more in zip(made, arrays, strict=True)]
        done += made
    for group in tables:
        done += _predict_tables(opened, run, group, output, overwrite, keep=boxes is None)
    if failures:
        others = f"the other {len(jobs) - len(failures)} are predicted"
        raise InputError(f"{len(failures)} of {len(jobs)} could not be predicted ({others}): {'; '.join(failures)}")
    return done


def _with_boxes(job: Job, given: Path | None) -> Job:
    """The job with a table of the boxes that were looked at, unless the very same table says where to look."""
    target = job.table.with_name(boxes_file(job.table.stem))
    source = given if given is None or given.is_file() else given / target.name
    return job if source is not None and source.resolve() == target.resolve() else replace(job, boxes=target)


def _leave_cores_to(runtime: str) -> None:
    """Let only the network use several cores: threads that decode and warp wait for one another more than they help."""
    import torch

    use_one_thread()
    if not runtime.startswith("torch"):
        torch.set_num_threads(1)


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


def _estimated_frames(video: Path) -> int:
    try:
        with VideoReader(video) as reader:
            return reader.estimated_count or 0
    except InputError:
        return 0  # said when its turn comes: the other videos are predicted all the same


def _predict_tables(
    opened: Opened, run: RunFiles, tables: Sequence[Path], output: Path | None, overwrite: bool, keep: bool
) -> list[Done]:
    """Predict the images of a label file, or of one label file a view."""
    began = time.monotonic()
    views = views_of(opened.record)
    names = [f"predictions_{view}.csv" if output else "predictions.csv" for view in views] or ["predictions.csv"]
    targets = [(output or run.path / "image_preds" / t.stem) / n for t, n in zip(tables, names, strict=True)]
    beside = tuple(tables) if len(tables) > 1 else ()
    jobs = [Job(table, target, beside=beside) for table, target in zip(tables, targets, strict=True)]
    stamps = [stamp_of(job, opened.identity, opened.predictor.batch_size) for job in jobs]
    # All are asked, also behind one that is not: a table of somebody else's must not be replaced.
    finished = [not overwrite and is_finished(job, stamp) for job, stamp in zip(jobs, stamps, strict=True)]
    if all(finished):
        return [Done(target, None, (target,), 0, 0.0, True) for target in targets]
    labels = labels_for(run.path, opened.record, opened.predictor.algorithm.task.skeleton, tables)
    predictions = replace(opened.predictor.predict_labels(labels), scorer=str(opened.record["scorer"]))
    if keep:
        keep_boxes(predictions, targets[0].parent)
    for view, (job, stamp) in enumerate(zip(jobs, stamps, strict=True)):
        frame = to_frame(predictions, likelihood=True, split=False, view=view)
        atomic_write(job.table, frame.to_csv(float_format="%.4f"))
        atomic_json(job.finished, stamp)
    seconds = time.monotonic() - began
    return [Done(target, None, (target,), len(labels), seconds, False) for target in targets]


def labels_for(run: Path, record: Mapping[str, Any], skeleton: Skeleton, tables: Path | Sequence[Path]) -> Labels:
    """Labels from a file, or from one a view, which must have a run's keypoints and views.

    Args:
        run: The run directory.
        record: Its ``model.json``.
        skeleton: Its keypoints.
        tables: The files.

    Returns:
        Checked labels.

    Raises:
        InputError: A file or an image is not as it should be, or the keypoints or views are others.
    """
    from vitruve.data.dataset import checked

    files = [tables] if isinstance(tables, Path) else list(tables)
    views = views_of(record) if len(files) > 1 else ()
    root = _root_of(files[0], Config.load(RunFiles(run).config))
    labels = read_labels(files[0] if len(files) == 1 else files, root=root, view_names=views)
    labels = in_view_order(labels, views_of(record), str(files[0]))
    return checked(with_keypoints_of(labels, skeleton, str(files[0])))


def with_keypoints_of(labels: Labels, skeleton: Skeleton, source: str) -> Labels:
    """Labels in which a skeleton's keypoints stand in its order.

    Args:
        labels: Must have the same keypoints, in any order.
        skeleton: The run's.
        source: The file, for messages.

    Returns:
        The labels with that skeleton.

    Raises:
        InputError: A keypoint is missing, or there is one more.
    """
    names = skeleton.names
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
    frames = tuple(replace(frame, instances=frame.instances.reordered(order)) for frame in labels)
    return replace(labels, frames=frames, skeleton=skeleton)


def _root_of(table: Path, config: Config) -> Path | None:
    """Image paths start beside the label file, or, as in Lightning Pose, in the run's ``data_dir``."""
    inside = config.data.data_dir
    if inside is not None and inside.is_dir() and table.resolve().is_relative_to(inside.resolve()):
        return inside
    return None
