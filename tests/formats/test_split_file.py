"""Splits as tables and as lists of images."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.split_file import splits_of_file, write_split
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAMES = ["train", "validation", "train", "test", "unused", "train"]
VALIDATION = ["train", "validation", "train", "train", "validation", "train"]


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    paths = [f"images/task {clip}/frame_{i:03d}.jpg" for clip in "ab" for i in range(3)]
    frames = tuple(Frame((ImageRef(Path(path)),), Instances.empty(0), session=path[:13]) for path in paths)
    return Labels(Skeleton(()), frames, tmp_path)


def wanted(labels: Labels, start: str = "") -> list[str]:
    return [f"{start}{labels[i].name}" for i, name in enumerate(VALIDATION) if name == "validation"]


def test_a_table_is_read_as_it_was_written(labels: Labels, tmp_path: Path) -> None:
    write_split(labels.with_splits(NAMES), tmp_path / "split.csv", ["g"] * 6)
    assert splits_of_file(labels, tmp_path / "split.csv") == NAMES
    # Labels in another order, and fewer of them.
    assert splits_of_file(labels[[3, 1]], tmp_path / "split.csv") == ["test", "validation"]


def test_frames_of_a_video_are_told_apart(tmp_path: Path) -> None:
    frames = tuple(Frame((ImageRef(Path("v.mp4"), i),), Instances.empty(0)) for i in range(3))
    labels = Labels(Skeleton(()), frames, tmp_path).with_splits(["train", "test", "validation"])
    write_split(labels, tmp_path / "split.csv")
    assert splits_of_file(labels, tmp_path / "split.csv") == ["train", "test", "validation"]


@pytest.mark.parametrize("start", ["", "/weed_data/", "C:\\data\\"])
def test_a_text_list_may_begin_in_another_folder(labels: Labels, tmp_path: Path, start: str) -> None:
    (tmp_path / "val.txt").write_text("# those that validate\n\n" + "\n".join(wanted(labels, start)))
    assert splits_of_file(labels, tmp_path / "val.txt") == VALIDATION


@pytest.mark.parametrize("kind", [str, "S", object])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numpy_lists_are_read(labels: Labels, tmp_path: Path, kind: object, protocol: int) -> None:
    names = wanted(labels, "/weed_data/")
    # The same text twice is a reference in the pickle.
    array = np.array([*names, names[0]], dtype=kind)  # type: ignore[call-overload]
    file = tmp_path / "val.npy"
    with file.open("wb") as stream:
        if kind is object:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": array.shape})
            pickle.dump(array, stream, protocol=protocol)
        else:
            np.save(stream, array)
    assert splits_of_file(labels, file) == VALIDATION


def test_a_pickle_in_a_numpy_list_is_never_run(labels: Labels, tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "run"),)

    for content in ([Bad()], [labels[0].name, Bad()], Bad()):
        array = np.empty(1, dtype=object)
        array[0] = content
        np.save(tmp_path / "bad.npy", array, allow_pickle=True)
        with pytest.raises(InputError, match=r"bad\.npy"):
            splits_of_file(labels, tmp_path / "bad.npy")
    assert not (tmp_path / "run").exists()


def test_lists_of_both_kinds(labels: Labels, tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text(labels[1].name)
    (tmp_path / "test.txt").write_text(labels[3].name)
    names = splits_of_file(labels, tmp_path / "val.txt", tmp_path / "test.txt")
    assert names == ["train", "validation", "train", "test", "train", "train"]
    (tmp_path / "test.txt").write_text(labels[1].name)
    with pytest.raises(InputError, match="an image is of one split"):
        splits_of_file(labels, tmp_path / "val.txt", tmp_path / "test.txt")


def test_what_is_wrong_is_said(labels: Labels, tmp_path: Path) -> None:
    def refused(name: str, text: str, match: str) -> None:
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=match):
            splits_of_file(labels, tmp_path / name)

    refused("a.csv", "image,frame,split\n" + labels[0].name + ",,train\n", "says nothing of images/task a/frame_001")
    refused("b.csv", "image,split\nx.jpg,validatoin\n", "line 2: no split 'validatoin' \\(did you mean 'validation'")
    refused("c.csv", "a,b\n1,2\n", "no columns image and split")
    refused("d.txt", "", "names no image")
    refused("e.txt", "else/where.jpg\n", "names none of the 6 labelled images")
    refused("f.txt", "frame_001.jpg\n", "could be images/task a/frame_001.jpg, images/task b/frame_001.jpg")
    refused("g.npy", "text", "not an array of paths")
    np.save(tmp_path / "h.npy", np.zeros((2, 2)))
    with pytest.raises(InputError, match=r"an array float64 of shape \(2, 2\)"):
        splits_of_file(labels, tmp_path / "h.npy")
    with pytest.raises(InputError, match="cannot be read"):
        splits_of_file(labels, tmp_path / "no.txt")


def test_images_that_are_not_labelled_are_counted(labels: Labels, tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("\n".join([*wanted(labels), "other/frame_001.jpg"]))
    with pytest.warns(UserWarning, match="1 of its 3 images are not labelled here"):
        assert splits_of_file(labels, tmp_path / "val.txt") == VALIDATION
