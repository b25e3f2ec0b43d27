"""What was measured after each epoch of a run, as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from vitruve.app.age import age_of
from vitruve.run import RunFiles

TRAIN_LOSS, LOSS = "train_supervised_loss", "val_supervised_loss"
ERRORS = {"val_pixel_error": "error", "val_AP": "average precision (percent)", "val_top1": "right at first (percent)"}
"""How good a network is on validation images, whatever it finds; the first that a run has is drawn."""

_NAMES = {
    "total_loss": "total loss of the last batch",
    TRAIN_LOSS: "loss on training images",
    LOSS: "loss on validation images",
    "val_pixel_error": "validation error",
    "val_supervised_rmse": "validation error, root mean square",
    "val_AP": "validation, average precision (percent)",
    "val_AP50": "validation, average precision at overlap 0.5 (percent)",
    "learning_rate": "learning rate",
    "learning_rate_backbone": "learning rate of the backbone",
    "images_per_second": "images a second",
}
_IN_UNIT = ("val_pixel_error", "val_supervised_rmse")
_NOT_DRAWN = ("epoch", "step", "seconds_left")


@dataclass(frozen=True)
class Curves:
    """The rows of ``metrics.csv`` of one run, column by column.

    Attributes:
        name: Of the run.
        epochs: How many were done at each row.
        columns: One value a row, NaN where that epoch has none.
        unit: Of errors: ``px`` or ``mm``.
    """

    name: str
    epochs: tuple[int, ...]
    columns: Mapping[str, tuple[float, ...]]
    unit: str = "px"

    def points(self, column: str) -> tuple[list[int], list[float]]:
        """The epochs that have a value, and the values; none for a column that is not there."""
        values = self.columns.get(column, ())
        kept = [(epoch, value) for epoch, value in zip(self.epochs, values, strict=False) if math.isfinite(value)]
        return [epoch for epoch, _ in kept], [value for _, value in kept]

    @property
    def error(self) -> str | None:
        """The column that says how good the network is on validation images; None before it was validated."""
        return next((column for column in ERRORS if self.points(column)[0]), None)

    def best(self, column: str) -> tuple[int, float] | None:
        """The epoch with the best value of a column, and that value; None where there is none.

        Losses and errors are best at their lowest, shares of what is right at their highest.
        """
        found = list(zip(*self.points(column), strict=True))
        if not found:
            return None
        return (max if is_share(column) else min)(found, key=lambda point: point[1])


def read_curves(run: Path, name: str, unit: str = "px") -> list[Curves]:
    """The curves of a run; of an ensemble, those of each network.

    Args:
        run: The run directory.
        name: What the run is called.
        unit: Of its errors.

    Returns:
        One of each network that has finished an epoch.
    """
    files = RunFiles(run)
    each = [(member, f"{name}/{member.path.name}") for member in files.members()] or [(files, name)]
    found = [_read(member, called, unit, age_of(member.metrics)) for member, called in each]
    return [curves for curves in found if curves.epochs]


@lru_cache(256)
def _read(files: RunFiles, name: str, unit: str, age: str) -> Curves:
    """Read once for all who look at them, until there are more."""
    return curves_of(files.read_metrics(), name, unit)


def metrics_age(run: Path) -> str:
    """Changes when a run, or a network of an ensemble, has measured more.

    Args:
        run: The run directory.

    Returns:
        Text that says nothing but whether it is the same.
    """
    files = RunFiles(run)
    return " ".join(age_of(each.metrics) for each in (files, *files.members()))


def curves_of(rows: Iterable[Mapping[str, str | None]], name: str, unit: str = "px") -> Curves:
    """The columns of a table of metrics.

    Args:
        rows: As :meth:`~vitruve.run.RunFiles.read_metrics` gives them.
        name: Of the run.
        unit: Of its errors.

    Returns:
        The columns; what is no number is NaN, and rows without an epoch are left out.
    """
    kept = [row for row in rows if math.isfinite(_number(row.get("epoch")))]
    names = dict.fromkeys(column for row in kept for column in row if column)
    columns = {column: tuple(_number(row.get(column)) for row in kept) for column in names}
    # The file counts epochs from 0; people count those that are done.
    return Curves(name, tuple(int(_number(row["epoch"])) + 1 for row in kept), columns, unit)


def columns_among(curves: Iterable[Curves]) -> list[str]:
    """The columns that can be drawn of any of several runs, those that matter most first."""
    there = {column for each in curves for column in each.columns if each.points(column)[0]} - set(_NOT_DRAWN)
    return [column for column in _NAMES if column in there and column != "total_loss"] + sorted(there - set(_NAMES))


def column_name(column: str, unit: str = "") -> str:
    """A column in words, with the unit where it has one.

    Args:
        column: Of ``metrics.csv``.
        unit: Of errors; empty for none.

    Returns:
        Such as ``validation error (px)``; the column's own name where nothing better is known.
    """
    text = _NAMES.get(column, column.replace("_", " "))
    return f"{text} ({unit})" if unit and column in _IN_UNIT else text


def is_share(column: str) -> bool:
    """Whether a column is better the higher it is."""
    return column.startswith(("val_AP", "val_top"))


def _number(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan
