"""What boxes with classes are worth beside their labels, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.evaluation.average_precision import THRESHOLDS
from vitruve.evaluation.boxes import AREAS, BoxPrecision, box_average_precision
from vitruve.evaluation.boxes_grid import Grid, confusion, score_grid
from vitruve.evaluation.boxes_voc import voc_average_precision
from vitruve.evaluation.matching import paired
from vitruve.evaluation.oks import instance_scores
from vitruve.evaluation.report import ordered, splits_of
from vitruve.evaluation.verdicts import Kind, Verdicts, judge_boxes
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels

CONFIDENCE = 0.5
"""The least score of predictions that are looked at one by one."""
OBDB_IOU = 0.3
"""From which intersection over union OBDB takes a prediction for right."""

_VOC = (OBDB_IOU, 0.5, 0.75)
_ERRORS = (Kind.DUPLICATE, Kind.WRONG_CLASS, Kind.MISLOCALISED, Kind.SPURIOUS)
_CURVES = (0.5, 0.75, 0.9)

Pair = tuple[Frame, Frame]


@dataclass(frozen=True, eq=False)
class BoxReport:
    """Figures of predicted boxes over all images, also those in which nothing is predicted.

    Attributes:
        truth: The labels, whose classes are numbered as the predictions' are.
        pairs: Each labelled frame with its prediction.
        names: Of the classes: those that are predicted, then those that are labelled only.
        splits: The split of each frame: ``train``, ``validation``, ``test``, ``unused``, or, for frames that belong to
            none, ``new`` where others do and ``all`` where no frame does.
        average_precision: One row a split: ``images``, ``objects`` (labelled), and COCO's twelve figures in percent.
        by_class: One row a split and class: ``objects``, COCO's figures of it in percent, and VOC's: ``VOC30`` and so
            on at an intersection over union of 0.3, 0.5 and 0.75, ``VOC30_11`` at eleven recalls.
        kinds: One row a split: how many predictions of a score of at least 0.5 are ``correct``, ``duplicate``,
            ``wrong_class``, ``mislocalised`` or ``spurious``, and how many objects are ``missing``.
        curves: By split, precision at recalls from 0 to 1, the mean over classes, by name of what is right.
        unseen: The splits that :attr:`grid`, :attr:`confusion` and :attr:`voc` are of: those not learned from, or else
            all.
        grid: Precision, recall and F1 of each class over thresholds.
        confusion: How often objects of each class are found as which; see
            :func:`vitruve.evaluation.boxes_grid.confusion`.
        voc: VOC's average precision of each class at OBDB's intersection over union, 0 to 1.
    """

    truth: Labels
    pairs: Sequence[Pair]
    names: tuple[str, ...]
    splits: tuple[str, ...]
    average_precision: pd.DataFrame
    by_class: pd.DataFrame
    kinds: pd.DataFrame
    curves: dict[str, dict[str, Float[np.ndarray, " R"]]]
    unseen: tuple[str, ...]
    grid: Grid
    confusion: pd.DataFrame
    voc: dict[str, float]

    @property
    def unseen_images(self) -> list[tuple[Instances, Instances]]:
        """Truth and predictions of every view of the frames that :attr:`unseen` names."""
        return views_of([pair for pair, name in zip(self.pairs, self.splits, strict=True) if name in self.unseen])

    @property
    def summary(self) -> pd.DataFrame:
        """One row a split."""
        return self.average_precision

    def worst(self, count: int = 6) -> pd.DataFrame:
        """The images with the most errors of predictions of a score of at least 0.5.

        Args:
            count: How many at most.

        Returns:
            Worst first: ``frame`` (its number), ``image``, ``split``, ``errors`` (predictions that are wrong) and
            ``missing`` (objects).
        """
        rows = []
        for number, ((truth, found), split) in enumerate(zip(self.pairs, self.splits, strict=True)):
            verdicts = [judge_confident(*pair)[1] for pair in views_of([(truth, found)])]
            errors = sum(int(np.isin(each.kinds, _ERRORS).sum()) for each in verdicts)
            missing = sum(int(each.missing.sum()) for each in verdicts)
            rows.append({"frame": number, "image": truth.name, "split": split, "errors": errors, "missing": missing})
        table = pd.DataFrame(rows)
        table = table.assign(sum=table["errors"] + table["missing"]).sort_values("sum", ascending=False, kind="stable")
        return table[table["sum"] > 0].drop(columns="sum").head(count).reset_index(drop=True)


def evaluate_boxes(truth: Labels, predictions: Labels) -> BoxReport:
    """Compare predicted boxes with labelled ones, in original pixels.

    Args:
        truth: The labels: the frames to judge, and only these.
        predictions: Predictions for the same frames, in any order; classes are matched by their names,
            but for those of labels and predictions with one class each, which are the same.

    Returns:
        The report.

    Raises:
        InputError: Frames are missing, extra or there twice, views differ, or there is no frame at all.
    """
    if len(truth.categories) == len(predictions.categories) == 1:
        truth = replace(truth, categories=predictions.categories)
    names = tuple(dict.fromkeys((*predictions.categories, *truth.categories)))
    truth = truth.with_categories(names)
    pairs = paired(truth, predictions.with_categories(names))
    splits = splits_of([replace(one, split=one.split if two.split is None else two.split) for one, two in pairs])
    summaries, classes, kinds, curves = [], [], [], {}
    for split in ordered(splits):
        images = views_of([pair for pair, name in zip(pairs, splits, strict=True) if name == split])
        figures = box_average_precision(images, len(names))
        of_classes = _by_class(figures, images, names)
        objects = int(of_classes["objects"].sum())
        first = {"split": split, "images": len(images), "objects": objects}
        summaries.append(first | {name: 100 * value for name, value in figures.summary.items()})
        classes.append(of_classes.assign(split=split)[["split", *of_classes.columns]])
        kinds.append({"split": split, **_kinds(images)})
        curves[split] = _mean_curves(figures)
    unseen = tuple(name for name in ordered(splits) if name != "train") or tuple(ordered(splits))
    others = views_of([pair for pair, name in zip(pairs, splits, strict=True) if name in unseen])
    voc = voc_average_precision(others, len(names), OBDB_IOU).table["AP"]
    return BoxReport(
        truth=truth,
        pairs=pairs,
        names=names,
        splits=tuple(splits),
        average_precision=pd.DataFrame(summaries),
        by_class=pd.concat(classes, ignore_index=True),
        kinds=pd.DataFrame(kinds),
        curves=curves,
        unseen=unseen,
        grid=score_grid(others, len(names)),
        confusion=confusion(others, names, CONFIDENCE),
        voc=dict(zip(names, voc.tolist(), strict=True)),
    )


def views_of(pairs: Sequence[Pair]) -> list[tuple[Instances, Instances]]:
    """Truth and predictions of every view of every frame.

    Args:
        pairs: The frames.

    Returns:
        One a view that is there.
    """
    return [
        (truth.instances[view], found.instances[view])
        for truth, found in pairs
        for view, image in enumerate(truth.images)
        if not image.missing
    ]


def judge_confident(truth: Instances, found: Instances) -> tuple[Instances, Verdicts]:
    """What is to be said of the predictions of a score of at least 0.5, and these predictions.

    Args:
        truth: ``(N, ...)`` of one view.
        found: ``(M, ...)`` of the same view.

    Returns:
        The predictions that are left, and the verdicts.
    """
    kept = found[instance_scores(found) >= CONFIDENCE]
    return kept, judge_boxes(truth, kept)


def _by_class(
    figures: BoxPrecision, images: Sequence[tuple[Instances, Instances]], names: Sequence[str]
) -> pd.DataFrame:
    table = figures.by_class
    table["class"] = [names[number] for number in table["class"]]
    table.loc[:, "AP":] *= 100
    for iou in _VOC:
        voc = voc_average_precision(images, len(names), iou).table
        name = f"VOC{round(100 * iou)}"
        table[name], table[f"{name}_11"] = 100 * voc["AP"], 100 * voc["AP11"]
    return table


def _kinds(images: Sequence[tuple[Instances, Instances]]) -> dict[str, int]:
    verdicts = [judge_confident(*pair)[1] for pair in images]
    counts = {
        kind.name.lower(): sum(int((each.kinds == kind).sum()) for each in verdicts)
        for kind in (Kind.CORRECT, *_ERRORS)
    }
    return counts | {"missing": sum(int(each.missing.sum()) for each in verdicts)}


def _mean_curves(figures: BoxPrecision) -> dict[str, Float[np.ndarray, " R"]]:
    every = figures.curves[:, list(AREAS).index("all")]
    known = every[~np.isnan(every[:, 0, 0])]
    shown = {f"IoU {value:g}": THRESHOLDS.index(value) for value in _CURVES}
    nothing = np.full(every.shape[-1], np.nan)
    return {name: known[:, place].mean(0) if len(known) else nothing for name, place in shown.items()}
