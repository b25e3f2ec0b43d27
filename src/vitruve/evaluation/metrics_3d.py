"""How far points in space are from the truth, in millimetres, and whether they make sense by themselves.

Missing points are NaN. Everywhere T is the number of framesets, K of keypoints, V of views and E of bones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vitruve.evaluation.metrics import pck, pixel_error

THRESHOLDS_MM = (2.0, 5.0, 10.0, 20.0)
"""Thresholds of PCK3D, in millimetres."""


def errors_3d(predicted: Float[np.ndarray, "T K 3"], truth: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K"]:
    """Euclidean distances; infinite where there is a truth and no prediction.

    Args:
        predicted: In millimetres, NaN where missing.
        truth: The same.

    Returns:
        Millimetres; NaN where there is no truth, so that a missed keypoint never improves a share.
    """
    errors = pixel_error(predicted, truth)
    return np.where(~np.isnan(truth).any(-1) & np.isnan(errors), np.inf, errors)


def figures_3d(errors: Float[np.ndarray, "*any"]) -> dict[str, int | float]:
    """What a set of errors amounts to.

    Args:
        errors: As :func:`errors_3d` gives them, of any shape.

    Returns:
        ``keypoints`` (with truth), ``missed``, ``mpjpe_mm`` (mean per-joint position error: Ionescu et al. 2014,
        Human3.6M), ``median_mm``, ``p90_mm`` and ``p95_mm`` of those that are not missed, NaN where there is none, and
        ``pck3d_<threshold>mm_percent`` of all (3D PCK: Mehta et al. 2017, Monocular 3D human pose estimation in the
        wild); a missed keypoint is not correct.
    """
    known = errors[~np.isnan(errors)]
    found = known[np.isfinite(known)]
    median, high, higher = np.percentile(found, (50, 90, 95)).tolist() if found.size else (float("nan"),) * 3
    return {
        "keypoints": int(known.size),
        "missed": int(known.size - found.size),
        "mpjpe_mm": float(found.mean()) if found.size else float("nan"),
        "median_mm": median,
        "p90_mm": high,
        "p95_mm": higher,
        **{f"pck3d_{limit:g}mm_percent": 100 * pck(known[None], limit) for limit in THRESHOLDS_MM},
    }


def pck3d_curve(errors: Float[np.ndarray, "*any"], thresholds: Sequence[float] | np.ndarray) -> pd.DataFrame:
    """Share of keypoints within each distance.

    Args:
        errors: As :func:`errors_3d` gives them.
        thresholds: In millimetres, in rising order.

    Returns:
        One row a threshold: ``threshold_mm`` and ``share`` from 0 to 1, NaN where there is no truth.
    """
    known = np.sort(errors[~np.isnan(errors)])
    limits = np.asarray(thresholds, np.float64)
    share = np.searchsorted(known, limits, side="right") / max(known.size, 1)
    return pd.DataFrame({"threshold_mm": limits, "share": share if known.size else np.full(limits.shape, np.nan)})


def per_keypoint_3d(errors: Float[np.ndarray, "T K"], keypoints: Sequence[str]) -> pd.DataFrame:
    """One row a keypoint.

    Args:
        errors: As :func:`errors_3d` gives them.
        keypoints: The K names.

    Returns:
        ``keypoint`` and the columns of :func:`figures_3d`.
    """
    return pd.DataFrame([{"keypoint": name, **figures_3d(errors[:, number])} for number, name in enumerate(keypoints)])


def per_camera_count(errors: Float[np.ndarray, "T K"], cameras: Int[np.ndarray, "T K"]) -> pd.DataFrame:
    """One row a number of cameras.

    Args:
        errors: As :func:`errors_3d` gives them.
        cameras: By how many cameras each keypoint was seen.

    Returns:
        ``cameras`` in rising order, and the columns of :func:`figures_3d`; numbers without truth are left out.
    """
    counts = np.unique(cameras[~np.isnan(errors)])
    return pd.DataFrame([{"cameras": int(count), **figures_3d(errors[cameras == count])} for count in counts])


def reprojection_figures(errors: Float[np.ndarray, "T V K"], views: Sequence[str]) -> pd.DataFrame:
    """How far from what each camera sees the points appear in it.

    Args:
        errors: Reprojection errors in pixels (:func:`vitruve.geometry.triangulation.reprojection_errors`), NaN where
            there is none.
        views: The V names.

    Returns:
        One row a view and a last one, ``all``: ``view``, ``points``, ``mean_px``, ``median_px`` and ``p95_px``.
    """
    rows = []
    for name, part in [*zip(views, errors.swapaxes(0, 1), strict=True), ("all", errors)]:
        known = part[~np.isnan(part)]
        median, higher = np.percentile(known, (50, 95)).tolist() if known.size else (float("nan"),) * 2
        mean = float(known.mean()) if known.size else float("nan")
        rows.append({"view": name, "points": int(known.size), "mean_px": mean, "median_px": median, "p95_px": higher})
    return pd.DataFrame(rows)


def bone_lengths(points: Float[np.ndarray, "T K 3"], edges: Sequence[tuple[int, int]]) -> Float[np.ndarray, "T E"]:
    """Distances between the ends of bones.

    Args:
        points: In millimetres.
        edges: The two keypoints of each bone.

    Returns:
        Millimetres; NaN where an end is missing.
    """
    ends = np.asarray(edges, int).reshape(-1, 2)
    return pixel_error(points[:, ends[:, 0]], points[:, ends[:, 1]])


def bone_variation(
    points: Float[np.ndarray, "T K 3"], edges: Sequence[tuple[int, int]], keypoints: Sequence[str]
) -> pd.DataFrame:
    """How constant the lengths of bones are: those of an animal are, so what varies is error.

    Args:
        points: In millimetres.
        edges: The two keypoints of each bone.
        keypoints: The K names.

    Returns:
        One row a bone: ``bone`` (``a - b``), ``count``, ``mean_mm``, ``std_mm`` (with n - 1) and ``coefficient``, the
        standard deviation over the mean; NaN where fewer than two lengths are known.
    """
    rows = []
    for (one, other), lengths in zip(edges, bone_lengths(points, edges).T, strict=True):
        known = lengths[~np.isnan(lengths)]
        mean = float(known.mean()) if known.size else float("nan")
        spread = float(known.std(ddof=1)) if known.size > 1 else float("nan")
        name = f"{keypoints[one]} - {keypoints[other]}"
        share = spread / mean if mean > 0 else float("nan")
        rows.append({"bone": name, "count": int(known.size), "mean_mm": mean, "std_mm": spread, "coefficient": share})
    return pd.DataFrame(rows, columns=["bone", "count", "mean_mm", "std_mm", "coefficient"])
