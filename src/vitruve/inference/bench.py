"""Where the time of a prediction goes, on this machine."""

from __future__ import annotations

import itertools
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from jaxtyping import UInt8
from rich.table import Table

from vitruve.algorithms.base import Algorithm
from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.errors import InputError
from vitruve.formats.table import format_rows
from vitruve.geometry.affine import resize
from vitruve.geometry.warp import Warp
from vitruve.inference.files import predict_views
from vitruve.inference.jobs import Job
from vitruve.inference.load import load_run
from vitruve.inference.predictor import Predictor
from vitruve.inference.runtimes.deviation import PERCENTILE
from vitruve.inference.runtimes.measure import Measurement, inputs_a_frame
from vitruve.inference.runtimes.processor import describe
from vitruve.inference.runtimes.select import choose, measure_and_record, verdict
from vitruve.inference.samples import Samples, load_samples
from vitruve.media.video import VideoReader, VideoWriter, is_video

_log = logging.getLogger(__name__)

FRAMES = 300
"""Frames of a clip made of samples, and most frames on which single stages are timed."""

_CLIP_FPS = 30
_MIB = 2**20

Frames = list[UInt8[np.ndarray, "H W 3"]]


@dataclass(frozen=True)
class Stage:
    """One step of a prediction, timed alone.

    Attributes:
        name: What is done.
        frames_per_second: 1/s.
        share: Of the processor time of all stages, 0 to 1. Stages work at the same time, so the whole is faster
            than their sum.
    """

    name: str
    frames_per_second: float
    share: float


@dataclass(frozen=True)
class BenchReport:
    """What was measured.

    Attributes:
        run: The run directory.
        source: The video; the word ``samples`` when it was made of the run's own.
        machine: Processor, cores, accelerator, versions of libraries.
        frames: Frames of the video.
        frame_size: Their width and height in pixels.
        batch_size: Frames that went through the network together.
        runtime: What carried the network out from end to end.
        stages: Reading, warping, the network, decoding, writing; in this order.
        runtimes: Each runtime on the run's validation samples.
        tolerance_px: Most that a runtime may deviate to be taken by itself, in original pixels.
        load_seconds: From the run directory to a network, and the runtime ready.
        frames_per_second: From video to table, 1/s.
        peak_memory_mib: Most main memory of the process during that, MiB.
    """

    run: str
    source: str
    machine: dict[str, str]
    frames: int
    frame_size: tuple[int, int]
    batch_size: int
    runtime: str
    stages: tuple[Stage, ...]
    runtimes: tuple[Measurement, ...]
    tolerance_px: float
    load_seconds: float
    frames_per_second: float
    peak_memory_mib: float

    def table(self) -> Table:
        """All figures as one table for the terminal."""
        width, height = self.frame_size
        result = Table(
            title=f"{self.run}: {self.frames} frames of {width}x{height} px, batches of {self.batch_size}",
            caption=f"{self.machine['processor']}, {self.machine['cores']} cores",
        )
        result.add_column("stage")
        for name in ("frames/s", "share", f"p{PERCENTILE} px"):
            result.add_column(name, justify="right")
        result.add_column("")
        for stage in self.stages:
            result.add_row(stage.name, f"{stage.frames_per_second:.1f}", f"{stage.share:.0%}", "", "")
        result.add_section()
        for each in self.runtimes:
            speed = "" if each.frames_per_second is None else f"{each.frames_per_second:.1f}"
            apart = "" if each.deviation_px is None else f"{each.deviation_px:.3f}"
            words = verdict(each, self.tolerance_px, each.runtime == self.runtime)
            result.add_row(f"network: {each.runtime}", speed, "", apart, words)
        result.add_section()
        notes = f"{self.runtime}; {self.peak_memory_mib:.0f} MiB at most; ready after {self.load_seconds:.1f} s"
        result.add_row("end to end", f"{self.frames_per_second:.1f}", "", "", notes)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """The same as indented JSON text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Write :meth:`to_json`.

        Args:
            path: The file.

        Raises:
            InputError: The file cannot be written.
        """
        atomic_write(path, self.to_json())


def bench(run: str | Path, source: str | Path | None = None, *, frames: int = FRAMES) -> BenchReport:
    """Measure a run's prediction: each stage alone, each runtime, and the whole.

    What was measured of the runtimes before is replaced: ``auto`` goes by the new figures from now on.

    Args:
        run: The run directory. Converted networks and the figures of the runtimes are kept in it.
        source: A video; None makes a clip of the run's samples, as large as the images they came from.
        frames: Length of that clip; of a longer video, single stages are timed on this many frames.

    Returns:
        The measurements.

    Raises:
        RunError: The directory is no finished run, or has no samples.
        InputError: The source is no video.
    """
    video = None if source is None else Path(source)
    if video is not None and not (is_video(video) and video.is_file()):
        raise InputError(f"{source}: bench needs a video file; leave it out to measure with the run's own samples")
    loaded = load_run(run)
    settings = Config.load(loaded.run.config).inference
    samples = load_samples(loaded.run.samples)
    views = samples.images.shape[1] if loaded.algorithm.needs.views else 1
    if video is not None and views > 1:
        raise InputError(
            f"{source}: this run sees {views} views together; leave it out to measure with its own samples"
        )
    runtimes = measure_and_record(loaded.algorithm, loaded.run, settings, samples, _log.warning)
    began = time.perf_counter()
    loaded = load_run(run)
    name, network, _ = choose(loaded.algorithm, loaded.run, settings, samples, _log.warning)
    load_seconds = time.perf_counter() - began
    device = next(loaded.algorithm.network.parameters()).device
    loaded.algorithm.network = network
    with tempfile.TemporaryDirectory() as folder:
        clips = [video or _clip(samples, Path(folder) / f"clip{v}.mp4", frames, v) for v in range(views)]
        with VideoReader(clips[0]) as reader:
            began = time.perf_counter()
            images = list(itertools.islice(reader.frames(), frames))
            decoding = len(images) / (time.perf_counter() - began)
        stages = [
            ("read video", decoding / views),
            ("warp", _warping(images, loaded.algorithm.task.input_size) / views),
            *_network_stages(loaded.algorithm, samples, settings.batch_size, device),
            ("write table", _writing(len(loaded.algorithm.task.skeleton)) / views),
        ]
        predictor = Predictor(loaded.algorithm, settings.batch_size, str(device))
        with _peak_memory() as peak:
            jobs = [Job(clip, Path(folder) / f"{clip.stem}.csv") for clip in clips]
            done = predict_views(predictor, jobs, scorer="bench", identity=name)[0]
    total = sum(1 / rate for _, rate in stages)
    return BenchReport(
        run=str(run),
        source="samples" if source is None else str(source),
        machine=describe(device),
        frames=done.frames,
        frame_size=(images[0].shape[1], images[0].shape[0]),
        batch_size=settings.batch_size,
        runtime=name,
        stages=tuple(Stage(stage, rate, 1 / rate / total) for stage, rate in stages),
        runtimes=tuple(runtimes),
        tolerance_px=settings.tolerance_px,
        load_seconds=load_seconds,
        frames_per_second=done.frames / done.seconds,
        peak_memory_mib=peak() / _MIB,
    )


def _clip(samples: Samples, path: Path, frames: int, view: int) -> Path:
    """A video of one view of the samples, each stretched back to the size its image had."""
    middle = samples.images.shape[2] // 2
    height, width = samples.images.shape[-2:]
    scale = samples.to_image[0, view].double().numpy()
    size = max(1, round(width * scale[0, 0])), max(1, round(height * scale[1, 1]))
    back = Warp(resize((width, height), size), size)
    with VideoWriter(path, _CLIP_FPS) as writer:
        for index in range(frames):
            image = samples.images[index % len(samples), view, middle].permute(1, 2, 0).contiguous().numpy()
            writer.write(back.image(image))
    return path


def _warping(images: Frames, size: tuple[int, int]) -> float:
    """Images a second."""
    began = time.perf_counter()
    for image in images:
        Warp(resize((image.shape[1], image.shape[0]), size), size).image(image)
    return len(images) / (time.perf_counter() - began)


def _network_stages(
    algorithm: Algorithm, samples: Samples, batch_size: int, device: torch.device
) -> list[tuple[str, float]]:
    """Frames a second of the network in use and of decoding its outputs."""
    network, decode = 0.0, 0.0
    batches = samples.batches(batch_size, device)
    with torch.inference_mode():
        algorithm.decode(algorithm(batches[0]), batches[0])  # the first call of anything takes longer
        for batch in batches:
            began = time.perf_counter()
            outputs = algorithm(batch)
            between = time.perf_counter()
            algorithm.decode(outputs, batch).numpy()
            network, decode = network + between - began, decode + time.perf_counter() - between
    frames = len(samples) / inputs_a_frame(algorithm, batch_size)
    return [("network", frames / network), ("decode keypoints", len(samples) / decode)]


def _writing(keypoints: int) -> float:
    """Rows a second."""
    rng = np.random.default_rng(0)
    points, scores = rng.random((FRAMES, keypoints, 2)) * 1000, rng.random((FRAMES, keypoints))
    with tempfile.TemporaryFile("w") as stream:
        began = time.perf_counter()
        stream.write(format_rows(range(FRAMES), points, scores))
        stream.flush()
        return FRAMES / (time.perf_counter() - began)


@contextmanager
def _peak_memory() -> Iterator[Callable[[], float]]:
    """Watch this process's memory while a block runs; the value gives the most that was seen, in bytes."""
    process = psutil.Process()
    seen = [process.memory_info().rss]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            seen[0] = max(seen[0], process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: float(seen[0])
    finally:
        stop.set()
        thread.join()
