"""All settings of a run, checked once."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from vitruve.algorithms.settings import ModelSettings
from vitruve.config.explain import config_error, place, unknown_key
from vitruve.config.foreign import adopt
from vitruve.config.idle import idle_settings
from vitruve.config.sections import Sections
from vitruve.config.yaml_file import read_yaml
from vitruve.errors import ConfigError, nearest
from vitruve.losses.settings import UNSUPERVISED, LossesSettings
from vitruve.settings import Section

if TYPE_CHECKING:
    from vitruve.algorithms.base import Algorithm

_S = TypeVar("_S", bound=Section)
_log = logging.getLogger(__name__)
_LEFT_OPEN = "???"


@dataclass(frozen=True)
class Remarks:
    """What there is to say of settings that are valid.

    Attributes:
        changed: One line for each setting that was converted.
        idle: Full keys without effect in this run, each with its reason.
    """

    changed: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    def __or__(self, other: Remarks) -> Remarks:
        """Everything that either says, once."""
        changed, idle = (dict.fromkeys((*getattr(self, n), *getattr(other, n))) for n in ("changed", "idle"))
        return Remarks(tuple(changed), tuple(idle))

    def warn(self, source: str | None = None) -> None:
        """Say it: one line for each converted setting, and one line for all that have no effect.

        Args:
            source: The file the settings come from.
        """
        start = f"{source}: " if source else ""
        for line in self.changed:
            _log.warning("%s%s", start, line)
        if self.idle:
            _log.warning("%sno effect in this run: %s", start, "; ".join(self.idle))


class Config(Sections):
    """All settings of a run. Made by :meth:`from_mapping`, :meth:`load` or ``vitruve.config.compose``."""

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], source: str | None = None, overridden: Collection[str] = ()
    ) -> Config:
        """Check settings and fill in the defaults.

        Settings of older files whose meaning has changed are converted, with one warning of the logger each. Settings
        that have no effect in this run are collected into one more.

        Args:
            mapping: Sections as nested mappings.
            source: The file they come from, for messages.
            overridden: Full keys that come from the command line instead, for messages.

        Returns:
            The settings; ``model`` has the class that its algorithm brings.

        Raises:
            ConfigError: A key is unknown, a value has the wrong type or range, values contradict one another,
                or a loss or algorithm is named that there is not.
        """
        config, remarks = cls.examine(mapping, source, overridden)
        remarks.warn(source)
        return config

    @classmethod
    def examine(
        cls, mapping: Mapping[str, Any], source: str | None = None, overridden: Collection[str] = ()
    ) -> tuple[Config, Remarks]:
        """Like :meth:`from_mapping`, but hand back what there is to warn of.

        Returns:
            The settings, and what was changed or has no effect.
        """
        adopted = adopt(mapping, overridden)
        values, dropped = adopted.values, adopted.idle
        _check_leaves(values, source, overridden)
        values = _without_empty(values, cls)
        _default_videos(values)
        # All but the algorithm's own keys first: a misspelt key is then reported without importing torch.
        model_values = values.pop("model", {})
        config = _validated(cls, values, source, overridden)
        algorithm = _algorithm_of(model_values, source, overridden)
        if isinstance(model_values, dict):
            model_values = _own_keys(model_values, algorithm.Config, source, overridden, dropped)
        model = _validated(algorithm.Config, model_values, source, overridden, prefix="model")
        _check_losses(model, source, overridden)
        _check_context(model, algorithm, source, overridden)
        config = config.model_copy(update={"model": model})
        return config, Remarks(tuple(adopted.changed), (*dropped, *idle_settings(config, algorithm.needs)))

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read the settings that a run was made with.

        Args:
            path: A YAML file as :meth:`to_yaml` writes it.

        Returns:
            The settings.

        Raises:
            ConfigError: The file is missing or broken, or does not hold valid settings.
        """
        return cls.examine(read_yaml(Path(path)), str(path))[0]

    def to_yaml(self) -> str:
        """All settings, defaults too, as YAML that :meth:`load` reads back to an equal object.

        A search is left out where there is none: it is no part of a run.
        """
        plain = self.model_dump(mode="json", exclude=None if self.tune.space else {"tune"})
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)


def _validated(section: type[_S], values: Any, source: str | None, overridden: Collection[str], prefix: str = "") -> _S:
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise config_error(error.errors(), section, values, source, overridden, prefix) from None


def _algorithm_of(values: Any, source: str | None, overridden: Collection[str]) -> type[Algorithm]:
    from vitruve.algorithms import registry

    name = values.get("model_type") if isinstance(values, dict) else None
    if name is None:
        name = ModelSettings().model_type
    try:
        return registry.get(str(name))
    except ConfigError as error:
        raise ConfigError(place("model.model_type", source, overridden) + str(error)) from error


def _own_keys(
    values: dict[str, Any],
    own: type[ModelSettings],
    source: str | None,
    overridden: Collection[str],
    dropped: list[str],
) -> dict[str, Any]:
    """The keys of the chosen algorithm; those of others go to ``dropped`` unless they say the default."""
    strange = [key for key in values if key not in own.model_fields]
    if not strange:
        return values
    from vitruve.algorithms import registry

    others = [algorithm.Config for algorithm in registry.available().values()]
    for key in strange:
        defaults = [other.model_fields[key].default for other in others if key in other.model_fields]
        full = f"model.{key}"
        if not defaults:
            raise ConfigError(place(full, source, overridden) + unknown_key(full, list(own.model_fields)))
        if values[key] not in defaults:
            dropped.append(f"{full} (not a setting of model_type {values.get('model_type', 'heatmap')})")
    return {key: value for key, value in values.items() if key in own.model_fields}


def _check_losses(model: ModelSettings, source: str | None, overridden: Collection[str]) -> None:
    for name in model.losses_to_use:
        if name in UNSUPERVISED:
            continue
        known = [loss for loss in LossesSettings.model_fields if not loss.startswith("supervised_")]
        problem = "is not available in this version" if name in known else f"is no loss{nearest(name, known)}"
        there = f"available are {', '.join(UNSUPERVISED)}" if UNSUPERVISED else "none is available: write []"
        where = place("model.losses_to_use", source, overridden)
        raise ConfigError(f"{where}model.losses_to_use={list(model.losses_to_use)}: '{name}' {problem}; {there}")


def _check_context(
    model: ModelSettings, algorithm: type[Algorithm], source: str | None, overridden: Collection[str]
) -> None:
    if model.do_context is False and algorithm.needs.context:
        raise ConfigError(
            f"{place('model.do_context', source, overridden)}model.do_context=false: {model.model_type} looks at "
            "neighbouring frames; take model.model_type=heatmap, or leave do_context out"
        )


def _without_empty(values: Mapping[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    """The values without sections that are written down but empty, which YAML reads as null."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        inner = section.model_fields[key].annotation if key in section.model_fields else None
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if value is None:
                continue
            value = _without_empty(value, inner) if isinstance(value, Mapping) else value
        kept[key] = value
    return kept


def _default_videos(values: dict[str, Any]) -> None:
    """Let the videos predicted after training be those of ``data.video_dir`` if nothing else is said."""
    data, after = values.get("data"), values.setdefault("eval", {})
    if isinstance(data, dict) and isinstance(after, dict) and data.get("video_dir") is not None:
        after.setdefault("test_videos_directory", data["video_dir"])


def _check_leaves(values: Mapping[str, Any], source: str | None, overridden: Collection[str]) -> None:
    for key, value in _leaves(values):
        where = place(key, source, overridden)
        if value == _LEFT_OPEN:
            raise ConfigError(f"{where}{key}: has no value yet ('{_LEFT_OPEN}'); set it in the file or as {key}=VALUE")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{where}{key}={value}: must be a finite number")


def _leaves(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _leaves(value, key)
    else:
        yield key, values
