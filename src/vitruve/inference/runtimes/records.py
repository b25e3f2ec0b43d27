"""What was measured of a run's runtimes, machine by machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitruve.atomic import atomic_json
from vitruve.inference.runtimes.measure import Measurement

_FORMAT = 2


def read_record(path: Path, machine: dict[str, str], network: str) -> list[Measurement]:
    """The measurements of this machine and this network.

    Args:
        path: The run's ``runtimes.json``.
        machine: From :func:`vitruve.inference.runtimes.processor.describe`.
        network: Fingerprint of the network.

    Returns:
        The measurements; none where there are none, or the file cannot be read.
    """
    for entry in _entries(path):
        if entry.get("machine") == machine and entry.get("network") == network:
            try:
                return [Measurement(**values) for values in entry["runtimes"]]
            except (KeyError, TypeError):
                return []
    return []


def write_record(
    path: Path, machine: dict[str, str], network: str, batch_size: int, measurements: Sequence[Measurement]
) -> None:
    """Put measurements beside those of other machines.

    Args:
        path: The run's ``runtimes.json``.
        machine: This machine; its older measurements are replaced, whatever network they are of.
        network: Fingerprint of the network.
        batch_size: Inputs that went through together.
        measurements: What was measured.

    Raises:
        InputError: The file cannot be written.
    """
    others = [entry for entry in _entries(path) if entry.get("machine") != machine]
    entry = {
        "machine": machine,
        "network": network,
        "batch_size": batch_size,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "runtimes": [measurement.to_dict() for measurement in measurements],
    }
    atomic_json(path, {"format": _FORMAT, "machines": [*others, entry]})


def _entries(path: Path) -> list[dict[str, Any]]:
    # A damaged file costs a new measurement, nothing else.
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        machines = record["machines"] if record["format"] == _FORMAT else []
        return [entry for entry in machines if isinstance(entry, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
