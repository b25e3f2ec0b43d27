"""Names in figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

import vitruve
from app.filled import fill, seen
from vitruve.app.figures.detectors import confusion, precision_recall
from vitruve.app.figures.labelled import distribution
from vitruve.app.figures.statistics import count_bars, keypoint_bars
from vitruve.app.figures.study import importance_bars
from vitruve.app.figures.videos import over_time
from vitruve.app.parts.charts import literal
from vitruve.app.place import Place

NAME = "<b>a</b><br>&lt;i <a href='x'>$b$"
SHOWN = "&lt;b&gt;a&lt;/b&gt;&lt;br&gt;&amp;lt;i &lt;a href='x'&gt;$b$"
APP = Path(vitruve.__file__).parent / "app"


def _texts(value: Any) -> Iterator[str]:
    """All texts of a figure but its templates."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            if not name.endswith("template"):
                yield from _texts(each)
    elif isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype.kind in "OU"):
        for each in value:
            yield from _texts(each)


def _figures() -> Iterator[go.Figure]:
    table = pd.DataFrame({"run": NAME, "keypoint": NAME, "value": [1.0, 2.0], "split": "train", "image": NAME})
    for kind in ("box", "violin", "strip", "histogram"):
        yield distribution(table, {NAME: "#000000"}, kind=kind, by="keypoint", axis=NAME)  # type: ignore[arg-type]
    yield precision_recall({NAME: np.ones(3)}, np.linspace(0, 1, 3), {NAME: "#000000"})
    yield confusion(pd.DataFrame([[1, 0], [0, 1]], [NAME, "x"], [NAME, "x"]), dark=False)
    yield keypoint_bars(pd.DataFrame({"keypoint": [NAME], "visible": 1, "occluded": 2, "unlabelled": 3}))
    yield count_bars({NAME: 2}, NAME)
    yield importance_bars({NAME: 1.0})
    yield over_time([(NAME, {NAME: (0, np.arange(4.0))})], {NAME: "#000000"}, (0, 3))


def test_names_in_figures_stay_what_they_are() -> None:
    for figure in _figures():
        assert NAME in str(list(_texts(figure.to_dict()))) or any("<b>" in each for each in _texts(figure.to_dict()))
        said = list(_texts(literal(figure).to_dict()))
        assert any(SHOWN in each for each in said)
        assert not [each for each in said if re.search("<[a-z/]", each)]
        assert "<b>" not in json.dumps([trace.hovertemplate for trace in figure.data if "hovertemplate" in trace])


def test_numbers_and_plain_names_are_not_copied() -> None:
    rows = 1000
    names = np.array(["a"] * rows, object)
    figure = go.Figure().add_scatter(x=np.arange(rows), y=np.ones(rows), text=names, name=NAME)
    before = [figure.data[0][name] for name in ("x", "y", "text")]
    assert literal(figure) is figure
    assert all(figure.data[0][name] is value for name, value in zip(("x", "y", "text"), before, strict=True))
    assert figure.data[0].name == SHOWN


def test_figures_of_pages_are_shown_so(place: Place) -> None:
    name = "<b>bold<br>"
    fill(place, name)
    page = seen(place, "compare_runs", "analyze_frames", "analyze_videos", "study", "statistics")
    assert not page.failed
    specs = [json.loads(each.proto.spec) for each in page.test.get("plotly_chart")]
    said = [text for spec in specs for text in _texts(spec)]
    assert any("&lt;b&gt;bold" in text for text in said) and not [text for text in said if name in text]


def test_every_page_shows_its_figures_by_that() -> None:
    others = [file.name for file in APP.rglob("*.py") if "plotly_chart(" in file.read_text()]
    assert others == ["charts.py"]
