"""The few inputs a run keeps come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vitruve.algorithms.base import Needs
from vitruve.data.dataset import PoseDataset
from vitruve.data.images import ImageCache
from vitruve.errors import RunError
from vitruve.inference.samples import load_samples, save_samples
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


def dataset(folder: Path, count: int) -> PoseDataset:
    """Grey images, each of its own brightness."""
    frames = []
    for number in range(count):
        write_image(folder / f"{number}.png", np.full((40, 80, 3), number, np.uint8))
        instances = Instances.from_keypoints(np.zeros((1, 1, 1, 2), np.float32))
        frames.append(Frame((ImageRef(Path(f"{number}.png")),), instances))
    return PoseDataset(Labels(Skeleton(("a",)), tuple(frames), folder), (32, 32), Needs(), ImageCache(0))


def test_samples_come_back(tmp_path: Path) -> None:
    many, few = dataset(tmp_path, 21), dataset(tmp_path, 3)
    save_samples(tmp_path / "s.safetensors", {"train": many, "validation": few}, limit=5)
    samples = load_samples(tmp_path / "s.safetensors")
    assert samples.splits == ("train",) * 5 + ("validation",) * 3
    assert samples.images.shape == (8, 1, 1, 3, 32, 32)
    assert samples.images[:, 0, 0, 0, 0, 0].tolist() == [0, 5, 10, 15, 20, 0, 1, 2]
    # The corner of the input's area is the corner of the image's area.
    corner = samples.to_image[0, 0] @ torch.tensor([31.5, 31.5, 1.0])
    assert torch.allclose(corner, torch.tensor([79.5, 39.5, 1.0]))


def test_a_split_is_looked_up_and_cut_into_batches(tmp_path: Path) -> None:
    save_samples(tmp_path / "s.safetensors", {"train": dataset(tmp_path, 5)})
    samples = load_samples(tmp_path / "s.safetensors")
    assert [len(batch) for batch in samples.of("train").batches(2)] == [2, 2, 1]
    assert len(samples.of("validation")) == 5, "all where there are none of that split"


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_damaged_file_is_one_line(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "s.safetensors"
    save_samples(file, {"train": dataset(tmp_path, 2)})
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-10] if damage == "cut" else b"text")
    with pytest.raises(RunError, match=r"s\.safetensors: .*copy the run again"):
        load_samples(file)


def test_inputs_of_several_frames_are_kept_whole_and_are_fewer(tmp_path: Path) -> None:
    single = dataset(tmp_path, 21)
    several = PoseDataset(single.labels, (32, 32), Needs(context=2), ImageCache(0))
    save_samples(tmp_path / "s.safetensors", {"train": several}, limit=50)
    samples = load_samples(tmp_path / "s.safetensors")
    assert samples.images.shape == (10, 1, 5, 3, 32, 32)
    assert samples.images[5, 0, :, 0, 0, 0].tolist() == [9, 10, 11, 12, 13]
    save_samples(tmp_path / "s.safetensors", {"train": several}, limit=20)
    assert len(load_samples(tmp_path / "s.safetensors")) == 8, "a few are needed, however large they are"
