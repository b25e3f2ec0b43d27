"""Samples of a FiftyOne data set: labelled images, and frames of predicted videos."""

from __future__ import annotations

import mimetypes
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from vitruve.errors import InputError
from vitruve.formats.csv_table import read_csv_table
from vitruve.formats.keypoint_table import KeypointTable
from vitruve.media.images import image_size
from vitruve.media.video import VideoReader
from vitruve.structures.instances import OCCLUDED, Instances
from vitruve.structures.labels import Frame, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.viewer.comparison import Comparison, Model, errors_of
from vitruve.viewer.database import load_fiftyone
from vitruve.viewer.tables import PredictedVideo

_BATCH = 200
_FRAMES = 2000
"""Frames of a video that are in memory together."""


def fill_with_images(dataset: Any, comparison: Comparison, models: Sequence[Model]) -> int:
    """One sample an image: the labels, and what each model predicted.

    Fields of a sample: ``ground_truth`` and, for each model, ``<model>_preds``, ``<model>_split``,
    ``<model>_mean_error`` and ``<model>_max_error`` (original pixels, over the labelled keypoints) and
    ``<model>_confidence`` (mean). Its tag is the split in the first model that has it. A keypoint that is missing
    is NaN. Images of several views of one instant are a group.

    Args:
        dataset: An empty ``fiftyone.Dataset``.
        comparison: The labels and predictions.
        models: Whose they are.

    Returns:
        How many samples there are.

    Raises:
        InputError: An image is missing or damaged.
    """
    fo = load_fiftyone()
    truth = comparison.truth
    _declare(fo, dataset, truth.skeleton, models, "")
    dataset.add_sample_field("ground_truth", fo.EmbeddedDocumentField, embedded_doc_type=fo.Keypoints)
    for model in models:
        dataset.add_sample_field(f"{model.field}_split", fo.StringField)
        for figure in ("mean_error", "max_error"):
            dataset.add_sample_field(f"{model.field}_{figure}", fo.FloatField)
    if truth.view_names:
        dataset.add_group_field("view", default=truth.view_names[0])
    batch: list[Any] = []
    count = 0
    for name, frame in zip(comparison.names, truth, strict=True):
        batch += _image_samples(fo, name, frame, comparison, models)
        if len(batch) >= _BATCH:
            count += len(dataset.add_samples(batch, dynamic=True, progress=False))
            batch = []
    if batch:
        count += len(dataset.add_samples(batch, dynamic=True, progress=False))
    return count


def _image_samples(fo: Any, name: str, frame: Frame, comparison: Comparison, models: Sequence[Model]) -> Iterator[Any]:
    truth = comparison.truth
    found = {model.field: comparison.predictions[model.field].get(name) for model in models}
    splits = [each.split for each in found.values() if each is not None and each.split] + [frame.split]
    group = fo.Group() if truth.view_names else None
    for view, image in enumerate(frame.images):
        if image.index is not None:
            raise InputError(f"{image.path}: labels of frames inside a video; show the predictions on it with --videos")
        if not image.path.is_file():
            raise InputError(f"{image.path}: no such image; say where the images are now: --images, or data.data_dir")
        size = image_size(image.path)
        labels = frame.instances.numpy()[view]
        values: dict[str, Any] = {
            "ground_truth": _keypoints(fo, labels, size, truth, occluded=labels.visible == OCCLUDED),
        }
        for field, predicted in found.items():
            if predicted is None:
                continue
            errors = errors_of(frame, predicted, view)
            instances = predicted.instances.numpy()[view]
            values[f"{field}_preds"] = _keypoints(fo, instances, size, truth, pixel_error=errors)
            values[f"{field}_split"] = predicted.split
            values[f"{field}_mean_error"] = _figure(np.nanmean, errors)
            values[f"{field}_max_error"] = _figure(np.nanmax, errors)
            values[f"{field}_confidence"] = _figure(np.nanmean, instances.keypoint_scores)
        yield fo.Sample(
            filepath=str(image.path),
            tags=[split for split in splits[:1] if split],
            metadata=fo.ImageMetadata(width=size[0], height=size[1], **_file_facts(image.path)),
            **({} if group is None else {"view": group.element(truth.view_names[view])}),
            **values,
        )


def fill_with_videos(dataset: Any, videos: Sequence[PredictedVideo], models: Sequence[Model]) -> int:
    """One sample a video, with what each model predicted on its frames.

    Fields of a frame: for each model, ``<model>_preds`` and ``<model>_confidence`` (mean). FiftyOne counts frames
    from 1.

    Args:
        dataset: An empty ``fiftyone.Dataset``.
        videos: The videos with their tables.
        models: Whose the predictions are.

    Returns:
        How many samples there are.

    Raises:
        InputError: A video or table is damaged, they have different lengths, or keypoints differ.
    """
    fo = load_fiftyone()
    dataset.media_type = "video"
    skeleton = models[0].skeleton
    _declare(fo, dataset, skeleton, models, "frame")
    for video in videos:
        tables = {field: _table(path, skeleton) for field, path in video.tables.items()}
        with VideoReader(video.path) as reader:
            size, count = (reader.width, reader.height), reader.count()
            facts = {"frame_rate": float(reader.fps), "duration": float(count / reader.fps)}
        for field, table in tables.items():
            if len(table.index) != count:
                raise InputError(
                    f"{video.tables[field]}: {len(table.index)} rows, but {video.path} has {count} frames; "
                    "predict the video again with --overwrite"
                )
        metadata = fo.VideoMetadata(
            frame_width=size[0], frame_height=size[1], total_frame_count=count, **facts, **_file_facts(video.path)
        )
        sample = fo.Sample(filepath=str(video.path), metadata=metadata)
        dataset.add_sample(sample)
        own = dataset.select(sample.id)
        own.ensure_frames()
        for start in range(0, count, _FRAMES):
            number = fo.ViewField("frame_number")
            part = own.match_frames((number > start) & (number <= start + _FRAMES))
            for field, table in tables.items():
                for key, values in _frame_values(fo, table, slice(start, start + _FRAMES), size).items():
                    part.set_values(f"frames.{field}_{key}", [values])
    return len(videos)


def _frame_values(fo: Any, table: KeypointTable, rows: slice, size: tuple[int, int]) -> dict[str, list[Any]]:
    scores = np.full(table.visible.shape, np.nan) if table.scores is None else table.scores
    labels = [name or "object" for name in table.individuals]
    shown = [
        fo.Keypoints(
            keypoints=[
                fo.Keypoint(label=label, points=points, confidence=confidence)
                for label, points, confidence in zip(labels, *each, strict=True)
            ]
        )
        for each in zip(_fractions(table.keypoints[rows], size).tolist(), scores[rows].tolist(), strict=True)
    ]
    return {"preds": shown, "confidence": [_figure(np.nanmean, each) for each in scores[rows]]}


def _table(path: Path, skeleton: Skeleton) -> KeypointTable:
    table = read_csv_table(path)
    if sorted(table.names) != sorted(skeleton.names):
        raise InputError(
            f"{path}: keypoints {', '.join(table.names)}, but the first run has {', '.join(skeleton.names)}; "
            "compare predictions of the same keypoints"
        )
    order = [table.names.index(name) for name in skeleton.names]
    scores = None if table.scores is None else table.scores[..., order]
    return KeypointTable(
        **{**vars(table), "names": skeleton.names, "keypoints": table.keypoints[..., order, :], "scores": scores}
    )


def _declare(fo: Any, dataset: Any, skeleton: Skeleton, models: Sequence[Model], level: str) -> None:
    """The fields that images and frames share, the skeleton, and which model is which."""
    dataset.default_skeleton = fo.KeypointSkeleton(
        labels=list(skeleton.names), edges=[list(edge) for edge in skeleton.edges]
    )
    add = dataset.add_frame_field if level == "frame" else dataset.add_sample_field
    for model in models:
        add(f"{model.field}_preds", fo.EmbeddedDocumentField, embedded_doc_type=fo.Keypoints)
        add(f"{model.field}_confidence", fo.FloatField)
    dataset.info["models"] = {
        model.field: {"title": model.title, "run": str(model.run.path.absolute())} for model in models
    }
    dataset.save()


def _keypoints(
    fo: Any, instances: Instances, size: tuple[int, int], labels: Labels, **every: Shaped[np.ndarray, "N K"]
) -> Any:
    """``fiftyone.Keypoints`` with one ``Keypoint`` an animal, which has one point for each of the skeleton's."""
    animals = []
    for number, points in enumerate(_fractions(np.asarray(instances.keypoints, np.float64), size).tolist()):
        category = 0 if instances.categories is None else max(0, int(instances.categories[number]))
        scores = instances.keypoint_scores
        track = None if instances.tracks is None else int(instances.tracks[number])
        animals.append(
            fo.Keypoint(
                label=labels.categories[category],
                points=points,
                confidence=None if scores is None else np.asarray(scores[number], np.float64).tolist(),
                index=None if track is None or track < 0 else track,
                **{key: values[number].tolist() for key, values in every.items()},
            )
        )
    return fo.Keypoints(keypoints=animals)


def _fractions(keypoints: Float[np.ndarray, "*lead K 2"], size: tuple[int, int]) -> Float[np.ndarray, "*lead K 2"]:
    """Pixels as FiftyOne counts them: 0 at the left or upper edge of the image, 1 at the other."""
    # Here 0 is the centre of the first pixel, half a pixel inside.
    return (np.asarray(keypoints, np.float64) + 0.5) / np.asarray(size, np.float64)


def _figure(function: Any, values: np.ndarray | None) -> float | None:
    """A number over all that is there; None sorts behind every number, NaN would not."""
    if values is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = float(function(values)) if np.asarray(values).size else float("nan")
    return None if np.isnan(found) else found


def _file_facts(path: Path) -> Mapping[str, Any]:
    return {"size_bytes": path.stat().st_size, "mime_type": mimetypes.guess_type(path.name)[0]}
