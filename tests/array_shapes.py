"""The type checker that tests run the package under: it looks at arrays, at their shapes and kinds of number.

Only what jaxtyping annotates is checked. Everything else is mypy's task, which knows protocols, ``Self`` and
names that are imported for type checking alone; a checker at run time does not.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function refuse arrays that are not as its annotations say; for jaxtyping's import hook."""
    arrays = {name: hint for name, hint in function.__annotations__.items() if _holds_array(hint)}
    if not arrays:
        return function
    function.__annotations__ = {name: arrays.get(name, Any) for name in function.__annotations__}
    return beartype(function)


def _holds_array(hint: Any) -> bool:
    return (inspect.isclass(hint) and issubclass(hint, AbstractArray)) or any(
        _holds_array(argument) for argument in get_args(hint)
    )
