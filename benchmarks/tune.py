"""The search: Gaussian process against random search, two processes against one, and the page's stop.

python benchmarks/tune.py sampler     # 16 trials, 10 seeds: networks that learn to read digits
python benchmarks/tune.py processes   # 8 trials of one process, and of two on one study
python benchmarks/tune.py stop        # from the button to the end of the training
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from common import RESULTS, vitruve
from sklearn.datasets import load_digits

from vitruve.config.schema import Config
from vitruve.run import RunFiles
from vitruve.tuning.objective import objective_of
from vitruve.tuning.space import read_space
from vitruve.tuning.storage import open_storage
from vitruve.tuning.strategy import build_sampler
from vitruve.tuning.study import SharedStudy

SEEDS, TRIALS = 10, 16
# What OBDB searches, in the ranges of its page; the learning rate's fits a network that is not pretrained.
SPACE: dict[str, Any] = {
    "training.optimizer_params.learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
    "training.optimizer_params.momentum": {"low": 0.1, "high": 0.9, "log": True},
    "training.optimizer_params.weight_decay": {"low": 1e-5, "high": 0.9, "log": True},
    "training.lr_scheduler_params.step.step_size": {"low": 1, "high": 5},
    "training.lr_scheduler_params.step.gamma": {"low": 0.01, "high": 0.5, "log": True},
}


def fit(values: dict[str, Any], seed: int, epochs: int = 10) -> float:
    """Lowest validation loss of a network of 64 hidden units on 8 x 8 digits, with SGD and a stepped learning rate."""
    rate, momentum, decay, step, gamma = (values[key] for key in SPACE)
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    x = torch.tensor(images[order] / 16, dtype=torch.float32)
    y = torch.tensor(digits[order])
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step, gamma)
    best = float("inf")
    for _ in range(epochs):
        for batch in torch.randperm(1000).split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
        with torch.no_grad():
            best = min(best, float(torch.nn.functional.cross_entropy(network(x[1000:]), y[1000:])))
    return best


def search(sampler: str, seed: int) -> float:
    """The lowest loss that a search finds."""
    config = Config.from_mapping(
        {"tune": {"space": SPACE, "sampler": sampler, "seed": seed, "begin_with_settings": False}}
    )
    space, (_, direction) = read_space(config), objective_of(config)
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(None, Path(folder) / "journal.log")
        study = SharedStudy(storage, "study", direction, "val_loss", space).study
        study.sampler = build_sampler(config.tune, space, True)
        for _ in range(TRIALS):
            trial = study.ask()
            study.tell(trial, fit(space.suggest(trial), seed))
        return float(study.best_value)


def samplers() -> dict[str, Any]:
    """Both samplers, seed by seed."""
    rows = []
    for seed in range(SEEDS):
        rows.append({name: search(name, seed) for name in ("gp", "random")})
        print(f"seed {seed}: gp {rows[-1]['gp']:.4f}  random {rows[-1]['random']:.4f}", flush=True)
    wins = sum(row["gp"] < row["random"] for row in rows)
    print(f"gp is better in {wins} of {SEEDS}")
    return {"seeds": rows, "wins": wins}


def project(folder: Path, size: int, training: dict[str, Any], tune: dict[str, Any], backbone: str) -> Path:
    """The rendered mouse with a search in its settings."""
    subprocess.run(
        vitruve(
            "example",
            "mouse",
            str(folder),
            "--set",
            "frames=64",
            "--set",
            "video_frames=1",
        ),
        check=True,
    )
    file = folder / "config.yaml"
    given = yaml.safe_load(file.read_text())
    given["data"]["image_resize_dims"] = {"height": size, "width": size}
    given["model"] = {"model_type": "heatmap", "backbone": backbone}
    given["training"] |= {
        "backbone_pretrained": False,
        "check_val_every_n_epoch": 1,
        "num_workers": 0,
        "device": "cpu",
        **training,
    }
    given["eval"] = {"predict_vids_after_training": False}
    rate = {
        "training.optimizer_params.learning_rate": SPACE["training.optimizer_params.learning_rate"] | {"high": 0.01}
    }
    given["tune"] = {"space": rate, "port": 0, "pruner": "none", "sampler": "random", **tune}
    file.write_text(yaml.safe_dump(given))
    return file


def start(log: Path, *words: str) -> subprocess.Popen[bytes]:
    """Begin ``vitruve tune``."""
    with log.open("ab") as stream:
        return subprocess.Popen(vitruve("tune", *words), stdout=stream, stderr=stream)


def processes() -> dict[str, Any]:
    """Seconds from the start of the first process to the end of the last trial."""
    seconds = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config = project(folder / "data", 128, {"max_epochs": 6, "train_batch_size": 8}, {"max_trials": 8}, "resnet18")
        for count in (1, 2):
            study = folder / f"study_{count}"
            begun = time.monotonic()
            running = [start(folder / "log", str(config), f"hydra.run.dir={study}")]
            while not (study / "study.yaml").is_file():
                time.sleep(0.05)
            running += [start(folder / "log", f"resume={study}") for _ in range(count - 1)]
            assert [process.wait() for process in running] == [0] * count, (folder / "log").read_text()
            seconds[count] = time.monotonic() - begun
            print(f"{count} processes: {seconds[count]:.1f} s", flush=True)
    print(f"{seconds[1] / seconds[2]:.2f} times as fast")
    return {"seconds": seconds, "ratio": seconds[1] / seconds[2]}


def stop() -> dict[str, Any]:
    """Seconds from the button to the end, beside those of a batch."""
    with tempfile.TemporaryDirectory() as place:
        folder, rows = Path(place), []
        tune = {"max_trials": 3}
        config = project(folder / "data", 256, {"max_epochs": 50, "train_batch_size": 16}, tune, "resnet50")
        study, log = folder / "study", folder / "log"
        process = start(log, str(config), f"hydra.run.dir={study}")
        for number in range(3):
            run = RunFiles(study / "trials" / f"trial_{number:04d}")
            while not run.read_metrics():
                time.sleep(0.1)
            # Anywhere in the epoch.
            time.sleep(1 + number)
            address = next(line.split()[1] for line in log.read_text().splitlines() if line.startswith("page: "))
            asked = time.time()
            urllib.request.urlopen(urllib.request.Request(f"{address}stop/{number}", method="POST"))
            while run.read_status().status != "INTERRUPTED":
                time.sleep(0.02)
            batch = 16 / float(run.read_metrics()[-1]["images_per_second"])
            rows.append({"seconds": time.time() - asked, "batch": batch})
            print(f"stopped {rows[-1]['seconds']:.2f} s after the button; a batch takes {batch:.2f} s", flush=True)
        process.wait()
        return {"stops": rows}


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = {"sampler": samplers, "processes": processes, "stop": stop}
    for name in sys.argv[1:] or list(wanted):
        (RESULTS / f"tune_{name}.json").write_text(json.dumps(wanted[name](), indent=1) + "\n")
