"""What the processor of this machine can do."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

# Where neither is there, int8 saturates in 16-bit sums and gains little.
_INT8 = ("avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8")
_BF16 = ("avx512_bf16", "amx_bf16")
_LIBRARIES = ("torch", "onnxruntime", "openvino", "nncf")


@cache
def has_bf16() -> bool:
    """Whether bfloat16 is multiplied in hardware."""
    return _has(_BF16, "bf16")


@cache
def has_int8() -> bool:
    """Whether eight-bit integers are multiplied and summed in hardware."""
    return _has(_INT8, "dot")


def _has(features: tuple[str, ...], arm: str) -> bool:
    found = torch.cpu.get_capabilities()
    if found.get("architecture") == "x86_64":
        return any(bool(found.get(name)) for name in features)
    return any(bool(value) for name, value in found.items() if arm in name)


def describe(device: torch.device) -> dict[str, str]:
    """What the speed and the rounding of a network depend on, besides the network.

    Args:
        device: Where it runs.

    Returns:
        Processor, cores, accelerator and versions of libraries, as plain text.
    """
    machine = {"processor": _processor_name(), "cores": str(len(_own_cores()))}
    if device.type == "cuda":
        machine["accelerator"] = torch.cuda.get_device_name(device)
    elif device.type != "cpu":
        machine["accelerator"] = device.type
    return machine | {name: _version(name) for name in _LIBRARIES}


def _processor_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(errors="replace").split("\n\n")[0].splitlines()
        fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        parts = [fields.get(key, "") for key in ("model name", "cpu family", "model")]
        if parts[0]:
            # Virtual machines call different processors alike; family and model tell them apart.
            return f"{parts[0]} ({parts[1]}/{parts[2]})"
    return f"{platform.processor() or platform.machine()}"


def _own_cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"
