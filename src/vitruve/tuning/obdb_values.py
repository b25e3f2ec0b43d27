"""Values of OBDB's settings file: each of its kind, or named in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from vitruve.errors import ConfigError, nearest
from vitruve.tuning.known_settings import check_value, find_setting

PARAMETERS = {
    "lr": "training.optimizer_params.learning_rate",
    "momentum": "training.optimizer_params.momentum",
    "weight_decay": "training.optimizer_params.weight_decay",
    "step_size": "training.lr_scheduler_params.step.step_size",
    "gamma": "training.lr_scheduler_params.step.gamma",
}
"""What OBDB searches, by its names there, with our keys."""

WHOLE = "step_size"
"""That of them which is an integer."""

_WRITTEN = ("Trial-ID", "Iteration", "Objective", "best_value")


def read_values(path: Path) -> Values:
    """Open a settings file.

    Args:
        path: JSON.

    Returns:
        What it holds.

    Raises:
        ConfigError: It is missing or no JSON object.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give the settings of OBDB as JSON") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: holds {type(given).__name__}; an object with 'variants' is needed")
    return Values(path, given)


class Values:
    """What a settings file holds, by its keys.

    Args:
        path: The file, for messages.
        given: Its content.
    """

    def __init__(self, path: Path, given: Mapping[str, Any]) -> None:
        self.path, self._given = path, given

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def __getitem__(self, key: str) -> Any:
        return self._given.get(key)

    def items(self) -> list[tuple[str, Any]]:
        """Keys and values as they stand."""
        return list(self._given.items())

    def wrong(self, key: str, text: str) -> ConfigError:
        """The error that names a key of this file."""
        return ConfigError(f"{self.path}: {key}: {text}")

    def number(self, key: str, default: int | None = None, *, least: int) -> int:
        """An integer.

        Args:
            key: Where it stands.
            default: What it is where there is no such key.
            least: The smallest that it may be.

        Returns:
            The integer.

        Raises:
            ConfigError: It is none.
        """
        value = self._given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(key, f"{value!r} must be an integer of at least {least}")
        return value

    def bound(self, key: str, *, least: int) -> int | None:
        """An integer.

        Args:
            key: Where it stands.
            least: The smallest that it may be.

        Returns:
            The integer; None where there is none, or 0.

        Raises:
            ConfigError: It is none.
        """
        value = self._given.get(key)
        unbound = value is None or (value == 0 and isinstance(value, int))
        return None if unbound else self.number(key, least=least)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of names; none where there is no such key."""
        value = self._given.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.wrong(key, "must be a list of names")
        return tuple(value)

    def folder(self, key: str, default: str) -> Path:
        """The path of a folder."""
        value = self._given.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, f"{value!r} must be a folder")
        return Path(value).expanduser().absolute()

    def truth(self, key: str, entry: Mapping[str, Any] | None = None, name: str = "") -> bool:
        """A 0 or 1; 0 where there is no such key.

        Args:
            key: What messages call it.
            entry: Where it stands; the file itself by default.
            name: Its key there.

        Returns:
            The truth.

        Raises:
            ConfigError: It is neither.
        """
        value = self._given.get(key) if entry is None else entry.get(name)
        if not isinstance(value, int | None) or value not in (None, 0, 1):
            raise self.wrong(key, f"{value!r} must be 0 or 1")
        return bool(value)

    def fraction(self, key: str, default: float) -> float:
        """A number from 0 to 1."""
        return self._fraction(key, self._given.get(key, default))

    def thresholds(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """Those listed, or from a first to below a last in steps, where a third number is smaller than the second."""
        values = self._given.get(key, list(default))
        if not isinstance(values, list) or not values:
            raise self.wrong(key, f"must be a list of thresholds, such as {list(default)}")
        numbers = [self._fraction(key, value) for value in values]
        if len(numbers) == 3 and 0 < numbers[2] < numbers[1]:
            first, last, step = numbers
            # 0.5 and three steps of 0.1 are 0.8, whatever they are as binary fractions.
            numbers = np.arange(first, last - 1e-9, step).round(6).tolist()
        if not numbers or sorted(set(numbers)) != numbers:
            raise self.wrong(key, f"{values}: thresholds must ascend")
        return tuple(numbers)

    def ranges(self, key: str) -> dict[str, tuple[float, float]]:
        """Least and largest values, by OBDB's names of what is searched."""
        given, found = self._given[key], {}
        if not isinstance(given, dict):
            raise self.wrong(key, "must hold [low, high] by name")
        for name, limits in given.items():
            own = f"{key}.{name}"
            if name not in PARAMETERS:
                raise self.wrong(own, f"unknown{nearest(name, PARAMETERS)}; there are {', '.join(PARAMETERS)}")
            if not isinstance(limits, list) or len(limits) != 2 or not all(_is_number(each) for each in limits):
                raise self.wrong(own, f"{limits!r} must be [low, high]")
            low, high = limits
            if low >= high:
                raise self.wrong(own, f"[{low}, {high}] is reversed or empty; low must be less than high")
            if low <= 0:
                raise self.wrong(own, f"low={low} must be more than 0")
            if name == WHOLE and (low != int(low) or high != int(high)):
                raise self.wrong(own, f"[{low}, {high}] must be integers")
            for word, value in (("low", low), ("high", high)):
                _check(name, value, f"{self.path}: {own}: {word}={value}")
            found[name] = (low, high)
        return found

    def _fraction(self, key: str, value: object) -> float:
        if not _is_number(value) or not 0 <= value <= 1:
            raise self.wrong(key, f"{value!r} must be a number from 0 to 1")
        return float(value)


def checked_settings(where: str, given: Any) -> dict[str, float]:
    """The five numbers that OBDB trains with.

    Args:
        where: For messages.
        given: Numbers by OBDB's names; more is left out where a search wrote it.

    Returns:
        The five.

    Raises:
        ConfigError: One is missing, no number, or none that can be, or there is one that is none of them.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where}: must hold numbers by name")
    for name in given:
        if name not in PARAMETERS and name not in _WRITTEN:
            raise ConfigError(f"{where}: unknown {name}{nearest(name, PARAMETERS)}; there are {', '.join(PARAMETERS)}")
    missing = [name for name in PARAMETERS if name not in given]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} missing; all of {', '.join(PARAMETERS)} are needed")
    for name in PARAMETERS:
        value = given[name]
        if not _is_number(value) or (name == WHOLE and value != int(value)):
            raise ConfigError(f"{where}: {name}={value!r} must be {'an integer' if name == WHOLE else 'a number'}")
        _check(name, value, f"{where}: {name}={value}")
    return {name: _plain(name, given[name]) for name in PARAMETERS}


def _check(name: str, value: float, where: str) -> None:
    """Make sure that a parameter can have a value."""
    setting, _ = find_setting(PARAMETERS[name], ["faster_rcnn"], "")
    check_value(setting, _plain(name, value), where)


def _plain(name: str, value: float) -> float:
    return int(value) if name == WHOLE else float(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
