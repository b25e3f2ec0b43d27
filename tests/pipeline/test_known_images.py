from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.media.images import write_image
from vitruve.pipeline.known_images import with_splits_of
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SPLIT = {"a.png": "train", "b.png": "train", "c.png": "validation", "d.png": "test"}


def write(folder: Path, *names: str, shade: int = 0) -> None:
    for name in names:
        write_image(folder / name, np.full((8, 8, 3), 10 * (ord(name[0]) - ord("a")) + shade, np.uint8))


def labels(root: Path, *names: str, split: str | None = None) -> Labels:
    instances = Instances.from_keypoints(np.ones((1, 1, 1, 2)))
    return Labels(
        Skeleton(("a",)), tuple(Frame((ImageRef(Path(name)),), instances, split=split) for name in names), root
    )


def known(found: Labels, data: Path, caplog: pytest.LogCaptureFixture) -> tuple[list[str | None], list[str]]:
    caplog.clear()
    result = with_splits_of(found, {"split": SPLIT}, data, "new.csv")
    return [frame.split for frame in result], [record.getMessage() for record in caplog.records]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "data", *SPLIT)
    write(tmp_path / "data", "e.png")
    return tmp_path / "data"


def test_images_of_the_run_have_its_split_and_are_counted(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    splits, said = known(labels(data, "e.png", "b.png", "d.png", "c.png", "a.png"), data, caplog)
    assert splits == [None, "train", "test", "validation", "train"]
    (line,) = said
    assert line.startswith(
        "new.csv: of its 5 images there are 2 that the run trained on and 1 that the run chose its weights by;"
    )


def test_new_images_and_test_images_are_worth_no_warning(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert known(labels(data, "d.png", "e.png"), data, caplog) == (["test", None], [])
    assert known(labels(data, "e.png", split="train"), data, caplog) == (["train"], [])


def test_the_same_file_is_known_under_any_name(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert known(labels(tmp_path, "data/a.png", str(data / "c.png")), data, caplog)[0] == ["train", "validation"]


def test_a_copy_is_known_and_another_image_of_that_name_is_not(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "copy", "a.png")
    write(tmp_path / "copy", "b.png", shade=1)
    assert known(labels(tmp_path / "copy", "a.png", "b.png"), data, caplog)[0] == ["train", None]


def test_where_the_run_s_images_are_gone_names_count(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "copy", "a.png", shade=1)
    (data / "a.png").unlink()
    assert known(labels(tmp_path / "copy", "a.png"), data, caplog)[0] == ["train"]
    assert known(labels(tmp_path / "copy", "a.png"), tmp_path / "nowhere", caplog)[0] == ["train"]
