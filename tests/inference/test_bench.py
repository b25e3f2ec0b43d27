"""The figures of a bench belong to the clip that was predicted, and can be read back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from safetensors.torch import save_file

from inference.blobs import SCALE, SIZE, blob_samples
from vitruve.algorithms import registry as algorithms
from vitruve.algorithms.base import Task
from vitruve.config.schema import Config
from vitruve.errors import InputError
from vitruve.inference.bench import BenchReport, bench
from vitruve.inference.runtimes import measure, registry
from vitruve.inference.samples import write_samples
from vitruve.media.video import VideoWriter
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton

FRAMES = 20


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    """A run of an untrained network."""
    run = RunFiles(tmp_path_factory.mktemp("run"))
    run.config.write_text("model: {backbone: test_resnet}\ninference: {batch_size: 8}\n")
    config = Config.load(run.config)
    task = Task(Skeleton(("red", "green")), (SIZE, SIZE))
    algorithm = algorithms.get("heatmap")(config.model, task)
    save_file(algorithm.state_dict(), run.weights)
    run.write_model({"model": config.model.model_dump(mode="json"), "task": task.to_dict(), "scorer": "test"})
    write_samples(run.samples, blob_samples()[0])
    return run


@pytest.fixture(scope="module", autouse=True)
def two_runtimes() -> Iterator[None]:
    """To keep it short."""
    with pytest.MonkeyPatch.context() as patch:
        few = {name: registry.RUNTIMES[name] for name in ("torch", "openvino")}
        patch.setattr(registry, "RUNTIMES", few)
        patch.setattr(measure, "RUNTIMES", few)
        yield


@pytest.fixture(scope="module")
def report(run: RunFiles) -> BenchReport:
    """Of a clip made of samples."""
    return bench(run.path, frames=FRAMES)


def test_the_clip_is_as_large_as_the_images_were(report: BenchReport) -> None:
    assert report.frames == FRAMES
    assert report.frame_size == (SIZE * SCALE, SIZE * SCALE)
    assert report.source == "samples"
    assert report.batch_size == 8


def test_every_stage_has_a_rate_and_a_share(report: BenchReport) -> None:
    names = [stage.name for stage in report.stages]
    assert names == ["read video", "warp", "network", "decode keypoints", "write table"]
    assert sum(stage.share for stage in report.stages) == pytest.approx(1.0)
    seconds = np.array([1 / stage.frames_per_second for stage in report.stages])
    assert np.allclose(seconds / seconds.sum(), [stage.share for stage in report.stages])
    assert report.frames_per_second > 0
    assert report.load_seconds > 0
    assert 50 < report.peak_memory_mib < 50_000


def test_the_best_runtime_is_the_one_in_use(report: BenchReport) -> None:
    assert [each.runtime for each in report.runtimes] == ["torch", "openvino"]
    right = [each for each in report.runtimes if each.within(report.tolerance_px)]
    assert report.runtime == max(right, key=lambda each: each.frames_per_second or 0).runtime


def test_figures_can_be_read_back(report: BenchReport, tmp_path: Path) -> None:
    report.write(tmp_path / "bench.json")
    values = json.loads((tmp_path / "bench.json").read_text())
    assert values == json.loads(report.to_json())
    assert values["runtimes"][1] == report.runtimes[1].to_dict()
    assert values["stages"][2]["name"] == "network"
    text = io.StringIO()
    Console(file=text, width=160).print(report.table())
    for word in ("read video", "network: openvino", "end to end", f"{report.frames_per_second:.1f}"):
        assert word in text.getvalue()


def test_a_video_is_predicted_whole(run: RunFiles, tmp_path: Path, report: BenchReport) -> None:
    video = tmp_path / "v.mp4"
    with VideoWriter(video, 25) as writer:
        for number in range(13):
            writer.write(np.full((48, 96, 3), number, np.uint8))
    measured = bench(run.path, video, frames=5)
    assert (measured.frames, measured.frame_size, measured.source) == (13, (96, 48), str(video))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.mp4"]


def test_what_is_no_video_is_refused(run: RunFiles, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a video file"):
        bench(run.path, tmp_path / "missing.mp4")
