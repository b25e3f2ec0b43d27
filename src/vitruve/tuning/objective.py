"""By what trials are compared: a column of ``metrics.csv``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from vitruve.algorithms import registry
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, nearest

Direction = Literal["minimize", "maximize"]

_LOW = {"loss", "error", "rmse", "mpjpe", "mm", "px"}
_HIGH = {
    "map",
    "ap",
    "ar",
    "map50",
    "map75",
    "ap50",
    "ap75",
    "accuracy",
    "top1",
    "top5",
    "pck",
    "oks",
    "f1",
    "precision",
    "recall",
}


def objective_of(config: Config) -> tuple[str, Direction]:
    """The column and whether low or high values are good.

    Args:
        config: All settings; what ``tune`` leaves open, the algorithm decides: average precision of boxes, share of
            right classes, distance from the truth, or, where any number of instances is found, the validation loss,
            because a distance says nothing of those that are missed.

    Returns:
        A column of ``metrics.csv`` and a direction.

    Raises:
        ConfigError: The name does not tell the direction.
    """
    column = config.tune.objective or _column(config)
    direction = config.tune.direction
    if direction is None:
        words = set(re.split(r"[_\W]+", column.lower()))
        if words & _LOW:
            direction = "minimize"
        elif words & _HIGH:
            direction = "maximize"
        else:
            raise ConfigError(
                f"tune.objective={column}: is it better low or high? Set tune.direction=minimize|maximize"
            )
    return column, direction


def _column(config: Config) -> str:
    needs = registry.get(config.model.model_type).needs
    if needs.classes:
        return "val_top1"
    if needs.boxes:
        return "val_AP"
    return "val_supervised_loss" if needs.instances else "val_pixel_error"


def values_by_epoch(rows: Sequence[Mapping[str, str]], column: str) -> dict[int, float]:
    """The objective after each epoch that has it.

    Args:
        rows: Of ``metrics.csv``.
        column: The objective.

    Returns:
        Finite values by epochs, from 0.

    Raises:
        ConfigError: Epochs were validated, and there is no such column.
    """
    there = dict.fromkeys(name for row in rows for name, text in row.items() if text)
    if column not in there and any(name.startswith("val_") for name in there):
        raise ConfigError(
            f"tune.objective={column}: metrics.csv has no such column"
            f"{nearest(column, there) or '; it has ' + ', '.join(there)}"
        )
    found = {int(row["epoch"]): float(row[column]) for row in rows if row.get(column)}
    return {epoch: value for epoch, value in found.items() if math.isfinite(value)}


def best_of(values: Mapping[int, float], direction: Direction) -> tuple[int, float] | None:
    """The best epoch and its value; the first of equals; None without any.

    Args:
        values: By epochs.
        direction: Whether low or high values are good.

    Returns:
        Epoch and value.
    """
    if not values:
        return None
    sign = 1 if direction == "minimize" else -1
    return min(sorted(values.items()), key=lambda item: sign * item[1])
