from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vitruve.config.compose import Composed
from vitruve.errors import ConfigError
from vitruve.pipeline import start


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write = start.write_example

    def small(name: str, directory: Path | None = None, **size: Any) -> Path:
        return write(name, directory, **(size or {"frames": 2, "video_frames": 2}))

    monkeypatch.setattr(start, "write_example", small)
    return tmp_path


def started(
    *overrides: str, config: str | None = None, multirun: bool = False, run_dir: Path | None = None
) -> list[Composed]:
    return start.settings_of_runs(config, None, overrides, multirun=multirun, run_dir=run_dir)


def test_nothing_at_all_is_the_example(here: Path) -> None:
    (made,) = started("training.max_epochs=3")
    assert made.config.data.data_dir == here / "example_mouse" and made.config.training.max_epochs == 3
    assert made.config.model.model_name == "mouse"


@pytest.mark.parametrize(
    ("overrides", "multirun"),
    [
        (["quick.yaml"], False),
        (["training.max_epoch=3"], False),
        (["training.max_epochs=1,2"], False),
        (["training.max_epochs=1,x"], True),
        (["data.csv_file=mine.csv"], False),
    ],
)
def test_nothing_is_rendered_for_what_cannot_be_trained(here: Path, overrides: list[str], multirun: bool) -> None:
    with pytest.raises(ConfigError):
        started(*overrides, multirun=multirun)
    assert not list(here.iterdir())


def test_what_only_the_example_s_settings_allow_is_right(here: Path) -> None:
    # Without the file there is nothing to delete.
    (made,) = started("~training.unfreezing_epoch")
    assert made.config.training.unfreezing_epoch is None


def test_data_of_one_s_own_never_meets_the_example(here: Path) -> None:
    (here / "mine").mkdir()
    (made,) = started("data.data_dir=mine", "training.max_epochs=3")
    assert made.source is None and made.config.data.data_dir == here / "mine"
    assert made.config.model.backbone == type(made.config.model)().backbone and made.config.data.keypoint_names is None
    assert not (here / "example_mouse").exists()


def test_a_file_is_taken_and_a_folder_for_the_run(here: Path) -> None:
    (here / "c.yaml").write_text(yaml.safe_dump({"training": {"max_epochs": 7}}))
    (made,) = started(config="c.yaml", run_dir=here / "run")
    assert made.config.training.max_epochs == 7 and made.run_dir == here / "run"
    with pytest.raises(ConfigError, match="several runs cannot share one folder"):
        started("training.max_epochs=1,2", config="c.yaml", multirun=True, run_dir=here / "run")
