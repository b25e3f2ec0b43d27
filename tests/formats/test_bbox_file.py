from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vitruve.errors import InputError
from vitruve.formats.bbox_file import (
    HEADER,
    as_written,
    boxes_file,
    format_boxes,
    looks_like_boxes,
    read_boxes,
    read_last_boxes,
    write_boxes,
)


def random_edges(count: int) -> np.ndarray:
    low = np.random.default_rng(0).uniform(-40, 200, (count, 2))
    return np.concatenate([low, low + np.random.default_rng(1).uniform(8, 90, (count, 2))], -1)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_of_lightning_pose_is_read_as_the_pixels_that_it_names(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [10, 12], "y": [20, 0], "h": [30, 32], "w": [40, 44]})
    frame.to_csv(tmp_path / "a_bbox.csv")
    table = read_boxes(tmp_path / "a_bbox.csv")
    # Pixels 10 to 49 and 20 to 49, each half a pixel to both sides.
    np.testing.assert_allclose(table.edges, [[9.5, 19.5, 49.5, 49.5], [11.5, -0.5, 55.5, 31.5]])
    assert table.numbered and table.names == ("0", "1")


def test_boxes_come_back_to_a_tenth_of_a_thousandth_and_again_the_same(tmp_path: Path) -> None:
    boxes = random_edges(50)
    path = tmp_path / boxes_file("clip")
    write_boxes(path, range(50), boxes)
    first = read_boxes(path).edges
    assert np.abs(first - boxes).max() <= 1.1e-4
    np.testing.assert_array_equal(first, as_written(boxes))
    write_boxes(path, range(50), first)
    np.testing.assert_array_equal(read_boxes(path).edges, first)


def test_pandas_reads_what_is_written(tmp_path: Path) -> None:
    write_boxes(tmp_path / "b.csv", ["a/img1.png"], np.array([[9.5, 19.5, 49.5, 49.75]]))
    frame = pd.read_csv(tmp_path / "b.csv", index_col=0)
    assert list(frame.columns) == ["x", "y", "h", "w"] and list(frame.index) == ["a/img1.png"]
    np.testing.assert_allclose(frame.to_numpy(), [[10, 20, 30.25, 40]])


def test_images_are_found_by_the_end_of_their_path(tmp_path: Path) -> None:
    write_boxes(tmp_path / "bbox.csv", ["labeled-data/a/1.png", "labeled-data/b/1.png"], random_edges(2))
    table = read_boxes(tmp_path / "bbox.csv")
    assert not table.numbered
    np.testing.assert_array_equal(table.of_image("labeled-data/b/1.png"), table.edges[1])
    np.testing.assert_array_equal(table.of_image("/data/x/labeled-data/a/1.png"), table.edges[0])
    np.testing.assert_array_equal(table.of_image("labeled-data\\b\\1.png"), table.edges[1])
    assert "c/labeled-data/b/1.png" in table and "1.png" not in table
    with pytest.raises(InputError, match=r"bbox\.csv: has no row for image 'b/2\.png'"):
        table.of_image("b/2.png")


def test_the_last_rows_of_a_file_that_is_being_written(tmp_path: Path) -> None:
    boxes = as_written(random_edges(9))
    path = written(tmp_path / ".part", HEADER + format_boxes(range(9), boxes))
    np.testing.assert_array_equal(read_last_boxes(path, 3), boxes[-3:])
    np.testing.assert_array_equal(read_last_boxes(path, 20), boxes)


def test_what_a_table_of_boxes_looks_like(tmp_path: Path) -> None:
    assert looks_like_boxes(written(tmp_path / "a.csv", ",x,y,h,w\n"))
    assert not looks_like_boxes(written(tmp_path / "b.csv", "scorer,a,a\nbodyparts,n,n\ncoords,x,y\n"))
    assert not looks_like_boxes(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1: the header is ''"),
        (",x,y,w,h\n0,1,2,3,4\n", "row 1: the header is ',x,y,w,h'"),
        (",x,y,h,w\n", "no row below the header"),
        (",x,y,h,w\n0,1,2,3\n", "row 2: 4 cells, but the header has 5"),
        (",x,y,h,w\n0,1,2,3,4\n1,1,two,3,4\n", "row 3: y is 'two'"),
        (",x,y,h,w\n0,1,2,3,\n", "row 2: w is ''"),
        (",x,y,h,w\n0,1,inf,3,4\n", "row 2: y is 'inf'"),
        (",x,y,h,w\n0,1,2,0,4\n", "row 2: h=0, w=4; a box needs"),
        (",x,y,h,w\n,1,2,3,4\n", "row 2: the first cell is empty"),
        (",x,y,h,w\na.png,1,2,3,4\na.png,1,2,3,4\n", "'a.png' is in row 2 and in row 3"),
        (",x,y,h,w\n0,1,2,3,4\n2,1,2,3,4\n", "row 3: frame 2, but frame 1 is due"),
    ],
)
def test_errors_name_file_and_row(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x_bbox.csv", text)
    with pytest.raises(InputError) as caught:
        read_boxes(path)
    assert str(caught.value).startswith(str(path)) and said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_boxes(tmp_path / "none.csv")
