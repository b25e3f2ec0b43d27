from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.smoothing.timestamps import find_times, read_times


def test_times_are_read_from_numpy_and_text(tmp_path: Path) -> None:
    times = np.array([0.5, 1.25, 2.0])
    np.save(tmp_path / "v.timestamps.left.npy", times[:, None])
    (tmp_path / "v.timestamps.right.csv").write_text("0.5\n1.25\n2\n")
    found = find_times((), [tmp_path / "v.left.csv"], {"left": 3, "right": 3})
    assert {name: values.tolist() for name, values in found.items()} == dict.fromkeys(("left", "right"), times.tolist())
    given = [tmp_path / "v.timestamps.right.csv", tmp_path / "v.timestamps.left.npy"]
    assert list(find_times(given, [], {"left": 3, "right": 3})) == ["left", "right"]


def test_times_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no file of time stamps"):
        find_times((), [tmp_path / "v.left.csv"], {"left": 3})
    (tmp_path / "text.txt").write_text("one\ntwo\n")
    np.save(tmp_path / "objects.npy", np.array([{}, {}]), allow_pickle=True)
    np.save(tmp_path / "table.npy", np.ones((3, 2)))
    np.save(tmp_path / "falls.npy", np.array([0.0, 2.0, 1.0]))
    np.save(tmp_path / "nan.npy", np.array([0.0, np.nan, 1.0]))
    for name, words in (
        ("text.txt", "holds no time stamps"),
        ("objects.npy", "holds no time stamps"),
        ("table.npy", r"shape \(3, 2\)"),
        ("falls.npy", r"time stamp 2 \(1\) does not come after the one before \(2\)"),
        ("nan.npy", "must rise"),
        ("missing.npy", "cannot be read"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            read_times(tmp_path / name)
        assert "\n" not in str(caught.value)
    np.save(tmp_path / "cam.npy", np.arange(4.0))
    with pytest.raises(InputError, match="4 time stamps, but camera 'cam' has 3 frames"):
        find_times([tmp_path / "cam.npy"], [], {"cam": 3})
    np.save(tmp_path / "cam2.npy", np.arange(3.0))
    with pytest.raises(InputError, match="a second file of time stamps of camera 'cam'"):
        find_times([tmp_path / "cam2.npy", tmp_path / "cam.npy"], [], {"cam": 3})
