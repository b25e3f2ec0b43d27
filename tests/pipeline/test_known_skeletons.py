from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tiny_project import settings
from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.errors import InputError
from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.pipeline.predict import labels_for, with_keypoints_of
from vitruve.pipeline.report import own_labels
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import KNOWN
from vitruve.training.prepare import prepare

COCO, OPENPOSE = KNOWN["coco17"], KNOWN["openpose18"]


def people(folder: Path, count: int) -> Labels:
    """A COCO file of one person an image, on noise; every third image has two."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(count):
        path = Path(f"img{number:03d}.png")
        write_image(folder / path, rng.integers(0, 255, (64, 80, 3), np.uint8))
        points = rng.uniform(5, 60, (1, 2 if number % 3 == 0 else 1, 17, 2))
        frames.append(Frame((ImageRef(path),), Instances.from_keypoints(points)))
    labels = Labels(COCO, tuple(frames), folder, ("person",))
    write_labels(labels, folder / "people.json", "coco")
    return labels


def single(frame: Frame) -> bool:
    """The filter: one person alone."""
    return frame.instances.keypoints.shape[1] == 1


def test_a_network_learns_openposes_joints_and_is_measured_in_cocos(tmp_path: Path) -> None:
    people(tmp_path, 9)
    values = settings(tmp_path)
    values["data"] |= {"csv_file": "people.json", "skeleton": "openpose18", "filter": f"{__name__}:single"}
    config, run = Config.from_mapping(values), RunFiles(tmp_path / "run")
    prepared = prepare(config)
    assert prepared.task.skeleton is OPENPOSE and len(prepared.labels) == 6
    # What it is measured against, after training and with the file given: the filter of the run holds, too.
    own = own_labels(config, run)
    assert own.skeleton == COCO and [f.name for f in own] == [f.name for f in prepared.labels]
    atomic_write(run.config, config.to_yaml())
    file, record = tmp_path / "people.json", {"model": {"model_type": "heatmap"}, "view_names": []}
    assert labels_for(run.path, record, OPENPOSE, file, as_known=True).skeleton == COCO
    assert labels_for(run.path, record, OPENPOSE, file).skeleton is OPENPOSE


def test_predictions_of_known_skeletons_become_one_another() -> None:
    frame = Frame((ImageRef(Path("a.png")),), Instances.from_keypoints(np.ones((1, 2, 18, 2))))
    found = with_keypoints_of(Labels(OPENPOSE, (frame,)), COCO, "a.json")
    assert found.skeleton is COCO and np.isfinite(found.keypoints()).all()


def test_other_skeletons_do_not(tmp_path: Path) -> None:
    worm = Frame((ImageRef(Path("a.png")),), Instances.from_keypoints(np.ones((1, 2, 2, 2))))
    labels = Labels(Skeleton(("nose", "tail")), (worm,))
    with pytest.raises(InputError, match=r"a.json: other keypoints than the run's: has tail beyond them"):
        with_keypoints_of(replace(labels), COCO, "a.json")
