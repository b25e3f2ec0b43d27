"""Plots in space: what they show is what was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import StepPatch

from vitruve.visualize import plots_3d
from vitruve.visualize.plots import png_bytes


def outlines(figure: plots_3d.Figure) -> list[StepPatch]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, StepPatch) and not patch.get_fill()]


def test_every_error_is_in_a_bin_and_large_and_missed_ones_in_the_last() -> None:
    errors = np.array([0.5, 0.6, 3.2, 9.9, 10.0, 25.0, np.inf, np.nan])
    figure = plots_3d.error_histogram({"one": errors, "two": errors[:3]}, cutoff=10.0)
    one, two = (patch.get_data() for patch in outlines(figure))
    assert one.values.sum() == pytest.approx(1) and two.values.sum() == pytest.approx(1)
    # 9.9, 10, 25 and the missed one, of seven with a truth.
    assert one.values[-1] == pytest.approx(4 / 7) and one.edges[-1] == 10
    assert two.values[-1] == 0
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["one: median 6.55 mm", "two: median 0.60 mm"]
    assert "last bin" in figure.axes[1].get_xlabel()
    assert png_bytes(figure)[:4] == b"\x89PNG"


def test_without_a_cutoff_the_axis_ends_where_nearly_all_errors_are() -> None:
    errors = np.concatenate([np.linspace(0, 8, 400), [500.0]])
    figure = plots_3d.error_histogram({"one": errors})
    assert 8 <= outlines(figure)[0].get_data().edges[-1] <= 10


def test_each_keypoint_has_its_own_histogram() -> None:
    errors = np.array([[1.0, 9.0], [2.0, np.nan], [3.0, np.inf], [np.nan, np.nan]])
    figure = plots_3d.keypoint_histograms({"one": errors, "two": errors + 1}, ("nose", "$tail_"), cutoff=5.0)
    nose, tail = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["nose", "$tail_"]
    shares = [patch.get_data().values for axes in (nose, tail) for patch in axes.patches if not patch.get_fill()]
    assert [float(each.sum()) for each in shares] == pytest.approx([1, 1, 1, 1])
    # The tail is beyond the cutoff, or missed.
    assert [each[-1] for each in shares] == pytest.approx([0, 0, 1, 1])
    assert [text.get_text() for text in tail.texts] == ["9.00 mm", "10.00 mm"]
    assert "beyond 5" in figure.legends[0].get_title().get_text()
    assert nose.get_ylim() == tail.get_ylim() and nose.get_xlim() == tail.get_xlim()
    assert png_bytes(figure)[:4] == b"\x89PNG"


def test_bars_stand_for_their_keypoint() -> None:
    means = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, np.nan])}
    axes = plots_3d.keypoint_bars(means, ("nose", "$tail_")).axes[0]
    widths = sorted((round(bar.get_y() + bar.get_height() / 2), bar.get_width()) for bar in axes.patches)
    assert widths == [(0, 1.0), (0, 3.0), (1, 0.0), (1, 2.0)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nose", "$tail_"]
    bones = plots_3d.bone_bars({"GroundTruth": np.array([0.01]), "a": np.array([0.2])}, ("nose - tail",)).axes[0]
    assert sorted(bar.get_width() for bar in bones.patches) == pytest.approx([1.0, 20.0])


def test_lines_over_cameras_and_the_curve_of_shares() -> None:
    table = pd.DataFrame(
        {"method": ["a", "a", "b"], "cameras": [2, 3, 3], "mpjpe_mm": [5.0, 4, 6], "median_mm": [4.0, 3, 5]}
    )
    axes = plots_3d.error_over_cameras(table, "title", "Cameras").axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[5, 4], [4, 3], [6], [5]]
    curve = plots_3d.pck3d_curves({"a": np.array([1.0, 2.0, np.inf, np.nan])}).axes[0].lines[0]
    assert curve.get_ydata()[-2] == pytest.approx(2 / 3)


def test_nothing_is_said_to_be_nothing() -> None:
    empty = {"a": np.full(3, np.nan)}
    of_each = plots_3d.keypoint_histograms({"a": np.full((3, 1), np.nan)}, ("n",))
    bars, curve = plots_3d.keypoint_bars({}, ("n",)), plots_3d.pck3d_curves(empty)
    for figure in (plots_3d.error_histogram(empty), of_each, curve, bars):
        assert any("no" in text.get_text() for text in figure.axes[0].texts)
