"""Fields of the page as arguments of verbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitruve import api
from vitruve.app.training.command import (
    PUBLISHED,
    RANDOM,
    PosesTraining,
    RigTraining,
    go_on_with,
    quoted,
    run_name,
    settings_lines,
)
from vitruve.cli.main import build
from vitruve.config.compose import compose, overridden
from vitruve.errors import InputError

CONFIG = Path("/p/config.yaml")


def test_fields_that_are_left_alone_say_nothing() -> None:
    assert PosesTraining(CONFIG, Path("/p/outputs/a")).arguments == ["train", str(CONFIG), "hydra.run.dir=/p/outputs/a"]
    assert RigTraining(Path("/p"), "Run_1").arguments == ["project", "train", "/p", "all", "--run", "Run_1"]


def test_fields_of_one_network_become_settings() -> None:
    made = PosesTraining(CONFIG, Path("/p/a"), 5, RANDOM, 3, ["data.seed=2"])
    assert made.overrides == [
        *("training.max_epochs=5", "ensemble=3", "model.checkpoint=null"),
        *("training.backbone_pretrained=false", "data.seed=2"),
    ]
    assert PosesTraining(CONFIG, Path("/p/a"), weights=PUBLISHED).overrides[-1] == "training.backbone_pretrained=true"
    from_run = PosesTraining(CONFIG, Path("/p/a"), weights="/p/my run").overrides
    assert from_run == ["model.checkpoint='/p/my run'", "training.backbone_pretrained=false"]


@pytest.mark.parametrize("name", ["plain", "a b", "it's", "a,b=(c)[d]{e}:1", "x\\", "a\\'b", '"q"', "ä%#!~+"])
def test_a_run_goes_where_the_page_says_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    assert overridden([f"k={quoted(name)}"]) == {"k": f"k={quoted(name)}"}
    assert compose(None, None, [f"hydra.run.dir={quoted(folder)}", f"data.data_dir={tmp_path}"]).run_dir == folder


def test_all_networks_of_a_rig() -> None:
    made = RigTraining(
        *(Path("/p"), "Run_1", "all", {"center": 1, "keypoint": 2, "hybridnet": 3}, "latest", "Run_0", "Run_0", "/pre"),
        **{"mode": "bifpn", "finetune": True, "more": ["training.precision=32"]},  # type: ignore[arg-type]
    )
    # What all of them start from is --pretrained alone; what they are built on is made by the same training.
    words = "project train /p all training.precision=32 --run Run_1 --epochs-center 1 --epochs-keypoint 2"
    assert " ".join(made.arguments) == f"{words} --epochs-hybridnet 3 --pretrained /pre --mode bifpn --finetune"


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("center", "--epochs-center 1 --weights latest"),
        ("keypoint", "--epochs-keypoint 2 --weights latest --weights-center c"),
        ("hybridnet", "--epochs-hybridnet 3 --weights latest --weights-keypoint k --weights-center c --mode all"),
    ],
)
def test_one_network_of_a_rig_takes_what_concerns_it(what: str, options: str) -> None:
    epochs = {"center": 1, "keypoint": 2, "hybridnet": 3}
    made = RigTraining(Path("/p"), "Run_1", what, epochs, "latest", "k", "c", mode="all")
    assert made.arguments == f"project train /p {what} --run Run_1 {options}".split(" ")


def test_the_command_line_takes_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(api, "train_project", lambda *given, **more: calls.append((given, more)) or [])
    made = RigTraining(
        Path("/p"), "Run_1", "hybridnet", {"hybridnet": 3}, "latest", "k", "c", mode="all", more=["a.b=1"]
    )
    result = CliRunner().invoke(build(), made.arguments)
    assert result.exit_code == 0, result.output
    [(given, more)] = calls
    assert given == ("/p", "hybridnet") and more["epochs"] == {"hybridnet": 3} and more["run"] == "Run_1"
    assert (more["weights"], more["weights_keypoint"], more["weights_center"]) == ("latest", "k", "c")
    assert more["mode"] == "all" and more["overrides"] == ("a.b=1",) and not more["finetune"]


def test_runs_that_were_begun_elsewhere_go_on() -> None:
    assert go_on_with(Path("/p"), "", Path("/p/outputs/a b")) == ["train", "resume=/p/outputs/a b"]
    keypoint = Path("/p/models/KeypointDetect/Run_1")
    again = go_on_with(Path("/p"), "KeypointDetect", keypoint)
    assert " ".join(again) == "project train /p keypoint --resume --run Run_1"
    fine = Path("/p/models/HybridNet/Run_1-finetune")
    assert go_on_with(Path("/p"), "HybridNet", fine)[-3:] == ["--run", "Run_1", "--finetune"]


@pytest.mark.parametrize("text", ["", " ", "..", ".hidden", "a/b", "../a", "/etc", "a\x00b", "a\nb", "-x", "x" * 101])
def test_a_run_cannot_be_called_what_is_no_name_of_a_folder(text: str) -> None:
    with pytest.raises(InputError, match="give letters, digits"):
        run_name(text)


def test_names_of_runs_and_lines_of_settings_are_taken_as_they_are_meant() -> None:
    assert run_name(" heat-map_2.b ") == "heat-map_2.b"
    assert settings_lines("\n a.b=1 \n# c=2\n\n+d=[1, 2]\n~e=") == ["a.b=1", "+d=[1, 2]", "~e="]


@pytest.mark.parametrize(
    "line", ["--resume", "config.yaml", "a b=1", "=1", "hydra.run.dir=/etc", "+hydra.job.x=1", "resume=/x"]
)
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(InputError, match=r"key=value|leave it out"):
        settings_lines(line)
