"""Skeletons in YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.errors import InputError
from vitruve.formats.skeleton_file import read_skeleton, write_skeleton
from vitruve.structures.skeleton import Skeleton


@pytest.mark.parametrize(
    "skeleton",
    [
        Skeleton(("a",)),
        Skeleton.from_names(("left_ear", "right_ear", "尾"), ((0, 2), (1, 2))),
        Skeleton(("left_ear", "right_ear")),
        Skeleton(("a", "b"), ((0, 1),), ((0, 1),), (0.1, 0.2), ((1, 2, 3), (4, 5, 6)), {"mid": ("a", "b")}),
        Skeleton(("1", "no", "null")),
    ],
)
def test_comes_back(skeleton: Skeleton, tmp_path: Path) -> None:
    write_skeleton(skeleton, tmp_path / "s.yaml")
    assert read_skeleton(tmp_path / "s.yaml") == skeleton


def test_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("names: [paw_L, paw_R]\nedges:\n- [paw_L, paw_R]\n")
    assert read_skeleton(tmp_path / "s.yaml") == Skeleton(("paw_L", "paw_R"), ((0, 1),), ((0, 1),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "key 'names' is missing"),
        ("- a\n", "holds a list"),
        ("names: [a\n", "line 2: not YAML"),
        ("names: [a]\nedgs: []\n", r"unknown key 'edgs' \(did you mean 'edges'\?\)"),
        ("names: [a]\nedges: [[a, b]]\n", "edges name 'b', which is no keypoint"),
        ("names: [a]\nsigmas: [x]\n", "a value has the wrong form"),
        ("names: !!python/object/apply:os.mkdir [attacked]\n", "line 1: not YAML"),
    ],
)
def test_bad_files(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(InputError, match=f"s.yaml:.*{message}") as caught:
        read_skeleton(tmp_path / "s.yaml")
    assert "\n" not in str(caught.value)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"s.yaml: cannot be read"):
        read_skeleton(tmp_path / "s.yaml")
