"""Looking up the maps of twelve cameras at the voxels of a cube: 23 joints, 72 voxels a side.

Against the form that JARVIS uses: the values of all cameras first, and then their mean (``gathered``, here with the
same bilinear lookup). Each memory figure is that of a process of its own. Bars: 60 MB (412 MB for the gathered values
alone), less time than the gathered form in the same run, and the same values to 1e-5 where all views weigh the same.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from common import record, timed

from vitruve.codecs import volume
from vitruve.networks.voxels import sample_views
from vitruve.structures.camera import Camera
from vitruve.structures.instances import apply_matrix

VIEWS, JOINTS, SIDE, SPACING = 12, 23, 72, 2.0
MAP, IMAGE, FOCAL, AWAY = 128, 512, 1500.0, 1000.0
REPEATS = 9
# Of glibc: what is freed leaves the process at once, so that the peak is of what is in use.
GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}

Scene = tuple[torch.Tensor, torch.Tensor, Camera, torch.Tensor, torch.Tensor]
Way = Callable[[torch.Tensor, torch.Tensor, Camera, torch.Tensor, torch.Tensor], torch.Tensor]


def scene(side: int = SIDE) -> Scene:
    """A ring of cameras around a cube that fills most of their crops."""
    torch.manual_seed(0)
    turns = []
    for view in range(VIEWS):
        cosine, sine = math.cos(2 * math.pi * view / VIEWS), math.sin(2 * math.pi * view / VIEWS)
        turns.append([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    middle = (IMAGE - 1) / 2
    one = {
        "intrinsics": torch.tensor([[FOCAL, 0, middle], [0, FOCAL, middle], [0, 0, 1]]),
        "translation": torch.tensor([0, 0, AWAY]),
        "distortion": torch.tensor([-0.1, 0.02, 1e-3, -1e-3, 0, 0, 0, 0]),
        "size": torch.tensor([float(IMAGE)] * 2),
    }
    shared = {name: value.expand(1, VIEWS, *value.shape).contiguous() for name, value in one.items()}
    shrink, shift = MAP / IMAGE, 0.5 * MAP / IMAGE - 0.5
    to_map = torch.tensor([[shrink, 0, shift], [0, shrink, shift], [0, 0, 1]]).expand(1, VIEWS, 3, 3).contiguous()
    maps = torch.rand(1, VIEWS, JOINTS, MAP, MAP)
    points = volume.grid(side, SPACING * SIDE / side, maps.device)[None]
    return maps, torch.ones(1, VIEWS, JOINTS), Camera(rotation=torch.tensor(turns)[None], **shared), to_map, points


def gathered(
    maps: torch.Tensor, weights: torch.Tensor, cameras: Camera, to_map: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """The values of all views, and then their mean; the weights do not count."""
    places = apply_matrix(to_map, cameras.project(points[:, None])[:, :, None])[:, :, 0]
    inside = torch.nan_to_num((places + 0.5) / MAP * 2 - 1, nan=-9.0)
    values = F.grid_sample(maps.flatten(0, 1), inside.flatten(0, 1)[:, None], align_corners=False)[:, :, 0]
    return values.unflatten(0, maps.shape[:2]).mean(1)


WAYS: dict[str, Way] = {"one_lookup": sample_views, "gathered": gathered}


def carried_out(way: Way, values: Scene, learn: bool) -> torch.Tensor:
    """Once, and with its derivatives where it is to learn."""
    maps = values[0].detach().requires_grad_(learn)
    found = way(maps, *values[1:])
    if learn:
        torch.autograd.grad(found.sum(), maps)
    return found.detach()


def peak_mb(way: Way, learn: bool) -> float:
    """Memory beyond what this process held before, in MB (1e6 bytes); the result counts. Linux only."""
    carried_out(way, scene(8), learn)
    values = scene()

    def kilobytes(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))

    before = kilobytes("VmRSS")
    # Forget the peak so far.
    Path("/proc/self/clear_refs").write_text("5")
    carried_out(way, values, learn)
    return (kilobytes("VmHWM") - before) * 1024 / 1e6


def seconds(learn: bool) -> dict[str, Any]:
    """Medians of runs in turns."""
    values = scene()
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for repeat in range(REPEATS + 1):
        for name, way in WAYS.items():
            began = time.perf_counter()
            carried_out(way, values, learn)
            if repeat:
                taken[name].append(time.perf_counter() - began)
    middle = {name: statistics.median(each) for name, each in taken.items()}
    ratios = [a / b for a, b in zip(taken["one_lookup"], taken["gathered"], strict=True)]
    return {**middle, "ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory-of", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--learn", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(json.dumps(peak_mb(WAYS[arguments.memory_of], arguments.learn)))
        return
    threads = torch.get_num_threads()
    found: dict[str, Any] = {"views": VIEWS, "joints": JOINTS, "side": SIDE, "maps": MAP, "threads": threads}
    values = scene()
    one, other = (carried_out(way, values, False) for way in WAYS.values())
    found["largest_difference"] = float((one - other).abs().max())
    found["share_of_points_seen_by_all"] = float((other > 0.2).all(1).float().mean())
    del one, other, values
    for name in WAYS:
        for learn in (False, True):
            command = (sys.executable, __file__, "--memory-of", name, *(["--learn"] if learn else []))
            peak = json.loads(timed(*command, env=GIVEN_BACK).output)
            found[f"peak_mb_{name}{'_learning' if learn else ''}"] = round(peak, 1)
    found["seconds"] = seconds(False)
    found["seconds_learning"] = seconds(True)
    record("voxels", found)


if __name__ == "__main__":
    main()
