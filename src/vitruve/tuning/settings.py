"""Settings of the section ``tune``: what is searched, by what, and for how long."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt

from vitruve.settings import Section


class TuneSettings(Section):
    """The search for the best settings, which ``vitruve tune`` carries out."""

    space: dict[str, Any] = Field(
        default={},
        description="What is searched: full keys of settings, each with low and high (log, int) or choices, and, where "
        "it counts only beside certain values of others, when.",
    )
    objective: str | None = Field(
        default=None,
        description="Column of metrics.csv by which trials are compared, each by its best epoch; null for what the "
        "algorithm is judged by.",
    )
    direction: Literal["minimize", "maximize"] | None = Field(
        default=None, description="Whether low or high values are good; null to tell by the name of the objective."
    )
    sampler: Literal["auto", "gp", "tpe", "random"] = Field(
        default="auto",
        description="What proposes settings; auto takes a Gaussian process, or tpe for conditions, choices, more than "
        "four processes or more than 200 trials.",
    )
    pruner: Literal["median", "hyperband", "none"] = Field(
        default="median", description="What ends trials early that do worse than others did after as many epochs."
    )
    initial_points: StrictInt | None = Field(
        default=None,
        ge=1,
        description="Trials before proposals build on them; null for one more than the space has keys.",
    )
    known: tuple[dict[str, Any], ...] = Field(
        default=(), description="Settings that are known to be good, by their full keys: they are tried first."
    )
    begin_with_settings: StrictBool = Field(
        default=True, description="Try the settings as they are before all others, as far as they lie in the space."
    )
    max_trials: StrictInt = Field(default=32, ge=1, description="Trials in all, of all processes together.")
    max_hours: StrictFloat | None = Field(
        default=None, gt=0, description="Time after which a process ends its part of the search; null for no bound."
    )
    epochs: StrictInt | None = Field(
        default=None, ge=1, description="Epochs of a trial; null for training.max_epochs, which the result keeps."
    )
    processes: StrictInt = Field(default=1, ge=1, description="Trials at a time on this machine.")
    storage: str | None = Field(
        default=None,
        description="Where several machines meet: the address of a PostgreSQL or MySQL database, or of a journal file "
        "on a shared disk; null for a journal in the folder of the study.",
    )
    name: str | None = Field(default=None, description="Name of the study in the storage; null for that of its folder.")
    seed: StrictInt = Field(default=0, ge=0, description="Seed of the proposals.")
    port: StrictInt | None = Field(
        default=8880,
        ge=0,
        le=65535,
        description="Port of the page, or the next free one; 0 for any, null for no page.",
    )
