"""What a set of predictions is worth beside its labels, as tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.evaluation import metrics, tables
from vitruve.evaluation.matching import align, labelled_keypoints, paired
from vitruve.evaluation.people import People, measure_people
from vitruve.evaluation.windows import WINDOW_GAP, in_words
from vitruve.structures.instances import VISIBLE
from vitruve.structures.labels import Frame, Labels

_SPLIT_ORDER = ("train", "validation", "test", "unused")
_NO_SPLIT = "all"
_NEW = "new"


@dataclass(frozen=True, eq=False)
class Report:
    """Errors of predictions in original pixels, and what they amount to.

    Every table but ``errors`` has a column ``split``: ``train``, ``validation``, ``test``, ``unused``, or, for frames
    that belong to none, ``new`` where others do and ``all`` where no frame does. Names of columns end in their unit.
    All figures but those that say ``occluded`` are over keypoints labelled visible; a set without a column of
    visibility has no others.

    Attributes:
        truth: The labels.
        predictions: The predictions in the order of the labels: frames, views, instances and keypoints.
        errors: One row a frame, view, instance and keypoint, in that order: ``image``, ``view`` (name, or
            empty where there is one nameless view), ``instance`` (number in the labels), ``split``,
            ``keypoint``, ``error`` (px, NaN where unlabelled or not predicted), ``score`` (0 to 1, NaN where
            there is none), ``visible`` (of the labels: 0 unlabelled, 1 occluded, 2 visible), ``size`` (px,
            the diagonal of the box around the instance's labelled keypoints), ``inside`` (1 where the prediction is as
            near as :attr:`near` says, 0 where not, NaN where there is no error).
        summary: One row a split: number of ``frames``, ``keypoints`` (visible), ``occluded`` and ``missed``
            (visible but not predicted), mean, median, 90th and 95th percentile of the error, PCK at 5 and 10
            px and at 0.05, 0.1 and 0.2 of the size (missed keypoints count as wrong), mean error of occluded
            keypoints, and the expected calibration error, in the column :attr:`gap`.
        per_keypoint: The same for every keypoint of every split, without the calibration error.
        error_by_confidence: See :func:`metrics.error_by_confidence`.
        error_vs_threshold: See :func:`metrics.error_vs_threshold`.
        calibration: See :func:`metrics.calibration`.
        near: What the calibration takes confidence for the probability of, in words, such as ``within 5 px of
            the label``.
        gap: Name of the summary's column with the calibration error: ``calibration_error_window_percent`` for the
            window that the likelihood of a run speaks of, or such as ``calibration_error_5px_percent`` for a distance.
        people: How well people were found, where any number of them is; errors are then of those that were found.
    """

    truth: Labels
    predictions: Labels
    errors: pd.DataFrame
    summary: pd.DataFrame
    per_keypoint: pd.DataFrame
    error_by_confidence: pd.DataFrame
    error_vs_threshold: pd.DataFrame
    calibration: pd.DataFrame
    near: str
    gap: str
    people: People | None = None

    @property
    def keypoints(self) -> tuple[str, ...]:
        """The names of the keypoints."""
        return self.truth.skeleton.names

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have a frame, in the order of the summary."""
        return tuple(self.summary["split"])

    def pixel_error_table(self, view: str | None = None) -> pd.DataFrame:
        """The errors as Lightning Pose writes them in ``predictions_pixel_error.csv``.

        Args:
            view: The name of one view, or None for all of them below one another.

        Returns:
            One row an image and instance, one column a keypoint in px (NaN where unlabelled; occluded
            keypoints are there), the name of the image as index, and the last column ``set`` with the split,
            which is left out when no frame has one.

        Raises:
            InputError: There is no such view.
        """
        rows = self.errors
        if view is not None:
            rows = rows[rows["view"] == view]
            if rows.empty and len(self.errors):
                known = ", ".join(self.errors["view"].unique())
                raise InputError(f"report: no view '{view}'; there is {known}")
        count = len(self.keypoints)
        table = pd.DataFrame(
            rows["error"].to_numpy().reshape(-1, count),
            index=pd.Index(rows["image"].to_numpy()[::count]),
            columns=list(self.keypoints),
        )
        if any(frame.split is not None for frame in self.predictions):
            table["set"] = rows["split"].to_numpy()[::count]
        return table

    def worst(self, count: int = 6) -> pd.DataFrame:
        """The images whose visible keypoints are furthest off on average.

        Args:
            count: How many at most.

        Returns:
            Worst first: ``frame`` and ``view_number`` (counted from 0), ``image``, ``view``, ``split``,
            ``mean_error_px``, ``worst_keypoint`` and ``worst_error_px``.
        """
        views = len(self.truth[0].images)
        most = max(frame.instances.keypoints.shape[1] for frame in self.truth)
        rows = self.errors.assign(number=np.arange(len(self.errors)) // max(most * len(self.keypoints), 1))
        rows = rows[(rows["visible"] == VISIBLE) & rows["error"].notna()]
        grouped = rows.groupby("number")["error"]
        worst = rows.loc[grouped.idxmax(), ["number", "image", "view", "split", "keypoint", "error"]]
        worst = worst.rename(columns={"keypoint": "worst_keypoint", "error": "worst_error_px"})
        worst["mean_error_px"] = grouped.mean().to_numpy()
        worst["frame"], worst["view_number"] = worst["number"] // views, worst["number"] % views
        worst = worst.sort_values("mean_error_px", ascending=False, kind="stable").head(count)
        columns = ["frame", "view_number", "image", "view", "split", "mean_error_px", "worst_keypoint"]
        return worst[[*columns, "worst_error_px"]].reset_index(drop=True)


def evaluate(
    truth: Labels,
    predictions: Labels,
    *,
    tolerance_px: float = 5.0,
    windows: Float[np.ndarray, "F V 2"] | None = None,
    several: bool = False,
    tracked: Labels | None = None,
) -> Report:
    """Compare predictions with labels, in original pixels.

    Frames are matched by image, in any order; instances by least mean distance
    (:mod:`vitruve.evaluation.matching`). The split of a frame is that of the predictions, or else that of the
    labels.

    Args:
        truth: The labels: the frames to judge, and only these.
        predictions: Predictions for the same frames.
        tolerance_px: Where it is not known what confidence is the probability of, a keypoint within this distance
            counts as right in its calibration, in pixels.
        windows: Where it is known: in each image of the labels, the distance in x and the one in y within which both
            coordinates then lie, in original pixels (see :mod:`vitruve.evaluation.windows`).
        several: Any number of instances is found an image: errors are of those that are alike, and
            :attr:`Report.people` says how well they were found.
        tracked: The predictions with tracks, where the labels have some.

    Returns:
        The report.

    Raises:
        InputError: Frames are missing, extra or there twice, keypoints, views or dimensions differ, or there
            is no frame or keypoint at all.
    """
    aligned = align(truth, predictions, several=several)
    keypoints = truth.skeleton.names
    views, joints = len(truth[0].images), len(keypoints)
    view_names = truth.view_names or (("",) if views == 1 else tuple(f"view{n}" for n in range(views)))
    target = _only_labelled(truth).keypoints()
    errors = metrics.pixel_error(aligned.keypoints(), target)
    inside = errors <= tolerance_px
    if windows is not None:
        inside = (np.abs(aligned.keypoints() - target) <= windows[:, :, None, None]).all(-1)
    inside = np.where(np.isnan(errors), np.nan, inside)
    most = errors.shape[2]
    labelled = ~np.isnan(target).any(-1)
    visible = np.where(labelled, np.nan_to_num(truth.visible()), 0).astype(np.int8)
    frame_splits = splits_of(aligned)
    images = np.array([[image.name for image in frame.images] for frame in truth], dtype=object)
    table = pd.DataFrame(
        {
            "image": np.repeat(images.ravel(), most * joints),
            "view": np.tile(np.repeat(np.array(view_names, dtype=object), most * joints), len(truth)),
            "instance": np.tile(np.repeat(np.arange(most), joints), len(truth) * views),
            "split": np.repeat(np.array(frame_splits, dtype=object), views * most * joints),
            "keypoint": np.tile(np.array(keypoints, dtype=object), len(truth) * views * most),
            "error": errors.ravel(),
            "score": aligned.keypoint_scores().ravel(),
            "visible": visible.ravel(),
            "size": np.repeat(metrics.instance_size(target).ravel(), joints),
            "inside": inside.ravel(),
        }
    )
    gap = f"calibration_error_{tolerance_px:g}px_percent" if windows is None else WINDOW_GAP
    frames = pd.Series(frame_splits).value_counts()
    order = ordered(frame_splits)
    people = None
    if several:
        followed = [] if tracked is None else paired(truth, tracked)
        people = measure_people(truth, paired(truth, predictions), frame_splits, order, followed)
    return Report(
        truth=truth,
        predictions=aligned,
        errors=table,
        summary=tables.summary(table, {name: int(frames[name]) for name in order}, gap),
        per_keypoint=tables.per_keypoint(table, order, keypoints),
        error_by_confidence=tables.by_split(table, order, metrics.error_by_confidence),
        error_vs_threshold=tables.by_split(table, order, metrics.error_vs_threshold),
        calibration=tables.by_split(table, order, metrics.calibration, "inside"),
        near=f"within {tolerance_px:g} px of the label" if windows is None else in_words(windows),
        gap=gap,
        people=people,
    )


def _only_labelled(labels: Labels) -> Labels:
    frames = []
    for frame in labels:
        instances = frame.instances.numpy()
        frames.append(replace(frame, instances=replace(instances, keypoints=labelled_keypoints(instances))))
    return replace(labels, frames=tuple(frames))


def splits_of(frames: Iterable[Frame]) -> list[str]:
    """The split of each frame.

    Args:
        frames: All frames.

    Returns:
        For frames that belong to none ``new`` where others do, and ``all`` where no frame does.
    """
    splits = [frame.split for frame in frames]
    other = _NEW if any(splits) else _NO_SPLIT
    return [other if split is None else split for split in splits]


def ordered(splits: Iterable[str]) -> list[str]:
    """Each split once, in the order of tables: ``train``, ``validation``, ``test``, ``unused``, others."""
    return sorted(dict.fromkeys(splits), key=lambda name: (*_SPLIT_ORDER, name).index(name))
