"""Adding images to a list of images to label never changes what it holds already."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.hub import read_labels
from vitruve.formats.to_label import add_to_labels, list_of_view

HEADER = "scorer,me,me,me,me\nbodyparts,nose,nose,tail,tail\ncoords,x,y,x,y\n"


def test_rows_are_added_below_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "CollectedData.csv"
    before = HEADER + "labeled-data/a/img00.png,1.50,2.0,,\nlabeled-data/a/img01.png,,,,"
    path.write_text(before)
    images = ["labeled-data/b/img,7.png", "labeled-data/a/img00.png", "labeled-data/a/img01.png"]
    assert add_to_labels({path: images}) == [1]
    assert path.read_text() == before + '\n"labeled-data/b/img,7.png",,,,\n'
    assert add_to_labels({path: images}) == [0]
    labels = read_labels(path)
    assert len(labels) == 3
    assert np.isnan(labels[2].instances.keypoints).all()


def test_the_column_of_splits_stays_empty(tmp_path: Path) -> None:
    path = tmp_path / "CollectedData.csv"
    path.write_text("scorer,me,me,set\nbodyparts,nose,nose,\ncoords,x,y,\nimg0.png,1,2,train\n")
    assert add_to_labels({path: ["img1.png"]}) == [1]
    assert [frame.split for frame in read_labels(path)] == ["train", None]


def test_a_new_label_file_begins_with_a_header(tmp_path: Path) -> None:
    path = tmp_path / "CollectedData.csv"
    assert add_to_labels({path: ["labeled-data/a/img0.png"]}, ("nose", "tail")) == [1]
    labels = read_labels(path)
    assert labels.skeleton.names == ("nose", "tail")
    assert labels[0].name == "labeled-data/a/img0.png"


def test_a_queue_gets_one_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "CollectedData.unlabeled.jsonl"
    assert add_to_labels({path: ["a.png", "b.png", "a.png"]}) == [2]
    guess = {"frame_path": "c.png", "predictions": {"model_name": "x"}}
    path.write_text(path.read_text() + json.dumps(guess))
    assert add_to_labels({path: ["c.png", "d.png"]}) == [1]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["frame_path"] for line in lines] == ["a.png", "b.png", "c.png", "d.png"]
    assert lines[2] == guess
    assert lines[3]["predictions"] is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, "no such label file"),
        ("a.csv", "scorer,,,me,me\nbodyparts,,,nose,nose\ncoords,,,x,y\nlabeled-data,a,i.png,1,2\n", "3 columns"),
        ("a.h5", "", "label file (.csv) or a queue (.jsonl)"),
        ("a.jsonl", '{"frame": 1}\n', "row 1"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as caught:
        add_to_labels({tmp_path / "other.jsonl": ["x.png"], path: ["x.png"]})
    assert message in str(caught.value)
    assert content is None or path.read_text() == content
    assert not (tmp_path / "other.jsonl").exists(), "one bad list keeps all from being written"


def test_without_images_a_list_is_only_looked_at(tmp_path: Path) -> None:
    assert add_to_labels({tmp_path / "new.csv": [], tmp_path / "q.jsonl": []}, ("nose",)) == [0, 0]
    assert not list(tmp_path.iterdir())


def test_each_view_has_its_list() -> None:
    queue = Path("p/CollectedData.unlabeled.jsonl")
    assert list_of_view(queue, "top") == Path("p/CollectedData_top.unlabeled.jsonl")
    assert list_of_view(Path("CollectedData.csv"), "side") == Path("CollectedData_side.csv")
    assert list_of_view(queue, "") == queue
