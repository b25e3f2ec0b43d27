"""COCO's results: what its evaluation and its server take."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.coco_writer import whole_or_not
from vitruve.formats.json_file import read_json, read_json_rows
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels

_DIGITS = re.compile(r"\d+")


def results_name(images: str, algorithm: str) -> str:
    """The name that COCO's server asks for.

    Args:
        images: The set of images: ``val2017``, ``test-dev2017``.
        algorithm: What made the predictions.

    Returns:
        ``person_keypoints_<images>_<algorithm>_results.json``.
    """
    return f"person_keypoints_{images}_{algorithm}_results.json"


def write_results(predictions: Labels, path: Path, truth: Path | None = None) -> None:
    """Write predictions as rows of ``image_id``, ``category_id``, ``keypoints`` and ``score``.

    The third number of a keypoint is its likelihood, which COCO's evaluation does not look at; a keypoint that was not
    found is 0, 0, 0. The score is that of the instance, else the mean of its keypoints' likelihoods.

    Args:
        predictions: One view, with scores. Their frames know the numbers of their images, or are named by them
            (``000000000785.jpg``), or the truth does.
        path: The file.
        truth: A COCO file that has the numbers of images, by name, and of categories.

    Raises:
        InputError: An image has no number, or an instance no score.
    """
    images, categories = ({}, {}) if truth is None else _numbers_of(truth)
    rows = []
    for frame in predictions:
        number = _image_id(path, frame, images, truth)
        people = frame.instances[0]
        for n in np.flatnonzero((people.visible > 0).any(-1)).tolist():
            rows.append(_row(path, frame, n, number, predictions.categories, categories))
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


def _numbers_of(truth: Path) -> tuple[dict[str, int], dict[str, int]]:
    content = read_json(truth)
    try:
        images = {Path(image["file_name"]).name: int(image["id"]) for image in content["images"]}
        return images, {str(each["name"]): int(each["id"]) for each in content.get("categories", [])}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{truth}: images and categories must have id and name ({error}); give a COCO file") from error


def _image_id(path: Path, frame: Frame, images: Mapping[str, int], truth: Path | None) -> int:
    if truth is not None:
        name = frame.first_image.path.name
        if name not in images:
            raise InputError(f"{truth}: lists no image '{name}', which is predicted; give the file of these images")
        return images[name]
    if frame.id is not None:
        return frame.id
    digits = _DIGITS.findall(frame.first_image.path.stem)
    if not digits:
        raise InputError(f"{path}: image '{frame.name}' has no number; give the COCO file that lists it")
    return int(digits[-1])


def _row(
    path: Path,
    frame: Frame,
    n: int,
    number: int,
    names: Sequence[str],
    categories: Mapping[str, int],
) -> dict[str, Any]:
    people = frame.instances[0]
    points = people.keypoints[n]
    there = np.isfinite(points).all(-1)
    likelihood = np.ones(len(there)) if people.keypoint_scores is None else np.nan_to_num(people.keypoint_scores[n])
    if people.scores is not None and np.isfinite(people.scores[n]):
        score = float(people.scores[n])
    elif people.keypoint_scores is not None:
        score = float(likelihood[there].mean())
    else:
        raise InputError(f"{path}: image '{frame.name}': an instance has no score; write predictions, not labels")
    place = 0 if people.categories is None else max(0, int(people.categories[n]))
    values = np.concatenate([points, likelihood[:, None]], 1)
    return {
        "image_id": number,
        "category_id": categories.get(names[place], place + 1),
        "keypoints": whole_or_not(np.where(there[:, None], values, 0).ravel()),
        "score": score,
    }
