"""Prediction in space from videos to tables, against the networks alone on the same batches.

A rendered recording of six cameras; the networks have the sizes of a project's (EfficientNet-B0, 56 channels; a cube of
about 85 voxels a side is `--cube 340`), with random weights: what they find does not change how long they take. Bar: at
least 85 % of the rate of the networks alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from common import record

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Task
from vitruve.config.schema import Config
from vitruve.data.centers import CENTER
from vitruve.data.crop_settings import CropSettings
from vitruve.formats.coordinates_3d import PredictionInfo
from vitruve.geometry.warp import use_one_thread
from vitruve.inference.locate import NetworkLocator
from vitruve.inference.open import Opened
from vitruve.inference.predictor import Predictor
from vitruve.pipeline.predict_3d import predict_recording
from vitruve.pipeline.rig_recording import RigRecording, find_cameras, open_recording
from vitruve.structures.batch import Batch
from vitruve.structures.labels import Frame
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.body import RODENT
from vitruve.synthetic.rig_files import RigExtent, write_rig


class Recorded(Predictor):
    """Keeps its batches, so that they can be run again without anything else."""

    kept: list[tuple[Sequence[Frame], Batch]]

    def run_batch(self, frames: Sequence[Frame], batch: Batch) -> list[Frame]:
        """As every predictor does."""
        self.kept.append((frames, batch))
        return super().run_batch(frames, batch)

    def again(self) -> None:
        """The same batches, one after the other."""
        for frames, batch in self.kept:
            super().run_batch(frames, batch)


def network(kind: str, skeleton: Skeleton, side: int, views: int, **settings: Any) -> Algorithm:
    """With random weights."""
    found = registry.get(kind)
    config = found.Config.model_validate({"model_type": kind, "backbone": "tf_efficientnet_b0", **settings})
    return found(config, Task(skeleton, (side, side), views, downsample_factor=1))


def opened(args: argparse.Namespace, device: str, kind: type[Predictor]) -> tuple[Opened, Predictor]:
    """The two networks of a project."""
    torch.manual_seed(0)
    center = network("efficienttrack", CENTER, 256, 1).to(device)
    cube = {"roi_cube_size": args.cube, "grid_spacing": args.spacing}
    space = network("hybridnet", RODENT, args.crop, args.cameras, **cube).to(device)
    finds = kind(center, args.batch_size, device)
    looks = CropSettings(size=float(args.crop), threshold=0.0)
    predictor = kind(space, args.batch_size, device, NetworkLocator(finds, looks, 1.0, "random"))
    return Opened(predictor, {}, Config(), "torch", "random"), finds


def run(args: argparse.Namespace, recording: RigRecording, folder: Path, device: str) -> dict[str, Any]:
    """Rates of the networks alone and from end to end, in turns."""
    kept, finds = opened(args, device, Recorded)
    assert isinstance(kept.predictor, Recorded) and isinstance(finds, Recorded)
    kept.predictor.kept, finds.kept = [], []
    info = PredictionInfo(str(recording.folder))
    predict_recording(kept, recording, info, folder / "first")
    plain, _ = opened(args, device, Predictor)
    alone, whole, stages = [], [], {}
    for turn in range(args.repeat):
        began = time.perf_counter()
        finds.again()
        kept.predictor.again()
        alone.append(recording.count / (time.perf_counter() - began))
        made = predict_recording(plain, recording, info, folder / str(turn))
        whole.append(recording.count / made.seconds)
        stages = made.frames_per_second
    return {
        "networks_alone_frames_per_second": [round(rate, 2) for rate in alone],
        "end_to_end_frames_per_second": [round(rate, 2) for rate in whole],
        "end_to_end_over_networks": round(statistics.median(b / a for a, b in zip(alone, whole, strict=True)), 3),
        "stages_frames_per_second": stages,
        "peak_memory_mib": round(psutil.Process().memory_info().rss / 2**20),
    }


def main() -> None:
    """Render, predict, write ``results/predict_3d.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("frames", 48), ("cameras", 6), ("width", 640), ("height", 512), ("crop", 256), ("repeat", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--cube", type=float, default=240.0)
    parser.add_argument("--spacing", type=float, default=4.0)
    args = parser.parse_args()
    use_one_thread()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        size = {"width": args.width, "height": args.height}
        write_rig(root, RigExtent(args.cameras, **size, train=1, val=0, sessions=1, frames=args.frames))
        cameras, _ = find_cameras(root / "calibration", root / "recording")
        recording = open_recording(root / "recording", cameras)
        record("predict_3d", {"settings": vars(args), "device": device, **run(args, recording, root, device)})


if __name__ == "__main__":
    main()
