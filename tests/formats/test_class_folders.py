from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.hub import read_labels, recognise
from vitruve.media.images import write_image

GREY = np.full((8, 8, 3), 90, np.uint8)


def put(folder: Path, *names: str) -> Path:
    for name in names:
        write_image(folder / name, GREY)
    return folder


def test_classes_are_the_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = put(tmp_path, "wolf/b.png", "ant/deep/a.png", "ant/z.png", ".hidden/x.png")
    (folder / "empty").mkdir()
    labels = read_labels(folder / "CollectedData.csv", "class_folders", folder)
    assert labels.categories == ("ant", "wolf") and len(labels.skeleton) == 0
    assert [(f.name, int(f.instances.categories[0, 0]), f.split) for f in labels] == [
        ("ant/deep/a.png", 0, None),
        ("ant/z.png", 0, None),
        ("wolf/b.png", 1, None),
    ]
    assert labels[0].instances.keypoints.shape == (1, 1, 0, 2)


def test_splits_are_folders_around_them(tmp_path: Path) -> None:
    labels = read_labels(put(tmp_path, "train/a/1.png", "train/b/1.png", "val/b/2.png"), "class_folders")
    assert [(f.name, f.split) for f in labels] == [
        ("train/a/1.png", "train"),
        ("train/b/1.png", "train"),
        ("val/b/2.png", "validation"),
    ]
    put(tmp_path, "val/c/2.png")
    with pytest.raises(InputError, match=r"val/c: a class that train/ does not have"):
        read_labels(tmp_path, "class_folders")


def test_what_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 folders with images"):
        read_labels(put(tmp_path, "a/1.png"), "class_folders")
    with pytest.raises(InputError, match="no known label format"):
        recognise(put(tmp_path, "b/1.png"))
    with pytest.raises(InputError, match="no such folder"):
        read_labels(tmp_path / "nowhere" / "CollectedData.csv", "class_folders")
