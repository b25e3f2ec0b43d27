"""What a detector is worth on labelled images: curves, confusion, and what labels may lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.algorithms import registry
from vitruve.annotation.proposals.judge import Finding, Limits, judge_labels
from vitruve.app.analysis.labelled import OWN
from vitruve.app.analysis.pictures import BOX, LABEL, Mark, Picture, image_part
from vitruve.app.workspace import Workspace
from vitruve.config.schema import Config
from vitruve.data.object_boxes import box_labels
from vitruve.errors import InputError
from vitruve.evaluation.average_precision import THRESHOLDS
from vitruve.evaluation.boxes import AREAS, box_average_precision
from vitruve.evaluation.boxes_grid import METRICS, Grid, score_grid
from vitruve.evaluation.boxes_report import BoxReport, evaluate_boxes, judge_confident, views_of
from vitruve.evaluation.oks import instance_boxes, instance_classes, instance_scores
from vitruve.evaluation.verdicts import Kind
from vitruve.pipeline.after_training import unseen_labels
from vitruve.pipeline.report import own_labels, own_predictions
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Labels

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which precision is known."""
CONFIDENCES = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds on confidence that are looked at."""

PROPOSED, WRONG, RIGHT = "#1f8fd0", "#e0457b", "#12a37a"
"""Colours of boxes that labels may lack, of those that are wrong and of those that are right."""

_AROUND = 0.7
_FALSE = (Kind.DUPLICATE, Kind.WRONG_CLASS, Kind.MISLOCALISED, Kind.SPURIOUS)


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found on labelled images.

    Attributes:
        report: Beside the labels.
        found: The predictions, in the order of the labels and with their classes.
    """

    report: BoxReport
    found: Labels

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have an image, in the order of tables."""
        return tuple(self.report.summary["split"])

    def images(self, splits: Sequence[str] = ()) -> list[tuple[Instances, Instances]]:
        """Truth and predictions of every view of the images of some splits, of all when none is named."""
        pairs = zip(self.report.pairs, self.report.splits, strict=True)
        return views_of([pair for pair, split in pairs if not splits or split in splits])


def is_detector(config: Path) -> bool:
    """Whether a run finds boxes.

    Args:
        config: Its settings.

    Returns:
        True if so.
    """
    return registry.get(Config.load(config).model.model_type).needs.boxes


def detections(run: Path, stem: str = OWN) -> Detections:
    """What a detector found on labelled images after training.

    Args:
        run: The run directory.
        stem: Of the tables of predictions; see :func:`vitruve.app.analysis.labelled.stems_of`.

    Returns:
        The predictions and what they are worth.

    Raises:
        InputError: Labels or predictions are gone or damaged.
    """
    files = RunFiles(run)
    config = Config.load(files.config)
    labels = own_labels(config, files)
    if stem != OWN:
        unseen = dict(unseen_labels(config, labels))
        if stem not in unseen:
            raise InputError(f"{run / stem}.csv: its labels are not there any more; put them beside those of training")
        labels = unseen[stem]
    report = evaluate_boxes(box_labels(labels), own_predictions(files, labels, stem))
    return Detections(report, replace(report.truth, frames=tuple(found for _, found in report.pairs)))


def precision_recall(
    images: Sequence[tuple[Instances, Instances]], names: Sequence[str]
) -> dict[float, dict[str, Float[np.ndarray, " R"]]]:
    """Precision at each of :data:`RECALLS`.

    Args:
        images: Truth and predictions of every image.
        names: Of the classes.

    Returns:
        By intersection over union, then by class and for the mean over classes, ``""``; classes that are not labelled
        are left out.
    """
    curves = box_average_precision(images, len(names)).curves[:, list(AREAS).index("all")]
    result = {}
    for place, threshold in enumerate(THRESHOLDS):
        own = {name: curves[c, place] for c, name in enumerate(names) if np.isfinite(curves[c, place]).all()}
        mean = {"": np.mean(list(own.values()), 0)} if own else {}
        result[float(threshold)] = {**mean, **own}
    return result


def over_confidence(
    images: Sequence[tuple[Instances, Instances]], names: Sequence[str], iou: float = 0.5, only: str = ""
) -> pd.DataFrame:
    """Precision, recall and F1 over :data:`CONFIDENCES`.

    Args:
        images: Truth and predictions of every image.
        names: Of the classes.
        iou: From which intersection over union a prediction is right.
        only: Name of a class; all of them together when empty.

    Returns:
        ``confidence``, ``precision``, ``recall`` and ``f1``, from 0 to 1, NaN where not defined.
    """
    grid = score_grid(images, len(names), CONFIDENCES, (iou,))
    counted = [names.index(only)] if only else list(range(len(names)))
    counts = (each[counted].sum(0, keepdims=True) for each in (grid.right, grid.wrong, grid.missing))
    whole = Grid(grid.confidences, grid.ious, *counts)
    values = {name: getattr(whole, name)[0, :, 0] for name in METRICS}
    return pd.DataFrame({"confidence": grid.confidences, **values})


def findings(detected: Detections, score: float) -> list[Finding]:
    """What may be wrong with labels, the surest first.

    Args:
        detected: Predictions beside labels.
        score: Predictions less sure than this say nothing.

    Returns:
        As :func:`vitruve.annotation.proposals.judge.judge_labels` gives them.
    """
    return judge_labels(detected.report.truth, detected.found, Limits(score=score))


def finding_rows(detected: Detections, found: Sequence[Finding]) -> pd.DataFrame:
    """Findings as a table.

    Args:
        detected: What they were made from.
        found: The findings.

    Returns:
        ``kind``, ``image``, ``split``, ``class``, ``score``, ``x1``, ``y1``, ``x2``, ``y2``.
    """
    rows = []
    for each in found:
        frame = detected.report.truth[each.frame]
        box = instance_boxes(each.instance)[0].tolist()
        rows.append(
            (each.kind, frame.name, detected.report.splits[each.frame], _class(detected, each), each.score, *box)
        )
    return pd.DataFrame(rows, columns=["kind", "image", "split", "class", "score", "x1", "y1", "x2", "y2"])


def finding_picture(workspace: Workspace, detected: Detections, finding: Finding) -> Picture | None:
    """The surroundings of a finding: labels with full lines, what is proposed with a dashed one.

    Args:
        workspace: What may be shown.
        detected: What it was made from.
        finding: The finding.

    Returns:
        The picture; None where the image is not there.
    """
    truth = detected.report.truth
    frame = truth[finding.frame]
    box = instance_boxes(finding.instance)[0]
    marks = _boxes(frame.instances[0].numpy(), detected.report.names, LABEL, "label")
    name = _class(detected, finding)
    marks.append(_box(box, PROPOSED, name, f"{finding.kind}: {name}, score {finding.score:.2f}", dashed=True))
    lines = (f"score {finding.score:.2f}, {detected.report.splits[finding.frame]}", frame.name)
    points = np.asarray(box, np.float64).reshape(2, 2)
    return image_part(workspace, truth, frame.first_image, points, marks, name, lines, _AROUND)


def verdict_picture(workspace: Workspace, detected: Detections, frame: int, lines: Sequence[str]) -> Picture | None:
    """An image with right, wrong and missing boxes, of predictions of a score of at least 0.5.

    Args:
        workspace: What may be shown.
        detected: Predictions beside labels.
        frame: Number of the image.
        lines: Below its name.

    Returns:
        The picture; None where the image is not there.
    """
    truth, found = detected.report.pairs[frame]
    names = detected.report.names
    labelled = truth.instances[0].numpy()
    kept, verdicts = judge_confident(labelled, found.instances[0].numpy())
    marks = [
        *_boxes(labelled[verdicts.missing], names, LABEL, "missed", dashed=True),
        *_boxes(kept[verdicts.kinds == Kind.CORRECT], names, RIGHT, "right"),
        *_boxes(kept[np.isin(verdicts.kinds, _FALSE)], names, WRONG, "wrong"),
    ]
    nothing = np.zeros((0, 2))
    return image_part(workspace, detected.report.truth, truth.first_image, nothing, marks, truth.name, lines)


def _boxes(each: Instances, names: Sequence[str], color: str, said: str, *, dashed: bool = False) -> list[Mark]:
    boxes, classes, scores = instance_boxes(each), instance_classes(each), instance_scores(each)
    scored = each.scores is not None and said != "label"
    texts = [f"{said}: {names[c]}{f', score {s:.2f}' * scored}" for c, s in zip(classes, scores, strict=True)]
    drawn = zip(boxes, classes, texts, strict=True)
    return [_box(box, color, names[c], text, dashed=dashed) for box, c, text in drawn if np.isfinite(box).all()]


def _box(box: np.ndarray, color: str, name: str, text: str, *, dashed: bool = False) -> Mark:
    x1, y1, x2, y2 = map(float, box)
    return Mark(BOX, x1, y1, color, name, text, x2, y2, dashed)


def _class(detected: Detections, finding: Finding) -> str:
    return detected.report.names[int(instance_classes(finding.instance)[0])]
