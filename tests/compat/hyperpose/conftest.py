"""What tests of HyperPose's programs share: a small data set as COCO's archives unpack to, and settings of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vitruve.compat.hyperpose import Config
from vitruve.formats.hub import write_labels
from vitruve.structures.labels import Labels
from vitruve.synthetic.crowd_files import CrowdExtent, crowd_images

SIZE = (128, 160)
"""Height and width of images and of networks' inputs."""
EXTENT = CrowdExtent(people=3, joints=17, images=5, new=3, videos=0, width=SIZE[1], height=SIZE[0])


@pytest.fixture(scope="session")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``Config.set_dataset_path`` takes."""
    root = tmp_path_factory.mktemp("data")
    home = root / "mscoco2017"
    (home / "annotations").mkdir(parents=True)
    for part, new in (("train2017", False), ("val2017", True)):
        labels = crowd_images(home, EXTENT, new=new)
        (home / ("images_new" if new else "images")).rename(home / part)
        write_labels(_named(labels), home / "annotations" / f"person_keypoints_{part}.json", format="coco")
    tests = home / "annotations" / "image_info_test-dev2017.json"
    (home / "test2017").mkdir()
    for number, image in enumerate(sorted((home / "val2017").iterdir())[:2]):
        (home / "test2017" / f"{number + 1:012d}.jpg").write_bytes(image.read_bytes())
    entries = ",".join(f'{{"id": {n}, "file_name": "{n:012d}.jpg", "height": 128, "width": 160}}' for n in (1, 2))
    tests.write_text(f'{{"images": [{entries}], "categories": []}}')
    return root


def _named(labels: Labels) -> Labels:
    """Images by their names alone, as COCO has them."""
    frames = (replace(f, images=(replace(f.images[0], path=Path(f.images[0].path.name)),)) for f in labels)
    return replace(labels, frames=tuple(frames))


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings that begin anew in each test, and ``./save_dir`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    with Config.scope():
        yield


def tiny(root: Path, steps: int = 2) -> None:
    """What keeps a training short: small images, few steps, narrow heads, weights that need no download.

    Args:
        root: The folder of the data set.
        steps: Training steps.
    """
    Config.set_dataset_path(root)
    Config.set_input_size(*SIZE)
    Config.set_n_step(steps)
    Config.set_batch_size(2)
    Config.set_log_interval(1)
    Config.set_vis_interval(2)
    Config.set_save_interval(1)
    Config.set_core({"training.device": "cpu", "training.precision": "32", "training.backbone_pretrained": False})
