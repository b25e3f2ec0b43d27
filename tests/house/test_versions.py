"""One version, and pins that fit what the package asks for."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vitruve
from house.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
VERSIONS = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in PINS}


def requirements() -> list[Requirement]:
    """Everything the package and its extras ask for by name."""
    extras = PROJECT["optional-dependencies"]
    listed = [Requirement(text) for texts in [PROJECT["dependencies"], *extras.values()] for text in texts]
    return [item for item in listed if item.name != PROJECT["name"]]


def test_one_version_everywhere() -> None:
    assert vitruve.__version__ == PROJECT["version"]
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    assert requirement.specifier.contains(VERSIONS[canonicalize_name(requirement.name)])


def test_pins_are_exact_and_single() -> None:
    assert len(VERSIONS) == len(PINS)
    for pin in PINS:
        assert pin.url is None
        assert [item.operator for item in pin.specifier] == ["=="], pin


def test_torch_and_torchvision_are_a_pair() -> None:
    torch, vision = (tuple(map(int, VERSIONS[item].split(".")[:2])) for item in ("torch", "torchvision"))
    assert vision == (0, torch[1] + 15), "torchvision 0.(n + 15) is made for torch 2.n"
