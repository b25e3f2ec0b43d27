"""Which runtime carries a run's network out on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from vitruve.algorithms.base import Algorithm
from vitruve.errors import ConfigError, InputError, VitruveError
from vitruve.inference.runtimes import registry
from vitruve.inference.runtimes.base import CompiledNetwork
from vitruve.inference.runtimes.deviation import PERCENTILE
from vitruve.inference.runtimes.exports import fingerprint
from vitruve.inference.runtimes.measure import Measurement, measure, network_inputs, reason
from vitruve.inference.runtimes.processor import describe
from vitruve.inference.runtimes.records import read_record, write_record
from vitruve.inference.samples import Samples
from vitruve.inference.settings import InferenceSettings
from vitruve.run import RunFiles

FEW_FRAMES = 300
"""Fewer frames than this are predicted sooner than the runtimes are measured."""

Report = Callable[[str], None]

_PRECISIONS = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "int8": "8 bit"}


class Choice(NamedTuple):
    """What carries a network out.

    Attributes:
        runtime: Its name.
        network: The network it carries out.
        said: One line on it: its precision, and how far it is from single precision.
    """

    runtime: str
    network: CompiledNetwork
    said: str


def choose(
    algorithm: Algorithm,
    run: RunFiles,
    settings: InferenceSettings,
    samples: Samples | None,
    report: Report,
    frames_expected: int | None = None,
) -> Choice:
    """Pick and compile a runtime for a network.

    ``auto`` takes the fastest that keeps the keypoints within ``tolerance_px`` of single-precision PyTorch
    (:meth:`Measurement.refusal`), measured once for each machine on the run's own samples and recorded in the run.

    Args:
        algorithm: With its own network, in evaluation mode, on the device it is to run on. Left as it was; the
            caller puts the result in the place of :attr:`Algorithm.network`.
        run: Where samples came from; converted networks and measurements are kept there.
        settings: Names the runtime.
        samples: The run's samples; without them ``auto`` takes PyTorch.
        report: Told what is worth knowing, in whole lines.
        frames_expected: How many frames will be predicted, if known.

    Returns:
        The runtime, the network it carries out, and what is to be said of it.

    Raises:
        ConfigError: The runtime named in the settings cannot be used here.
        MissingExtraError: It needs a library that is not installed.
    """
    recorded = read_record(run.runtimes, describe(_device(algorithm)), fingerprint(algorithm.network))
    bench = f"vitruve bench {run.path}"
    if settings.runtime != "auto":
        name, network = _named(algorithm, run, settings, samples, recorded, report)
        return Choice(name, network, _line(name, recorded, bench))
    if not recorded or any(each.untried_within(settings.tolerance_px) for each in recorded):
        few = frames_expected is not None and frames_expected < FEW_FRAMES
        if few or samples is None:
            why = "for few frames, no faster one is looked for" if few else "without samples, no other can be compared"
            network = _compiled(algorithm, run, None, registry.REFERENCE)
            return Choice(registry.REFERENCE, network, f"{_title(registry.REFERENCE)}; {why}")
        report("measuring which runtime is the fastest on this machine (once, up to a minute or two)")
        recorded = measure_and_record(algorithm, run, settings, samples, report, settings.tolerance_px)
        report(table(recorded, settings.tolerance_px))
    for measurement in ranking(recorded, settings.tolerance_px):
        try:
            network = _compiled(algorithm, run, samples, measurement.runtime)
            return Choice(measurement.runtime, network, _line(measurement.runtime, recorded, bench))
        except Exception as error:  # what worked when it was measured may not work today; the next one may
            if measurement.runtime == registry.REFERENCE:
                raise
            report(f"inference.runtime: {measurement.runtime} cannot be used ({reason(error)})")
    network = _compiled(algorithm, run, None, registry.REFERENCE)
    return Choice(registry.REFERENCE, network, _line(registry.REFERENCE, recorded, bench))


def measure_and_record(
    algorithm: Algorithm,
    run: RunFiles,
    settings: InferenceSettings,
    samples: Samples,
    report: Report,
    tolerance_px: float | None = None,
) -> list[Measurement]:
    """Measure the runtimes and keep the figures in the run.

    Args:
        algorithm: See :func:`choose`.
        run: Where converted networks and figures are kept.
        settings: Gives the batch size.
        samples: The run's samples.
        report: Told when the figures cannot be kept.
        tolerance_px: See :func:`measure`.

    Returns:
        One measurement a runtime.
    """
    measured = measure(algorithm, samples, settings.batch_size, run.exports, tolerance_px=tolerance_px)
    machine, network = describe(_device(algorithm)), fingerprint(algorithm.network)
    try:
        write_record(run.runtimes, machine, network, settings.batch_size, measured)
    except InputError as error:
        report(f"measurements are not kept: {error}")
    return measured


def ranking(measurements: Sequence[Measurement], tolerance_px: float) -> list[Measurement]:
    """Those within the tolerance, fastest first.

    Args:
        measurements: One a runtime.
        tolerance_px: Most that a runtime may deviate.

    Returns:
        The measurements in the order in which they are to be tried.
    """
    within = [measurement for measurement in measurements if measurement.within(tolerance_px)]
    return sorted(within, key=lambda measurement: -(measurement.frames_per_second or 0.0))


def table(measurements: Sequence[Measurement], tolerance_px: float) -> str:
    """Measurements as aligned text.

    Args:
        measurements: One a runtime.
        tolerance_px: Says which of them are refused.

    Returns:
        One line a runtime below a line of headings: name, frames/s, deviation in pixels, verdict.
    """
    best = next(iter(ranking(measurements, tolerance_px)), None)
    rows = [("runtime", "frames/s", f"p{PERCENTILE} px", "verdict")]
    for each in measurements:
        speed = "-" if each.frames_per_second is None else f"{each.frames_per_second:.1f}"
        apart = "-" if each.deviation_px is None or each.compared == 0 else f"{each.deviation_px:.3f}"
        rows.append((each.runtime, speed, apart, verdict(each, tolerance_px, each is best)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows)


def verdict(measurement: Measurement, tolerance_px: float, taken: bool) -> str:
    """What becomes of a runtime, in a few words.

    Args:
        measurement: Of the runtime.
        tolerance_px: Most that it may deviate.
        taken: It is the one in use.

    Returns:
        The words; none for one that is right but not taken.
    """
    return measurement.refusal(tolerance_px) or ("taken" if taken else "")


def _title(name: str) -> str:
    precision = registry.get(name).precision
    return f"runtime {name} ({_PRECISIONS.get(precision, precision)})"


def _line(name: str, recorded: Sequence[Measurement], bench: str) -> str:
    """A runtime, and how far it is from single precision where that was measured."""
    if name == registry.REFERENCE:
        return f"{_title(name)}, what the others are compared with (by: {bench})"
    found = next((each for each in recorded if each.runtime == name and each.failure is None), None)
    if found is None:
        return f"{_title(name)}, not yet compared with float32 PyTorch on this machine (done by: {bench})"
    if found.compared == 0:
        return f"{_title(name)}; the samples show nothing to compare it by (measure again: {bench})"
    apart = "loses keypoints" if found.deviation_px is None else f"p95 {found.deviation_px:.3f} px"
    return f"{_title(name)}, {apart} from float32 PyTorch (measure again: {bench})"


def _named(
    algorithm: Algorithm,
    run: RunFiles,
    settings: InferenceSettings,
    samples: Samples | None,
    recorded: Sequence[Measurement],
    report: Report,
) -> tuple[str, CompiledNetwork]:
    runtime = registry.get(settings.runtime)
    device = _device(algorithm)
    failure = runtime.unavailable(device)
    if failure is None:
        try:
            network = _compiled(algorithm, run, samples, runtime.name)
        except VitruveError:
            raise
        except Exception as error:  # any library may fail in its own way
            failure = reason(error)
    if failure is not None:
        others = [name for name, other in registry.RUNTIMES.items() if other.unavailable(device) is None]
        known = ", ".join(name for name in others if name != runtime.name)
        raise ConfigError(f"inference.runtime={runtime.name}: {failure}; usable here are auto, {known}")
    for measurement in recorded:
        if measurement.runtime == runtime.name and not measurement.within(settings.tolerance_px):
            found = "" if measurement.deviation_px is None else f" (p95 {measurement.deviation_px:.2f} px)"
            report(
                f"inference.runtime={runtime.name}: auto would not take it on this machine: "
                f"{measurement.refusal(settings.tolerance_px)}{found}"
            )
    return runtime.name, network


def _compiled(algorithm: Algorithm, run: RunFiles, samples: Samples | None, name: str) -> CompiledNetwork:
    runtime = registry.get(name)
    device = _device(algorithm)
    calibration = None
    if runtime.precision == "int8" and samples is not None:
        calibration = network_inputs(algorithm, samples.of("train"), len(samples), device)
    example = algorithm.example_input(1).to(device)
    return runtime.compile(algorithm.network, example, run.exports, calibration)


def _device(algorithm: Algorithm) -> torch.device:
    return next(algorithm.network.parameters()).device
