"""Who may import whom: the contracts of .importlinter, and what is loaded when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from house.sources import ROOT, run_python
from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.config.schema import Config
from vitruve.media.images import write_image
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.training.callbacks import save_weights
from vitruve.training.fit import model_record


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a statement brings into a new process."""
    done = run_python("-c", f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return {module.split(".")[0] for module in json.loads(done.stdout.splitlines()[-1])}


def test_the_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import vitruve",
        "import vitruve.cli.main; vitruve.cli.main.build()",
        "import vitruve.api",
        "import vitruve.run",
    ],
)
def test_what_everyone_imports_stays_light(statement: str) -> None:
    heavy = {
        "torch",
        "torchvision",
        "lightning",
        "timm",
        "pandas",
        "scipy",
        "cv2",
        "av",
        "matplotlib",
        "hydra",
        "kornia",
    }
    assert loaded_by(statement) & heavy == set()


def test_prediction_imports_no_lightning() -> None:
    loaded = loaded_by("import vitruve.inference.predictor, vitruve.inference.runtimes")
    assert "torch" in loaded
    assert loaded & {"lightning", "pytorch_lightning", "tensorboard", "hydra"} == set()


def test_a_whole_prediction_loads_no_lightning(tmp_path: Path) -> None:
    config = Config.from_mapping({"model": {"backbone": "resnet18"}, "inference": {"runtime": "torch"}})
    task = Task(Skeleton(("nose", "tail")), (64, 64))
    algorithm = registry.get(config.model.model_type)(config.model, task)
    run = RunFiles(tmp_path / "run")
    run.path.mkdir()
    run.config.write_text(config.to_yaml(), encoding="utf-8")
    save_weights(algorithm, run.weights)
    run.write_model(model_record(config, task, Labels(task.skeleton, ()), {}, "random"))
    write_image(tmp_path / "image.png", np.zeros((64, 64, 3), np.uint8))
    loaded = loaded_by(f"import vitruve; vitruve.predict({str(run.path)!r}, {str(tmp_path / 'image.png')!r})")
    assert (run.path / "image_preds" / "image.csv").is_file()
    assert "torch" in loaded
    assert loaded & {"lightning", "pytorch_lightning", "torchmetrics", "tensorboard", "typer"} == set()


def test_settings_do_not_need_a_network() -> None:
    assert "torch" not in loaded_by("import vitruve.config.compose")
