"""COCO's results: what its evaluation and its server take."""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.coco import annotation_files
from vitruve.formats.coco_writer import corner_and_size, whole_or_not
from vitruve.formats.json_file import read_json, read_json_rows
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels

_DIGITS = re.compile(r"\d+")


def results_name(images: str, algorithm: str, *, boxes: bool = False) -> str:
    """The name that COCO's server asks for.

    Args:
        images: The set of images: ``val2017``, ``test-dev2017``.
        algorithm: What made the predictions.
        boxes: They are boxes without keypoints.

    Returns:
        ``person_keypoints_<images>_<algorithm>_results.json``, or ``detections_...`` of boxes.
    """
    return f"{'detections' if boxes else 'person_keypoints'}_{images}_{algorithm}_results.json"


def write_results(predictions: Labels, path: Path, truth: Path | None = None) -> None:
    """Write predictions as rows of ``image_id``, ``category_id``, ``keypoints`` or ``bbox``, and ``score``.

    The third number of a keypoint is its likelihood, which COCO's evaluation does not look at; a keypoint that was not
    found is 0, 0, 0. The score is that of the instance, else the mean of its keypoints' likelihoods. A ``bbox`` is
    x, y, width and height, where the skeleton has no keypoint.

    Args:
        predictions: One view, with scores. Their frames know the numbers of their images, or are named by them
            (``000000000785.jpg``), or the truth does.
        path: The file.
        truth: A COCO file or folder that has the numbers of images, by name, and of categories; a class that it does
            not have is numbered behind its own. By default classes are 1, 2, 3.

    Raises:
        InputError: An image has no number, or an instance no score.
    """
    images, known = ({}, {}) if truth is None else _numbers_of(truth)
    free = itertools.count(max(known.values(), default=0) + 1)
    categories = [known[name] if name in known else next(free) for name in predictions.categories]
    rows = []
    for frame in predictions:
        number = _image_id(path, frame, images, truth)
        found = frame.instances[0]
        there = (found.visible > 0).any(-1) if len(predictions.skeleton) else found.present
        for n in np.flatnonzero(there).tolist():
            place = 0 if found.categories is None else max(0, int(found.categories[n]))
            rows.append({"image_id": number, "category_id": categories[place], **_what(path, frame, n)})
    atomic_write(path, json.dumps(rows, separators=(",", ":"), allow_nan=False) + "\n")


def read_results(path: Path, truth: Labels) -> Labels:
    """Read predictions of images that labels hold.

    Args:
        path: The file.
        truth: The labels, read from a COCO file: their frames know the numbers of their images.

    Returns:
        Predictions of the same frames in the same order, best score first.

    Raises:
        InputError: The file is no such list, or a row is of no image of the labels or has other keypoints.
    """
    rows = read_json_rows(path, "a list of rows with image_id, category_id, keypoints and score")
    return replace(predictions_of(rows, truth, str(path)), scorer=path.stem)


def predictions_of(rows: Sequence[Mapping[str, Any]], truth: Labels, where: str) -> Labels:
    """Rows of results as predictions of the frames of labels.

    Args:
        rows: ``image_id``, ``keypoints`` and ``score`` each.
        truth: The labels; their frames know the numbers of their images.
        where: Names the rows.

    Returns:
        Predictions of the same frames in the same order, best score first.

    Raises:
        InputError: A row is of no image of the labels, or has other keypoints or numbers that are not finite.
    """
    by_image: dict[int, list[tuple[np.ndarray, float]]] = {frame.id: [] for frame in truth if frame.id is not None}
    count = len(truth.skeleton)
    for number, row in enumerate(rows):
        place = f"{where}: row {number}"
        if not isinstance(row.get("image_id"), int) or row["image_id"] not in by_image:
            raise InputError(f"{place}.image_id: {row.get('image_id')} is the id of no image of the labels")
        values = row.get("keypoints")
        if not isinstance(values, list) or len(values) != 3 * count:
            given = len(values) if isinstance(values, list) else "no"
            raise InputError(f"{place}.keypoints: {given} numbers; expected {3 * count}, three a keypoint")
        if not all(isinstance(each, (int, float)) and np.isfinite(each) for each in (*values, row.get("score"))):
            raise InputError(f"{place}: score and keypoints must be finite numbers; write 0, 0, 0 for none")
        by_image[row["image_id"]].append((np.array(values, np.float64).reshape(-1, 3), float(row["score"])))
    frames = [replace(frame, instances=_people(by_image.get(frame.id or 0, []), count)) for frame in truth]
    return replace(truth, frames=tuple(frames))


def _people(found: Sequence[tuple[np.ndarray, float]], count: int) -> Instances:
    order = sorted(found, key=lambda item: -item[1])
    values = np.array([points for points, _ in order]).reshape(1, len(order), count, 3)
    points = np.where((values == 0).all(-1, keepdims=True), np.nan, values[..., :2])
    likelihood = np.clip(values[..., 2], 0, 1)
    scores = np.array([[score for _, score in order]]).reshape(1, len(order))
    return Instances.from_keypoints(points, keypoint_scores=likelihood, scores=scores)


def _numbers_of(truth: Path) -> tuple[dict[str, list[int]], dict[str, int]]:
    """The numbers of images and categories; several images have one name where they lie in several folders."""
    images: defaultdict[str, list[int]] = defaultdict(list)
    categories: dict[str, int] = {}
    for file in annotation_files(truth) if truth.is_dir() else [truth]:
        content = read_json(file)
        try:
            for image in content["images"]:
                images[Path(image["file_name"]).name].append(int(image["id"]))
            categories |= {str(each["name"]): int(each["id"]) for each in content.get("categories", [])}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{file}: images and categories must have id and name ({error}); give a COCO file"
            ) from error
    return images, categories


def _image_id(path: Path, frame: Frame, images: Mapping[str, Sequence[int]], truth: Path | None) -> int:
    if truth is not None:
        name = frame.first_image.path.name
        numbers = images.get(name, ())
        if not numbers:
            raise InputError(f"{truth}: lists no image '{name}', which is predicted; give the file of these images")
        if frame.id is not None and frame.id in numbers:
            return frame.id
        if len(numbers) > 1:
            raise InputError(f"{truth}: lists {len(numbers)} images '{name}'; predict the images of this very file")
        return numbers[0]
    if frame.id is not None:
        return frame.id
    digits = _DIGITS.findall(frame.first_image.path.stem)
    if not digits:
        raise InputError(f"{path}: image '{frame.name}' has no number; give the COCO file that lists it")
    return int(digits[-1])


def _what(path: Path, frame: Frame, n: int) -> dict[str, Any]:
    """What was found, and how sure that is."""
    found = frame.instances[0]
    points = found.keypoints[n]
    there = np.isfinite(points).all(-1)
    likelihood = np.ones(len(there)) if found.keypoint_scores is None else np.nan_to_num(found.keypoint_scores[n])
    if found.scores is not None and np.isfinite(found.scores[n]):
        score = float(found.scores[n])
    elif found.keypoint_scores is not None and there.any():
        score = float(likelihood[there].mean())
    else:
        raise InputError(f"{path}: image '{frame.name}': an instance has no score; write predictions, not labels")
    if not len(points):
        assert found.boxes is not None
        return {"bbox": corner_and_size(np.asarray(found.boxes[n], np.float64)), "score": score}
    values = np.concatenate([points, likelihood[:, None]], 1)
    return {"keypoints": whole_or_not(np.where(there[:, None], values, 0).ravel()), "score": score}
