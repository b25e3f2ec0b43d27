from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd

from vitruve.visualize.box_plots import confusion_picture, svg_text, threshold_curves


def test_one_curve_a_confidence():
    values = np.array([[0.9, 0.5], [0.4, 0.2]])
    figure = threshold_curves(values, (0.5, 0.9), (0.5, 0.75), "F1 of dock", "F1")
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == ["confidence 0.5", "confidence 0.9"]
    np.testing.assert_array_equal(lines[1].get_ydata(), [0.4, 0.2])
    text = svg_text(figure)
    assert ET.fromstring(text).tag.endswith("svg")
    empty = threshold_curves(np.full((2, 2), np.nan), (0.5, 0.9), (0.5, 0.75), "F1 of dock", "F1")
    assert not empty.axes[0].lines


def test_cells_are_shaded_by_the_share_of_their_row():
    table = pd.DataFrame([[3, 1, 0], [0, 0, 0], [2, 0, 0]], ["a", "b", "(nothing)"], ["a", "b", "(missed)"])
    axes = confusion_picture(table).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25, 0], [0, 0, 0], [1, 0, 0]])
    assert sorted(text.get_text() for text in axes.texts) == ["1", "2", "3"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "(missed)"]
    many = pd.DataFrame(np.eye(40, dtype=int))
    assert not confusion_picture(many).axes[0].texts
