"""Several processes, pretrained backbones and another domain, by HyperPose's names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compat.hyperpose.conftest import tiny
from vitruve.compat.hyperpose import Config, Dataset, Model
from vitruve.compat.hyperpose.weights import read_arrays
from vitruve.errors import ConfigError
from vitruve.media.images import write_image
from vitruve.run import RunFiles

PROGRAM = """
import sys
from vitruve.compat.hyperpose import Config, Model, Dataset
Config.set_model_name("together")
Config.set_model_type(Config.MODEL.LightweightOpenpose)
Config.set_model_backbone(Config.BACKBONE.Vggtiny)
Config.set_dataset_path(sys.argv[1])
Config.set_input_size(64, 64)
Config.set_n_step(4)
Config.set_batch_size(2)
Config.set_log_interval(1)
Config.set_train_type(Config.TRAIN.Parallel_train)
Config.set_kungfu_option(Config.KUNGFU.Pair_avg)
Config.set_processes(2)
Config.set_core({"training.device": "cpu", "training.precision": "32"})
config = Config.get_config()
model, dataset = Model.get_model(config), Dataset.get_dataset(config)
Model.get_train(config)(model, dataset)
print("figures", Model.get_eval(config)(model, dataset, vis_num=0))
"""


def test_one_command_starts_several_processes(coco: Path, tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text(PROGRAM)
    paths = [str(Path(__file__).parents[3] / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(program), str(coco)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("figures {") == 1 and done.stdout.count("figures None") == 1, "the first one evaluates"
    home = tmp_path / "save_dir" / "together"
    log = (home / "log.txt").read_text()
    assert log.count("Start Training-") == 1 and "Train Step=2 / 2" in log, "each process does half of the steps"
    rows = RunFiles(home / "model_dir").read_metrics()
    assert float(rows[-1]["step"]) == 2 and "replica_spread" in rows[-1]


def test_what_is_typed_at_a_prompt_cannot_be_run_again(coco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(coco)
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_model_backbone(Config.BACKBONE.Vggtiny)
    Config.set_train_type(Config.TRAIN.Parallel_train)
    Config.set_processes(2)
    config = Config.get_config()
    monkeypatch.setattr(sys, "argv", [""])
    with pytest.raises(ConfigError, match="or start it by: torchrun --standalone --nproc-per-node 2"):
        Model.get_train(config)(Model.get_model(config), Dataset.get_dataset(config))


def test_pretrained_backbones_are_those_that_models_begin_with(coco: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("dark", "bright"):
            for number in range(2):
                image = rng.integers(0, 60, (32, 32, 3)) + (150 if name == "bright" else 0)
                write_image(tmp_path / "classes" / part / name / f"{number}.png", image.astype(np.uint8))
    tiny(coco)
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_model_backbone(Config.BACKBONE.Vggtiny)
    Config.set_pretrain_dataset_path(tmp_path / "classes")
    Config.set_pretrain_step(1)
    config = Config.get_config()
    assert Dataset.get_pretrain_dataset(config) == tmp_path / "classes"
    file = Model.get_pretrain(config)()
    assert file == Path("save_dir/pretrain_backbone/newest_vggtiny.npz")
    learned = read_arrays(file)
    plain = Model.get_model(config).backbone.state_dict()
    Config.set_pretrain(True)
    begun = Model.get_model(Config.get_config()).backbone.state_dict()
    assert learned.keys() == begun.keys() == plain.keys()
    assert all(torch.equal(torch.from_numpy(np.array(learned[name])), begun[name]) for name in begun)
    assert not torch.equal(plain["trunk.parts.0.0.weight"], begun["trunk.parts.0.0.weight"])
    Config.set_pretrain_dataset_path(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="no such folder"):
        Model.get_pretrain(Config.get_config())()


class Plain(torch.nn.Module):
    """A network that knows nothing of HyperPose but what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 19 + 38, 8, 8)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.layer(x)
        return maps[:, :19], maps[:, 19:]

    def cal_loss(self, conf: Any, pd_conf: Any, paf: Any, pd_paf: Any) -> Any:
        return ((conf - pd_conf) ** 2).mean() + ((paf - pd_paf) ** 2).mean()


def test_a_plain_module_is_trained_evaluated_and_exported(coco: Path) -> None:
    tiny(coco, steps=1)
    Config.set_vis_interval(1)
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_model_arch(Plain())
    config = Config.get_config()
    model, dataset = Model.get_model(config), Dataset.get_dataset(config)
    assert isinstance(model, Plain)
    Model.get_train(config)(model, dataset)
    assert "AP" in Model.get_eval(config)(model, dataset, vis_num=1, enable_multiscale_search=True)
    assert Model.get_export(config)(model).stat().st_size > 1000


def test_another_domain(coco: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"other{number}.png" for number in range(2)]
    for path in paths:
        write_image(path, np.full((64, 64, 3), 90, np.uint8))
    tiny(coco, steps=1)
    Config.set_input_size(64, 64)
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_model_backbone(Config.BACKBONE.Vggtiny)
    Config.set_domainadapt_dataset(paths)
    config = Config.get_config()
    Model.get_train(config)(Model.get_model(config), Dataset.get_dataset(config))
    row = RunFiles(config.model.model_dir).read_metrics()[-1]
    assert float(row["train_domain_loss"]) > 0 and 0 <= float(row["train_domain_accuracy"]) <= 1
    assert "last.weight" in read_arrays(config.model.model_dir / "newest_discriminator.npz")
