"""Medians of tables, against a slow computation cell by cell."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.csv_table import read_csv_table
from vitruve.pipeline.ensemble_tables import write_median

HEAD = "scorer,net,net,net,net,net,net\nbodyparts,a,a,a,b,b,b\ncoords,x,y,likelihood,x,y,likelihood\n"


def table(path: Path, values: np.ndarray, head: str = HEAD, ends: str = "") -> Path:
    rows = [
        ",".join([str(i), *("" if np.isnan(v) else repr(float(v)) for v in row)]) + ends for i, row in enumerate(values)
    ]
    path.write_text(head + "".join(row + "\n" for row in rows))
    return path


@pytest.mark.parametrize("members", [2, 3, 4])
def test_medians_and_means(tmp_path: Path, members: int) -> None:
    values = np.random.default_rng(members).uniform(0, 1, (members, 9000, 6)) * [100, 100, 1, 100, 100, 1]
    values[0, 5, :3] = np.nan  # one network misses a keypoint
    values[:, 7, 3:] = np.nan  # all do
    tables = [table(tmp_path / f"{i}.csv", each) for i, each in enumerate(values)]
    assert write_median(tables, tmp_path / "median.csv") == 9000
    found = read_csv_table(tmp_path / "median.csv")
    assert found.scorer == "net"
    for row in (0, 5, 7, 8999):
        for k in range(2):
            cells = [v[row, 3 * k : 3 * k + 3] for v in values if not np.isnan(v[row, 3 * k])]
            if not cells:
                assert np.isnan(found.keypoints[row, 0, k]).all()
                continue
            expected = [statistics.median(float(c[i]) for c in cells) for i in range(2)]
            assert found.keypoints[row, 0, k] == pytest.approx(expected, abs=1e-4)
            assert found.scores is not None
            assert found.scores[row, 0, k] == pytest.approx(statistics.fmean(float(c[2]) for c in cells), abs=5.1e-5)


def test_splits_are_kept(tmp_path: Path) -> None:
    head = "\n".join(line + end for line, end in zip(HEAD.splitlines(), (",set", ",", ","), strict=True)) + "\n"
    values = np.ones((3, 4, 6))
    tables = [table(tmp_path / f"{i}.csv", each, head, ",train") for i, each in enumerate(values)]
    write_median(tables, tmp_path / "median.csv")
    assert read_csv_table(tmp_path / "median.csv").splits == ("train",) * 4


def test_tables_that_do_not_belong_together(tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", np.ones((3, 6)))
    for name, other, head in (("rows", np.ones((2, 6)), HEAD), ("columns", np.ones((3, 6)), HEAD.replace("b", "c"))):
        second = table(tmp_path / f"{name}.csv", other, head)
        with pytest.raises(InputError, match=f"{name}.csv: other {name} than"):
            write_median([first, second], tmp_path / "median.csv")
        assert not (tmp_path / "median.csv").exists()
