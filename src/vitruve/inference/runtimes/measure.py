"""Speed and deviation of the runtimes, on inputs of the run itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vitruve.algorithms.base import Algorithm
from vitruve.errors import VitruveError
from vitruve.inference.runtimes.base import CompiledNetwork, Runtime
from vitruve.inference.runtimes.deviation import deviation, predictions
from vitruve.inference.runtimes.registry import REFERENCE, RUNTIMES
from vitruve.inference.samples import Samples
from vitruve.structures.instances import Instances

# The quickest of several rounds is kept: whatever else the machine does can only make a round slower.
_ROUNDS = 3
_SECONDS = 1.0


@dataclass(frozen=True)
class Measurement:
    """What was found out about one runtime.

    Attributes:
        runtime: Its name.
        frames_per_second: Network alone, 1/s; None where it failed.
        deviation_px: 95th percentile of the distance to single precision, original pixels; None where it failed
            or keypoints got lost.
        compile_seconds: Time until it could be used.
        failure: Why it could not, or None.
    """

    runtime: str
    frames_per_second: float | None = None
    deviation_px: float | None = None
    compile_seconds: float | None = None
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``Measurement(**values)`` is the inverse."""
        return asdict(self)

    def within(self, tolerance_px: float) -> bool:
        """Whether it works and deviates by no more than this."""
        return self.failure is None and self.deviation_px is not None and self.deviation_px <= tolerance_px


def measure(
    algorithm: Algorithm,
    samples: Samples,
    batch_size: int,
    directory: Path | None,
    *,
    runtimes: Iterable[Runtime] | None = None,
    said: Callable[[str], None] = lambda text: None,
) -> list[Measurement]:
    """Try runtimes one after the other.

    Args:
        algorithm: With its own network, on the device it is to run on. Left as it was.
        samples: Validation inputs are compared, training inputs calibrated with.
        batch_size: Inputs that go through the network together.
        directory: Where converted networks are kept, or None.
        runtimes: Which; None tries all. The reference is always measured, first.
        said: Told the name of each runtime before it is tried.

    Returns:
        One measurement a runtime. A runtime that fails says why.
    """
    device = next(algorithm.network.parameters()).device
    inputs = network_inputs(algorithm, samples.of("validation"), batch_size, device)
    calibration = network_inputs(algorithm, samples.of("train"), batch_size, device)
    example = algorithm.example_input(1).to(device)
    per_frame = len(inputs) / len(samples.of("validation")) * inputs_a_frame(algorithm, batch_size)
    wanted = RUNTIMES.values() if runtimes is None else runtimes
    reference: list[Instances] = []
    measurements = []
    for runtime in (RUNTIMES[REFERENCE], *(each for each in wanted if each.name != REFERENCE)):
        measurement = Measurement(runtime.name, failure=runtime.unavailable(device))
        if measurement.failure is None:
            said(runtime.name)
            try:
                began = time.perf_counter()
                network = runtime.compile(algorithm.network, example, directory, calibration)
                seconds = time.perf_counter() - began
                found = predictions(algorithm, network, samples.of("validation"), batch_size, device)
                reference = reference or found
                apart = deviation(reference, found)
                speed = rate(network, inputs, batch_size) / per_frame
                measurement = replace(
                    measurement,
                    frames_per_second=speed,
                    deviation_px=apart if apart < float("inf") else None,
                    compile_seconds=seconds,
                )
            except Exception as error:  # any library may fail in its own way; the others are still to be tried
                if runtime.name == REFERENCE:
                    raise
                measurement = replace(measurement, failure=reason(error))
        measurements.append(measurement)
    return measurements


def inputs_a_frame(algorithm: Algorithm, batch_size: int) -> float:
    """How much of what a sample puts into the network a frame of a video does.

    Args:
        algorithm: Says how many frames before and after one it looks at.
        batch_size: Frames that are predicted together.

    Returns:
        1 for single frames. A sample with context has all of it, but frames in a row share theirs: all that is added
        to a batch is the context of its first and its last frame.
    """
    reach = 2 * algorithm.needs.context
    return (1 + reach / batch_size) / (1 + reach)


def network_inputs(algorithm: Algorithm, samples: Samples, batch_size: int, device: torch.device) -> torch.Tensor:
    """What an algorithm gives its network for some samples.

    Args:
        algorithm: With its own network.
        samples: The inputs of the algorithm.
        batch_size: Inputs that go through together.
        device: Where the algorithm is.

    Returns:
        The inputs of the network's first call for each batch, below one another.
    """
    seen: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        seen.append(arguments[0].detach().clone())
        raise _Seen

    handle = algorithm.network.register_forward_pre_hook(keep)
    try:
        with torch.no_grad():
            for batch in samples.batches(batch_size, device):
                with suppress(_Seen):
                    algorithm(batch)
    finally:
        handle.remove()
    return torch.cat(seen)


class _Seen(Exception):
    """Ends a forward pass whose result nobody needs."""


def rate(network: CompiledNetwork, inputs: torch.Tensor, batch_size: int) -> float:
    """Inputs a second, the network alone.

    Args:
        network: The compiled network.
        inputs: Inputs of the network, repeated where there are fewer than a batch.
        batch_size: Inputs that go through together.

    Returns:
        The best of several rounds, 1/s.
    """
    repeated = inputs.repeat(-(-batch_size // len(inputs)), *[1] * (inputs.dim() - 1))
    batches = [part for part in torch.split(repeated, batch_size) if len(part) == batch_size]
    _run(network, batches[0])
    best, rounds, end = float("inf"), 0, time.perf_counter() + _SECONDS
    while rounds < _ROUNDS or time.perf_counter() < end:
        rounds += 1
        for batch in batches:
            began = time.perf_counter()
            _run(network, batch)
            best = min(best, time.perf_counter() - began)
    return batch_size / best


def _run(network: CompiledNetwork, batch: torch.Tensor) -> None:
    outputs = network(batch)
    # Graphics processors answer before they are done; fetching a number waits for them.
    float(next(iter(outputs.values())).flatten()[0])


def reason(error: Exception) -> str:
    """One line that says why a runtime could not be used."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if isinstance(error, VitruveError) else f"{type(error).__name__}: {text}"[:200]
