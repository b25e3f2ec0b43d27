"""Metrics of keypoints in the plane, as pure functions on numpy arrays in float64.

Lengths are in original image pixels (px), shares and confidences run from 0 to 1, and NaN means missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped

NORMAL_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution, for intervals of 95 %."""


def pixel_error(
    predicted: Float[np.ndarray, "*#lead K D"], truth: Float[np.ndarray, "*#lead K D"]
) -> Float[np.ndarray, "*#lead K"]:
    """Euclidean distance between predicted and true keypoints.

    Args:
        predicted: ``(..., K, D)`` in original pixels (D = 2), or in millimetres (D = 3).
        truth: ``(..., K, D)`` in the same unit; leading axes broadcast.

    Returns:
        ``(..., K)`` in that unit, NaN where a coordinate of either is missing.
    """
    offset = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    return np.asarray(np.linalg.norm(offset, axis=-1))


def instance_size(keypoints: Float[np.ndarray, "*lead K 2"]) -> Float[np.ndarray, "*lead"]:
    """Diagonal of the box around the labelled keypoints of each instance, for a relative PCK.

    Args:
        keypoints: ``(..., K, 2)`` in pixels, NaN where unlabelled.

    Returns:
        ``(...)`` in pixels. NaN where fewer than two different positions are labelled: they span no box.
    """
    points = np.asarray(keypoints, np.float64)
    labelled = np.asarray(~np.isnan(points).any(-1))
    low = np.where(labelled[..., None], points, np.inf).min(-2, initial=np.inf)
    high = np.where(labelled[..., None], points, -np.inf).max(-2, initial=-np.inf)
    box = np.where(np.asarray(labelled.any(-1))[..., None], high - low, np.nan)
    diagonal = np.hypot(box[..., 0], box[..., 1])
    return np.asarray(np.where(diagonal > 0, diagonal, np.nan))


def pck(
    errors: Float[np.ndarray, "*lead K"],
    threshold: float,
    reference: Float[np.ndarray, "*lead"] | None = None,
    labelled: Bool[np.ndarray, "*lead K"] | None = None,
) -> float:
    """Percentage of correct keypoints (PCK), here as a share from 0 to 1.

    A keypoint is correct when its error is at most the threshold. The relative form, with the threshold a
    fraction alpha of the size of the instance, is that of Yang & Ramanan, "Articulated Human Detection with
    Flexible Mixtures of Parts" (TPAMI 2013). They take the longer side of the person's box for the size; the
    reports of this package take the diagonal of the box around the labelled keypoints
    (:func:`instance_size`), which changes less when an animal turns. Numbers of the two are not to be
    compared.

    Args:
        errors: ``(..., K)`` in pixels, NaN where there is none.
        threshold: In pixels; with ``reference``, the fraction alpha of it.
        reference: ``(...)`` the size of each instance in pixels, or None for an absolute threshold. Instances
            whose size is NaN do not count.
        labelled: ``(..., K)`` which keypoints count. A counted keypoint whose error is NaN was missed and is
            not correct. None counts the finite errors.

    Returns:
        The share, or NaN when nothing counts.
    """
    errors = np.asarray(errors, np.float64)
    counted = ~np.isnan(errors) if labelled is None else np.asarray(labelled, bool)
    limit = np.full(errors.shape, float(threshold))
    if reference is not None:
        limit = limit * np.asarray(reference, np.float64)[..., None]
        counted = counted & ~np.isnan(limit)
    if not counted.any():
        return float("nan")
    return float((errors <= limit)[counted].mean())


def temporal_norm(keypoints: Float[np.ndarray, "T K 2"]) -> Float[np.ndarray, "T K"]:
    """How far each keypoint moves from one frame to the next (Lightning Pose's ``temporal_norm``).

    Args:
        keypoints: ``(T, K, 2)`` of consecutive frames, in pixels.

    Returns:
        ``(T, K)`` in pixels a frame. The first row is NaN, and so is every step from or to a missing
        keypoint.
    """
    result = np.full(np.shape(keypoints)[:2], np.nan)
    result[1:] = pixel_error(keypoints[1:], keypoints[:-1])
    return result


def error_by_confidence(
    errors: Float[np.ndarray, "*lead"], scores: Float[np.ndarray, "*lead"], bins: int | Sequence[float] = 10
) -> pd.DataFrame:
    """Error within bins of confidence.

    Args:
        errors: In pixels. Entries whose error or score is NaN do not count.
        scores: Confidence from 0 to 1, of the same shape; values beyond fall into the outermost bins.
        bins: The number of equal bins from 0 to 1, or their edges in rising order.

    Returns:
        One row a bin: ``low`` and ``high`` edge (a bin holds its low edge; the last one both), ``count``,
        ``mean_error_px`` and ``median_error_px`` (NaN where the bin is empty).
    """
    errors, scores = _paired(errors, scores)
    edges = _edges(bins)
    place = _bin_of(scores, edges)
    rows = []
    for index, (low, high) in enumerate(pairwise(edges)):
        inside = errors[place == index]
        rows.append((low, high, inside.size, _mean(inside), _median(inside)))
    return pd.DataFrame(rows, columns=["low", "high", "count", "mean_error_px", "median_error_px"])


def error_vs_threshold(
    errors: Float[np.ndarray, "*lead"],
    scores: Float[np.ndarray, "*lead"],
    thresholds: Sequence[float] | np.ndarray | None = None,
) -> pd.DataFrame:
    """What is kept, and how good it is, as the confidence threshold rises.

    Args:
        errors: In pixels. Entries whose error or score is NaN do not count.
        scores: Confidence from 0 to 1, of the same shape.
        thresholds: The thresholds; None for 0, 0.05, ... 1.

    Returns:
        One row a threshold: ``threshold``, ``count`` and ``kept_share`` of the keypoints whose score is at
        least the threshold, and their ``mean_error_px`` and ``median_error_px`` (NaN where none is kept).
    """
    errors, scores = _paired(errors, scores)
    rows = []
    for threshold in _edges(20) if thresholds is None else thresholds:
        kept = errors[scores >= threshold]
        share = kept.size / errors.size if errors.size else float("nan")
        rows.append((float(threshold), kept.size, share, _mean(kept), _median(kept)))
    return pd.DataFrame(rows, columns=["threshold", "count", "kept_share", "mean_error_px", "median_error_px"])


def calibration(
    inside: Float[np.ndarray, "*lead"],
    scores: Float[np.ndarray, "*lead"],
    bins: int | Sequence[float] = 10,
) -> pd.DataFrame:
    """How often keypoints of a confidence lie as near the truth as the confidence says.

    A confidence is the probability of an event, such as lying within a window around the truth. It is calibrated when
    that comes true in as large a share of the keypoints.

    Args:
        inside: 1 where the event came true, 0 where not. Entries that are NaN, or whose score is, do not count.
        scores: Confidence from 0 to 1, of the same shape; values beyond fall into the outermost bins.
        bins: The number of equal bins from 0 to 1, or their edges in rising order.

    Returns:
        One row a bin: ``low``, ``high``, ``count``, ``mean_score``, ``share_within``, and ``interval_low``
        and ``interval_high`` of its 95 % Wilson interval. NaN where the bin is empty.
    """
    came_true, scores = _paired(inside, scores)
    edges = _edges(bins)
    place = _bin_of(scores, edges)
    rows = []
    for index, (low, high) in enumerate(pairwise(edges)):
        chosen = place == index
        count, right = int(chosen.sum()), int((came_true[chosen] > 0).sum())
        share = right / count if count else float("nan")
        rows.append((low, high, count, _mean(scores[chosen]), share, *wilson_interval(right, count)))
    columns = ["low", "high", "count", "mean_score", "share_within", "interval_low", "interval_high"]
    return pd.DataFrame(rows, columns=columns)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean gap between confidence and the share it came true for, weighted by the keypoints of each bin.

    Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), equation 3, with "lies as near as the confidence
    says" in the place of "is the right class".

    Args:
        table: What :func:`calibration` returned.

    Returns:
        From 0 (calibrated) to 1, or NaN when the table counts no keypoint.
    """
    filled = table[table["count"] > 0]
    if filled.empty:
        return float("nan")
    gap = (filled["share_within"] - filled["mean_score"]).abs()
    return float(np.average(gap.to_numpy(), weights=filled["count"].to_numpy()))


def wilson_interval(successes: int, trials: int, deviations: float = NORMAL_95) -> tuple[float, float]:
    """Where the true share of successes lies.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (JASA 1927).

    Args:
        successes: From 0 to ``trials``.
        trials: How many were tried.
        deviations: Half width in standard deviations; the default gives 95 %.

    Returns:
        Low and high end, from 0 to 1; NaN for no trial.
    """
    if trials == 0:
        return float("nan"), float("nan")
    share, square = successes / trials, deviations**2
    center = (share + square / (2 * trials)) / (1 + square / trials)
    half = deviations / (1 + square / trials) * np.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    # At none and at all the ends are 0 and 1 exactly; rounding must not put them beyond.
    return (0.0 if successes == 0 else float(center - half)), (1.0 if successes == trials else float(center + half))


def _paired(errors: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat_errors, flat_scores = np.asarray(errors, np.float64).ravel(), np.asarray(scores, np.float64).ravel()
    known = ~np.isnan(flat_errors) & ~np.isnan(flat_scores)
    return flat_errors[known], flat_scores[known]


def _edges(bins: int | Sequence[float]) -> np.ndarray:
    # Rounded, a table says 0.3 and not 0.30000000000000004.
    return np.linspace(0, 1, bins + 1).round(12) if isinstance(bins, int) else np.asarray(bins, np.float64)


def _bin_of(scores: np.ndarray, edges: np.ndarray) -> Shaped[np.ndarray, " M"]:
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else float("nan")
