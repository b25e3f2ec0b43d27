"""What follows training, of one network and of an ensemble alike: errors, labels never seen, videos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.algorithms import registry
from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.data.dataset import checked
from vitruve.data.filters import filtered
from vitruve.errors import ConfigError, InputError
from vitruve.evaluation.report import Report, evaluate
from vitruve.evaluation.subspace import Subspace
from vitruve.formats.bbox_file import boxes_file
from vitruve.formats.hub import read_labels
from vitruve.inference.files import Done
from vitruve.media.sources import expand_sources
from vitruve.media.video import is_video
from vitruve.pipeline.diagnostics import write_for_labels
from vitruve.pipeline.plan import PredictOptions
from vitruve.pipeline.predict import with_keypoints_of
from vitruve.pipeline.views import check_videos
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels

_log = logging.getLogger(__name__)

# What the names of label files end in that Lightning Pose predicts after training: other animals, other days.
_UNSEEN = ("new", "test")


def check_before(config: Config, views: Sequence[str]) -> None:
    """Find out before training what would keep the videos from being predicted after it.

    Args:
        config: All settings.
        views: Names of the views, where they are known.

    Raises:
        ConfigError: Heatmaps are wanted of an algorithm that has none.
        InputError: A video lacks the other views, or is shorter than they are.
    """
    after = config.eval
    if not after.predict_vids_after_training or after.test_videos_directory is None:
        return
    kind = registry.get(config.model.model_type)
    if after.predict_vids_after_training_save_heatmaps and not kind.gives_heatmaps:
        raise ConfigError(
            f"eval.predict_vids_after_training_save_heatmaps: {config.model.model_type} has no heatmaps; "
            "set it to false, or take model.model_type=heatmap"
        )
    if kind.needs.views and views:
        check_videos(after.test_videos_directory, views)


def write_errors(
    run: RunFiles,
    labels: Labels,
    predictions: Labels,
    windows: Float[np.ndarray, "F V 2"] | None,
    subspaces: Mapping[str, Subspace],
    stem: str,
    *,
    several: bool = False,
) -> Report:
    """``<stem>_pixel_error.csv``, ``<stem>_pca_singleview_error.csv`` and its like; one of each a view.

    Args:
        run: Where they go.
        labels: The truth.
        predictions: Of the same frames.
        windows: See :func:`vitruve.evaluation.report.evaluate`.
        subspaces: What poses are measured against.
        stem: Such as ``predictions``.
        several: Any number of instances is found an image; poses are not measured against subspaces then.

    Returns:
        The errors.

    Raises:
        InputError: The predictions are not of these labels.
    """
    report = evaluate(labels, predictions, windows=windows, several=several)
    for end, view in view_endings(labels):
        errors = report.pixel_error_table(view or None)
        atomic_write(run.path / f"{stem}{end}_pixel_error.csv", errors.to_csv(float_format="%.4f"))
    if not several:
        write_for_labels(run, predictions, subspaces, stem)
    return report


def view_endings(labels: Labels) -> list[tuple[str, str]]:
    """What the names of tables on labelled frames end in.

    Args:
        labels: The frames.

    Returns:
        Ending and name of each view; both empty where there is one.
    """
    return [(f"_{name}", name) for name in labels.view_names] if len(labels[0].images) > 1 else [("", "")]


def unseen_labels(config: Config, labels: Labels) -> Iterator[tuple[str, Labels]]:
    """Labels that training never sees: ``<label file>_new.csv`` and ``_test.csv`` beside the label file of each view.

    Args:
        config: All settings.
        labels: Those of training.

    Yields:
        The stem of the tables of their predictions, and the labels; nothing where there are several data sets.

    Raises:
        InputError: They are damaged, have other keypoints, or a view has no such file.
    """
    for ending in () if config.data.sets else _UNSEEN:
        files = [file.with_name(f"{file.stem}_{ending}{file.suffix}") for file in config.data.label_files()]
        if not any(file.is_file() for file in files):
            continue
        missing = next((file for file in files if not file.is_file()), None)
        if missing is not None:
            raise InputError(f"{missing}: missing, although other views have such a file; add it, or remove those")
        source = files[0] if len(files) == 1 else files
        found = read_labels(source, config.data.label_format, config.data.data_dir, labels.view_names)
        found = checked(with_keypoints_of(found, labels.skeleton, str(files[0])))
        yield f"predictions_{ending}", filtered(found, config.data.filter)


def predict_videos(
    config: Config,
    run: RunFiles,
    member: RunFiles,
    predict: Callable[[Path, Sequence[Path], PredictOptions], list[Done]],
) -> None:
    """Predict the videos that the settings name.

    Args:
        config: All settings.
        run: The run.
        member: A network of it, which keeps the locator where there is one.
        predict: What predicts with such a run.

    Raises:
        VitruveError: A video cannot be predicted.
    """
    after, folder = config.eval, config.eval.test_videos_directory
    if not after.predict_vids_after_training or folder is None:
        return
    videos = [path for path in expand_sources([folder]) if is_video(path)] if folder.is_dir() else []
    if not videos:
        _log.warning("eval.test_videos_directory=%s: holds no video; nothing is predicted after training", folder)
        return
    boxes = folder if config.cropped and not member.locator.is_dir() else None
    lacking = next((path for path in videos if not (folder / boxes_file(path.stem)).is_file()), None)
    if boxes is not None and lacking is not None:
        _log.warning(
            "%s: no crop.locator is set and there is no %s beside it; no video is predicted after training",
            lacking,
            boxes_file(lacking.stem),
        )
        return
    options = PredictOptions(
        output=after.saved_vid_preds_dir,
        labeled_video=after.save_vids_after_training,
        boxes=boxes,
        heatmaps=after.predict_vids_after_training_save_heatmaps,
    )
    predict(run.path, videos, options)
