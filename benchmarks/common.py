"""What the benchmarks share: where the recordings are, timing of whole processes, seeds, the machine's name."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"


def mirror_mouse() -> Path:
    """The Lightning Pose example data set: ``VITRUVE_DATA``, or ``../shared/data`` beside the repository."""
    root = Path(os.environ.get("VITRUVE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "mirror_mouse"
    if not root.is_dir():
        sys.exit(f"{root}: not there; set VITRUVE_DATA to the folder that holds mirror_mouse")
    return root


@dataclass(frozen=True)
class Timed:
    """A finished process: wall time in seconds, peak memory in MiB, what it printed."""

    seconds: float
    peak_mib: float
    output: str


def timed(*command: str, env: dict[str, str] | None = None) -> Timed:
    """Run a command as a whole process; fail with its output when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **(env or {})}
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Timed(seconds, usage.ru_maxrss / 1024, output)


def vitruve(*arguments: str) -> tuple[str, ...]:
    """The command line of this environment."""
    return (sys.executable, "-m", "vitruve.cli.main", *arguments)


def parser_of_seeds(
    description: str | None, name: str | None, seeds: list[int], what: tuple[str, ...] = ()
) -> argparse.ArgumentParser:
    """What a benchmark that trains with several seeds is told; ``what`` are its parts, of which one is run."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if what:
        parser.add_argument("what", choices=what)
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    parser.add_argument("--folder", type=Path, help="keep projects and runs here")
    parser.add_argument("--name", default=name)
    parser.add_argument("overrides", nargs="*")
    return parser


@contextmanager
def workplace(folder: Path | None) -> Iterator[Path]:
    """The folder that is given, or one that is gone afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        yield folder or Path(temporary)


def by_seed(
    folder: Path,
    seeds: Iterable[int],
    ways: Iterable[str],
    project: Callable[[Path, int], Path],
    train: Callable[[Path, Path, int, str], Timed],
    judge: Callable[[Path, Path], dict[str, float]],
) -> dict[int, dict[str, dict[str, float]]]:
    """Figures of every way of training with every seed; ``train`` is told project, run, seed and way."""
    runs: dict[int, dict[str, dict[str, float]]] = {}
    for seed in seeds:
        data, runs[seed] = project(folder, seed), {}
        for way in ways:
            run = folder / f"seed{seed}_{way}"
            done = train(data, run, seed, way)
            runs[seed][way] = {**judge(run, data), "seconds": round(done.seconds, 1)}
            print(seed, way, runs[seed][way], flush=True)
    return runs


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        name = next((x.split(":")[1].strip() for x in cpuinfo.read_text().splitlines() if "model name" in x), name)
    return {
        "processor": name,
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "date": date.today().isoformat(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def record(name: str, values: dict[str, Any]) -> None:
    """Print figures and keep them in ``benchmarks/results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), **values}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(text)
