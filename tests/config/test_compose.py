from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from vitruve.config.compose import Composed, compose, compose_sweep, names_data
from vitruve.errors import ConfigError

HERE = Path(__file__).parent

TEXT = """
data: {data_dir: labels, video_dir: "${data.data_dir}/videos", csv_file: CollectedData.csv}
training: {min_epochs: 50, max_epochs: 50, optimizer_params: {learning_rate: 5e-5}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "labels" / "videos").mkdir(parents=True)
    (folder / "config.yaml").write_text(TEXT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return folder


def composed(project: Path, *overrides: str, name: str = "config") -> Composed:
    return compose(str(project), name, overrides)


def fails(project: Path, *overrides: str, name: str = "config") -> str:
    with pytest.raises(ConfigError) as caught:
        composed(project, *overrides, name=name)
    message = str(caught.value)
    assert "\n" not in message
    assert not GlobalHydra.instance().is_initialized()
    return message


def test_plain_file_with_interpolations_and_paths_beside_it(project: Path) -> None:
    result = composed(project, name="config.yaml")
    assert result.config.data.data_dir == project / "labels"
    assert result.config.data.video_dir == project / "labels" / "videos"
    assert result.config.eval.test_videos_directory == project / "labels" / "videos"
    assert result.config.training.optimizer_params.learning_rate == 5e-5
    assert result.source == project / "config.yaml"


def test_paths_in_a_file_start_at_the_file_and_typed_ones_in_the_current_folder(project: Path) -> None:
    Path("labels").mkdir()
    assert composed(project).config.data.data_dir == project / "labels"
    assert composed(project, "data.data_dir=labels").config.data.data_dir == Path.cwd() / "labels"


def test_folders_of_videos_may_be_relative_to_the_data(project: Path) -> None:
    text = f"data: {{data_dir: {project / 'labels'}, video_dir: videos}}\n"
    (project / "away.yaml").write_text(text + "eval: {test_videos_directory: '${data.video_dir}'}\n")
    (Path.cwd() / "videos").mkdir()
    config = composed(project, name="away").config
    assert config.data.video_dir == config.eval.test_videos_directory == project / "labels" / "videos"
    typed = composed(project, "data.video_dir=videos", name="away").config
    assert typed.data.video_dir == Path.cwd() / "videos"
    # The file's own folder comes first.
    (project / "videos").mkdir()
    assert composed(project, name="away").config.data.video_dir == project / "videos"


def test_nothing_is_left_behind(project: Path) -> None:
    here = Path.cwd()
    composed(project)
    compose_sweep(str(project), "config", ["training.max_epochs=60,70"])
    assert Path.cwd() == here
    assert not list(here.iterdir())
    assert not GlobalHydra.instance().is_initialized()
    assert HydraConfig.instance().cfg is None


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_keys_the_file_leaves_out_can_be_set(project: Path, sign: str) -> None:
    assert composed(project, f"{sign}training.num_workers=3").config.training.num_workers == 3


def test_keys_can_be_changed_and_deleted(project: Path) -> None:
    assert composed(project, "training.max_epochs=70").config.training.max_epochs == 70
    assert composed(project, "++training.max_epochs=70").config.training.max_epochs == 70
    assert composed(project, "~training.max_epochs").config.training.max_epochs == 300


def test_fewer_epochs_on_the_command_line_lower_the_file_s_minimum(project: Path) -> None:
    training = composed(project, "training.max_epochs=11").config.training
    assert (training.min_epochs, training.max_epochs) == (11, 11)
    assert "min_epochs=20 is more" in fails(project, "training.max_epochs=11", "training.min_epochs=20")


def test_run_folders(project: Path) -> None:
    parts = composed(project).run_dir.relative_to(Path.cwd() / "outputs").parts
    assert [len(part) for part in parts] == [len("2026-01-01"), len("12-00-00")]
    assert composed(project, "hydra.run.dir=runs/a").run_dir == Path.cwd() / "runs" / "a"
    (project / "other.yaml").write_text(TEXT + "hydra: {run: {dir: 'e${training.max_epochs}'}}\n")
    assert composed(project, name="other").run_dir == Path.cwd() / "e50"


def test_without_a_file_there_are_the_defaults_and_the_overrides(project: Path) -> None:
    result = compose(None, None, ["training.max_epochs=3", "resume=runs/a"])
    assert result.source is None
    assert result.config.training.max_epochs == 3
    assert result.config.resume == Path.cwd() / "runs" / "a"


def test_overrides_alone_name_their_data_or_none() -> None:
    assert names_data(["training.max_epochs=3", "data.csv_file=a.csv", "+data.data_dir=d"])
    assert not names_data(["training.max_epochs=3", "~eval.colormap"])
    for override in ("data.csv_file=a.csv", "++data.image_resize_dims.height=64"):
        with pytest.raises(ConfigError, match=r"command line: .*data\..*--config-path.*data\.data_dir=FOLDER"):
            names_data([override])


def test_quietly_nothing_is_said(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    compose(str(project), "config", ["training.early_stop_patience=9"], quiet=True)
    compose_sweep(str(project), "config", ["training.early_stop_patience=9,8"], quiet=True)
    assert not caplog.records


def test_path_of_the_file_itself(project: Path) -> None:
    assert compose(str(project / "config.yaml")).source == project / "config.yaml"
    assert compose(None, str(project / "config.yaml")).source == project / "config.yaml"


def test_groups_of_a_defaults_list(project: Path) -> None:
    (project / "model").mkdir()
    for name in ("resnet18", "resnet34"):
        (project / "model" / f"{name}.yaml").write_text(f"backbone: {name}\n")
    (project / "grouped.yaml").write_text("defaults: [_self_, model: resnet18]\n" + TEXT)
    assert composed(project, name="grouped").config.model.backbone == "resnet18"
    assert composed(project, "model=resnet34", name="grouped").config.model.backbone == "resnet34"
    assert "nothere" in fails(project, "model=nothere", name="grouped")


def test_every_lightning_pose_key_composes(project: Path) -> None:
    (project / "all.yaml").write_text((HERE / "lightning_pose.yaml").read_text())
    assert composed(project, name="all").config.training.optimizer == "Adam"


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        (
            "training.max_epoch=3",
            "command line: training.max_epoch: unknown key (did you mean 'max_epochs'?)",
        ),
        (
            "training.max_epochs=abc",
            "command line: training.max_epochs='abc': must be an integer, at least 1",
        ),
        ("training.max_epochs", "training.max_epochs: not a setting; write key=value"),
        ("training.max_epochs=[1", "training.max_epochs=[1: cannot be read"),
        ("training.max_epochs=1,2", "training.max_epochs=1,2: holds several values; add --multirun"),
        ("~training.nothing", "command line: Could not delete from config. 'training.nothing'"),
        ("hydra.run.dirr=a", "command line: Could not override 'hydra.run.dirr'"),
        ("data.video_dir=${data.nothing}", "data.video_dir: Interpolation key 'data.nothing' not found"),
        ("data.data_dir=nothing", "command line: data.data_dir='"),
        ("training.val_prob=0.5", "command line: training: train_prob=0.95 and val_prob=0.5 add up to"),
        ("data.csv_file=???", "data.csv_file: has no value yet"),
    ],
)
def test_bad_overrides(project: Path, override: str, wanted: str) -> None:
    assert wanted in fails(project, override)


def test_bad_files(project: Path) -> None:
    assert "did you mean 'config.yaml'" in fails(project, name="confg")
    assert "no such folder" in fails(project / "nothing")
    (project / "broken.yaml").write_text("a: 1\nb: [1\nc: 2\n")
    assert "broken.yaml:3: not valid YAML" in fails(project, name="broken")
    (project / "twice.yaml").write_text("training: {}\ntraining: {}\n")
    assert "twice.yaml:2: not valid YAML: found duplicate key training" in fails(project, name="twice")
    (project / "typo.yaml").write_text("training: {max_epoch: 3}\n")
    assert fails(project, name="typo").startswith("typo.yaml: training.max_epoch: unknown key")
    (project / "shares.yaml").write_text("training: {train_prob: 0.9, val_prob: 0.2}\n")
    assert fails(project, "training.max_epochs=3", name="shares").startswith("shares.yaml: training: train_prob=0.9")
    (project / "away.yaml").write_text("data: {data_dir: nothing}\n")
    assert fails(project, name="away").startswith("away.yaml: data.data_dir='")
    with pytest.raises(ConfigError, match="say with --config-name which file"):
        compose(str(project), None)


def test_sweep_composes_every_combination(project: Path) -> None:
    overrides = [
        "training.max_epochs=60,70",
        "model.backbone=choice(resnet18,resnet34)",
        "training.num_workers=1",
    ]
    runs = compose_sweep(str(project), "config", overrides)
    found = [(run.config.training.max_epochs, run.config.model.backbone, run.run_dir.name) for run in runs]
    assert found == [
        (60, "resnet18", "0"),
        (60, "resnet34", "1"),
        (70, "resnet18", "2"),
        (70, "resnet34", "3"),
    ]
    assert len({run.run_dir.parent for run in runs}) == 1
    assert runs[0].run_dir.is_relative_to(Path.cwd() / "multirun")


def test_sweep_over_a_range_into_named_folders(project: Path) -> None:
    overrides = ["training.rng_seed_data_pt=range(1,4)", "hydra.sweep.dir=sweep"]
    runs = compose_sweep(str(project), "config", [*overrides, "hydra.sweep.subdir=seed_${training.rng_seed_data_pt}"])
    assert [run.run_dir for run in runs] == [Path.cwd() / "sweep" / f"seed_{seed}" for seed in (1, 2, 3)]
    with pytest.raises(ConfigError, match=r"runs 0 and 1 would both go to .*put \$\{hydra.job.num\} into it"):
        compose_sweep(str(project), "config", [*overrides, "hydra.sweep.subdir=same"])


def test_sweep_of_the_file(project: Path) -> None:
    (project / "swept.yaml").write_text(TEXT + "hydra: {sweeper: {params: {training.max_epochs: '60,70'}}}\n")
    runs = compose_sweep(str(project), "swept", [])
    assert [run.config.training.max_epochs for run in runs] == [60, 70]


def test_sweep_warns_once(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    compose_sweep(str(project), "config", ["training.max_epochs=60,70", "training.early_stop_patience=9"])
    assert len(caplog.records) == 1
