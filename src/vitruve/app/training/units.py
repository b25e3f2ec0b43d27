"""In what the errors of a run are measured."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vitruve.algorithms import registry
from vitruve.config.yaml_edit import value_at
from vitruve.config.yaml_file import read_yaml
from vitruve.errors import VitruveError
from vitruve.run import RunFiles


def error_unit(run: Path) -> str:
    """The unit of a run's validation errors.

    Args:
        run: The run directory.

    Returns:
        ``mm`` for a network that gives points in space, else ``px``, also where nothing is known of the run.
    """
    files = RunFiles(run)
    first = next((member for member in files.members()), files).config
    try:
        return _unit(first, first.stat().st_mtime_ns)
    except (OSError, VitruveError):
        return "px"


@lru_cache(256)
def _unit(config: Path, changed: int) -> str:
    name = value_at(read_yaml(config), "model.model_type", "")
    return "mm" if registry.get(str(name)).needs.truth_3d else "px"
