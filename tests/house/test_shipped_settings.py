"""Every settings file that the package brings or writes composes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from house.sources import PACKAGE
from vitruve.config.compose import compose
from vitruve.config.schema import Config
from vitruve.example_project import EXAMPLES, Extent, write_example


def test_every_shipped_file_composes() -> None:
    for path in sorted([*PACKAGE.rglob("*.yaml"), *PACKAGE.rglob("*.yml")]):
        compose(str(path.parent), path.name, [])


@pytest.mark.parametrize("example", [name for name, (_, usual) in EXAMPLES.items() if isinstance(usual, Extent)])
def test_the_settings_of_an_example_compose(example: str, tmp_path: Path) -> None:
    project = write_example(example, tmp_path / example, frames=5, videos=2, video_frames=2, new_frames=2)
    config = compose(str(project), "config", []).config
    assert config.data.data_dir == project
    assert all(file.is_file() for file in config.data.label_files())


def test_the_defaults_come_back_from_the_file_a_run_keeps(tmp_path: Path) -> None:
    config = compose(None, None, []).config
    (tmp_path / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert Config.load(tmp_path / "config.yaml") == config
    assert yaml.safe_load(config.to_yaml())["model"]["model_type"] == "heatmap"
