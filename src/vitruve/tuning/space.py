"""What is searched: the settings of a space, checked against those that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic.fields import FieldInfo

from vitruve.algorithms import registry
from vitruve.config.explain import expectation
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, nearest
from vitruve.tuning.known_settings import check_value, find_setting, kinds_of
from vitruve.tuning.settings import TuneSettings

if TYPE_CHECKING:
    import optuna

_WORDS = ("low", "high", "log", "int", "choices", "when")
_EXAMPLE = "write {low: 0.0001, high: 0.1, log: true}, or {choices: [8, 16]}"
_PREFIX = "tune.space."
_ALGORITHM = "model.model_type"


@dataclass(frozen=True)
class Dimension:
    """One setting of a space.

    Attributes:
        key: Its full key.
        low: The least value of a range, or None.
        high: The largest value of a range, or None.
        log: Whether the range is searched in its logarithm.
        whole: Whether the values of the range are integers.
        choices: The values, where there is no range.
        when: Keys of other dimensions, each with the values beside which this one counts.
    """

    key: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def suggest(self, trial: optuna.trial.Trial) -> Any:
        """Have a trial choose a value.

        Args:
            trial: Of Optuna.

        Returns:
            The value of the setting.
        """
        if self.choices:
            return self.value(trial.suggest_categorical(self.key, [self.name(choice) for choice in self.choices]))
        assert self.low is not None and self.high is not None
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    def name(self, value: Any) -> Any:
        """What a value is called in the study, which takes no lists and mappings."""
        return value if value is None or isinstance(value, (bool, int, float, str)) else json.dumps(value)

    def value(self, name: Any) -> Any:
        """The value that is called so in the study."""
        return next((choice for choice in self.choices if _same(self.name(choice), name)), name)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the dimension's."""
        if self.choices:
            return any(_same(self.name(choice), self.name(value)) for choice in self.choices)
        assert self.low is not None and self.high is not None
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and not (self.whole and value != int(value))

    def counts(self, values: Mapping[str, Any]) -> bool:
        """Whether the dimension counts beside the values of others."""
        return all(
            key in values and any(_same(each, values[key]) for each in allowed) for key, allowed in self.when.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, by which two spaces are compared and from which they are drawn."""
        if self.choices:
            said: dict[str, Any] = {"choices": [self.name(choice) for choice in self.choices]}
        else:
            said = {"low": self.low, "high": self.high, "log": self.log, "int": self.whole}
        when = {key: list(allowed) for key, allowed in self.when.items()}
        return {"key": self.key, **said, **({"when": when} if when else {})}


@dataclass(frozen=True)
class Space:
    """All settings that are searched.

    Attributes:
        dimensions: Those that others depend on come first.
    """

    dimensions: tuple[Dimension, ...]

    @property
    def keys(self) -> list[str]:
        """Their full keys."""
        return [dimension.key for dimension in self.dimensions]

    @property
    def fixed(self) -> bool:
        """Whether every trial chooses a number for every key: no choices, no conditions."""
        return not any(dimension.choices or dimension.when for dimension in self.dimensions)

    def suggest(self, trial: optuna.trial.Trial) -> dict[str, Any]:
        """Have a trial choose all its values.

        Args:
            trial: Of Optuna.

        Returns:
            Values by full keys; those that do not count beside the others are left out.
        """
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.counts(values):
                values[dimension.key] = dimension.suggest(trial)
        return values

    def values(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """The values of settings that a study knows by their names; keys of other spaces are left out."""
        return {each.key: each.value(names[each.key]) for each in self.dimensions if each.key in names}

    def known(self, config: Config) -> list[dict[str, Any]]:
        """The settings to try first.

        Args:
            config: All settings.

        Returns:
            By full keys: of the settings as they are, and of ``tune.known``.

        Raises:
            ConfigError: One of ``tune.known`` does not lie in the space.
        """
        found = []
        if config.tune.begin_with_settings:
            plain = config.model_dump(mode="json")
            now = {each.key: value_at(plain, each.key) for each in self.dimensions}
            inside = {each.key: each.name(now[each.key]) for each in self.dimensions if each.holds(now[each.key])}
            found += [inside] if inside else []
        for number, given in enumerate(config.tune.known):
            found.append(self._checked(_flat(given), f"tune.known[{number}]"))
        return found

    def _checked(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        by_key = {each.key: each for each in self.dimensions}
        for key, value in given.items():
            if key not in by_key:
                raise ConfigError(f"{where}: {key} is not in tune.space{nearest(key, by_key)}; add it there")
            if not by_key[key].holds(value):
                raise ConfigError(
                    f"{where}: {key}={value!r} does not lie in tune.space.{key}; widen it, or change this"
                )
        return {key: by_key[key].name(value) for key, value in given.items()}


def read_space(config: Config) -> Space:
    """The space of ``tune.space``.

    Args:
        config: All settings.

    Returns:
        Its dimensions.

    Raises:
        ConfigError: A key is no setting, a range is reversed or no range, or a value is none that the setting takes.
    """
    given = dict(_entries(config.tune.space))
    if not given:
        raise ConfigError(
            "tune.space: is empty; name what to search, such as "
            "tune.space.training.optimizer_params.learning_rate='{low: 0.0001, high: 0.1, log: true}'"
        )
    algorithms = _algorithms(given.get(_ALGORITHM), config)
    made = {key: _dimension(key, entry, algorithms) for key, entry in given.items()}
    for each in made.values():
        _check_when(each, made)
    return Space(_ordered(made))


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """Other settings of a run.

    Args:
        config: All settings.
        values: What differs, by full keys.

    Returns:
        The settings, without a search in them.

    Raises:
        ConfigError: The values contradict one another.
    """
    plain = config.model_dump(mode="json")
    plain["tune"] = TuneSettings().model_dump(mode="json")
    if _ALGORITHM in values and values[_ALGORITHM] != config.model.model_type:
        # What another algorithm has the same names for begins with that one's defaults.
        shared = set(registry.get(str(values[_ALGORITHM])).Config.model_fields)
        plain["model"] = {key: value for key, value in plain["model"].items() if key in shared}
    for key, value in values.items():
        *sections, name = key.split(".")
        holder = plain
        for section in sections:
            holder = holder.setdefault(section, {})
        holder[name] = value
    return Config.examine(plain)[0]


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value under a full key of nested mappings; None where there is none."""
    found: Any = values
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _flat(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        full = f"{prefix}{key}"
        found |= _flat(value, f"{full}.") if isinstance(value, Mapping) else {full: value}
    return found


def _entries(given: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Full keys with what stands there; keys may be written with dots or nested."""
    for key, entry in given.items():
        full = f"{prefix}{key}"
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{_PREFIX}{full}={entry!r}: must be a mapping; {_EXAMPLE}")
        if not entry or any(not isinstance(value, Mapping) for name, value in entry.items() if name != "when"):
            yield full, entry
        else:
            yield from _entries(entry, f"{full}.")


def _algorithms(entry: Mapping[str, Any] | None, config: Config) -> list[str]:
    """The algorithms that trials may have."""
    if entry is None:
        return [config.model.model_type]
    names = [str(name) for name in entry.get("choices") or ()]
    for name in names:
        try:
            registry.get(name)
        except ConfigError as error:
            raise ConfigError(f"{_PREFIX}{_ALGORITHM}: {error}") from error
    return names


def _dimension(key: str, entry: Mapping[str, Any], algorithms: Sequence[str]) -> Dimension:
    where = _PREFIX + key
    for word in entry:
        if word not in _WORDS:
            raise ConfigError(f"{where}.{word}: unknown key{nearest(str(word), _WORDS) or '; ' + _EXAMPLE}")
    found, owners = find_setting(key, algorithms, _PREFIX)
    when = {
        other: tuple(value) if isinstance(value, (list, tuple)) else (value,)
        for other, value in _flat(entry.get("when") or {}).items()
    }
    if len(owners) < len(algorithms):
        when = {_ALGORITHM: tuple(owners), **when}
    ranged = "low" in entry or "high" in entry
    if ranged == ("choices" in entry):
        raise ConfigError(f"{where}: needs low and high, or choices; {_EXAMPLE}")
    if ranged:
        return _range(key, entry, found, when)
    choices = entry["choices"]
    if not isinstance(choices, (list, tuple)) or not choices:
        raise ConfigError(f"{where}: choices={choices!r} must be a list of values, such as [8, 16]")
    for word in ("log", "int"):
        if word in entry:
            raise ConfigError(f"{where}: {word} goes with low and high, not with choices")
    for choice in choices:
        check_value(found, choice, f"{where}: choices: {choice!r}")
    return Dimension(key, choices=tuple(choices), when=when)


def _range(key: str, entry: Mapping[str, Any], found: FieldInfo, when: Mapping[str, tuple[Any, ...]]) -> Dimension:
    where = _PREFIX + key
    low, high = entry.get("low"), entry.get("high")
    for word, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{where}: {word}={value!r} must be a number; {_EXAMPLE}")
    assert isinstance(low, (int, float)) and isinstance(high, (int, float))
    if low >= high:
        why = "more than" if low > high else "the same as"
        raise ConfigError(f"{where}: low={low} is {why} high={high}; low must be less than high")
    for word in ("log", "int"):
        if not isinstance(entry.get(word, False), bool):
            raise ConfigError(f"{where}: {word}={entry[word]!r} must be true or false")
    if entry.get("log") and low <= 0:
        raise ConfigError(f"{where}: low={low} has no logarithm; it must be more than 0, or leave log out")
    kinds = kinds_of(found)
    if not kinds & {int, float}:
        raise ConfigError(f"{where}: is no number but {expectation(found)}; give choices")
    whole = bool(entry.get("int")) or float not in kinds
    if whole and (low != int(low) or high != int(high)):
        raise ConfigError(f"{where}: low={low} and high={high} must be integers, as the setting is")
    ends = (int(low), int(high)) if whole else (float(low), float(high))
    for word, value in zip(("low", "high"), ends, strict=True):
        check_value(found, value, f"{where}: {word}={value}")
    return Dimension(key, ends[0], ends[1], bool(entry.get("log")), whole, when=when)


def _check_when(dimension: Dimension, made: Mapping[str, Dimension]) -> None:
    for key, allowed in dimension.when.items():
        where = f"{_PREFIX}{dimension.key}: when: {key}"
        if key not in made or key == dimension.key:
            raise ConfigError(
                f"{where} is not in tune.space{nearest(key, made)}; only what is searched can be a condition"
            )
        for value in allowed:
            if not made[key].holds(value):
                raise ConfigError(f"{where}={value!r} is not among its values, so this would never be tried")


def _ordered(made: Mapping[str, Dimension]) -> tuple[Dimension, ...]:
    """Those that others depend on first, and otherwise as they stand."""
    left, done = dict(made), []
    while left:
        free = [key for key, each in left.items() if not any(other in left for other in each.when)]
        if not free:
            raise ConfigError(f"{_PREFIX}{next(iter(left))}: when: depends on itself by way of others")
        done += [left.pop(key) for key in free]
    return tuple(done)
