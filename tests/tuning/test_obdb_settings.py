"""OBDB's settings file, as it stands and as people get it wrong."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny_project import write_project
from vitruve.compat.obdb.torch_model_runner import main
from vitruve.errors import ConfigError, InputError
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.tuning import variants
from vitruve.tuning.obdb_settings import read_obdb_settings

BEST = {"gamma": 0.0338, "lr": 3.9e-05, "momentum": 0.33, "step_size": 3, "weight_decay": 0.556}
# The file on OBDB's page, but for its folders.
PAGE: dict[str, Any] = {
    "variants": ["resnet18", "resnet34"],
    "resnet18": {"run_hpo": 0, "optimal_hpo_settings": BEST},
    "resnet34": {"run_hpo": 1},
    "resnet50": {"run_hpo": 1},
    "max_plateau_count": 20,
    "search_epochs": 10,
    "num_initial_data_points": 5,
    "max_num_trials": 16,
    "annotations_list": ["FieldData 20200520145736 1L GH020068", "FieldData 20200515101008 3R GH070071"],
    "save_dir": "/train/pickled_weed",
    "writer_dir": "/train/runs",
    "dataset_dir": "/weed_data",
    "sherpa_parameters": {
        "lr": [0.000005, 0.001],
        "weight_decay": [0.00001, 0.9],
        "momentum": [0.1, 0.9],
        "step_size": [1, 5],
        "gamma": [0.01, 0.5],
    },
}


def write(folder: Path, **changes: Any) -> Path:
    """The page's file with changes; None takes a key away. Its folders lie in ``folder``."""
    given = copy.deepcopy(PAGE)
    given |= {"save_dir": str(folder / "train/pickled_weed"), "writer_dir": str(folder / "train/runs")}
    given = {key: value for key, value in (given | changes).items() if value is not None}
    file = folder / "settings.json"
    file.write_text(json.dumps(given))
    return file


def test_the_page_is_read_as_it_stands(tmp_path: Path) -> None:
    found = read_obdb_settings(write(tmp_path))
    assert [(each.name, each.algorithm, each.backbone, each.search) for each in found.variants] == [
        ("resnet18", "faster_rcnn", "resnet18", False),
        ("resnet34", "faster_rcnn", "resnet34", True),
    ]
    assert found.variants[0].settings == BEST
    # As many as there are parameters are too few for a Gaussian process: one more is taken, as by OBDB.
    assert (found.initial_points, found.max_trials, found.search_epochs, found.patience) == (6, 16, 10, 20)
    assert found.ranges["step_size"] == (1, 5)
    assert found.tasks == tuple(PAGE["annotations_list"])
    assert found.dataset_dir == Path("/weed_data")


def test_the_keys_of_later_versions_are_read(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        sherpa_parameters=None,
        hpo_parameters={"lr": [1e-4, 1e-2]},
        num_initial_data_points="infer",
        hpo_timeout=7200,
        max_train_epochs=50,
        fake_dataset_len=100,
        variants=["retina_net", "resnet18_weeds_pretrained"],
        retina_net={"run_hpo": 1, "use_settings_file": 0},
        resnet18_weeds_pretrained={"run_hpo": 0, "use_settings_file": 1, "pretrained_model_path": "/train/w"},
        annotations_list_4k=["a 4k task"],
        first_year_tasks=["one"],
        metrics_confidence_range=[0.1, 0.9, 0.1],
        wasp_seg_class_map=["Background", "wasp"],
        excluded_frames=["frame_1.png"],
    )
    found = read_obdb_settings(file, "annotations_list_4k")
    assert (found.initial_points, found.max_hours, found.train_epochs, found.train_frames) == (2, 2.0, 50, 100)
    assert found.tasks == ("a 4k task",)
    assert found.excluded == ("frame_1.png",)
    assert [each.algorithm for each in found.variants] == ["retinanet", "faster_rcnn"]
    assert found.variants[1].from_file
    assert found.variants[1].pretrained == "/train/w"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"variants": ["resnet17"]}, "unknown 'resnet17' (did you mean 'resnet1"),
    ({"variants": []}, "variants: name the networks to train"),
    ({"variants": ["resnet101"]}, 'resnet101: must say {"run_hpo": 1}'),
    ({"resnet34": {"run_hpo": 2}}, 'resnet34: must say {"run_hpo": 1}'),
    ({"resnet34": {"run_hpo": 1, "optimal": {}}}, "resnet34.optimal: unknown"),
    ({"resnet18": {"run_hpo": 0}}, "resnet18.optimal_hpo_settings: is missing, and run_hpo=0 needs it"),
    (
        {"resnet18": {"run_hpo": 0, "optimal_hpo_settings": {"lr": 1}}},
        "momentum, weight_decay, step_size, gamma missing",
    ),
    ({"resnet18": {"run_hpo": 0, "optimal_hpo_settings": {**BEST, "gama": 1}}}, "unknown gama (did you mean 'gamma'?)"),
    ({"resnet18": {"run_hpo": 0, "optimal_hpo_settings": {**BEST, "lr": "x"}}}, "lr='x' must be a number"),
    ({"sherpa_parameters": {"lr": [0.001, 0.0001]}}, "sherpa_parameters.lr: [0.001, 0.0001] is reversed"),
    ({"sherpa_parameters": {"lr": [0, 0.1]}}, "low=0 must be more than 0"),
    ({"sherpa_parameters": {"lr": 0.1}}, "0.1 must be [low, high]"),
    ({"sherpa_parameters": {"step_size": [1.5, 3]}}, "must be integers"),
    ({"sherpa_parameters": {"momentun": [0.1, 0.9]}}, "did you mean 'momentum'"),
    ({"sherpa_parameters": None}, "sherpa_parameters: is missing, and resnet34.run_hpo=1 needs it"),
    ({"hpo_parameters": {"lr": [0.1, 1]}}, "two names of the same"),
    ({"max_num_trails": 3}, "max_num_trails: unknown key (did you mean 'max_num_trials'?)"),
    ({"search_epochs": 0}, "0 must be an integer of at least 1"),
    ({"annotations_list": "one"}, "must be a list of names"),
    ({"annotations_list": 0}, "must be a list of names"),
    ({"first_year_class_map": ["Background", 1]}, "first_year_class_map: must be a list of names"),
    ({"resnet34": {"run_hpo": 1, "use_settings_file": "yes"}}, "resnet34.use_settings_file: 'yes' must be 0 or 1"),
    ({"resnet34": {"run_hpo": 1, "pretrained_model_path": 3}}, "resnet34.pretrained_model_path: 3 must be the folder"),
    ({"resnet34": {"run_hpo": 1, "pretrained_model_path": "/train/resnet18_model.pth"}}, "holds code in a pickle"),
    ({"resnet18": {"run_hpo": 0, "optimal_hpo_settings": {**BEST, "lr": -1}}}, "lr=-1 cannot be"),
    ({"resnet18": {"run_hpo": 0, "optimal_hpo_settings": {**BEST, "gamma": 1.5}}}, "gamma=1.5 cannot be"),
    (
        {"resnet18": {"run_hpo": 0, "optimal_hpo_settings": {**BEST, "step_size": 2.5}}},
        "step_size=2.5 must be an integer",
    ),
    ({"resnet18": {"run_hpo": 0, "optimal_hpo_settings": {**BEST, "step_size": 1e400}}}, "Infinity is no number"),
    ({"sherpa_parameters": {"momentum": [0.1, 1.5]}}, "sherpa_parameters.momentum: high=1.5 cannot be"),
    ({"hpo_timeout": "soon"}, "hpo_timeout: 'soon' must be an integer"),
    ({"hpo_timeout": []}, "hpo_timeout: [] must be an integer"),
    ({"fake_dataset_len": 1}, "fake_dataset_len: 1 must be an integer of at least 2"),
    ({"full_hd": "yes"}, "full_hd: 'yes' must be 0 or 1"),
    ({"start_on_checkpoint": "best"}, "start_on_checkpoint: 'best' must be an integer"),
    ({"metrics_iou_range": 0.5}, "metrics_iou_range: must be a list of thresholds"),
    ({"metrics_confidence_range_smal": [0.5]}, "did you mean 'metrics_confidence_range_small'"),
    ({"confidence_threshold_save_img": 2}, "confidence_threshold_save_img: 2 must be a number from 0 to 1"),
    ({"save_dir": 5}, "save_dir: 5 must be a folder"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    file = write(tmp_path, **changes)
    with pytest.raises(ConfigError) as error:
        read_obdb_settings(file)
    assert said in str(error.value)
    assert "settings.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_obdb_settings(tmp_path / "settings.json")
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ConfigError, match="not readable as JSON"):
        read_obdb_settings(tmp_path / "settings.json")
    with pytest.raises(ConfigError, match="no such list of tasks"):
        read_obdb_settings(write(tmp_path), "annotations_list_8k")


def test_no_value_of_another_kind_is_a_stack_trace(tmp_path: Path) -> None:
    given = json.loads(write(tmp_path, metrics_iou_range=[0.5], excluded_frames=[], full_hd=0).read_text())
    file, fine = tmp_path / "settings.json", 0
    places = [(given, key) for key in given] + [
        (holder, key) for holder in (given["resnet18"], given["sherpa_parameters"], BEST) for key in holder
    ]
    given["resnet18"]["optimal_hpo_settings"] = best = dict(BEST)
    for holder, key in places:
        holder = best if holder is BEST else holder
        kept = holder[key]
        for value in (None, True, "x", "", 3, -1, 0.5, [], [1], [[1]], {}, {"a": 1}, [None, 2]):
            holder[key] = value
            file.write_text(json.dumps(given))
            try:
                read_obdb_settings(file)
                fine += 1
            except ConfigError as error:
                assert "\n" not in str(error) and str(file) in str(error)
        holder[key] = kept
    assert fine < 60


def test_all_variants_are_checked_before_the_first_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(variants, "_run", lambda given, variant, config, **how: begun.append(variant.name))
    data = [f"data.data_dir={write_project(tmp_path / 'data', frames=4)}"]
    for wrong, said in (
        ({"run_hpo": 0, "use_settings_file": 1}, r"use_settings_file=1, but there is no .*resnet34_settings\.json"),
        ({"run_hpo": 1, "pretrained_model_path": str(tmp_path / "none")}, "pretrained_model_path: .*: no such file"),
    ):
        with pytest.raises(ConfigError, match=said):
            variants.tune_variants(write(tmp_path, resnet34=wrong), data)
    # What an earlier variant will have trained is there by then.
    later = {"run_hpo": 1, "pretrained_model_path": str(tmp_path / "train" / "resnet18_model")}
    assert not begun
    variants.tune_variants(write(tmp_path, resnet34=later), data)
    assert begun == ["resnet18", "resnet34"]


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.pkl: a pickle can run any code"):
        main(["-f", str(write(tmp_path)), "-t", "train.pkl"])


def test_tasks_of_the_store_become_settings_of_detectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = np.array([[[2, 3, 20, 30]]], np.float32)
    truth = Instances(
        np.zeros((1, 1, 0, 2), np.float32),
        np.zeros((1, 1, 0), np.int8),
        boxes=boxes,
        categories=np.zeros((1, 1), np.int64),
    )
    names = [f"{task}/img{i}.png" for task in PAGE["annotations_list"] for i in range(5)]
    frames = tuple(Frame((ImageRef(Path(name), size=(64, 64)),), truth) for name in names)
    asked = []

    def labels(tasks: tuple[str, ...], images: Path, store: str | None) -> Labels:
        asked.append((tasks, images, store))
        return Labels(Skeleton(()), frames, tmp_path, categories=("weed",))

    monkeypatch.setattr(variants, "_labels", labels)
    given = read_obdb_settings(write(tmp_path, dataset_dir=str(tmp_path), excluded_frames=["img4.png"]))
    data = variants._data(given, "here")
    assert asked == [(tuple(PAGE["annotations_list"]), tmp_path, "here")]
    kept = json.loads((tmp_path / "train/pickled_weed/labels.json").read_text())
    assert [image["file_name"] for image in kept["images"]] == [name for name in names if "img4" not in name]
    config = variants._config(given, given.variants[1], data, [])
    assert (config.model.model_type, config.model.backbone) == ("faster_rcnn", "resnet34")
    assert (config.training.optimizer, config.training.lr_scheduler) == ("SGD", "step")
    # No frame of a recording validates what is learned from its neighbours.
    assert config.training.split.method == "group"
    assert config.tune.space["training.lr_scheduler_params.step.step_size"] == {"low": 1, "high": 5}
    assert (config.tune.max_trials, config.tune.epochs, config.tune.objective) == (16, 10, "val_supervised_loss")
    # Settings of ours beside the tasks of the store, also those of data.
    made = []
    monkeypatch.setattr(variants, "_run", lambda given, variant, config, **how: made.append(config))
    ours = ["data.tiles={size: 64, overlap: 0.2}", "training.split.method=every_nth", "tune.port=null"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        variants.tune_variants(given.path, ours)
    for config in made:
        assert config.data.tiles.size == 64 and config.data.data_dir == tmp_path
        assert (config.training.split.every_nth.validation, config.training.split.every_nth.offset) == (10, 0)


def test_variants_run_in_order_and_leave_their_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_project(tmp_path / "data", frames=8)
    numbers = {"search_epochs": 1, "max_num_trials": 1, "max_train_epochs": 1}
    file = write(tmp_path, **numbers)
    ours = [
        f"data.data_dir={data}",
        "data.image_resize_dims.height=64",
        "data.image_resize_dims.width=64",
        "model.model_type=heatmap",
        "model.backbone=test_resnet",
        "training.backbone_pretrained=false",
        "training.train_prob=0.75",
        "training.val_prob=0.25",
        "training.precision=32",
        "tune.port=null",
        "tune.sampler=random",
    ]
    main(["-f", str(file), *ours])
    train = tmp_path / "train"
    assert capsys.readouterr().out == f"resnet18: {train}/resnet18_model\nresnet34: {train}/resnet34_model\n"
    written = json.loads((train / "resnet34_settings.json").read_text())
    assert list(written) == ["Trial-ID", "Iteration", *variants.PARAMETERS, "Objective", "best_value"]
    assert (written["Trial-ID"], written["Iteration"]) == (1, 1)
    assert written["Objective"] == written["best_value"]
    assert all(low <= written[name] <= high for name, (low, high) in PAGE["sherpa_parameters"].items())
    # What the search found is what a later file may train with, as it stands.
    kept = {"resnet34": {"run_hpo": 0, "use_settings_file": 1}, "variants": ["resnet34"], **numbers}
    main(["-f", str(write(tmp_path, **kept)), *ours])
    assert capsys.readouterr().out == f"resnet34: {train}/resnet34_model\n"
