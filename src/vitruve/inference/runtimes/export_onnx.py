"""From a PyTorch network to an ONNX file that has been seen to give the same."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from torch import nn

from vitruve.inference.runtimes.base import Outputs

INPUT = "images"
"""Name of the one input."""
OUTPUT = "output."
"""How names of outputs begin in the file, so that no value within the network has the same."""

LAYERS = ("Conv", "GroupConv", "Gemm", "MatMul")
"""How the operators that carry weights begin, in ONNX and in OpenVINO."""

# The exporter works in single precision as the network does; beyond rounding, sums are only ordered differently.
_TOLERANCE = 1e-3
_OPSET = 18


def export_onnx(network: nn.Module, example: torch.Tensor, path: Path) -> None:
    """Write a network as ONNX, with a free first axis, and compare the file with the network.

    Tracing is tried first: it is two to three times quicker and folds more. What it cannot take, or gets wrong
    where the number of images differs, goes through ``torch.export``.

    Args:
        network: Takes a uint8 tensor and gives tensors by name.
        example: A tensor such as the network takes.
        path: The file.

    Raises:
        RuntimeError: Neither way gives the network's outputs.
    """
    network = network.eval()
    shape = (3, *example.shape[1:])
    probe = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    probe = probe.to(example.device)
    with torch.no_grad():
        expected = {f"{OUTPUT}{name}": value for name, value in network(probe).items()}
    two = example[:1].expand(2, *example.shape[1:]).contiguous()
    reasons = []
    for dynamo in (False, True):
        try:
            with quiet(), torch.no_grad():
                _export(_Ordered(network, list(expected)).eval(), two, list(expected), path, dynamo)
            reason = _difference(path, probe, expected)
        except Exception as error:  # exporters raise whatever the operator at hand makes them raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if reason is None:
            return
        reasons.append(reason)
    raise RuntimeError(f"no ONNX export: {'; '.join(reasons)}")


class _Ordered(nn.Module):
    """Outputs as a tuple: ONNX has no dictionaries."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network = network
        self._names = names

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = self.network(images)
        return tuple(outputs[name.removeprefix(OUTPUT)] for name in self._names)


def _export(network: nn.Module, example: torch.Tensor, names: list[str], path: Path, dynamo: bool) -> None:
    if dynamo:
        free = torch.export.Dim("count")
        program = torch.onnx.export(
            network, (example,), dynamo=True, opset_version=_OPSET, input_names=[INPUT], output_names=names,
            dynamic_shapes=({0: free},), verbose=False,
        )  # fmt: skip
        assert program is not None
        program.save(str(path))
    else:
        torch.onnx.export(
            network, (example,), str(path), dynamo=False, opset_version=_OPSET, input_names=[INPUT],
            output_names=names, dynamic_axes={name: {0: "count"} for name in (INPUT, *names)},
        )  # fmt: skip


def _difference(path: Path, probe: torch.Tensor, expected: Outputs) -> str | None:
    """What is wrong with the file's outputs, or None."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(list(expected), {INPUT: probe.cpu().numpy()})
    for (name, wanted), values in zip(expected.items(), found, strict=True):
        value, reference = torch.from_numpy(values).double(), wanted.cpu().double()
        if value.shape != reference.shape:
            return f"{name} has shape {tuple(value.shape)}, not {tuple(reference.shape)}"
        scale = max(float(reference.abs().max()), 1e-6)
        if not float((value - reference).abs().max()) <= _TOLERANCE * scale:
            return f"{name} differs by {float((value - reference).abs().max()):.2g}"
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what converters print, warn and log to themselves."""
    before = logging.root.manager.disable
    # The tracing exporter prints whole graphs past Python's own streams; its switch does not turn that off.
    prints = getattr(torch._C, "_jit_onnx_log", None)
    logging.disable(logging.ERROR)
    setattr(torch._C, "_jit_onnx_log", lambda *parts: None)  # noqa: B010
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        setattr(torch._C, "_jit_onnx_log", prints)  # noqa: B010


def last_layers(path: Path) -> list[str]:
    """Names of the nodes that compute the outputs, from each output back to the nearest layer with weights.

    What they round, nothing after them can smooth out: they stay in floating point when a network is quantised.

    Args:
        path: The ONNX file.

    Returns:
        Node names.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    makers = {output: node for node in graph.node for output in node.output}
    found: dict[str, None] = {}
    waiting = [output.name for output in graph.output]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        node = makers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        found[node.name] = None
        if not node.op_type.startswith(LAYERS):
            waiting.extend(node.input)
    return list(found)
