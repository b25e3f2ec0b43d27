"""Our networks as a function of cvat-sdk and cvat-cli, on a server that stands in for CVAT."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cvat_sdk.auto_annotation import annotate_task
from PIL import Image
from safetensors.torch import save_file

from annotation.conftest import png
from annotation.cvat_standin import StandIn
from inference.stand_in import SKELETON, numbered
from inference.stand_in import predictor as bright
from tiny_project import settings
from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.annotation.cvat.function import RunFunction, create
from vitruve.annotation.cvat.payloads import label_json
from vitruve.annotation.cvat.server import CvatServer
from vitruve.config.schema import Config
from vitruve.errors import ConfigError
from vitruve.run import RunFiles
from vitruve.structures.annotation import LabelSpec
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef
from vitruve.structures.skeleton import Skeleton


def spotted(count: int) -> dict[str, bytes]:
    files = {}
    for number, image in enumerate(numbered(count)):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        files[f"{number:02d}.png"] = buffer.getvalue()
    return files


def mouse(*names: str) -> dict[str, Any]:
    return label_json(LabelSpec("mouse", "skeleton", parts=tuple(LabelSpec(name, "points") for name in names)))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, server: CvatServer) -> None:
    server.wire.client.config.cache_dir = tmp_path / "cache"


def test_poses_become_skeletons(standin: StandIn, server: CvatServer) -> None:
    # The task names the keypoints in another order, and its numbers are others.
    task = standin.add_task("t", [{"name": "x"}, mouse(*SKELETON.names[::-1])], spotted(6))
    function = RunFunction(bright(1), ("mouse",), 0.5, 0.0)
    annotate_task(server.wire.client, task.id, function, conf_threshold=0.9)
    found = server.read(task.id)
    assert [(s.kind, s.label, s.frame, s.source) for s in found.shapes] == [
        ("skeleton", "mouse", n, "auto") for n in range(6)
    ]
    for number, shape in enumerate(found.shapes):
        spot = next(part for part in shape.parts if part.label == "spot")
        np.testing.assert_allclose(spot.points, (number + 0.5, 3.5), atol=1e-4)
        assert shape.score == pytest.approx(0.95)
        assert [part.label for part in shape.parts] == ["other", "spot"]


def test_what_is_not_sure_is_left_out(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("t", [mouse(*SKELETON.names)], spotted(2))
    annotate_task(server.wire.client, task.id, RunFunction(bright(1), ("mouse",), 0.99, 0.0))
    assert server.read(task.id).shapes == ()
    annotate_task(server.wire.client, task.id, RunFunction(bright(1), ("mouse",), 0.0, 0.99))
    assert server.read(task.id).shapes == (), "an instance without a keypoint is none"


class Detector:
    """Finds two boxes in every image."""

    def __init__(self) -> None:
        self.algorithm = SimpleNamespace(task=Task(Skeleton(()), (32, 32), categories=("Dock", "Mayweed")))

    def predict(self, pixels: np.ndarray) -> Any:
        found = Instances(
            np.zeros((1, 2, 0, 2)),
            np.zeros((1, 2, 0), np.int8),
            scores=np.array([[0.9, 0.4]]),
            boxes=np.array([[[-0.5, -0.5, 9.5, 9.5], [1.0, 2.0, 3.0, 4.0]]]),
            categories=np.array([[1, 0]]),
        )
        yield Frame((ImageRef(Path("image"), 0, pixels.shape[1::-1]),), found)


def test_detections_become_boxes(standin: StandIn, server: CvatServer) -> None:
    task = standin.add_task("t", [{"name": "Mayweed"}, {"name": "Dock", "type": "rectangle"}], {"a.png": png()})
    function = RunFunction(Detector(), ("Dock", "Mayweed"), 0.3, 0.0)  # type: ignore[arg-type]
    annotate_task(server.wire.client, task.id, function)
    found = {shape.label: shape for shape in server.read(task.id).shapes}
    assert found["Mayweed"].points == (0.0, 0.0, 10.0, 10.0)
    assert found["Dock"].points == (1.5, 2.5, 3.5, 4.5)
    assert [found[name].score for name in ("Dock", "Mayweed")] == [0.4, 0.9]
    annotate_task(server.wire.client, task.id, function, clear_existing=True, conf_threshold=0.5)
    assert [shape.label for shape in server.read(task.id).shapes] == ["Mayweed"]


def write_run(folder: Path, categories: tuple[str, ...] = ("object",), views: int = 1) -> Path:
    """A run with weights of chance."""
    folder.mkdir()
    config = Config.from_mapping(settings(folder))
    kind = registry.get("heatmap")
    task = Task(Skeleton(("red", "green")), (64, 64), views, categories)
    algorithm = kind(config.model, task)
    run = RunFiles(folder)
    run.config.write_text(config.to_yaml())
    run.write_model({"model": config.model.model_dump(mode="json"), "task": task.to_dict(), "scorer": "test"})
    save_file(algorithm.state_dict(), run.weights)
    return folder


def test_a_run_is_loaded_by_its_folder(tmp_path: Path) -> None:
    function = create(str(write_run(tmp_path / "run")), label="mouse")
    assert [label.name for label in function.spec.labels] == ["mouse"]
    assert [part.name for part in function.spec.labels[0].sublabels] == ["red", "green"]
    with pytest.raises(ConfigError, match="label=x: the run has 2 classes"):
        create(str(write_run(tmp_path / "two", ("a", "b"))), label="x")
    with pytest.raises(ConfigError, match="needs 2 cameras at a time; a task of CVAT shows one"):
        create(str(write_run(tmp_path / "views", views=2)))


def test_cvat_cli_takes_the_module(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    task = standin.add_task("t", [mouse("red", "green")], spotted(3))
    place, _, port = standin.url.rpartition(":")
    arguments = ["--server-host", place, "--server-port", port, "task", "auto-annotate", str(task.id)]
    arguments += ["--function-module", "vitruve.annotation.cvat.function", "--conf-threshold", "0"]
    arguments += ["-p", f"run=str:{write_run(tmp_path / 'run')}", "-p", "label=str:mouse"]
    environment = {**os.environ, "CVAT_ACCESS_TOKEN": standin.token, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "cvat_cli", *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = server.read(task.id).shapes
    assert [(s.kind, s.frame, s.source, len(s.parts)) for s in found] == [("skeleton", n, "auto", 2) for n in range(3)]
