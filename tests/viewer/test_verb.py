"""What the verb and the script hand over, without FiftyOne."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vitruve import api
from vitruve.cli.main import build
from vitruve.compat.fiftyone_dataset import create_dataset
from vitruve.errors import ConfigError
from vitruve.viewer import app
from vitruve.viewer.create import CreatedDataset

Calls = list[tuple[Any, Any, dict[str, Any]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    noted: Calls = []

    def create(runs: Any, name: Any = None, **more: Any) -> CreatedDataset:
        noted.append((runs, name, more))
        return CreatedDataset("made", 3, {"a": "Run A"})

    monkeypatch.setattr(api, "create_fiftyone_dataset", create)
    monkeypatch.setattr(app, "show", lambda name, **more: noted.append((name, None, more)))
    return noted


def test_the_verb(calls: Calls) -> None:
    words = ["fiftyone", "one", "two", "--name", "n", "--model-name", "A", "--model-name", "B", "--overwrite"]
    words += ["--videos", "v.mp4", "--videos", "w", "--predictions", "p", "--images", "i", "--launch", "--port", "6000"]
    done = CliRunner().invoke(build(), words, catch_exceptions=False)
    assert done.exit_code == 0 and done.output == "FiftyOne data set: made, 3 samples, a_preds (Run A)\n"
    (runs, name, more), shown = calls
    assert (runs, name) == ([Path("one"), Path("two")], "n")
    assert more == {
        "model_names": ["A", "B"],
        "videos": [Path("v.mp4"), Path("w")],
        "predictions": Path("p"),
        "images": Path("i"),
        "overwrite": True,
    }
    assert shown == ("made", None, {"address": "127.0.0.1", "port": 6000, "remote": True})


def test_the_verb_without_options(calls: Calls) -> None:
    CliRunner().invoke(build(), ["fiftyone", "one"], catch_exceptions=False)
    ((runs, name, more),) = calls
    assert (runs, name, more["model_names"], more["videos"]) == ([Path("one")], None, None, ())
    assert not more["overwrite"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("outputs/2026-01-02/10-11-12", "outputs/2026-01-02/13-14-15", "videos", "preds"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_the_script_with_one_run(calls: Calls, here: Path) -> None:
    create_dataset(["eval.hydra_paths=['2026-01-02/10-11-12/']", "eval.fiftyone.dataset_name=mine"])
    ((runs, name, more),) = calls
    assert (runs, name) == ([here / "outputs/2026-01-02/10-11-12"], "mine")
    assert tuple(more["model_names"]) == ("test_model",) and more["videos"] == () and more["remote"]
    assert (more["launch"], more["address"], more["port"], more["overwrite"]) == (False, "127.0.0.1", 5151, False)


def test_the_default_name_of_one_model_is_none_for_two(calls: Calls, here: Path) -> None:
    paths = "eval.hydra_paths=['2026-01-02/10-11-12','2026-01-02/13-14-15']"
    create_dataset([paths])
    create_dataset([paths, "eval.fiftyone.model_display_names=[x,y]", "eval.fiftyone.launch_app_from_script=true"])
    assert calls[0][2]["model_names"] is None
    assert tuple(calls[1][2]["model_names"]) == ("x", "y") and calls[1][2]["launch"]


def test_the_script_with_videos(calls: Calls, here: Path) -> None:
    words = ["eval.hydra_paths=['2026-01-02/10-11-12']", "eval.fiftyone.dataset_to_create=videos"]
    create_dataset([*words, "eval.test_videos_directory=videos"])
    create_dataset([*words, "eval.test_videos_directory=videos", "eval.saved_vid_preds_dir=preds"])
    assert [more["videos"] for _, _, more in calls] == [here / "videos"] * 2
    assert [more["predictions"] for _, _, more in calls] == [here / "videos", here / "preds"]
    with pytest.raises(ConfigError, match=r"^eval\.test_videos_directory: not set; give eval\."):
        create_dataset(words)


@pytest.mark.usefixtures("here")
def test_what_the_script_needs() -> None:
    with pytest.raises(ConfigError, match=r"^eval.hydra_paths: not set; give"):
        create_dataset([])
    with pytest.raises(ConfigError, match=r"^eval\.hydra_paths: no run directory nowhere"):
        create_dataset(["eval.hydra_paths=[nowhere]"])
