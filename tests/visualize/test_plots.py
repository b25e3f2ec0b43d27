from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from vitruve.errors import InputError
from vitruve.visualize import plots


def text_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def line(figure: Figure, group: str) -> tuple[np.ndarray, np.ndarray]:
    lines = [item for axes in figure.axes for item in axes.lines if str(item.get_label()).startswith(group)]
    return np.asarray(lines[0].get_xdata(), float), np.asarray(lines[0].get_ydata(), float)


def test_pck_curve_is_the_share_within_each_distance() -> None:
    errors = np.array([[4.0, 1.0, math.nan], [math.inf, 2.0, 3.0]])
    x, y = line(plots.pck_curve({"test": errors}), "test")
    for distance, share in ((0.5, 0.0), (1.0, 0.2), (2.5, 0.4), (4.0, 0.8), (19.0, 0.8)):
        assert y[np.searchsorted(x, distance, side="right") - 1] == pytest.approx(share)


def test_pck_curve_that_is_all_missed_stays_at_zero() -> None:
    figure = plots.pck_curve({"test": np.full(3, math.inf)})
    x, y = line(figure, "test")
    right = figure.axes[0].get_xlim()[1]
    assert y[np.searchsorted(x, right, side="right") - 1] == 0


def test_scatter_and_medians_show_the_numbers_given() -> None:
    errors, scores = np.array([1.0, 2.0, 0.001, math.nan]), np.array([0.1, 0.2, 0.9, 0.5])
    binned = pd.DataFrame({"low": [0, 0.5], "high": [0.5, 1], "count": [2, 0], "median_error_px": [1.5, math.nan]})
    figure = plots.error_against_confidence({"test": errors}, {"test": scores}, {"test": binned})
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_allclose(points, [[0.1, 1.0], [0.2, 2.0], [0.9, plots.FLOOR_PX]])
    x, y = line(figure, "test")
    assert (x.tolist(), y.tolist()) == ([0.25], [1.5])


def test_distribution_names_every_keypoint_as_it_is() -> None:
    names = ["a_$b$_c", "x^2"]
    figure = plots.error_distribution({"train": np.ones((4, 2)), "test": np.full((1, 2), 3.0)}, names)
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == names
    assert not any(label.get_parse_math() for label in labels)
    plots.png_bytes(figure)


@pytest.mark.parametrize("error", [0.0, 0.2, 2.0, 4000.0])
def test_errors_that_are_all_alike_still_have_numbers_on_their_axis(error: float) -> None:
    axes = plots.error_distribution({"test": np.full((3, 1), error)}, ["nose"]).axes[0]
    low, high = axes.get_xlim()
    assert sum(low <= tick <= high for tick in axes.get_xticks()) >= 2


def test_calibration_bars_end_at_the_interval() -> None:
    table = pd.DataFrame(
        {
            "count": [4],
            "mean_score": [0.5],
            "share_within": [0.75],
            "interval_low": [0.3],
            "interval_high": [0.95],
        }
    )
    figure = plots.calibration_curve({"test": table}, "within 5 px")
    bars = figure.axes[0].collections[0]
    np.testing.assert_allclose(bars.get_segments()[0], [[0.5, 0.3], [0.5, 0.95]])  # type: ignore[attr-defined]
    assert "5 px" in figure.axes[0].get_ylabel()


def test_threshold_plot_has_error_above_and_share_below() -> None:
    table = pd.DataFrame(
        {"threshold": [0.0, 1.0], "count": [2, 1], "mean_error_px": [4.0, 2.0], "kept_share": [1.0, 0.5]}
    )
    above, below = plots.error_over_threshold({"test": table}).axes
    assert np.asarray(above.lines[0].get_ydata()).tolist() == [4.0, 2.0]
    assert np.asarray(below.lines[0].get_ydata()).tolist() == [1.0, 0.5]


EMPTY = pd.DataFrame({"low": [0.0], "high": [1.0], "count": [0], "median_error_px": [math.nan]})


@pytest.mark.parametrize(
    "figure",
    [
        lambda: plots.pck_curve({}),
        lambda: plots.pck_curve({"test": np.full((2, 3), math.nan)}),
        lambda: plots.error_distribution({}, []),
        lambda: plots.error_distribution({"test": np.full((2, 1), math.nan)}, ["nose"]),
        lambda: plots.error_against_confidence({"t": np.ones(2)}, {"t": np.full(2, math.nan)}, {"t": EMPTY}),
        lambda: plots.error_over_threshold({"test": EMPTY}),
        lambda: plots.calibration_curve({"test": EMPTY}, "within 5 px"),
    ],
)
def test_no_data_says_so(figure: object) -> None:
    drawn = figure()  # type: ignore[operator]
    assert any(text.startswith("no ") for text in text_of(drawn))
    assert plots.png_bytes(drawn).startswith(b"\x89PNG")


def test_groups_keep_their_colour_and_differ() -> None:
    values = np.arange(1.0, 9.0)
    groups = dict.fromkeys(("train", "validation", "test", "all", "unused"), values)
    looks = {
        str(item.get_label()).split()[0]: item.get_color()
        for item in plots.pck_curve(groups).axes[0].lines
        if not str(item.get_label()).startswith("_")
    }
    assert len(set(looks.values())) == 5
    alone = next(iter(plots.pck_curve({"test": values}).axes[0].lines))
    assert alone.get_color() == looks["test"]


def test_png_is_the_same_every_time_and_written_whole(tmp_path: Path) -> None:
    def figure() -> Figure:
        return plots.pck_curve({"test": np.arange(5.0)})

    plots.save_png(figure(), tmp_path / "new" / "curve.png")
    content = (tmp_path / "new" / "curve.png").read_bytes()
    assert content == plots.png_bytes(figure())
    assert Image.open(io.BytesIO(content)).size == (int(5.6 * plots.DPI), 4 * plots.DPI)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["curve.png"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        plots.save_png(figure(), tmp_path / "file" / "curve.png")


def test_pyplot_is_never_imported() -> None:
    check = "import sys, vitruve.visualize.plots as p; p.png_bytes(p.pck_curve({})); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert "matplotlib.figure" in done.stdout.split() and "matplotlib.pyplot" not in done.stdout.split()
