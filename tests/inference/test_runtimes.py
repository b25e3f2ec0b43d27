"""Every runtime gives what the network gives, from files that are whole and its own."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from inference.blobs import blob_algorithm, blob_samples
from vitruve.algorithms import registry as algorithms
from vitruve.algorithms.base import Algorithm, Task
from vitruve.errors import ConfigError, MissingExtraError, RunError
from vitruve.inference.runtimes import export_onnx, onnx, openvino
from vitruve.inference.runtimes.base import CompiledNetwork
from vitruve.inference.runtimes.deviation import deviation, predictions
from vitruve.inference.runtimes.exports import fingerprint
from vitruve.inference.runtimes.measure import network_inputs
from vitruve.inference.runtimes.registry import RUNTIMES, get
from vitruve.inference.samples import Samples
from vitruve.structures.skeleton import Skeleton

CPU = torch.device("cpu")

# Largest error of an output, as a share of the largest output, and of a keypoint in original pixels.
BOUNDS = {"f32": (1e-5, 1e-3), "bf16": (2e-2, 0.25), "f16": (2e-3, 0.05), "int8": (6e-2, 0.5)}


@pytest.fixture(scope="module")
def algorithm() -> Algorithm:
    return blob_algorithm()


@pytest.fixture(scope="module")
def samples() -> Samples:
    return blob_samples()[0]


@pytest.fixture(scope="module")
def inputs(algorithm: Algorithm, samples: Samples) -> torch.Tensor:
    return network_inputs(algorithm, samples, 5, CPU)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


def compiled(name: str, algorithm: Algorithm, directory: Path | None, images: torch.Tensor) -> CompiledNetwork:
    """A network carried out by a runtime, where this machine has it."""
    runtime = RUNTIMES[name]
    obstacle = runtime.unavailable(CPU)
    if obstacle is not None:
        pytest.skip(f"{name}: {obstacle}")
    if name == "openvino_int8" and find_spec("nncf") is None:
        pytest.skip("openvino_int8: nncf is not installed")
    return runtime.compile(algorithm.network, algorithm.example_input(1), directory, images)


def test_the_network_of_these_tests_finds_the_blobs(algorithm: Algorithm) -> None:
    samples, places = blob_samples()
    batch = samples.batches(len(samples))[0]
    with torch.no_grad():
        found = algorithm.decode(algorithm(batch), batch)
    assert (found.keypoints[:, 0, 0] - places).abs().max() < 2.0
    assert found.keypoint_scores.min() > 0.5


@pytest.mark.parametrize("name", RUNTIMES)
def test_outputs_are_those_of_the_network(
    name: str, algorithm: Algorithm, samples: Samples, inputs: torch.Tensor, exports: Path
) -> None:
    network = compiled(name, algorithm, exports, inputs)
    most, most_px = BOUNDS[RUNTIMES[name].precision]
    for count in (1, 3, 5):
        images = inputs[:count]
        with torch.no_grad():
            wanted = algorithm.network(images)["heatmaps"]
        found = network(images)
        assert list(found) == ["heatmaps"]
        assert found["heatmaps"].dtype == torch.float32
        assert found["heatmaps"].shape == wanted.shape
        assert (found["heatmaps"] - wanted).abs().max() <= most * wanted.abs().max()
    reference = RUNTIMES["torch"].compile(algorithm.network, algorithm.example_input(1), None)
    pair = (predictions(algorithm, each, samples, 5, CPU) for each in (reference, network))
    assert deviation(*pair).px <= most_px


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_memory_layout_and_later_calls_change_nothing(
    name: str, algorithm: Algorithm, inputs: torch.Tensor, exports: Path
) -> None:
    network = compiled(name, algorithm, exports, inputs)
    first = network(inputs[:4])["heatmaps"]
    kept = first.clone()
    innermost = inputs[:4].permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(network(innermost)["heatmaps"], kept)
    network(inputs[4:8])
    assert torch.equal(first, kept)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_backbone_goes_through(name: str, exports: Path) -> None:
    kind = algorithms.get("heatmap")
    task = Task(Skeleton(("a", "b", "c")), (64, 64))
    torch.manual_seed(0)
    algorithm = kind(kind.Config(backbone="test_resnet"), task).eval()
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        wanted = algorithm.network(images)["heatmaps"]
    found = compiled(name, algorithm, exports, images)(images)["heatmaps"]
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()
    assert not any(module.training for module in algorithm.network.modules())  # exporting leaves it as it was


@pytest.mark.parametrize("name", ["onnx", "onnx_int8", "openvino", "openvino_int8"])
def test_files_are_made_once(
    name: str, algorithm: Algorithm, inputs: torch.Tensor, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = compiled(name, algorithm, exports, inputs)(inputs[:2])["heatmaps"]

    def never(*arguments: object) -> None:
        raise AssertionError("made again")

    for module in (onnx, openvino):
        monkeypatch.setattr(module, "export_onnx", never)
        monkeypatch.setattr(module, "_quantise", never)
    monkeypatch.setitem(sys.modules, "nncf", None)
    again = RUNTIMES[name].compile(algorithm.network, algorithm.example_input(2), exports, inputs)
    assert torch.equal(again(inputs[:2])["heatmaps"], wanted)


@pytest.mark.parametrize(("name", "suffix"), [("onnx", ".onnx"), ("onnx_int8", "int8.onnx")])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_file_is_made_again(
    name: str, suffix: str, damage: str, algorithm: Algorithm, inputs: torch.Tensor, tmp_path: Path
) -> None:
    wanted = compiled(name, algorithm, tmp_path, inputs)(inputs[:2])["heatmaps"]
    file = next(path for path in tmp_path.iterdir() if path.name.endswith(suffix))
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    else:
        place = whole.index(torch.full((), 1 / 9).numpy().tobytes()) if name == "onnx" else len(whole) // 2
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
    assert torch.equal(compiled(name, algorithm, tmp_path, inputs)(inputs[:2])["heatmaps"], wanted)
    assert len(file.read_bytes()) == len(whole)


def test_other_weights_are_another_file(inputs: torch.Tensor, tmp_path: Path) -> None:
    algorithm = blob_algorithm()
    before = compiled("onnx", algorithm, tmp_path, inputs)(inputs[:2])["heatmaps"]
    with torch.no_grad():
        algorithm.network.predict.weight.mul_(2.0)
    after = compiled("onnx", algorithm, tmp_path, inputs)(inputs[:2])["heatmaps"]
    assert torch.allclose(after, 2 * before, rtol=1e-5)
    assert len(list(tmp_path.glob("*.onnx"))) == 2
    assert not list(tmp_path.glob(".*")), "nothing half-written stays behind"


def test_structure_and_shape_count_as_well() -> None:
    straight = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    other = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU())
    other.load_state_dict(straight.state_dict())
    small, large = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 16, 16)
    assert fingerprint(straight) != fingerprint(other)
    assert fingerprint(straight, small) != fingerprint(straight, large)
    assert fingerprint(straight, small) == fingerprint(straight, torch.ones(5, 3, 8, 8))
    assert fingerprint(straight, small, small) != fingerprint(straight, small, small + 1)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_folder_that_cannot_be_written_is_done_without(
    name: str, algorithm: Algorithm, inputs: torch.Tensor, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    network = compiled(name, algorithm, file / "exports", inputs)
    assert network(inputs[:1])["heatmaps"].shape[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


class CountDependent(nn.Module):
    """The number of images becomes a constant in any export."""

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mean": images.float().mean((1, 2, 3)) * int(images.shape[0])}


def test_an_export_that_gives_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"no ONNX export: output\.mean differs"):
        export_onnx.export_onnx(CountDependent(), torch.zeros(1, 3, 8, 8, dtype=torch.uint8), tmp_path / "x.onnx")


class Smoothed(nn.Module):
    """Tracing knows no anti-aliasing. One output is called as a step inside the network is."""

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        small = nn.functional.interpolate(images.float(), size=(5, 5), mode="bilinear", antialias=True)
        return {"mean": small.mean((2, 3)) + 1, "brightest": images.amax((1, 2, 3)).long()}


def test_what_tracing_cannot_take_is_exported_in_another_way(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.onnx"
    export_onnx.export_onnx(Smoothed(), torch.zeros(1, 3, 8, 8, dtype=torch.uint8), path)
    assert capfd.readouterr() == ("", "")
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    found = CompiledNetwork(onnx._Session(path), "onnx")(images)
    assert torch.allclose(found["mean"], Smoothed()(images)["mean"], rtol=1e-4)
    assert torch.equal(found["brightest"], images.amax((1, 2, 3)).float())


def test_int8_needs_inputs_to_calibrate_with(algorithm: Algorithm, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"onnx_int8.*no samples"):
        RUNTIMES["onnx_int8"].compile(algorithm.network, algorithm.example_input(1), tmp_path, None)


def test_a_missing_extra_is_named(
    algorithm: Algorithm, inputs: torch.Tensor, exports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"vitruve\[int8\]"):
        RUNTIMES["openvino_int8"].compile(algorithm.network, algorithm.example_input(1), tmp_path, inputs)


def test_processors_without_the_arithmetic_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from vitruve.inference.runtimes import processor

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", "avx2": True})
    processor.has_bf16.cache_clear()
    processor.has_int8.cache_clear()
    try:
        reasons = {name: runtime.unavailable(CPU) for name, runtime in RUNTIMES.items()}
    finally:
        processor.has_bf16.cache_clear()
        processor.has_int8.cache_clear()
    assert {name for name, why in reasons.items() if why is None} == {"torch", "onnx", "openvino"}
    assert "bfloat16" in str(reasons["openvino_bf16"])


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        get("openvno")
