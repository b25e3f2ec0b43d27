"""A study as plain values and as a page: what is shown while it runs and kept when it ends."""

from __future__ import annotations

import json
import math
import time
import warnings
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from vitruve.atomic import atomic_write
from vitruve.tuning.folder import state_of
from vitruve.tuning.study import BEST_EPOCH, REASON, RUN, STOP, WORKER, SharedStudy
from vitruve.visualize.html import render_page

_FEWEST = 4


def study_state(shared: SharedStudy, max_trials: int) -> dict[str, Any]:
    """Everything that the page shows.

    Args:
        shared: The study.
        max_trials: Trials in all.

    Returns:
        Plain values for JSON.
    """
    trials = shared.trials()
    best = shared.best()
    counted = shared.counted(trials)
    begun = [each.datetime_start.timestamp() for each in trials if each.datetime_start is not None]
    return {
        "name": shared.study.study_name,
        "objective": shared.column,
        "direction": shared.direction,
        "space": [each.to_dict() for each in shared.space.dimensions],
        "trials": [_trial(shared, each) for each in trials if each.state != TrialState.WAITING],
        "best": None if best is None else best.number,
        "done": sum(each.state != TrialState.RUNNING for each in counted),
        "running": sum(each.state == TrialState.RUNNING for each in counted),
        "max_trials": max_trials,
        "importances": importances(shared.study, sum(each.state == TrialState.COMPLETE for each in trials)),
        "begun": min(begun, default=None),
        "now": time.time(),
    }


def importances(study: optuna.Study, complete: int) -> dict[str, float]:
    """How much of the differences between trials each setting explains (PED-ANOVA, Watanabe et al. 2023).

    Args:
        study: Of Optuna.
        complete: How many of its trials are complete.

    Returns:
        Shares by keys, which add up to 1; none for fewer than four complete trials.
    """
    return _importances(study, complete) if complete >= _FEWEST else {}


# Asked for by every open page, and slow.
@cache
def _importances(study: optuna.Study, complete: int) -> dict[str, float]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(study)
    except (RuntimeError, ValueError):
        return {}  # no setting that all trials have, or no differences
    return {key: float(value) for key, value in found.items() if math.isfinite(value)}


def render_study(state: dict[str, Any], *, live: bool = False) -> str:
    """The page of a study.

    Args:
        state: What it shows.
        live: Whether it keeps asking its server for more, and has buttons that stop.

    Returns:
        HTML that needs no other file.
    """
    folder = files("vitruve.tuning") / "templates"
    template, script = ((folder / name).read_text(encoding="utf-8") for name in ("study.html", "study.js"))
    # A text that ends the script would end it wherever it stands.
    data = json.dumps(state, allow_nan=False).replace("</", "<\\/")
    about = {"Study": state["name"], "Objective": f"{state['objective']} ({state['direction']})"}
    return render_page(template, "Search for the best settings", about, script=script, data=data, live=live)


def write_page(shared: SharedStudy, max_trials: int, path: Path) -> None:
    """Write the page as it is now.

    Args:
        shared: The study.
        max_trials: Trials in all.
        path: The file.
    """
    atomic_write(path, render_study(study_state(shared, max_trials)))


def _trial(shared: SharedStudy, trial: FrozenTrial) -> dict[str, Any]:
    said = trial.user_attrs
    value = trial.value if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) else None
    curve = sorted(trial.intermediate_values.items())
    best = said.get(BEST_EPOCH)
    if trial.state == TrialState.PRUNED and best is not None:
        value = trial.intermediate_values.get(int(best), value)
    begun = trial.datetime_start
    seconds = None
    if trial.duration is not None:
        seconds = trial.duration.total_seconds()
    elif begun is not None:
        seconds = max(0.0, time.time() - begun.timestamp())
    return {
        "number": trial.number,
        "state": state_of(trial),
        "stopping": trial.state == TrialState.RUNNING and bool(said.get(STOP)),
        "value": value if value is None or math.isfinite(value) else None,
        # Counted from 1, as people do.
        "epoch": None if best is None else best + 1,
        "params": trial.params,
        "curve": [[epoch + 1, each] for epoch, each in curve if math.isfinite(each)],
        "begun": None if begun is None else begun.timestamp(),
        "seconds": seconds,
        "host": (said.get(WORKER) or {}).get("host", ""),
        "run": said.get(RUN, ""),
        "reason": said.get(REASON, ""),
    }
