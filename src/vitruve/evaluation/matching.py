"""Predictions put beside the truth they belong to, by frame, instance and keypoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from vitruve.errors import InputError
from vitruve.evaluation.metrics import pixel_error
from vitruve.evaluation.oks import similarity
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

ALIKE = 0.5
"""Of several people, a prediction is of the one that it is at least this similar to (OKS)."""

_NAMED = 3
"""An error names this many frames and counts the rest."""


def align(truth: Labels, predictions: Labels, *, several: bool = False) -> Labels:
    """The predictions in the order of the truth.

    Args:
        truth: What people labelled, in original pixels.
        predictions: What a network predicted for the same images, in any order of frames and of keypoints.
        several: Any number of instances is found: one is matched only where it is alike (:func:`match_similar`).
            Otherwise they are matched by :func:`match_instances`.

    Returns:
        Predictions whose frames, views, instances and keypoints stand where the truth's stand. Where no instance is
        left for a labelled one, keypoints and scores are NaN. Predicted instances beyond the labelled ones are left
        out.

    Raises:
        InputError: Frames are missing, extra or there twice, or keypoints, views or dimensions differ.
    """
    if truth.frames and not truth.skeleton.names:
        raise InputError(f"labels of '{truth.scorer}' have no keypoints; there is nothing to measure in pixels")
    sigmas = truth.skeleton.oks_sigmas if several else None
    frames = tuple(_align_frame(frame, predicted, sigmas) for frame, predicted in paired(truth, predictions))
    return replace(predictions, skeleton=truth.skeleton, frames=frames)


def paired(truth: Labels, predictions: Labels) -> list[tuple[Frame, Frame]]:
    """Each labelled frame with its prediction, whose keypoints are in the order of the labels.

    Args:
        truth: The labels.
        predictions: Of the same images, in any order.

    Returns:
        The pairs, in the order of the labels.

    Raises:
        InputError: As for :func:`align`.
    """
    if not truth.frames:
        raise InputError(f"labels of '{truth.scorer}' hold no frame; at least one is needed to evaluate")
    order = _keypoint_order(truth, predictions)
    known = _frames_by_image(predictions, "predictions")
    wanted = _frames_by_image(truth, "labels")
    missing = [_text(key) for key in wanted if key not in known]
    if missing:
        raise InputError(f"predictions of '{predictions.scorer}': {_listed(missing)} not predicted; predict them too")
    extra = [_text(key) for key in known if key not in wanted]
    if extra:
        raise InputError(f"predictions of '{predictions.scorer}': {_listed(extra)} not in the labels; leave them out")
    pairs = [(frame, known[key]) for key, frame in wanted.items()]
    for frame, predicted in pairs:
        _check_shapes(frame, predicted)
    return [(frame, replace(found, instances=found.instances.numpy().reordered(order))) for frame, found in pairs]


def match_instances(truth: Float[np.ndarray, "N K D"], predicted: Float[np.ndarray, "M K D"]) -> Int[np.ndarray, " N"]:
    """Which prediction belongs to each labelled instance, by the least sum of mean distances.

    The assignment is the optimal one (Kuhn 1955, through scipy). Pairs that share no keypoint come last.

    Args:
        truth: ``(N, K, D)`` in pixels (D = 2) or millimetres (D = 3), NaN where unlabelled.
        predicted: ``(M, K, D)`` in the same unit, NaN where missing.

    Returns:
        ``(N,)`` indices into the predictions, -1 where none is left. No prediction is used twice.
    """
    result = np.full(len(truth), -1)
    if len(truth) and len(predicted):
        distances = pixel_error(predicted[None], truth[:, None])
        shared = (~np.isnan(distances)).sum(-1)
        cost = np.nansum(distances, -1) / np.maximum(shared, 1)
        apart = (cost.max() + 1) * (len(truth) + len(predicted))
        rows, columns = linear_sum_assignment(np.where(shared > 0, cost, apart))
        result[rows] = columns
    return result


def match_similar(
    truth: Instances, predicted: Float[np.ndarray, "M K 2"], sigmas: Float[np.ndarray, " K"]
) -> Int[np.ndarray, " N"]:
    """Which prediction belongs to each labelled person: the greatest sum of similarities (OKS) above :data:`ALIKE`.

    Args:
        truth: ``(N, ...)`` of one view.
        predicted: ``(M, K, 2)`` in pixels, NaN where missing.
        sigmas: One OKS constant a keypoint.

    Returns:
        ``(N,)`` indices into the predictions, -1 for nobody. No prediction is used twice.
    """
    result = np.full(len(truth.keypoints), -1)
    alike = similarity(predicted, truth, sigmas).T
    labelled = np.asarray((np.asarray(truth.visible) > 0).any(-1))
    alike = np.where((alike >= ALIKE) & labelled[:, None], alike, 0)
    rows, columns = linear_sum_assignment(-alike)
    chosen = alike[rows, columns] > 0
    result[rows[chosen]] = columns[chosen]
    return result


def labelled_keypoints(instances: Instances) -> Float[np.ndarray, "V N K 2"]:
    """The keypoints that count as truth: NaN where one is unlabelled, whatever its coordinates hold.

    Args:
        instances: ``(V, N, ...)`` of one frame.

    Returns:
        ``(V, N, K, 2)`` float64 in pixels.
    """
    keypoints = np.asarray(instances.keypoints, np.float64)
    return np.where(np.asarray(instances.visible)[..., None] > 0, keypoints, np.nan)


def _keypoint_order(truth: Labels, predictions: Labels) -> list[int]:
    ours, theirs = truth.skeleton.names, predictions.skeleton.names
    lacking = [name for name in ours if name not in theirs]
    strange = [name for name in theirs if name not in ours]
    if lacking or strange:
        parts = [f"lack {', '.join(lacking)}"] if lacking else []
        parts += [f"have {', '.join(strange)}, which the labels do not"] if strange else []
        raise InputError(
            f"predictions of '{predictions.scorer}' {' and '.join(parts)}; both must have the same keypoints"
        )
    return [theirs.index(name) for name in ours]


def _key(image: ImageRef) -> tuple[str, int | None]:
    return image.path.as_posix(), image.index


def _text(key: tuple[str, int | None]) -> str:
    return key[0] if key[1] is None else f"{key[0]} frame {key[1]}"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"


def _frames_by_image(labels: Labels, what: str) -> dict[tuple[str, int | None], Frame]:
    frames: dict[tuple[str, int | None], Frame] = {}
    for frame in labels.frames:
        key = _key(frame.first_image)
        if key in frames:
            raise InputError(f"{what} of '{labels.scorer}': {_text(key)} is there twice; keep one of the two")
        frames[key] = frame
    return frames


def _check_shapes(truth: Frame, predicted: Frame) -> None:
    for one, whose in ((truth.instances, "labels"), (predicted.instances, "predictions")):
        if one.keypoints.shape[-1] != 2 or one.keypoints.ndim != 4:
            raise InputError(f"{truth.name}: {whose} are {one.keypoints.shape}; pixel errors need (V, N, K, 2)")
    ours, theirs = (len(frame.instances.keypoints) for frame in (truth, predicted))
    if ours != theirs:
        raise InputError(f"{truth.name}: {theirs} views predicted but {ours} labelled; both must have the same views")


def _align_frame(truth: Frame, predicted: Frame, sigmas: np.ndarray | None) -> Frame:
    ours, theirs = truth.instances.numpy(), predicted.instances
    keypoints = np.full(ours.keypoints.shape, np.nan)
    scores = np.full(ours.visible.shape, np.nan)
    for view, target in enumerate(labelled_keypoints(ours)):
        found = np.asarray(theirs.keypoints[view], np.float64)
        match = match_instances(target, found) if sigmas is None else match_similar(ours[view], found, sigmas)
        taken = match >= 0
        keypoints[view, taken] = found[match[taken]]
        if theirs.keypoint_scores is not None:
            scores[view, taken] = theirs.keypoint_scores[view][match[taken]]
    return replace(
        truth,
        instances=Instances.from_keypoints(keypoints, keypoint_scores=scores),
        split=truth.split if predicted.split is None else predicted.split,
        instances_3d=None,
    )
