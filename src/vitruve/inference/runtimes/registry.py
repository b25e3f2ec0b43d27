"""The runtimes there are."""

from __future__ import annotations

from vitruve.errors import ConfigError, nearest
from vitruve.inference.runtimes.base import Runtime
from vitruve.inference.runtimes.onnx import OnnxRuntime
from vitruve.inference.runtimes.openvino import OpenVinoRuntime
from vitruve.inference.runtimes.torch import TorchRuntime

REFERENCE = "torch"
"""The runtime that the others are compared with."""

RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        TorchRuntime(REFERENCE, "f32"),
        TorchRuntime("torch_bf16", "bf16"),
        TorchRuntime("torch_f16", "f16"),
        OnnxRuntime("onnx", "f32"),
        OnnxRuntime("onnx_int8", "int8"),
        OpenVinoRuntime("openvino", "f32"),
        OpenVinoRuntime("openvino_bf16", "bf16"),
        OpenVinoRuntime("openvino_int8", "int8"),
    )
}
"""By name, the reference first."""


def get(name: str) -> Runtime:
    """The runtime of a name.

    Args:
        name: A key of :data:`RUNTIMES`.

    Returns:
        The runtime.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in RUNTIMES:
        raise ConfigError(
            f"inference.runtime={name!r}: no such runtime{nearest(name, RUNTIMES)}; known are {', '.join(RUNTIMES)}"
        )
    return RUNTIMES[name]
