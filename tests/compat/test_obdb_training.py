"""OBDB's way as its page has it, on detectors: from its database's documents to the files of its metrics."""

from __future__ import annotations

import json
from pathlib import Path

import vitruve
from vitruve.annotation.store.store import open_store
from vitruve.compat.obdb import test_model, torch_model_runner
from vitruve.formats.hub import read_labels
from vitruve.formats.shapes import task_of

BEST = {"gamma": 0.23, "lr": 4.5e-3, "momentum": 0.159, "step_size": 5, "weight_decay": 3.0e-4}
SMALL = ("model.backbone=test_resnet", "model.fpn_channels=16", "training.backbone_pretrained=false", "tune.port=null")


def test_from_the_store_to_metrics(tmp_path: Path) -> None:
    extent = {"clips": 2, "frames": 2, "new": 1, "videos": 1, "video_frames": 1, "plants": 3, "largest": 40}
    field = vitruve.example("field", tmp_path / "field", **extent, width=128, height=96)
    labels = read_labels(field / "labels.json")
    names = sorted({frame.session for frame in labels})
    with open_store(tmp_path / "weeds.sqlite", create=True) as store:
        for number, name in enumerate(names):
            own = labels[[i for i, frame in enumerate(labels) if frame.session == name]]
            store.put(task_of(own, name=name, id=number + 1))
    settings = {
        "variants": ["resnet18", "retina_net"],
        "resnet18": {"run_hpo": 1},
        "retina_net": {"run_hpo": 0, "optimal_hpo_settings": BEST},
        "hpo_parameters": {"lr": [1e-5, 1e-3], "step_size": [1, 5]},
        "num_initial_data_points": "infer",
        **{"max_num_trials": 1, "search_epochs": 1, "max_train_epochs": 1, "max_plateau_count": 2},
        "annotations_list": names,
        "save_dir": str(tmp_path / "train" / "pickled_weed"),
        "writer_dir": str(tmp_path / "train" / "runs"),
        "dataset_dir": str(field),
        "metrics_confidence_range": [0.05, 0.5],
    }
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings))
    torch_model_runner.main(["-f", str(file), "--store", str(tmp_path / "weeds.sqlite"), *SMALL])
    train = tmp_path / "train"
    found = json.loads((train / "resnet18_settings.json").read_text())
    # What is not searched is there, too: all five are needed by whoever trains with the file.
    assert found["weight_decay"] == 0
    assert 1e-5 <= found["lr"] <= 1e-3 and {"Trial-ID", "momentum", "best_value"} < set(found)
    assert not (train / "retina_net_settings.json").exists()
    classes = list(read_labels(train / "pickled_weed" / "labels.json").categories)
    for name, kind in (("resnet18", "faster_rcnn"), ("retina_net", "retinanet")):
        record = json.loads((train / f"{name}_model" / "model.json").read_text())
        assert (record["model"]["model_type"], record["task"]["categories"]) == (kind, classes)
    test_model.main(["-f", str(file)])
    metrics = json.loads((train / "class_metrics.json").read_text())
    assert list(metrics) == classes and list(metrics["beet"]["recall"]) == ["0.05", "0.5"]
    assert (train / "beet_recall.svg").is_file() and len(list(train.glob("AveragePrecision_*.json"))) == 1
