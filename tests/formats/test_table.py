"""Tables of predictions as text, DataFrame and HDF5."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vitruve.errors import InputError
from vitruve.formats.hub import read_labels
from vitruve.formats.table import format_rows, from_frame, header_lines, read_predictions, to_frame, write_h5

NAMES = ("nose", 'a "quoted", name', "尾")


def predictions(path: Path, count: int, names: tuple[str, ...] = NAMES, step: int = 1000) -> np.ndarray:
    rng = np.random.default_rng(0)
    everything = []
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(line + "\n" for line in header_lines("net", names))
        for start in range(0, count, step):
            stop = min(start + step, count)
            values = rng.uniform(0, 500, (stop - start, len(names), 3))
            values[0, 0, :2] = np.nan
            stream.write(format_rows(range(start, stop), values[..., :2], values[..., 2] / 500))
            everything.append(values)
    return np.concatenate(everything)


def test_rows_are_what_pandas_reads(tmp_path: Path) -> None:
    values = predictions(tmp_path / "p.csv", 30, step=7)
    frame = pd.read_csv(tmp_path / "p.csv", header=[0, 1, 2], index_col=0)
    assert list(frame.columns) == [("net", n, c) for n in NAMES for c in ("x", "y", "likelihood")]
    assert list(frame.index) == list(range(30))
    found = frame.to_numpy().reshape(30, 3, 3)
    np.testing.assert_allclose(found[..., :2], values[..., :2], atol=5.1e-5)
    np.testing.assert_allclose(found[..., 2], values[..., 2] / 500, atol=5.1e-5)


def test_rows_as_text() -> None:
    text = format_rows(["nan.png", "a,b.png"], np.array([[[1, 2]], [[np.nan, np.nan]]]), np.array([[0.5], [np.nan]]))
    assert text == 'nan.png,1.0000,2.0000,0.5000\n"a,b.png",,,\n'
    assert format_rows([], np.zeros((0, 2, 2)), np.zeros((0, 2))) == ""


def test_header_agrees_with_a_dataframe(tmp_path: Path) -> None:
    predictions(tmp_path / "p.csv", 3)
    text = io.StringIO()
    read_predictions(tmp_path / "p.csv").to_csv(text, lineterminator="\n")
    assert text.getvalue().splitlines()[:3] == header_lines("net", NAMES)


def test_frame_and_back(tmp_path: Path) -> None:
    predictions(tmp_path / "p.csv", 12)
    labels = read_labels(tmp_path / "p.csv")
    frame = to_frame(labels, likelihood=True, split=True)
    assert frame.columns[-1] == ("set", "", "") and frame.columns.names == ["scorer", "bodyparts", "coords"]
    table = from_frame(frame)
    np.testing.assert_array_equal(table.keypoints[:, 0], labels.keypoints()[:, 0, 0])
    np.testing.assert_array_equal(table.scores[:, 0], labels.keypoint_scores()[:, 0, 0])
    assert table.index == tuple(range(12)) and table.names == NAMES and table.splits == (None,) * 12
    assert to_frame(labels, likelihood=False, split=False).shape == (12, 6)


def test_from_frame_refuses_other_tables() -> None:
    with pytest.raises(InputError, match="1 column levels"):
        from_frame(pd.DataFrame({"x": [1.0]}))
    columns = pd.MultiIndex.from_product([["s"], ["a"], ["x", "y"]])
    with pytest.raises(InputError, match="no number"):
        from_frame(pd.DataFrame([["a", "b"]], columns=columns))


@pytest.mark.parametrize("count", [1, 1999, 2000, 2001, 4321])
def test_hdf5_equals_csv(count: int, tmp_path: Path) -> None:
    predictions(tmp_path / "p.csv", count)
    write_h5(tmp_path / "p.csv", tmp_path / "p.h5")
    wanted = read_predictions(tmp_path / "p.csv")
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "p.h5"), wanted)
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "p.h5", "df_with_missing"), wanted)


def test_hdf5_with_images_and_splits(tmp_path: Path) -> None:
    text = "scorer,n,n,n,set\nbodyparts,a,a,a,\ncoords,x,y,likelihood,\n"
    rows = "".join(f"labeled-data/{'é' * n}/i.png,1,2,0.5,{'train' if n % 2 else 'validation'}\n" for n in range(1, 9))
    (tmp_path / "p.csv").write_text(text + rows)
    write_h5(tmp_path / "p.csv", tmp_path / "p.h5")
    wanted = read_predictions(tmp_path / "p.csv")
    assert list(wanted.columns)[-1] == ("set", "", "")
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "p.h5"), wanted)
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "p.h5"), wanted, check_dtype=False)


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    names = tuple("abcd")

    def peak(count: int) -> int:
        predictions(tmp_path / "p.csv", count, names)
        tracemalloc.start()
        write_h5(tmp_path / "p.csv", tmp_path / "p.h5")
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(100)
    assert peak(18_000) < 1.2 * peak(6000)


def test_too_wide_for_hdf5(tmp_path: Path) -> None:
    predictions(tmp_path / "p.csv", 1, tuple(f"a keypoint with a rather long name {n}" for n in range(500)))
    with pytest.raises(InputError, match="1500 columns are too many for HDF5"):
        write_h5(tmp_path / "p.csv", tmp_path / "p.h5")
    assert not (tmp_path / "p.h5").exists()


def test_widest_that_is_allowed_is_written(tmp_path: Path) -> None:
    names = tuple(f"keypoint number {n:03d}" for n in range(450))
    predictions(tmp_path / "p.csv", 2, names)
    write_h5(tmp_path / "p.csv", tmp_path / "p.h5")
    assert len(read_labels(tmp_path / "p.h5").skeleton) == 450


def test_a_damaged_csv_leaves_the_old_hdf5(tmp_path: Path) -> None:
    predictions(tmp_path / "p.csv", 5)
    write_h5(tmp_path / "p.csv", tmp_path / "p.h5")
    before = (tmp_path / "p.h5").read_bytes()
    with (tmp_path / "p.csv").open("a") as stream:
        stream.write("5,oops\n")
    with pytest.raises(InputError, match="row 9: 2 cells"):
        write_h5(tmp_path / "p.csv", tmp_path / "p.h5")
    assert (tmp_path / "p.h5").read_bytes() == before and len(list(tmp_path.iterdir())) == 2
