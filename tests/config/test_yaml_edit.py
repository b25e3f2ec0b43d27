"""Single values are set in the text of a file; the rest of it stays."""

from __future__ import annotations

from typing import Any

import pytest

from vitruve.config.yaml_edit import flow, value_at, with_values
from vitruve.config.yaml_file import parse_yaml
from vitruve.errors import ConfigError

TEXT = """\
# Mine.
data:
  csv_file: labels.csv   # from the summer
  image_resize_dims: {height: 128, width: 128}
  keypoint_names:
    - nose
    - tail   # its base

training:   # how
  max_epochs: 44  # enough
  optimizer_params:
    learning_rate: 1e-3
eval:
model: {model_type: heatmap}
"""


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("training.max_epochs", 300, "max_epochs: 44  # enough", "max_epochs: 300  # enough"),
        ("data.csv_file", None, "csv_file: labels.csv   # from", "csv_file: null   # from"),
        ("data.csv_file", ["a.csv", "b c"], "csv_file: labels.csv ", "csv_file: [a.csv, b c] "),
        ("data.image_resize_dims.height", 64, "height: 128", "height: 64"),
        ("data.image_resize_dims", None, "{height: 128, width: 128}", "null"),
        ("data.keypoint_names", ["x"], "keypoint_names:\n    - nose\n    - tail ", "keypoint_names: [x] "),
        ("training.optimizer_params.learning_rate", 5e-5, "1e-3", "5.0e-05"),
        ("training.optimizer", "SGD", "learning_rate: 1e-3\n", "learning_rate: 1e-3\n  optimizer: SGD\n"),
        ("training.split.method", "given", "1e-3\n", "1e-3\n  split:\n    method: given\n"),
        ("eval.colormap", "cool", "eval:\n", "eval: {colormap: cool}\n"),
        ("model.backbone", "resnet18", "heatmap}", "heatmap, backbone: resnet18}"),
        ("ensemble", 2, "heatmap}\n", "heatmap}\nensemble: 2\n"),
        ("data.skeleton", "s.yaml", "- tail   # its base\n", "- tail   # its base\n  skeleton: s.yaml\n"),
    ],
)
def test_one_value_changes_and_nothing_else(key: str, value: Any, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    changed = with_values(TEXT, {key: value})
    assert changed == TEXT.replace(old, new)
    assert value_at(parse_yaml(changed), key) == value


def test_texts_of_all_sorts() -> None:
    assert with_values("", {"a.b": 1}) == "a:\n  b: 1\n"
    assert with_values("# only a word\n", {"a": 1}) == "# only a word\na: 1\n"
    assert with_values("a: 1", {"b": "no"}) == "a: 1\nb: 'no'\n"
    assert with_values("a: {}\n", {"a.b": [1]}) == "a: {b: [1]}\n"
    assert with_values("a: {b: 1,}\n", {"a.c": 2}) == "a: {b: 1,c: 2}\n"
    assert with_values("a:\n  b:\nc: 1\n", {"a.b": 2, "a.d": 3}) == "a:\n  b: 2\n  d: 3\nc: 1\n"
    assert with_values('"a": |\n  long\n  text\nb: 2\n', {"a": "x"}) == '"a": x\nb: 2\n'
    assert with_values("a: 3\n", {"a.b.c": 1}) == "a: {b: {c: 1}}\n"
    assert with_values("a: é  # ü\n", {"a": "ß"}) == "a: ß  # ü\n"


def test_what_cannot_be_set_is_said() -> None:
    with pytest.raises(ConfigError, match="change it in its text"):
        with_values("a: &x {b: 1}\nc: *x\n", {"c.b": 2})
    with pytest.raises(ConfigError, match="not valid YAML"):
        with_values("a: [1\n", {"a": 2})
    with pytest.raises(ConfigError, match="holds a list"):
        with_values("- 1\n", {"a": 2})


def test_values_in_one_line() -> None:
    assert flow([["a", "b"], ["c", "d"]]) == "[[a, b], [c, d]]"
    assert flow(None) == "null" and flow(True) == "true" and flow("null") == "'null'" and flow("") == "''"
    assert value_at({"a": {"b": 1}}, "a.b") == 1 and value_at({"a": 1}, "a.b", 7) == 7
