"""Speed and deviation of the runtimes, on inputs of the run itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vitruve.algorithms.base import Algorithm
from vitruve.errors import VitruveError
from vitruve.inference.runtimes.base import CompiledNetwork, Runtime
from vitruve.inference.runtimes.deviation import FEW_CONFIDENT, deviation, predictions
from vitruve.inference.runtimes.registry import REFERENCE, RUNTIMES
from vitruve.inference.samples import Samples
from vitruve.structures.instances import Instances

OUTLIERS = 25
"""How many times the tolerance the 99.9th percentile may be: 5 px of the original image by default."""

# Eight bits are 2.3 to 13 times as far off as bfloat16, by some twenty networks of which that is a tenth of a pixel or
# more; where it is less there is hardly anything to lose by trying.
_INT8_OVER_BF16 = 2.0
# Whatever else the machine does can only make a round slower, so the quickest of several is kept; and the runtimes take
# turns, so that a busy moment does not fall upon one of them alone.
_TURNS = 3
_SECONDS = 0.35


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
        precision: Number format of its arithmetic: ``f32``, ``bf16``, ``f16`` or ``int8``.
        outlier_px: 99.9th percentile of that distance; None where it failed.
        confident_share: Share of the keypoints, 0 to 1, of which single precision is confident; where they are hardly
            any, both distances are over all keypoints.
        compared: How many keypoints the distances are over; None where it was not counted.
        expected_px: Deviation for which it was not tried; None where it was.
    """

    runtime: str
    frames_per_second: float | None = None
    deviation_px: float | None = None
    compile_seconds: float | None = None
    failure: str | None = None
    precision: str = "f32"
    outlier_px: float | None = None
    confident_share: float | None = None
    compared: int | None = None
    expected_px: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``Measurement(**values)`` is the inverse."""
        return asdict(self)

    def within(self, tolerance_px: float) -> bool:
        """Whether it can be taken: see :meth:`refusal`."""
        return self.refusal(tolerance_px) is None

    def refusal(self, tolerance_px: float) -> str | None:
        """Why it is not to be taken, in a few words; None where it can be.

        Args:
            tolerance_px: Most that the 95th percentile may be; the 99.9th may be ``OUTLIERS`` times as much. Eight-bit
                arithmetic is not taken at all where hardly any keypoint is confident: what little the network knows
                then, it may lose, and there is nothing to see that by. Nor is any reduced precision where single
                precision finds nothing.

        Returns:
            The reason, or None.
        """
        if self.failure is not None:
            return f"not usable: {self.failure}"
        if self.vain is not None:
            return self.vain
        if self.expected_px is not None:
            return f"not tried: some {self.expected_px:.1f} px expected, going by bfloat16"
        if self.deviation_px is None:
            return "loses keypoints"
        if self.deviation_px > tolerance_px:
            return f"beyond the tolerance of {tolerance_px:g} px"
        if self.outlier_px is not None and self.outlier_px > OUTLIERS * tolerance_px:
            return f"some keypoints are {self.outlier_px:.0f} px off"
        return None

    def untried_within(self, tolerance_px: float) -> bool:
        """Whether it was not tried, but would be under this tolerance."""
        return self.expected_px is not None and self.expected_px <= tolerance_px

    @property
    def vain(self) -> str | None:
        """Why it is refused however near it comes: single precision finds too little to judge it by; else None."""
        if self.precision == "int8" and (self.confident_share or 0.0) < FEW_CONFIDENT:
            return "8 bit needs a network that is confident"
        if self.precision != "f32" and self.compared == 0:
            return "nothing was found to judge it by"
        return None


def measure(
    algorithm: Algorithm,
    samples: Samples,
    batch_size: int,
    directory: Path | None,
    *,
    tolerance_px: float | None = None,
    runtimes: Iterable[Runtime] | None = None,
    said: Callable[[str], None] = lambda text: None,
) -> list[Measurement]:
    """Try runtimes: what they predict one after the other, how fast they are in turns.

    Args:
        algorithm: With its own network, on the device it is to run on. Left as it was.
        samples: Validation inputs are compared, training inputs calibrated with.
        batch_size: Inputs that go through the network together.
        directory: Where converted networks are kept, or None.
        tolerance_px: Eight bits are not tried where bfloat16 says that they will be further off than this: converting
            takes a minute. None tries them.
        runtimes: Which; None tries all. The reference is always measured, first.
        said: Told the name of each runtime before it is tried.

    Returns:
        One measurement a runtime. A runtime that fails says why. Those that could not be taken however near they came
        are not tried.
    """
    device = next(algorithm.network.parameters()).device
    inputs = network_inputs(algorithm, samples.of("validation"), batch_size, device)
    calibration = network_inputs(algorithm, samples.of("train"), batch_size, device)
    example = algorithm.example_input(1).to(device)
    per_frame = len(inputs) / len(samples.of("validation")) * inputs_a_frame(algorithm, batch_size)
    wanted = RUNTIMES.values() if runtimes is None else runtimes
    reference: list[Instances] = []
    measurements: list[Measurement] = []
    networks: dict[str, CompiledNetwork] = {}
    for runtime in (RUNTIMES[REFERENCE], *(each for each in wanted if each.name != REFERENCE)):
        measurement = Measurement(runtime.name, failure=runtime.unavailable(device), precision=runtime.precision)
        if measurements:
            known = measurements[0]
            measurement = replace(measurement, confident_share=known.confident_share, compared=known.compared)
        if runtime.precision == "int8" and tolerance_px is not None:
            halved = [each.deviation_px for each in measurements if each.precision == "bf16" and each.deviation_px]
            expected = _INT8_OVER_BF16 * min(halved, default=0.0)
            measurement = replace(measurement, expected_px=expected if expected > tolerance_px else None)
        if measurement.failure is None and measurement.vain is None and measurement.expected_px is None:
            said(runtime.name)
            try:
                began = time.perf_counter()
                network = runtime.compile(algorithm.network, example, directory, calibration)
                seconds = time.perf_counter() - began
                found = predictions(algorithm, network, samples.of("validation"), batch_size, device)
                reference = reference or found
                apart = deviation(reference, found)
                measurement = replace(
                    measurement,
                    deviation_px=apart.px if apart.px < float("inf") else None,
                    compile_seconds=seconds,
                    outlier_px=apart.outlier_px,
                    confident_share=apart.confident_share,
                    compared=apart.compared,
                )
                networks[runtime.name] = network
            except Exception as error:  # any library may fail in its own way; the others are still to be tried
                if runtime.name == REFERENCE:
                    raise
                measurement = replace(measurement, failure=reason(error))
        measurements.append(measurement)
    speeds, failures = _speeds(networks, inputs, batch_size)
    return [
        replace(each, failure=failures[each.runtime], deviation_px=None, outlier_px=None, compile_seconds=None)
        if each.runtime in failures
        else replace(each, frames_per_second=speeds[each.runtime] / per_frame if each.runtime in speeds else None)
        for each in measurements
    ]


def _speeds(
    networks: Mapping[str, CompiledNetwork], inputs: torch.Tensor, batch_size: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Inputs a second of each network, and why those failed that did."""
    speeds: dict[str, float] = {}
    failures: dict[str, str] = {}
    for _ in range(_TURNS):
        for name, network in networks.items():
            if name in failures:
                continue
            try:
                speeds[name] = max(speeds.get(name, 0.0), rate(network, inputs, batch_size))
            except Exception as error:  # as above
                if name == REFERENCE:
                    raise
                failures[name] = reason(error)
    return speeds, failures


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
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while best == float("inf") or time.perf_counter() < end:
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
