"""Settings for pages are composed once, and anew when something has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.app import composed as module
from vitruve.app.composed import composed
from vitruve.errors import ConfigError


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was composed."""
    found: list[str] = []
    real = module.compose

    def counted(path: str, *more: object, **given: object) -> object:
        found.append(path)
        return real(path, *more, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "compose", counted)
    return found


def test_only_what_has_changed_is_composed_anew(tmp_path: Path, count: list[str]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("training: {max_epochs: 3}\n", encoding="utf-8")
    assert [composed(file).training.max_epochs for _ in range(3)] == [3, 3, 3]
    assert len(count) == 1
    assert composed(file, ("training.max_epochs=5",)).training.max_epochs == 5
    file.write_text("training: {max_epochs: 4}\n", encoding="utf-8")
    assert composed(file).training.max_epochs == 4
    assert len(count) == 3


@pytest.mark.parametrize(
    "text", ["defaults: [{training: short}, _self_]\n", "\ufeff{defaults: [{training: short}, _self_]}\n"]
)
def test_other_files_may_change_without_the_first(tmp_path: Path, text: str) -> None:
    (tmp_path / "training").mkdir()
    part = tmp_path / "training" / "short.yaml"
    part.write_text("max_epochs: 3\n", encoding="utf-8")
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    assert composed(file).training.max_epochs == 3
    part.write_text("max_epochs: 4\n", encoding="utf-8")
    assert composed(file).training.max_epochs == 4


def test_a_group_that_is_asked_for_may_change_as_well(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    part = tmp_path / "training" / "short.yaml"
    part.write_text("max_epochs: 3\n", encoding="utf-8")
    file = tmp_path / "config.yaml"
    file.write_text("model: {model_type: heatmap}\n", encoding="utf-8")
    assert composed(file, ("+training=short",)).training.max_epochs == 3
    part.write_text("max_epochs: 4\n", encoding="utf-8")
    assert composed(file, ("+training=short",)).training.max_epochs == 4


def test_the_environment_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("training: {max_epochs: '${oc.decode:${oc.env:EPOCHS}}'}\n", encoding="utf-8")
    for epochs in (3, 4):
        monkeypatch.setenv("EPOCHS", str(epochs))
        assert composed(file).training.max_epochs == epochs


def test_what_is_wrong_is_said_each_time(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match="cannot be read"):
        composed(file)
    file.write_text("training: {max_epochs: -3}\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ConfigError, match="max_epochs"):
            composed(file)
