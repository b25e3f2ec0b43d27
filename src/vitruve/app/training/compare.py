"""Several runs as tables: how good each became, and in which settings they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vitruve.app.projects import RunEntry
from vitruve.app.training.curves import LOSS, Curves
from vitruve.config.yaml_file import read_yaml
from vitruve.errors import VitruveError

_NOT_SET = "(not there)"


def summary_table(runs: Mapping[str, RunEntry], curves: Sequence[Curves]) -> pd.DataFrame:
    """How each run stands and how good it became.

    Args:
        runs: By name.
        curves: Of the runs, one of each network of an ensemble.

    Returns:
        One row for each of ``curves``.
    """
    rows = []
    for each in curves:
        run = runs.get(each.name) or next(run for name, run in runs.items() if each.name.startswith(f"{name}/"))
        status = run.status
        loss, best = each.best(LOSS), each.best(each.error) if each.error else None
        paces = each.points("images_per_second")[1]
        rows.append(
            {
                "run": each.name,
                "state": "" if status is None else status.status.lower(),
                "epochs": max(each.epochs, default=0),
                "lowest validation loss": None if loss is None else loss[1],
                "best validation": None if best is None else best[1],
                "unit": "" if best is None else each.unit if each.error == "val_pixel_error" else "percent",
                "in epoch": None if best is None else best[0],
                "images/s": sum(paces) / len(paces) if paces else None,
            }
        )
    return pd.DataFrame(rows)


def differing_settings(configs: Mapping[str, Path]) -> pd.DataFrame:
    """The settings in which runs differ.

    Args:
        configs: The ``config.yaml`` of each run, by the run's name; those that cannot be read are left out.

    Returns:
        One row a setting, by its full key, and one column a run; values as text.
    """
    found = {}
    for name, path in configs.items():
        try:
            found[name] = dict(_flat(read_yaml(path)))
        except VitruveError:
            continue
    keys = dict.fromkeys(key for settings in found.values() for key in settings)
    rows = {key: [settings.get(key, _NOT_SET) for settings in found.values()] for key in keys}
    differing = {key: values for key, values in rows.items() if len(set(values)) > 1}
    table = pd.DataFrame.from_dict(differing, orient="index", columns=list(found))
    return table.rename_axis("setting")


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        full = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{full}.")
        else:
            yield full, str(value)
