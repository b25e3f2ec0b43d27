"""The fastest runtime that is right is taken, found out once."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inference.blobs import SCALE, STRIDE, blob_algorithm, blob_samples
from inference.stand_in import Bright
from vitruve.algorithms.base import Algorithm
from vitruve.errors import ConfigError
from vitruve.inference.runtimes import measure, registry, select
from vitruve.inference.runtimes.base import CompiledNetwork, Outputs, Runtime
from vitruve.inference.runtimes.deviation import Deviation, deviation
from vitruve.inference.runtimes.measure import Measurement, inputs_a_frame
from vitruve.inference.runtimes.select import choose, ranking, table
from vitruve.inference.samples import Samples
from vitruve.inference.settings import InferenceSettings
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances

AUTO = InferenceSettings(batch_size=4)


class Fake(Runtime):
    """The network itself, with its maps moved to the right by whole map pixels."""

    def __init__(self, name: str, speed: float, moved: int = 0, failure: str = "", absent: str | None = None) -> None:
        super().__init__(name, "f32")
        self.speed, self.moved, self.failure, self.absent = speed, moved, failure, absent
        self.compiled = 0

    def unavailable(self, device: torch.device) -> str | None:
        return self.absent

    def compile(
        self,
        network: nn.Module,
        example: torch.Tensor,
        directory: Path | None,
        calibration: torch.Tensor | None = None,
    ) -> CompiledNetwork:
        self.compiled += 1
        if self.failure:
            raise ValueError(self.failure)

        def run(images: torch.Tensor) -> Outputs:
            return {"heatmaps": network(images)["heatmaps"].roll(self.moved, -1)}

        return CompiledNetwork(run, self.name)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Fake]:
    """Stand-ins for all runtimes, with speeds that do not depend on the machine."""
    runtimes = (
        Fake("torch", 10.0),
        Fake("onnx", 20.0),
        Fake("openvino", 30.0),
        Fake("openvino_int8", 90.0, moved=1),
        Fake("onnx_int8", 80.0, failure="Reshape is not\nimplemented"),
        Fake("openvino_bf16", 70.0, absent="the processor has no bfloat16 arithmetic"),
    )
    found = {runtime.name: runtime for runtime in runtimes}
    monkeypatch.setattr(registry, "RUNTIMES", found)
    monkeypatch.setattr(measure, "RUNTIMES", found)
    monkeypatch.setattr(measure, "rate", lambda network, inputs, batch_size: found[network.runtime].speed)
    return found


@pytest.fixture(scope="module")
def samples() -> Samples:
    return blob_samples()[0]


@pytest.fixture(scope="module")
def built() -> Algorithm:
    return blob_algorithm()


@pytest.fixture
def algorithm(built: Algorithm) -> Algorithm:
    return copy.deepcopy(built)


@pytest.fixture
def run(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path)


def test_the_fastest_within_the_tolerance_is_taken(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    own, said = algorithm.network, []
    name, network, line = choose(algorithm, run, AUTO, samples, said.append)
    assert (name, network.runtime) == ("openvino", "openvino")
    assert algorithm.network is own
    text = said[-1].splitlines()
    assert text[0].split() == ["runtime", "frames/s", "p95", "px", "verdict"]
    lines = {line.split()[0]: line for line in text[1:]}
    assert lines["openvino"].endswith("taken")
    assert "not usable: ValueError: Reshape is not" in lines["onnx_int8"]
    assert "no bfloat16" in lines["openvino_bf16"]
    assert "beyond the tolerance of 0.2 px" in lines["openvino_int8"]
    # One map pixel is four input pixels, and those are eight original ones.
    assert float(lines["openvino_int8"].split()[2]) == pytest.approx(SCALE * STRIDE, abs=0.05)
    assert fakes["openvino_bf16"].compiled == 0
    assert (
        line
        == f"runtime openvino (float32), p95 0.000 px from float32 PyTorch (measure again: vitruve bench {run.path})"
    )


def test_a_wide_tolerance_takes_what_is_off(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    settings = AUTO.model_copy(update={"tolerance_px": SCALE * STRIDE + 0.1})
    assert choose(algorithm, run, settings, samples, print)[0] == "openvino_int8"


def test_what_was_measured_is_used_again(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    choose(algorithm, run, AUTO, samples, print)
    before = {name: fake.compiled for name, fake in fakes.items()}
    said: list[str] = []
    assert choose(algorithm, run, AUTO, samples, said.append)[0] == "openvino"
    assert {name: fake.compiled - before[name] for name, fake in fakes.items() if fake.compiled > before[name]} == {
        "openvino": 1
    }
    assert said == []
    assert "p95 0.000 px" in choose(algorithm, run, AUTO, samples, said.append).said
    # Few frames or no samples are no reason to be slow once the figures are there.
    assert choose(algorithm, run, AUTO, None, said.append, frames_expected=1)[0] == "openvino"


def test_other_weights_are_measured_anew_and_replace_the_old(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    choose(algorithm, run, AUTO, samples, print)
    with torch.no_grad():
        algorithm.network.get_parameter("predict.bias").add_(1.0)
    choose(algorithm, run, AUTO, samples, print)
    assert fakes["onnx"].compiled == 2
    assert len(json.loads(run.runtimes.read_text())["machines"]) == 1


def test_another_machine_is_measured_beside(
    fakes: dict[str, Fake],
    algorithm: Algorithm,
    run: RunFiles,
    samples: Samples,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose(algorithm, run, AUTO, samples, print)
    here = select.describe(torch.device("cpu"))
    monkeypatch.setattr(select, "describe", lambda device: {**here, "cores": "128"})
    choose(algorithm, run, AUTO, samples, print)
    assert fakes["onnx"].compiled == 2
    assert len(json.loads(run.runtimes.read_text())["machines"]) == 2


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 2, "machines": [3]}', '{"format": 99, "machines": []}'])
def test_a_damaged_record_is_made_again(
    content: str, fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    run.runtimes.write_text(content)
    assert choose(algorithm, run, AUTO, samples, print)[0] == "openvino"
    assert json.loads(run.runtimes.read_text())["machines"][0]["batch_size"] == 4


def test_few_frames_are_predicted_at_once(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    few = select.FEW_FRAMES - 1
    assert choose(algorithm, run, AUTO, samples, print, frames_expected=few)[0] == "torch"
    assert choose(algorithm, run, AUTO, None, print, frames_expected=10**6)[0] == "torch"
    assert not run.runtimes.exists()
    assert choose(algorithm, run, AUTO, samples, print, frames_expected=few + 1)[0] == "openvino"


def test_what_fails_later_is_passed_over(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    choose(algorithm, run, AUTO, samples, print)
    fakes["openvino"].failure = "no such library"
    said: list[str] = []
    assert choose(algorithm, run, AUTO, samples, said.append)[0] == "onnx"
    assert "openvino cannot be used" in said[0]


def test_a_named_runtime_is_taken_with_a_warning_where_it_is_off(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    named = AUTO.model_copy(update={"runtime": "openvino_int8"})
    said: list[str] = []
    name, _, line = choose(algorithm, run, named, samples, said.append)
    assert (name, said) == ("openvino_int8", [])
    assert "openvino_int8" in line and "not yet compared" in line
    choose(algorithm, run, AUTO, samples, print)
    assert choose(algorithm, run, named, samples, said.append)[0] == "openvino_int8"
    assert len(said) == 1
    assert "beyond the tolerance of 0.2 px (p95 8.0" in said[0]


@pytest.mark.parametrize(
    ("name", "why"), [("onnx_int8", "Reshape is not"), ("openvino_bf16", "no bfloat16 arithmetic")]
)
def test_a_named_runtime_that_does_not_work_is_an_error(
    name: str, why: str, fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples
) -> None:
    with pytest.raises(ConfigError, match=f"inference.runtime={name}: .*{why}.*usable here are auto, torch, onnx"):
        choose(algorithm, run, AUTO.model_copy(update={"runtime": name}), samples, print)


def test_a_run_that_cannot_be_written_is_measured_all_the_same(
    fakes: dict[str, Fake], algorithm: Algorithm, tmp_path: Path, samples: Samples
) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    assert choose(algorithm, RunFiles(tmp_path / "file"), AUTO, samples, said.append)[0] == "openvino"
    assert any("not kept" in text for text in said)


def test_the_real_ones_agree_on_blobs(algorithm: Algorithm, run: RunFiles, samples: Samples) -> None:
    wanted = [registry.RUNTIMES[name] for name in ("torch", "openvino")]
    said: list[str] = []
    first, second = measure.measure(algorithm, samples, 4, run.exports, runtimes=wanted, said=said.append)
    assert said == ["torch", "openvino"]
    assert first.deviation_px == 0.0
    assert second.deviation_px is not None
    assert second.deviation_px < 1e-3
    assert min(first.frames_per_second or 0, second.frames_per_second or 0) > 0


def found(points: np.ndarray, scores: np.ndarray) -> Instances:
    return Instances.from_keypoints(points.astype(np.float32), keypoint_scores=scores.astype(np.float32))


def test_deviation_is_the_percentile_over_confident_keypoints() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (5, 1, 1, 40, 2))
    scores = rng.uniform(0, 1, (5, 1, 1, 40))
    steps = rng.uniform(0, 3, scores.shape)
    steps[scores < 0.5] = 50
    other = points + np.stack([steps, 0 * steps], -1)
    confident = np.sort(steps[scores >= 0.5])
    value = deviation([found(points, scores)], [found(other, 0 * scores)])
    assert np.mean(confident <= value.px + 1e-4) >= 0.95
    assert np.mean(confident < value.px - 1e-4) < 0.95
    assert value.outlier_px == pytest.approx(confident[-1], abs=1e-4)
    assert value.confident_share == np.mean(scores >= 0.5)
    unsure = deviation([found(points, 0.1 * scores)], [found(other, scores)])
    assert (unsure.px, unsure.outlier_px) == pytest.approx((50, 50), abs=1e-4)
    assert unsure.confident_share == 0


def test_hardly_any_confident_keypoint_is_like_none() -> None:
    points, scores = np.zeros((1, 1, 1, 100, 2)), np.full((1, 1, 1, 100), 0.06)
    scores[..., :9] = 0.9
    other = points.copy()
    other[..., 9:, 0] = 30
    assert deviation([found(points, scores)], [found(other, scores)]).px == 30
    scores[..., 9] = 0.9
    value = deviation([found(points, scores)], [found(other, scores)])
    assert (value.px, value.outlier_px, value.confident_share) == (30, 30, 0.1)


@pytest.mark.parametrize(
    ("precision", "outlier", "share", "refusal"),
    [
        ("int8", 4.9, 0.1, None),
        ("int8", 324.0, 1.0, "some keypoints are 324 px off"),
        ("bf16", 5.1, 1.0, "some keypoints are 5 px off"),
        ("int8", 0.3, 0.09, "8 bit needs a network that is confident"),
        ("bf16", 0.3, 0.0, None),
    ],
)
def test_outliers_and_doubt_keep_a_runtime_from_being_taken(
    precision: str, outlier: float, share: float, refusal: str | None
) -> None:
    quick = Measurement("quick", 90.0, 0.17, precision=precision, outlier_px=outlier, confident_share=share)
    slow = Measurement("torch", 10.0, 0.0, outlier_px=0.0, confident_share=share)
    assert quick.refusal(0.2) == refusal
    text = table([slow, quick], 0.2).splitlines()
    assert text[1 if refusal else 2].endswith("taken") and text[2].endswith(refusal or "taken")


def test_where_nothing_is_found_single_precision_stays() -> None:
    """As of a network for several people that has hardly learned: two runtimes that find nobody have not agreed."""
    empty = Instances.empty(10, (2, 1))
    assert deviation([empty], [empty]).compared == 0
    torch_, onnx = Measurement("torch", 10.0, 0.0, compared=0), Measurement("onnx", 20.0, 0.0, compared=0)
    bf16 = Measurement("openvino_bf16", 40.0, 0.0, precision="bf16", compared=0)
    assert [each.runtime for each in ranking([torch_, onnx, bf16], 0.2)] == ["onnx", "torch"]
    lines = table([torch_, onnx, bf16], 0.2).splitlines()
    assert lines[2].split() == ["onnx", "20.0", "-", "taken"]
    assert lines[3].endswith("nothing was found to judge it by")
    assert replace(bf16, compared=1).refusal(0.2) is None


def test_eight_bits_are_not_tried_where_that_is_in_vain(
    fakes: dict[str, Fake], algorithm: Algorithm, run: RunFiles, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take a minute to make; where bfloat16 is too far off already, or nobody is sure of anything, for nothing."""
    halved, eight = fakes["openvino_bf16"], fakes["openvino_int8"]
    halved.absent, halved.precision, halved.moved, eight.precision = None, "bf16", 1, "int8"
    monkeypatch.setattr(measure, "RUNTIMES", {name: fakes[name] for name in ("torch", "openvino_bf16", eight.name)})
    said: list[str] = []
    assert choose(algorithm, run, AUTO, samples, said.append).runtime == "torch"
    apart = SCALE * STRIDE
    assert eight.compiled == 0 and f"not tried: some {2 * apart:.1f} px expected" in said[1].splitlines()[3]
    wide = AUTO.model_copy(update={"tolerance_px": 2.0 * apart + 1})
    assert choose(algorithm, run, wide, samples, print).runtime == eight.name
    assert eight.compiled == 2

    monkeypatch.setattr(measure, "deviation", lambda a, b: Deviation(0.0, 0.0, 0.09, 5))
    *_, unsure = measure.measure(algorithm, samples, 4, None)
    assert eight.compiled == 2 and unsure.refusal(0.2) == "8 bit needs a network that is confident"


def test_a_busy_moment_does_not_decide(
    fakes: dict[str, Fake],
    algorithm: Algorithm,
    run: RunFiles,
    samples: Samples,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever slows one turn of a runtime down does not slow down all of them."""
    order: list[str] = []

    def rate(network: CompiledNetwork, inputs: torch.Tensor, batch_size: int) -> float:
        order.append(network.runtime)
        busy = 0.1 if len(order) < 4 else 1.0
        return busy * fakes[network.runtime].speed

    monkeypatch.setattr(measure, "rate", rate)
    speeds = {each.runtime: each.frames_per_second for each in measure.measure(algorithm, samples, 4, None)}
    assert speeds["torch"] == pytest.approx(10) and speeds["openvino"] == pytest.approx(30)
    assert order == ["torch", "onnx", "openvino", "openvino_int8"] * 3


def test_deviation_does_not_depend_on_the_order_or_number_of_instances() -> None:
    points = np.random.default_rng(1).uniform(0, 100, (2, 1, 3, 10, 2))
    ones = np.ones(points.shape[:-1])
    spare = np.concatenate([points[:, :, ::-1] + 0.1, np.full((2, 1, 1, 10, 2), np.nan)], 2)
    value = deviation([found(points, ones)], [found(spare, np.ones(spare.shape[:-1]))])
    assert value.px == pytest.approx(0.1 * 2**0.5, abs=1e-4)
    assert deviation([found(points, ones)], [found(points[:, :, :2], ones[:, :, :2])]).px > 10
    lost = np.where(np.arange(10)[:, None] < 9, points, np.nan)
    assert deviation([found(points, ones)], [found(lost, ones)]).px == float("inf")
    nothing = Instances.empty(10, (2, 1))
    assert deviation([nothing], [nothing]).px == 0.0
    assert deviation([nothing], [found(points, ones)]).px == float("inf")


def test_boxes_stand_in_where_there_are_no_keypoints() -> None:
    boxes = np.array([[[[10, 10, 20, 30]]]], np.float32)
    detector = replace(Instances.empty(0, (1, 1)), keypoints=np.zeros((1, 1, 1, 0, 2)), visible=np.zeros((1, 1, 1, 0)))
    first = replace(detector, boxes=boxes, scores=np.ones((1, 1, 1)))
    assert deviation([first], [replace(first, boxes=boxes + 3)]).px == pytest.approx(3 * 2**0.5)


def test_lost_keypoints_are_said_to_be_lost() -> None:
    text = table([Measurement("torch", 10.0, 0.0), Measurement("onnx", 20.0, None)], 0.2)
    assert text.splitlines()[2].endswith("loses keypoints")
    assert text.splitlines()[1].endswith("taken")


def test_frames_of_a_video_share_their_context() -> None:
    assert inputs_a_frame(Bright(0), 16) == 1
    # A sample has five frames; sixteen frames in a row have four more around them.
    assert inputs_a_frame(Bright(2), 16) == pytest.approx((20 / 16) / 5)
