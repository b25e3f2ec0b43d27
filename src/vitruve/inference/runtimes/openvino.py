"""OpenVINO, in single precision, bfloat16 or with eight-bit integers."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitruve.errors import MissingExtraError, RunError
from vitruve.inference.runtimes.base import CompiledNetwork, Outputs, Runtime, reach_of
from vitruve.inference.runtimes.export_onnx import LAYERS, OUTPUT, export_onnx, quiet
from vitruve.inference.runtimes.exports import fingerprint, kept
from vitruve.inference.runtimes.processor import has_bf16, has_int8


class OpenVinoRuntime(Runtime):
    """OpenVINO on the processor.

    Args:
        name: How settings name it.
        precision: ``f32``, ``bf16``, or ``int8`` for quantisation after training by nncf.
    """

    def unavailable(self, device: torch.device) -> str | None:
        """For networks on the processor; halved and eight-bit numbers where it multiplies such."""
        if device.type != "cpu":
            return "it runs on the processor; the network is elsewhere"
        if self.precision == "bf16" and not has_bf16():
            return "the processor has no bfloat16 arithmetic"
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

        if self.precision != "int8":
            with kept(directory, key, (".onnx",), export) as path:
                return CompiledNetwork(_Requests(path, self.precision, reach_of(network)), self.name)
        if calibration is None:
            raise RunError(f"inference.runtime={self.name}: the run keeps no samples to calibrate with; take another")

        def quantise(path: Path) -> None:
            with kept(directory, key, (".onnx",), export) as exported:
                _quantise(exported, path, calibration)

        stem = f"{fingerprint(network, example, calibration)}.{self.name}"
        with kept(directory, stem, (".xml", ".bin"), quantise) as path:
            return CompiledNetwork(_Requests(path, "f32", reach_of(network)), self.name)


class _Requests:
    """A batch is shared out over as many requests as OpenVINO finds best: cores then need not wait for each other.

    Where outputs depend on neighbouring images, each request gets those around its own as well.
    """

    def __init__(self, path: Path, precision: str, reach: int) -> None:
        import openvino

        self._reach = reach

        # Asked for by name: OpenVINO takes bfloat16 by itself where the processor has it.
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
        # Threads tied to a core would wait there for the decoding of videos while another core is free.
        hints["ENABLE_CPU_PINNING"] = "NO"
        core = openvino.Core()
        self._model: Any = core.compile_model(core.read_model(path), "CPU", hints)
        count = int(self._model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests = [self._model.create_infer_request() for _ in range(count)]
        self._names = [output.get_any_name().removeprefix(OUTPUT) for output in self._model.outputs]
        self._lock = threading.Lock()

    def __call__(self, images: torch.Tensor) -> Outputs:
        images = images.contiguous()
        parts = torch.arange(len(images)).tensor_split(min(len(self._requests), max(1, len(images))))
        with self._lock:
            working = []
            for request, rows in zip(self._requests, parts, strict=False):
                first, end = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
                start = max(0, first - self._reach)
                request.start_async({0: images[start : end + self._reach].numpy()}, share_inputs=True)
                working.append((request, slice(first - start, end - start)))
            for request, _ in working:
                request.wait()
            # The tensors of a request are written over by its next images: cat copies them, also a single one.
            return {
                name: torch.cat([torch.from_numpy(request.get_output_tensor(i).data)[own] for request, own in working])
                for i, name in enumerate(self._names)
            }


def _quantise(source: Path, target: Path, calibration: torch.Tensor) -> None:
    if find_spec("nncf") is None:
        raise MissingExtraError("nncf", "int8", "inference.runtime=openvino_int8")
    with quiet():
        import nncf
        import openvino

        model = openvino.Core().read_model(source)
        images = calibration.cpu().contiguous()
        quantised = nncf.quantize(
            model,
            nncf.Dataset([images[i : i + 1].numpy() for i in range(len(images))]),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=_last_layers(model)),
        )
        openvino.save_model(quantised, str(target), compress_to_fp16=False)


def _last_layers(model: Any) -> list[str]:
    """As :func:`vitruve.inference.runtimes.export_onnx.last_layers`: converting has changed the names."""
    found: dict[str, None] = {}
    waiting = [value.get_source_output().get_node() for result in model.get_results() for value in result.inputs()]
    while waiting:
        node = waiting.pop()
        if node.get_type_name() in ("Constant", "Parameter") or node.get_friendly_name() in found:
            continue
        found[node.get_friendly_name()] = None
        if not node.get_type_name().startswith(LAYERS):
            waiting.extend(value.get_source_output().get_node() for value in node.inputs())
    return list(found)
