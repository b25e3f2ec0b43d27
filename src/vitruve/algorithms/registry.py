"""The algorithms there are: the folders beside this file, and those other packages bring.

Another package offers one through the entry-point group ``vitruve.algorithms``: a name and the class.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from vitruve.errors import ConfigError, nearest

if TYPE_CHECKING:
    from vitruve.algorithms.base import Algorithm


def names() -> list[str]:
    """The names ``model.model_type`` takes. Imports no algorithm."""
    return sorted({*_folders(), *_outside()})


def get(name: str) -> type[Algorithm]:
    """The class of an algorithm.

    Args:
        name: One of :func:`names`.

    Returns:
        The class.

    Raises:
        ConfigError: There is no such algorithm, or the package that brings it is broken.
    """
    from vitruve.algorithms.base import Algorithm

    if name in _folders():
        found = importlib.import_module(f"vitruve.algorithms.{name}").ALGORITHM
    elif name in _outside():
        try:
            found = _outside()[name].load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"model.model_type={name!r}: the package that brings it is broken ({error})") from error
    else:
        raise ConfigError(
            f"model.model_type={name!r}: no such algorithm{nearest(name, names())}; known are {', '.join(names())}"
        )
    if not (isinstance(found, type) and issubclass(found, Algorithm)):
        raise ConfigError(f"model.model_type={name!r}: {found!r} is not an Algorithm; fix the package that brings it")
    return found


def available() -> dict[str, type[Algorithm]]:
    """All algorithms by name. Imports each of them."""
    return {name: get(name) for name in names()}


def _folders() -> list[str]:
    package = importlib.import_module("vitruve.algorithms")
    return [module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg]


def _outside() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="vitruve.algorithms")}
