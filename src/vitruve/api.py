"""The verbs as functions: what the command line calls, and what a script or a notebook uses."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitruve.calibration.calibrate import calibrate as calibrate
from vitruve.cropping import create_boxes as create_boxes
from vitruve.cropping import crop as crop
from vitruve.cropping import remap as remap
from vitruve.cropping import smooth_boxes as smooth_boxes
from vitruve.errors import ConfigError, InputError
from vitruve.evaluation.outcome import Evaluation as Evaluation
from vitruve.labelling import recommend as recommend
from vitruve.labelling import select_frames as select_frames
from vitruve.listing import list_available as list_available
from vitruve.project import Project as Project
from vitruve.project.folder import list_projects as list_projects
from vitruve.recordings import create_videos_2d as create_videos_2d
from vitruve.recordings import create_videos_3d as create_videos_3d
from vitruve.recordings import predict_2d as predict_2d
from vitruve.recordings import predict_3d as predict_3d
from vitruve.run import status as status
from vitruve.smoothing.smooth import smooth as smooth
from vitruve.trained import Run as Run
from vitruve.trained import load_run as load_run
from vitruve.viewer.create import create_fiftyone_dataset as create_fiftyone_dataset

if TYPE_CHECKING:
    from vitruve.annotation.batch_crop import crop_images as crop_images
    from vitruve.annotation.bulk_change import change_tasks as change_tasks
    from vitruve.annotation.bulk_change import complete_tasks as complete_tasks
    from vitruve.annotation.bulk_upload import upload_labels as upload_labels
    from vitruve.annotation.bulk_upload import upload_xml as upload_xml
    from vitruve.annotation.cvat.verbs import cvat_create_task as cvat_create_task
    from vitruve.annotation.cvat.verbs import cvat_pull as cvat_pull
    from vitruve.annotation.cvat.verbs import cvat_push as cvat_push
    from vitruve.annotation.cvat.verbs import cvat_set_status as cvat_set_status
    from vitruve.annotation.proposals.accept import accept_proposals as accept_proposals
    from vitruve.annotation.proposals.into_labels import write_review as write_review
    from vitruve.annotation.proposals.pending import send_review as send_review
    from vitruve.annotation.proposals.propose import propose as propose
    from vitruve.annotation.store.server import store_serve as store_serve
    from vitruve.annotation.store.verbs import store_diff as store_diff
    from vitruve.annotation.store.verbs import store_export as store_export
    from vitruve.annotation.store.verbs import store_import as store_import
    from vitruve.annotation.store.verbs import store_stats as store_stats
    from vitruve.annotation.store.verbs import store_sync as store_sync
    from vitruve.annotation.store.verbs import store_version as store_version
    from vitruve.config.schema import Config
    from vitruve.curation.files import split as split
    from vitruve.curation.label_next import label_next as label_next
    from vitruve.formats.conversion import convert as convert
    from vitruve.inference.bench import bench as bench
    from vitruve.inference.files import Done
    from vitruve.pipeline.analyze_3d import analyze_validation as analyze_validation
    from vitruve.pipeline.animate_3d import animate_3d as animate_3d
    from vitruve.pipeline.compare_3d import plot_error_histogram as plot_error_histogram
    from vitruve.pipeline.compare_3d import plot_error_per_keypoint as plot_error_per_keypoint
    from vitruve.pipeline.draw_videos import draw_videos as draw_videos
    from vitruve.pipeline.track import track as track
    from vitruve.pipeline.view_dataset import view_dataset as view_dataset
    from vitruve.project.create import create_project as create_project
    from vitruve.project.training import train_project as train_project
    from vitruve.tuning.tune import tune as tune
    from vitruve.tuning.tune import watch_study as watch_study
    from vitruve.tuning.variants import tune_variants as tune_variants

# Verbs that are what a module does, which loads much: it is imported when the verb is first used.
_LATER = {
    "accept_proposals": "vitruve.annotation.proposals.accept",
    "change_tasks": "vitruve.annotation.bulk_change",
    "complete_tasks": "vitruve.annotation.bulk_change",
    "crop_images": "vitruve.annotation.batch_crop",
    "draw_videos": "vitruve.pipeline.draw_videos",
    "label_next": "vitruve.curation.label_next",
    "propose": "vitruve.annotation.proposals.propose",
    "send_review": "vitruve.annotation.proposals.pending",
    "write_review": "vitruve.annotation.proposals.into_labels",
    "upload_labels": "vitruve.annotation.bulk_upload",
    "upload_xml": "vitruve.annotation.bulk_upload",
    "analyze_validation": "vitruve.pipeline.analyze_3d",
    "animate_3d": "vitruve.pipeline.animate_3d",
    "bench": "vitruve.inference.bench",
    "convert": "vitruve.formats.conversion",
    "create_project": "vitruve.project.create",
    "cvat_create_task": "vitruve.annotation.cvat.verbs",
    "cvat_pull": "vitruve.annotation.cvat.verbs",
    "cvat_push": "vitruve.annotation.cvat.verbs",
    "cvat_set_status": "vitruve.annotation.cvat.verbs",
    "plot_error_histogram": "vitruve.pipeline.compare_3d",
    "plot_error_per_keypoint": "vitruve.pipeline.compare_3d",
    "split": "vitruve.curation.files",
    "store_diff": "vitruve.annotation.store.verbs",
    "store_export": "vitruve.annotation.store.verbs",
    "store_import": "vitruve.annotation.store.verbs",
    "store_serve": "vitruve.annotation.store.server",
    "store_stats": "vitruve.annotation.store.verbs",
    "store_sync": "vitruve.annotation.store.verbs",
    "store_version": "vitruve.annotation.store.verbs",
    "track": "vitruve.pipeline.track",
    "train_project": "vitruve.project.training",
    "tune": "vitruve.tuning.tune",
    "tune_variants": "vitruve.tuning.variants",
    "view_dataset": "vitruve.pipeline.view_dataset",
    "watch_study": "vitruve.tuning.tune",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def train(
    config: str | Path | Mapping[str, Any] | Config | None = None,
    overrides: Sequence[str] = (),
    *,
    config_name: str | None = None,
    multirun: bool = False,
    run_dir: str | Path | None = None,
    quiet: bool = False,
) -> list[Path]:
    """Train networks on labelled images.

    Args:
        config: A YAML file, its folder, a mapping, or settings. None completes overrides that name
            ``data.data_dir`` by the defaults; without them it trains the example, generated first.
        overrides: Settings that differ, as ``key.sub=value``; ``resume=RUN`` goes on with an interrupted run.
        config_name: Name of the file when ``config`` is its folder.
        multirun: Train one run for each combination of values listed as ``key=a,b``.
        run_dir: Folder of the run; by default ``outputs/<date>/<time>``, or what ``hydra.run.dir`` says.
        quiet: Show no progress.

    Returns:
        The run directories.

    Raises:
        ConfigError: A setting is unknown, out of its range, or contradicts another.
        InputError: Labels, images or videos are not as they should be; nothing is written then.
        RunError: There is a run in the folder already, or none to go on with.
        Interrupted: Ctrl-C; the message says how to go on.
    """
    from vitruve.config.compose import compose
    from vitruve.config.schema import Config
    from vitruve.pipeline.ensemble import resume_networks, train_networks
    from vitruve.pipeline.start import settings_of_runs

    if isinstance(config, (Config, Mapping)):
        if not all(item.startswith("hydra.") for item in overrides):
            raise ConfigError("overrides go with a settings file; change the settings themselves instead")
        settings = config if isinstance(config, Config) else Config.from_mapping(config)
        folder = Path(run_dir) if run_dir else compose(None, None, overrides).run_dir
        return [train_networks(settings, folder, quiet=quiet)]
    resumed = [item.partition("=")[2] for item in overrides if item.lstrip("+").startswith("resume=")]
    if resumed and resumed[-1] not in ("", "null"):
        if len(overrides) > 1 or config is not None or config_name is not None:
            raise ConfigError("resume: a run goes on with its own settings; give resume=RUN alone")
        return [resume_networks(Path(resumed[-1]), quiet=quiet)]
    made = settings_of_runs(
        None if config is None else str(config),
        config_name,
        overrides,
        multirun=multirun,
        run_dir=None if run_dir is None else Path(run_dir),
    )
    return [train_networks(item.config, item.run_dir, quiet=quiet) for item in made]


def predict(
    run: str | Path,
    sources: str | Path | Sequence[str | Path],
    *,
    output: str | Path | None = None,
    formats: Sequence[str] = ("csv",),
    labeled_video: bool = False,
    threshold: float | None = None,
    overwrite: bool = False,
    runtime: str | None = None,
    batch_size: int | None = None,
    locator: str | Path | None = None,
    boxes: str | Path | None = None,
    flip: bool | None = None,
    scales: Sequence[float] | None = None,
    smooth: bool = False,
    frame_start: int = 0,
    number_frames: int = -1,
) -> list[Done]:
    """Predict videos, images, folders of them, or the images of a label file, into files.

    Args:
        run: The run directory, of one network or of an ensemble.
        sources: One or several. A network that sees several views together takes the videos ``SESSION_VIEW`` of all of
            them, one label file a view, or a folder with one subfolder of images a view, in which images of one name
            show one instant.
        output: Folder of the files; by default ``video_preds`` or ``image_preds`` in the run.
        formats: ``csv``, ``h5`` and ``coco``, COCO's json.
        labeled_video: Also draw the keypoints into a copy of each video.
        threshold: Likelihood, 0 to 1, from which keypoints are drawn; None as the run's settings say.
        overwrite: Predict again what is there already.
        runtime: As for :func:`load_run`.
        batch_size: As for :func:`load_run`.
        locator: As for :func:`load_run`.
        boxes: As for :func:`load_run`.
        flip: As for :func:`load_run`.
        scales: As for :func:`load_run`.
        smooth: Of an ensemble, smooth the predictions of videos over time, as :func:`smooth` does.
        frame_start: The first frame of each video, counted from 0.
        number_frames: How many frames; -1 for all to the end. A part of a video has files of its own,
            ``<video>_frames_<first>_<last>``, whose rows have the numbers of the frames.

    Returns:
        What became of each table, with the files made and the seconds it took. Finished ones are skipped, interrupted
        ones go on.

    Raises:
        RunError: The directory is no finished run, or is damaged.
        ConfigError: The runtime is unknown or cannot be used here, or both a locator and boxes are given.
        InputError: A source or an output is not as it should be, or ``smooth`` is asked of one network. All sources
            that can be predicted are.
    """
    from vitruve.pipeline.ensemble_predict import predict_ensemble
    from vitruve.pipeline.plan import PredictOptions
    from vitruve.pipeline.predict import predict_sources
    from vitruve.run import RunFiles

    listed = [sources] if isinstance(sources, (str, Path)) else list(sources)
    ensemble = bool(RunFiles(Path(run)).members())
    if smooth and not ensemble:
        raise InputError(f"{run}: smooth=True needs an ensemble (train with ensemble=N), or use 'vitruve smooth'")
    options = PredictOptions(
        output=_path(output),
        formats=tuple(formats),
        labeled_video=labeled_video,
        threshold=threshold,
        overwrite=overwrite,
        runtime=runtime,
        batch_size=batch_size,
        locator=_path(locator),
        boxes=_path(boxes),
        flip=flip,
        scales=None if scales is None else tuple(scales),
        smooth=smooth,
        frame_start=frame_start,
        number_frames=number_frames,
    )
    return (predict_ensemble if ensemble else predict_sources)(Path(run), [Path(item) for item in listed], options)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def evaluate(
    run: str | Path,
    labels: str | Path | None = None,
    output: str | Path | None = None,
    *,
    locator: str | Path | None = None,
    boxes: str | Path | None = None,
    flip: bool | None = None,
    scales: Sequence[float] | None = None,
    pictures: int = 0,
) -> Evaluation:
    """Measure how far predictions are from labels, in pixels of the original images.

    Args:
        run: The run directory; of an ensemble, the medians of its networks are measured.
        labels: A label file, or a folder of one a view, to predict and compare with; None takes the run's own labels
            and predictions.
        output: Folder of the report; None takes ``evaluation`` in the run, and ``evaluation/<label file>`` with labels.
        locator: As for :func:`load_run`; goes with ``labels``.
        boxes: As for :func:`load_run`; goes with ``labels``. The boxes of images are rows of a table that names them,
            or of ``bbox.csv`` (``bboxes_<view>.csv`` for several views) in a folder.
        flip: As for :func:`load_run`; goes with ``labels``.
        scales: As for :func:`load_run`; goes with ``labels``.
        pictures: Of how many images the predictions are drawn, into ``eval_vis_dir`` in the folder of the report.

    Returns:
        Errors, tables, and where the page lies.

    Raises:
        RunError: The directory is no finished run, or is damaged.
        ConfigError: Both a locator and boxes are given, images cannot be looked at in these ways, or any of this is
            given without labels.
        InputError: The labels are not as they should be, an image is missing, or it has no box.
    """
    from vitruve.pipeline.report import evaluate_run

    return Evaluation(
        *evaluate_run(
            Path(run),
            _path(labels),
            _path(output),
            locator=_path(locator),
            boxes=_path(boxes),
            flip=flip,
            scales=scales,
            pictures=pictures,
        )
    )


def example(name: str = "mouse", directory: str | Path | None = None, **extent: int | None) -> Path:
    """Write a rendered example with exact truth.

    Args:
        name: Which one.
        directory: Where to; None for ``example_<name>`` in the current folder.
        extent: How much of it differs from what is usual, such as ``frames=50`` or, for a rig, ``cameras=8``.

    Returns:
        The example's folder. One that is there already is kept.

    Raises:
        InputError: There is no such example, a number is wrong, or the folder holds something else.
    """
    from vitruve.example_project import write_example

    return write_example(name, directory, **extent)
