"""ONNX Runtime, in single precision or with eight-bit integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitruve.errors import RunError
from vitruve.inference.runtimes.base import CompiledNetwork, Outputs, Runtime
from vitruve.inference.runtimes.export_onnx import INPUT, OUTPUT, export_onnx, last_layers, quiet
from vitruve.inference.runtimes.exports import fingerprint, kept
from vitruve.inference.runtimes.processor import has_int8

# Images that are calibrated with together.
_CALIBRATION_BATCH = 4


class OnnxRuntime(Runtime):
    """ONNX Runtime on the processor.

    Args:
        name: How settings name it.
        precision: ``f32``, or ``int8`` for static quantisation with scales of each weight channel.
    """

    def unavailable(self, device: torch.device) -> str | None:
        """For networks on the processor; int8 where it multiplies such numbers."""
        if device.type != "cpu":
            return "it runs on the processor; the network is elsewhere"
        if self.precision == "int8" and not has_int8():
            return "the processor has no eight-bit multiplication"
        return None

    def compile(
        self,
        network: nn.Module,
        example: torch.Tensor,
        directory: Path | None,
        calibration: torch.Tensor | None = None,
    ) -> CompiledNetwork:
        """See :meth:`Runtime.compile`."""
        key = fingerprint(network, example)

        def export(path: Path) -> None:
            export_onnx(network, example, path)

        if self.precision == "f32":
            with kept(directory, key, (".onnx",), export) as path:
                return CompiledNetwork(_Session(path), self.name)
        if calibration is None:
            raise RunError(f"inference.runtime={self.name}: the run keeps no samples to calibrate with; take another")

        def quantise(path: Path) -> None:
            with kept(directory, key, (".onnx",), export) as exported:
                _quantise(exported, path, calibration)

        stem = f"{fingerprint(network, example, calibration)}.{self.name}"
        with kept(directory, stem, (".onnx",), quantise) as path:
            return CompiledNetwork(_Session(path), self.name)


class _Session:
    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Threads that wait by spinning would take the cores from decoding and warping.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, images: torch.Tensor) -> Outputs:
        values = self._session.run(self._names, {INPUT: images.contiguous().numpy()})
        pairs = zip(self._names, values, strict=True)
        return {name.removeprefix(OUTPUT): torch.from_numpy(value) for name, value in pairs}


def _quantise(source: Path, target: Path, calibration: torch.Tensor) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = target.with_name(f"{target.stem}.prepared.onnx")
    with quiet():
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Calibration(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=last_layers(prepared),
        )
    prepared.unlink()


class _Calibration:
    """What ONNX Runtime draws calibration inputs from."""

    def __init__(self, images: torch.Tensor) -> None:
        self._parts = iter(torch.split(images.cpu().contiguous(), _CALIBRATION_BATCH))

    def get_next(self) -> dict[str, Any] | None:
        """The next inputs by name; None at the end."""
        part = next(self._parts, None)
        return None if part is None else {INPUT: part.numpy()}
