"""What ``vitruve recommend`` and ``vitruve select-frames`` print and write."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from tiny_project import write_project, write_video
from vitruve.cli.main import build
from vitruve.pipeline.memory import StepMemory


def invoke(*words: str | Path) -> Result:
    done = CliRunner().invoke(build(), [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vitruve.pipeline.recommend.step_memory", lambda *a: StepMemory(10**8, 10**8))
    write_project(tmp_path, frames=6)
    write_video(tmp_path / "videos" / "a.mp4", 20)
    return tmp_path


def test_recommend_writes_or_prints(project: Path) -> None:
    printed = invoke("recommend", project, "--print-only").stdout
    assert not (project / "recommended.yaml").exists()
    assert yaml.safe_load(printed)["data"]["num_keypoints"] == 2
    written = invoke("recommend", project).stdout
    assert "model.backbone = " in written
    assert f"--config-path {project} --config-name recommended" in written
    assert yaml.safe_load((project / "recommended.yaml").read_text())["data"]["data_dir"] == "."
    invoke("recommend", project / "CollectedData.csv", "--output", project / "other.yaml")
    assert (project / "other.yaml").is_file()


def test_select_frames_says_what_it_did(project: Path) -> None:
    words = ("select-frames", project / "videos", "--n", "3", "--output", project, "--labels", project / "q.jsonl")
    first = invoke(*words).stdout
    folder = project / "labeled-data" / "a"
    written = len(list(folder.glob("*.png")))
    assert f"{folder}: 3 frames to label, {written} images written, 3 rows added to {project / 'q.jsonl'}" in first
    assert f"0 images written, {written} were there already" in invoke(*words).stdout


def test_select_frames_says_when_there_are_no_more(project: Path) -> None:
    done = invoke("select-frames", project / "videos", "--n", "50", "--context", "0", "--output", project)
    assert "20 frames to label" in done.stdout
    assert "no more different frames than these" in done.output
