from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm
from vitruve.errors import ConfigError


def test_every_folder_is_an_algorithm() -> None:
    assert {"heatmap", "regression"} <= set(registry.names())
    for name, kind in registry.available().items():
        assert issubclass(kind, Algorithm) and registry.get(name) is kind


def test_names_are_listed_without_importing_any() -> None:
    code = (
        "import sys; from vitruve.algorithms import registry; "
        "assert 'heatmap' in registry.names(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"model_type='heatmaps': no such algorithm \(did you mean 'heatmap'\?\)"):
        registry.get("heatmaps")


def _bring(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    points = [EntryPoint("theirs", value, "vitruve.algorithms")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def test_another_package_brings_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _bring(monkeypatch, "vitruve.algorithms.heatmap:ALGORITHM")
    assert "theirs" in registry.names()
    assert registry.get("theirs") is registry.get("heatmap")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_package:Thing", "the package that brings it is broken"),
        ("vitruve.errors:NoSuchName", "the package that brings it is broken"),
        ("vitruve.errors:nearest", "is not an Algorithm"),
        ("vitruve.errors:InputError", "is not an Algorithm"),
    ],
)
def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    _bring(monkeypatch, value)
    with pytest.raises(ConfigError, match=rf"model\.model_type='theirs': .*{message}"):
        registry.get("theirs")
