"""The contract of a runtime: a network in, a callable that does the same in another way out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

Outputs = dict[str, torch.Tensor]


class CompiledNetwork(nn.Module):
    """A network that a runtime carries out; takes the place of an algorithm's ``network``.

    Args:
        function: Does the work.
        runtime: Name of the runtime.
    """

    def __init__(self, function: Callable[[torch.Tensor], Outputs], runtime: str) -> None:
        super().__init__()
        self.runtime = runtime
        self._function = function

    def forward(self, images: torch.Tensor) -> Outputs:
        """Outputs by name.

        Args:
            images: uint8, shaped as the network's example but for the first axis, which may have any length.

        Returns:
            float32 tensors on the device of the images, each starting with the same axis.
        """
        with torch.inference_mode():
            return {name: value.float() for name, value in self._function(images).items()}


def reach_of(network: nn.Module) -> int:
    """How many inputs before and after each one its output depends on: a runtime must not part them.

    Args:
        network: Says so by its attribute ``reach``; without one, inputs do not know of one another.

    Returns:
        The number.
    """
    return int(getattr(network, "reach", 0))


class Runtime(ABC):
    """A way to carry out a network.

    Args:
        name: How settings name it.
        precision: Number format of the arithmetic: ``f32``, ``bf16``, ``f16`` or ``int8``.
    """

    def __init__(self, name: str, precision: str) -> None:
        self.name = name
        self.precision = precision

    @abstractmethod
    def unavailable(self, device: torch.device) -> str | None:
        """Why it is of no use for a network on this device of this machine; None where it is."""

    @abstractmethod
    def compile(
        self,
        network: nn.Module,
        example: torch.Tensor,
        directory: Path | None,
        calibration: torch.Tensor | None = None,
    ) -> CompiledNetwork:
        """Make the network ready.

        Args:
            network: Takes a uint8 tensor and gives tensors by name; in evaluation mode. See :func:`reach_of`.
            example: A tensor such as the network takes, on the network's device.
            directory: Where converted networks are kept for the next time; None keeps none.
            calibration: Inputs such as will come, for runtimes that round by what they see; the same axes as
                ``example``.

        Returns:
            The network. The values of the one given are left as they were.

        Raises:
            MissingExtraError: An optional library is needed.
            RunError: Calibration is needed and there is none.
            Exception: Whatever the library raises that cannot take this network.
        """
