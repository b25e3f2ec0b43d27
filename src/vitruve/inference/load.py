"""From a run directory to a network that can be used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Task
from vitruve.errors import RunError, VitruveError
from vitruve.networks.weights import load_exactly, read_weights
from vitruve.run import RunFiles


@dataclass(frozen=True)
class Loaded:
    """A run's network.

    Attributes:
        run: Where it came from.
        algorithm: With its weights, on the processor, ready to predict.
        record: ``model.json``.
        weights_hash: First 16 hexadecimal digits of the weight file's SHA-256.
    """

    run: RunFiles
    algorithm: Algorithm
    record: dict[str, Any]
    weights_hash: str


def load_run(path: str | Path) -> Loaded:
    """Build the network of a run and load its weights. Training images are not needed.

    Args:
        path: The run directory.

    Returns:
        The network and what is known of it.

    Raises:
        RunError: The directory is no finished run, or its files do not belong together.
    """
    run = RunFiles(Path(path))
    record = run.read_model()
    weights = read_weights(run.weights)
    try:
        kind = registry.get(str(record["model"]["model_type"]))
        # Weights come from the run alone: files that training started from need not be there any more.
        settings = {**record["model"], "checkpoint": None, "backbone_checkpoint": None}
        algorithm = kind(kind.Config.model_validate(settings), Task.from_dict(record["task"]))
    except (KeyError, TypeError, ValueError, VitruveError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"model.{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise RunError(f"{run.model}: does not describe a network ({reason}); copy the run again") from error
    load_exactly(algorithm, weights, run.weights)
    digest = hashlib.sha256(run.weights.read_bytes()).hexdigest()[:16]
    return Loaded(run, algorithm.eval(), record, digest)
