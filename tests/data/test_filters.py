from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.data.filters import filtered
from vitruve.data.settings import DataSettings
from vitruve.data.source_settings import FilterSettings
from vitruve.errors import ConfigError
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.mask import Mask
from vitruve.structures.skeleton import Skeleton


def people(name: str, seen: list[int], areas: list[float] | None = None, crowd: bool = False) -> Frame:
    """One instance a number of labelled keypoints, in a row of boxes of 10 x 10 px."""
    keypoints = np.full((1, len(seen), 3, 2), np.nan)
    boxes = np.array([[[10 * n, 0, 10 * n + 10, 10] for n in range(len(seen))]], float).reshape(1, -1, 4)
    for n, count in enumerate(seen):
        keypoints[0, n, :count] = boxes[0, n, :2] + 2
    return Frame(
        (ImageRef(Path(f"{name}.png"), size=(40, 20)),),
        Instances.from_keypoints(
            keypoints,
            boxes=boxes,
            areas=None if areas is None else np.array([areas]),
            crowds=np.full((1, len(seen)), crowd),
        ),
    )


def labels_of(*frames: Frame) -> Labels:
    return Labels(Skeleton(("a", "b", "c")), frames)


LABELS = labels_of(people("one", [3, 1]), people("two", [2]), people("crowd", [3, 0], crowd=True), people("none", []))


def names(labels: Labels) -> list[str]:
    return [frame.name.removesuffix(".png") for frame in labels]


def test_without_rules_nothing_changes() -> None:
    assert filtered(LABELS, FilterSettings()).frames == LABELS.frames


def test_few_keypoints_are_not_learned_but_ignored() -> None:
    frame = filtered(LABELS, FilterSettings(min_keypoints=2))[0]
    assert (frame.instances.visible > 0).sum(-1).tolist() == [[3, 0]]
    assert np.isnan(frame.instances.keypoints[0, 1]).all() and frame.instances.boxes is not None
    inside = np.zeros((20, 40), bool)
    inside[:10, 10:20] = True
    assert frame.ignore[0] is not None
    np.testing.assert_array_equal(frame.ignore[0].array(), inside)
    assert filtered(LABELS, FilterSettings(min_keypoints=2))[1].ignore == ()


def test_what_is_ignored_already_stays_so() -> None:
    corner = np.zeros((20, 40), bool)
    corner[15:, 35:] = True
    before = replace(LABELS[0], ignore=(Mask.from_array(corner),))
    mask = filtered(labels_of(before), FilterSettings(min_keypoints=2))[0].ignore[0]
    assert mask is not None and mask.array()[15:, 35:].all() and mask.array()[:10, 10:20].all()


def test_small_ones_are_not_learned() -> None:
    known = people("a", [3, 3, 3], areas=[50, 500, np.nan])
    seen = filtered(labels_of(known), FilterSettings(min_area=101))[0].instances.visible > 0
    # The third's area is not known: its box has 100.
    assert seen.any(-1).tolist() == [[False, True, False]]
    boxless = replace(known, instances=replace(known.instances, boxes=None, areas=None))
    with pytest.raises(ConfigError, match=r"data.filter: leaves none of 1 images .*min_area=1"):
        filtered(labels_of(boxless), FilterSettings(min_area=1))


def test_rules_on_images() -> None:
    assert names(filtered(LABELS, FilterSettings(min_instances=1))) == ["one", "two", "crowd"]
    assert names(filtered(LABELS, FilterSettings(min_instances=2))) == ["one"]
    assert names(filtered(LABELS, FilterSettings(min_instances=2, min_keypoints=1))) == ["one"]
    assert names(filtered(LABELS, FilterSettings(crowds=False))) == ["one", "two", "none"]


def starts_with_t(frame: Frame) -> bool:
    return frame.name.startswith("t")


def test_a_function_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(filtered(LABELS, FilterSettings(function=f"{__name__}:starts_with_t"))) == ["two"]
    (tmp_path / "my_rule.py").write_text("def few(frame):\n    return frame.instances.keypoints.shape[1] < 2\n")
    assert names(filtered(LABELS, FilterSettings(function=f"{tmp_path / 'my_rule.py'}:few"))) == ["two", "none"]
    monkeypatch.chdir(tmp_path)
    assert names(filtered(LABELS, FilterSettings(function="my_rule:few"))) == ["two", "none"]
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.path)
    assert names(filtered(LABELS, FilterSettings(function="my_rule:few"))) == ["two", "none"]
    assert sys.path == before
    assert names(filtered(LABELS, FilterSettings(), starts_with_t)) == ["two"]


def test_a_text_is_the_function() -> None:
    data = DataSettings.model_validate({"filter": "package.module:name"})
    assert data.filter.function == "package.module:name"
    for wrong in ("name", "module:", ":name"):
        with pytest.raises(ValueError, match=r"must be package.module:function, or file.py:function"):
            DataSettings.model_validate({"filter": wrong})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("no_such_module:keep", r"function=no_such_module:keep: cannot be imported \(ModuleNotFoundError: No"),
        ("math:no_such", "cannot be imported"),
        ("no_such_file.py:keep", "cannot be imported"),
        ("math:pi", "is no function"),
        (f"{__name__}:fails", "function=.*:fails fails on one.png: KeyError: 'x'"),
        (f"{__name__}:never", r"leaves none of 4 images \(function=.*:never drops 4\); loosen it"),
    ],
)
def test_a_function_that_is_of_no_use(function: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        filtered(LABELS, FilterSettings(function=function))


def test_a_module_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError('no')\n")
    with pytest.raises(ConfigError, match=r"broken.py:keep: cannot be imported \(ValueError: no\)"):
        filtered(LABELS, FilterSettings(function=f"{tmp_path / 'broken.py'}:keep"))


def fails(frame: Frame) -> bool:
    return {}["x"]


def never(frame: Frame) -> bool:
    return False


def test_a_rule_that_leaves_nobody() -> None:
    with pytest.raises(ConfigError, match=r"leaves none of 4 images \(min_keypoints=4, min_area=0 drops 4\)"):
        filtered(LABELS, FilterSettings(min_keypoints=4))
