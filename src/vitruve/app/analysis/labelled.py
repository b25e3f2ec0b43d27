"""Predictions of several runs on labelled images, as one table that is cut by metric, keypoint and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from vitruve.algorithms import registry
from vitruve.config.schema import Config
from vitruve.errors import InputError
from vitruve.evaluation.report import Report, evaluate, ordered
from vitruve.pipeline.after_training import unseen_labels
from vitruve.pipeline.diagnostics import subspaces_of
from vitruve.pipeline.predict import with_keypoints_of
from vitruve.pipeline.report import own_labels, own_predictions
from vitruve.run import RunFiles
from vitruve.structures.instances import VISIBLE
from vitruve.structures.labels import Labels

OWN = "predictions"
"""Stem of the tables of what a run predicted on the images it was trained and validated with."""
MEAN = "mean of keypoints"
"""Stands for a keypoint where those of an animal are taken together."""

_KEY = ["image", "view", "instance", "keypoint"]
_UNSEEN = "predictions_*.csv"


@dataclass(frozen=True)
class Metric:
    """Something that is known of each predicted keypoint.

    Attributes:
        name: Column of :attr:`Measured.table`.
        title: For people.
        unit: ``px``, or empty.
        help: What it says.
        rising: Whether more of it is better.
    """

    name: str
    title: str
    unit: str
    help: str
    rising: bool = False

    @property
    def axis(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else f"{self.title} (0 to 1)"


METRICS = {
    each.name: each
    for each in (
        Metric("pixel_error", "Pixel error", "px", "Distance from the label, in pixels of the original image."),
        Metric("confidence", "Confidence", "", "How sure the network is of the keypoint, 0 to 1.", rising=True),
        Metric(
            "pca_singleview_error",
            "Pose error",
            "px",
            "Distance from the poses that are labelled (PCA of all keypoints of a view); needs no label.",
        ),
        Metric(
            "pca_multiview_error",
            "View error",
            "px",
            "How much the views of a keypoint contradict one another (PCA over views); needs no label.",
        ),
        Metric("temporal_norm", "Jump", "px", "How far the keypoint moved since the frame before; needs no label."),
    )
}
"""All metrics of keypoints, by name."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Predictions of a run on labelled images, and what is known of them.

    Attributes:
        report: Labels and predictions in one order, and the errors.
        table: One row a frame, view, instance and keypoint, in the order of ``report.errors``: ``frame`` (its number),
            ``image``, ``view``, ``instance``, ``split``, ``keypoint``, ``pixel_error`` (of keypoints labelled visible),
            ``confidence``, and a column for each PCA error that the run knows.
    """

    report: Report
    table: pd.DataFrame

    @cached_property
    def places(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Frame and view, by their numbers, of each image and view, by their names in :attr:`table`."""
        views = list(dict.fromkeys(self.table["view"]))
        return {
            (image.name, view): (number, place)
            for number, frame in enumerate(self.report.truth)
            for place, (image, view) in enumerate(zip(frame.images, views, strict=True))
        }


def stems_of(run: Path) -> list[str]:
    """Which sets of labelled images a run has predicted.

    Args:
        run: The run directory.

    Returns:
        Stems of the tables: ``predictions``, ``predictions_new``, ``predictions_test``.
    """
    names = [f"{OWN}_{ending}" for ending in ("new", "test")]
    return [OWN, *(name for name in names if any(run.glob(f"{name}*.csv")))]


def measure(run: Path, stem: str = OWN) -> Measured:
    """Everything that is known of what a run predicted on labelled images.

    Args:
        run: The run directory, of one network or of an ensemble.
        stem: One of :func:`stems_of`.

    Returns:
        The table, and what it was made from.

    Raises:
        InputError: Labels or predictions are gone or damaged, or the run gives no keypoints.
        RunError: It is not finished.
    """
    files = RunFiles(run)
    record = (files.members() or [files])[0].read_model()
    config = Config.load(files.config)
    needs = registry.get(config.model.model_type).needs
    if needs.boxes or needs.classes:
        where = "the page of detectors measures it" if needs.boxes else f"its report is {files.evaluation}"
        raise InputError(f"{run}: a {config.model.model_type} gives no keypoints; {where}")
    labels = own_labels(config, files)
    if stem != OWN:
        labels = _unseen(config, labels, stem, run)
    predictions = with_keypoints_of(own_predictions(files, labels, stem), labels.skeleton, str(run))
    report = evaluate(labels, predictions, several=needs.instances)
    errors = report.errors
    frames = len(labels)
    table = errors[["image", "view", "instance", "split", "keypoint"]].copy()
    table.insert(0, "frame", np.repeat(np.arange(frames), len(errors) // max(frames, 1)))
    table["pixel_error"] = np.where(errors["visible"] == VISIBLE, errors["error"], np.nan)
    table["confidence"] = errors["score"].to_numpy()
    if not needs.instances:
        keypoints = report.predictions.keypoints()[:, :, 0].astype(np.float64)
        for name, subspace in subspaces_of(record).items():
            table[f"{name}_error"] = subspace.errors(keypoints).ravel()
    return Measured(report, table)


def _unseen(config: Config, labels: Labels, stem: str, run: Path) -> Labels:
    for name, found in unseen_labels(config, labels):
        if name == stem:
            return found
    raise InputError(f"{run / stem}.csv: its labels are not there any more; put them beside those of training")


def known_metrics(tables: Sequence[pd.DataFrame]) -> list[Metric]:
    """Metrics of which at least one of several tables knows a value.

    Args:
        tables: :attr:`Measured.table` of runs.

    Returns:
        The metrics, in the order of :data:`METRICS`.
    """
    there = {name for table in tables for name in table.columns if name in METRICS and table[name].notna().any()}
    return [metric for name, metric in METRICS.items() if name in there]


def joined(
    measured: dict[str, Measured], metric: str, *, keypoints: Sequence[str] = (), splits: Sequence[str] = ()
) -> pd.DataFrame:
    """One metric of several runs below one another.

    Args:
        measured: By the name of the run.
        metric: A name of :data:`METRICS`.
        keypoints: Those that are kept; all when empty. ``(MEAN,)`` takes those of an animal together.
        splits: Those that are kept; all when empty.

    Returns:
        ``run``, ``frame``, ``image``, ``view``, ``instance``, ``split``, ``keypoint`` and ``value``, of which there
        are no missing ones.
    """
    parts = []
    for run, each in measured.items():
        if metric not in each.table:
            continue
        part = each.table.rename(columns={metric: "value"})[["frame", *_KEY, "split", "value"]]
        part.insert(0, "run", run)
        parts.append(part[part["value"].notna()])
    if not parts:
        return pd.DataFrame(columns=["run", "frame", *_KEY, "split", "value"])
    table = pd.concat(parts, ignore_index=True)
    if splits:
        table = table[table["split"].isin(splits)]
    if list(keypoints) == [MEAN]:
        by = ["run", "frame", "image", "view", "instance", "split"]
        return table.groupby(by, sort=False, as_index=False)["value"].mean().assign(keypoint=MEAN)
    return table[table["keypoint"].isin(keypoints)] if keypoints else table


def figures(table: pd.DataFrame, threshold: float | None = None, *, rising: bool = False) -> pd.DataFrame:
    """What values amount to, run by run and split by split.

    Args:
        table: Of :func:`joined`.
        threshold: Of which the share on the better side is counted.
        rising: Whether more is better.

    Returns:
        ``run``, ``split``, ``keypoints``, ``mean``, ``median``, ``p90``, ``p95`` and, with a threshold, ``good`` in
        percent.
    """
    rows = []
    for run in table["run"].unique():
        own = table[table["run"] == run]
        for split in ordered(own["split"]):
            values = own.loc[own["split"] == split, "value"].to_numpy(np.float64)
            low = np.percentile(values, (50, 10, 5) if rising else (50, 90, 95))
            row = {"run": run, "split": split, "keypoints": len(values), "mean": values.mean()}
            row |= dict(zip(("median", "p10" if rising else "p90", "p5" if rising else "p95"), low, strict=True))
            if threshold is not None:
                row["good"] = 100 * float((values >= threshold if rising else values <= threshold).mean())
            rows.append(row)
    return pd.DataFrame(rows)


def pairs(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """The same keypoint as two runs have it.

    Args:
        table: Of :func:`joined`, of at least these two runs.
        first: Name of a run.
        second: Name of another.

    Returns:
        ``image``, ``view``, ``instance``, ``keypoint``, ``frame``, ``split`` (as the first run has them), ``first`` and
        ``second``.
    """
    one = table[table["run"] == first].rename(columns={"value": "first"})
    two = table[table["run"] == second].rename(columns={"value": "second"})
    both = one.merge(two[[*_KEY, "second"]], on=_KEY)
    return both[[*_KEY, "frame", "split", "first", "second"]]


def worst_images(table: pd.DataFrame, run: str, count: int, *, rising: bool = False) -> pd.DataFrame:
    """The images that a run is worst at.

    Args:
        table: Of :func:`joined`.
        run: Its name.
        count: How many at most.
        rising: Whether more is better.

    Returns:
        Worst first: ``frame``, ``image``, ``view``, ``split``, ``value`` (mean), and the worst keypoint and its value,
        ``keypoint`` and ``extreme``.
    """
    own = table[table["run"] == run]
    if own.empty:
        return pd.DataFrame(columns=["frame", "image", "view", "split", "value", "keypoint", "extreme"])
    grouped = own.groupby(["frame", "image", "view", "split"], sort=False)["value"]
    extreme = own.loc[grouped.idxmin() if rising else grouped.idxmax(), ["keypoint", "value"]].to_numpy()
    worst = grouped.mean().reset_index()
    worst["keypoint"], worst["extreme"] = extreme[:, 0], extreme[:, 1].astype(float)
    return worst.sort_values("value", ascending=rising, kind="stable").head(count).reset_index(drop=True)
