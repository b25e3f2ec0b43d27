"""PyTorch itself, in single precision (the reference of all others) or with halved numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from vitruve.inference.runtimes.base import CompiledNetwork, Outputs, Runtime
from vitruve.inference.runtimes.processor import has_bf16


class TorchRuntime(Runtime):
    """PyTorch with channels innermost in memory.

    Args:
        name: How settings name it.
        precision: ``f32``, or ``bf16`` or ``f16`` for automatic mixed precision.
    """

    def unavailable(self, device: torch.device) -> str | None:
        """Single precision is always there; the others where the hardware has them."""
        if self.precision == "f32":
            return None
        if device.type == "cuda":
            emulated = self.precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False)
            return "the graphics processor has no bfloat16 arithmetic" if emulated else None
        if self.precision == "f16":
            return None if device.type == "mps" else "half precision is for graphics processors"
        if device.type == "mps":
            return "torch_f16 is the one for this device"
        return None if has_bf16() else "the processor has no bfloat16 arithmetic"

    def compile(
        self,
        network: nn.Module,
        example: torch.Tensor,
        directory: Path | None,
        calibration: torch.Tensor | None = None,
    ) -> CompiledNetwork:
        """See :meth:`Runtime.compile`; nothing is written, and the network itself is used."""
        dtype = {"f32": None, "bf16": torch.bfloat16, "f16": torch.float16}[self.precision]
        for parameter in network.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return CompiledNetwork(_Eager(network, dtype), self.name)


class _Eager(nn.Module):
    def __init__(self, network: nn.Module, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.network = network
        self._dtype = dtype

    def forward(self, images: torch.Tensor) -> Outputs:
        if images.dim() == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, self._dtype, enabled=self._dtype is not None):
            outputs: Outputs = self.network(images)
            return outputs
