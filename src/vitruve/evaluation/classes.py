"""How often images are told to be of the right class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from vitruve.atomic import atomic_write
from vitruve.structures.labels import Labels

_ORDER = ("train", "validation", "test", "unused")


def class_table(truth: Labels, predictions: Labels) -> pd.DataFrame:
    """What is said of each image.

    Args:
        truth: Images with their class.
        predictions: Of the same images in the same order: classes as instances, the likeliest first.

    Returns:
        One row an image, by its name: ``class``, ``predicted``, ``score`` (0 to 1), ``rank`` (of the right class, from
        1 on; NaN where it is not among the predicted ones), ``set``.
    """
    rows = []
    for frame, found in zip(truth, predictions, strict=True):
        assert frame.instances.categories is not None
        assert found.instances.categories is not None and found.instances.scores is not None
        right, said = int(frame.instances.categories[0, 0]), found.instances.categories[0]
        place = np.flatnonzero(said == right)
        rows.append(
            {
                "image": frame.name,
                "class": truth.categories[right],
                "predicted": truth.categories[int(said[0])],
                "score": float(found.instances.scores[0, 0]),
                "rank": float(place[0] + 1) if len(place) else np.nan,
                "set": frame.split or "all",
            }
        )
    return pd.DataFrame(rows).set_index("image")


def summarised(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Top-1 and top-5.

    Args:
        table: As :func:`class_table` gives it.
        by: ``set``, or ``class``.

    Returns:
        One row a group: ``frames``, ``top1_percent``, ``top5_percent``.
    """
    groups = table.assign(top1=table["rank"] == 1, top5=table["rank"] <= 5).groupby(by, sort=False)
    return pd.DataFrame(
        {
            "frames": groups.size(),
            "top1_percent": 100 * groups["top1"].mean(),
            "top5_percent": 100 * groups["top5"].mean(),
        }
    )


@dataclass(frozen=True)
class ClassReport:
    """How often images were told to be of the right class.

    Attributes:
        table: As :func:`class_table` gives it.
    """

    table: pd.DataFrame

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row a split: ``split``, ``frames``, ``top1_percent``, ``top5_percent``."""
        rows = summarised(self.table, "set").rename_axis("split")
        order = sorted(rows.index, key=lambda name: (*_ORDER, name).index(name))
        return rows.loc[order].reset_index()

    @cached_property
    def classes(self) -> pd.DataFrame:
        """One row a class, the worst first; of images that were not learned from, where there are any."""
        unseen = self.table[self.table["set"] != "train"]
        return summarised(unseen if len(unseen) else self.table, "class").sort_values("top1_percent", kind="stable")


def write_class_report(report: ClassReport, folder: Path, title: str) -> dict[str, Path]:
    """Write ``accuracy.csv``, ``accuracy_per_class.csv`` and ``report.html``.

    Args:
        report: What is written.
        folder: Where it goes.
        title: Of the page.

    Returns:
        The files, by their kind.
    """
    summary, classes = report.summary, report.classes
    tables = [
        summary.to_html(float_format="{:.1f}".format, border=False, index=False),
        classes.to_html(float_format="{:.1f}".format, border=False),
    ]
    head = f"<!doctype html><meta charset='utf-8'><title>{escape(title)}</title><h1>{escape(title)}</h1>"
    contents = {
        "accuracy": ("accuracy.csv", summary.to_csv(index=False, float_format="%.4g")),
        "accuracy_per_class": ("accuracy_per_class.csv", classes.to_csv(float_format="%.4g")),
        "report": ("report.html", f"{head}{tables[0]}<h2>Classes</h2>{tables[1]}"),
    }
    for name, text in contents.values():
        atomic_write(folder / name, text)
    return {kind: folder / name for kind, (name, _) in contents.items()}
