"""Classes of the user's own: how they are built, and what is said of what they give."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from vitruve.errors import ConfigError, InputError


def name_of(thing: Any) -> str:
    """What a class, function or object is called in messages."""
    return str(getattr(thing, "__name__", type(thing).__name__))


def construct(thing: Any, where: str, **values: Any) -> Any:
    """An object of the user's class.

    Args:
        thing: A class or factory, or an object, which is taken as it is.
        where: Names the setting.
        **values: What it may be built with; those are given that it takes.

    Returns:
        The object.

    Raises:
        ConfigError: It asks for something else.
    """
    if not isinstance(thing, type) and not inspect.isfunction(thing):
        return thing
    try:
        return thing(**_accepted(thing, values))
    except TypeError as error:
        raise ConfigError(
            f"{where}({name_of(thing)}): cannot be built ({error}); it may take {', '.join(values)}"
        ) from (error)


def of_config(thing: Any, where: str, config: Any) -> Any:
    """An object of the user's class or function, called with the configuration.

    Args:
        thing: A class or function of one argument or none, or an object, which is taken as it is.
        where: Names the setting.
        config: The argument.

    Returns:
        The object.

    Raises:
        ConfigError: It asks for something else.
    """
    if not isinstance(thing, type) and not inspect.isroutine(thing):
        return thing
    signature = inspect.signature(thing)
    arguments = [config] if signature.parameters else []
    try:
        signature.bind(*arguments)
    except TypeError as error:
        reason = f"must be called with the configuration alone ({error})"
        raise ConfigError(f"{where}: {name_of(thing)} {reason}") from error
    return thing(*arguments)


def call(function: Any, **values: Any) -> Any:
    """Call a user's function with those of the arguments that it takes by name."""
    return function(**_accepted(function, values))


def lacking(thing: Any, method: str) -> ConfigError:
    """The error of a class that should have had a method of its own."""
    return ConfigError(f"{name_of(thing)} has no {method} of its own, which is called; give it one")


def takes(function: Any, name: str) -> bool:
    """Whether a function has an argument of this name."""
    return name in inspect.signature(function).parameters


def has(thing: Any, method: str, where: str) -> None:
    """Make sure that an object has a method.

    Args:
        thing: The object.
        method: Its name.
        where: Names what it is for.

    Raises:
        ConfigError: It has not.
    """
    if not callable(getattr(thing, method, None)):
        raise ConfigError(f"{where}: {name_of(thing)} has no method '{method}', which is called")


def tensors(maps: Any, where: str, like: torch.Tensor | None = None) -> dict[str, Any]:
    """Maps that a user's class gave, as tensors.

    Args:
        maps: A mapping of arrays or tensors; lists of them stay lists.
        where: Names the class.
        like: Has the device.

    Returns:
        Tensors by name, numbers with a fraction in single precision.

    Raises:
        InputError: It is no mapping, or a value no array of numbers.
    """
    if not hasattr(maps, "keys"):
        raise InputError(f"{where}: gave {type(maps).__name__}; a mapping of names to arrays is expected")
    result: dict[str, Any] = {}
    for name in maps.keys():  # noqa: SIM118  a Prediction unpacks as a tuple
        value = maps[name]
        several = isinstance(value, (list, tuple))
        try:
            result[name] = [tensor(each, like) for each in value] if several else tensor(value, like)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{where}: '{name}' is no array of numbers ({error})") from error
    return result


def tensor(value: Any, like: torch.Tensor | None = None) -> torch.Tensor:
    """An array or tensor as a tensor of single precision, with its gradient if it has one."""
    found = value if isinstance(value, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(value))
    found = found if found.is_floating_point() and found.dtype == torch.float32 else found.float()
    return found if like is None else found.to(like.device)


def array(value: Any) -> np.ndarray:
    """A tensor as an array in main memory."""
    return np.asarray(value.detach().float().cpu().numpy() if isinstance(value, torch.Tensor) else value)


def _accepted(function: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return dict(values)
    return {name: value for name, value in values.items() if name in parameters}
