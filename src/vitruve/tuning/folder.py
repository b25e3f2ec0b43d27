"""What a study is on disk: the names of its files, and how its results are written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from optuna.trial import FrozenTrial

from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.run import RunFiles
from vitruve.tuning.space import Space, with_values
from vitruve.tuning.storage import without_password
from vitruve.tuning.study import AGAIN, BEST_EPOCH, REASON, RUN


@dataclass(frozen=True)
class StudyFiles:
    """The files of the folder of one study.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def settings(self) -> Path:
        """What was searched, and around which settings."""
        return self.path / "study.yaml"

    @property
    def journal(self) -> Path:
        """Everything that Optuna knows, where no database keeps it."""
        return self.path / "journal.log"

    @property
    def trials(self) -> Path:
        """Folder of the runs."""
        return self.path / "trials"

    @property
    def table(self) -> Path:
        """One row a trial."""
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """The best settings, for ``vitruve train``."""
        return self.path / "best.yaml"

    @property
    def page(self) -> Path:
        """The page as it was last."""
        return self.path / "study.html"

    def run(self, number: int) -> RunFiles:
        """The run of a trial."""
        return RunFiles(self.trials / f"trial_{number:04d}")

    def write_settings(self, config: Config) -> None:
        """Keep all settings; passwords are not written down.

        Args:
            config: All settings.
        """
        tune = config.tune
        if tune.storage is not None:
            tune = tune.model_copy(update={"storage": without_password(tune.storage)})
        atomic_write(self.settings, config.model_copy(update={"tune": tune}).to_yaml())

    def write_best(self, config: Config, space: Space, trial: FrozenTrial) -> None:
        """Write the settings of a trial as they are for ``vitruve train``.

        Args:
            config: All settings that the study began with.
            space: What is searched.
            trial: The best one.
        """
        best = with_values(config, space.values(trial.params))
        about = f"# Trial {trial.number}: {trial.value:.6g}. vitruve train {self.best.name}\n"
        atomic_write(self.best, about + best.to_yaml())

    def write_table(self, space: Space, trials: Iterable[FrozenTrial]) -> None:
        """Write one row a trial.

        Args:
            space: What is searched.
            trials: All of them.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["trial", "state", "value", "best_epoch", *space.keys, "seconds", "run", "reason"])
        for each in trials:
            values = space.values(each.params)
            said = each.user_attrs
            writer.writerow(
                [
                    each.number,
                    state_of(each),
                    "" if each.value is None else f"{each.value:.6g}",
                    said.get(BEST_EPOCH, ""),
                    *(_cell(values.get(key, "")) for key in space.keys),
                    "" if each.duration is None else round(each.duration.total_seconds(), 1),
                    said.get(RUN, ""),
                    said.get(REASON, ""),
                ]
            )
        atomic_write(self.table, text.getvalue())


def state_of(trial: FrozenTrial) -> str:
    """What became of a trial: ``complete``, ``pruned``, ``stopped``, ``failed``, ``again``, ``running``, .."""
    name = {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower())
    if trial.user_attrs.get(AGAIN):
        return "again"
    return "stopped" if name == "pruned" and trial.user_attrs.get(REASON) == "stopped" else name


def _cell(value: object) -> object:
    return yaml.safe_dump(value, default_flow_style=True).strip() if isinstance(value, (list, dict)) else value
