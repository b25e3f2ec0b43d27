"""Classes of the user's own take effect in training, evaluation and testing; what they give wrong is named."""

from __future__ import annotations

import json
from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compat.hyperpose.conftest import SIZE, tiny
from vitruve.compat.hyperpose import Config, Dataset, Model
from vitruve.compat.hyperpose.prepared import prepared_algorithm
from vitruve.compat.hyperpose.translate import bare_batch
from vitruve.errors import ConfigError, InputError
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances

CALLS: Counter[str] = Counter()
PARTS = Enum("Parts", "Nose LShoulder RShoulder Background", start=0)
HOUT, WOUT = SIZE[0] // 8, SIZE[1] // 8


class Augmentor(Model.BasicAugmentor):
    def process(self, image: Any, annos: Any, mask: Any, bbxs: Any = None) -> Any:
        CALLS["augmentor"] += 1
        assert image.shape == (*SIZE, 3) and image.min() >= 0 and image.max() <= 1
        assert annos.shape[1:] == (4, 2) and mask.shape == SIZE and bbxs.shape == (len(annos), 4)
        return super().process(image, annos, mask, bbxs)


class PreProcessor(Model.BasicPreProcessor):
    def process(self, annos: Any, mask: Any, bbxs: Any) -> dict[str, Any]:
        CALLS["preprocessor"] += 1
        assert (self.parts, self.hout, self.wout, len(self.limbs)) == (PARTS, HOUT, WOUT, 2)
        conf = np.zeros((4, HOUT, WOUT), np.float32)
        for person in annos:
            for part, (x, y) in enumerate(person[:3]):
                if x > -500:
                    conf[part, min(HOUT - 1, max(0, int(y / 8))), min(WOUT - 1, max(0, int(x / 8)))] = 1
        return {"conf_map": conf, "paf_map": np.zeros((4, HOUT, WOUT))}


class PostProcessor(Model.BasicPostProcessor):
    def process(self, predict_x: Any) -> list[list[Any]]:
        CALLS["postprocessor"] += 1
        assert predict_x["conf_map"].shape[1:] == (4, HOUT, WOUT)
        body = {k: Model.BodyPart(self.parts, k, k, 40.0 + k, 30.0, 0.9) for k in range(3)}
        return [[Model.Human(self.parts, self.limbs, self.colors, body)] for _ in predict_x["conf_map"]]


class Visualizer(Model.BasicVisualizer):
    def visualize(self, image_batch: Any, predict_x: Any, *args: Any, name: str = "vis", **more: Any) -> None:
        CALLS[f"visualize {Path(self.save_dir).name}"] += 1
        assert image_batch.shape[1:] == (3, *SIZE) and len(more["humans_list"][0]) == 1

    def visualize_compare(self, image_batch: Any, predict_x: Any, target_x: Any, *args: Any, **more: Any) -> None:
        CALLS[f"compare {Path(self.save_dir).name}"] += 1
        assert predict_x["conf_map"].shape == target_x["conf_map"].shape == (2, 4, HOUT, WOUT)


class Arch(Model.BasicModel):
    """A network of two convolutions."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.ReLU(), nn.Conv2d(8, self.n_pos + 2 * self.n_limbs, 1))

    def forward(self, x: Any, is_train: bool = False, ret_backbone: bool = False) -> dict[str, Any]:
        CALLS["forward train" if is_train else "forward"] += 1
        assert x.dtype == torch.float32 and x.max() <= 1
        maps = self.layers(x)
        return {"conf_map": maps[:, : self.n_pos], "paf_map": maps[:, self.n_pos :]}

    def cal_loss(self, predict_x: Any, target_x: Any, metric_manager: Any, mask: Any = None) -> Any:
        CALLS["cal_loss"] += 1
        metric_manager.update("model/loss", 0)
        return sum(((predict_x[name] - target_x[name]) ** 2 * mask).mean() for name in ("conf_map", "paf_map"))


def keep(meta: Any) -> bool:
    CALLS["filter"] += 1
    return len(meta.joint_list) < 99


def test_everything_of_ones_own_at_once(coco: Path, tmp_path: Path) -> None:
    CALLS.clear()
    tiny(coco)
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_custom_parts(PARTS)
    Config.set_custom_limbs([(0, 1), (0, 2)])
    Config.set_custom_augmentor(Augmentor)
    Config.set_custom_preprocessor(PreProcessor)
    Config.set_custom_postprocessor(PostProcessor)
    Config.set_custom_visualizer(Visualizer)
    Config.set_dataset_filter(keep)
    Config.set_model_arch(Arch)
    config = Config.get_config()
    model, dataset = Model.get_model(config), Dataset.get_dataset(config)
    assert isinstance(model, Arch) and (model.n_pos, model.n_limbs) == (4, 2)
    before = model.layers[0].weight.detach().clone()
    Model.get_train(config)(model, dataset)
    assert not torch.equal(before, model.layers[0].weight), "it has learned"
    assert CALLS["augmentor"] == 4 and CALLS["preprocessor"] > 4, "of training and of what is watched"
    assert CALLS["forward train"] == 2 and CALLS["cal_loss"] >= 3 and CALLS["compare train_vis_dir"] == 1
    trained = Counter(CALLS)

    again = Model.get_model(config)
    found = Model.get_eval(config)(again, dataset)
    assert found["AP"] == 0 and torch.equal(again.layers[0].weight, model.layers[0].weight)
    assert CALLS["postprocessor"] > trained["postprocessor"] and CALLS["visualize eval_vis_dir"] == 3
    assert CALLS["augmentor"] == trained["augmentor"], "evaluation changes no image"
    evaluated = Counter(CALLS)
    written = Model.get_test(config)(again, dataset)
    assert CALLS["postprocessor"] > evaluated["postprocessor"] and CALLS["visualize test_vis_dir"] == 2
    assert CALLS["filter"] > evaluated["filter"] > 0
    assert written.read_text().count('"score":0.8999') == 2, "the people of the user's post-processor"
    assert (tmp_path / "save_dir" / "default_name" / "model_dir" / "newest_model.npz").is_file()


class Own:
    """A data set as the page describes it, whose keypoints are the model's in reverse."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.measured: list[Any] = []

    def get_train_dataset(self) -> Any:
        yield self.image, {"kpt": [[[30, 40], [20, 20], [10, 40]]], "bbx": [[10, 20, 20, 20]], "mask": None}

    def get_eval_dataset(self) -> Any:
        yield self.image, 7

    get_test_dataset = get_eval_dataset

    def get_input_kpt_cvter(self) -> Any:
        CALLS["input"] += 1
        return lambda person: person[[1, 2, 0]]

    def get_output_kpt_cvter(self) -> Any:
        return lambda person: [person[place] for place in (2, 0, 1)]

    def official_eval(self, pd_anns: Any, eval_dir: str) -> Any:
        self.measured = pd_anns["annotations"]
        return {"people": len(self.measured)}


def test_a_data_set_of_ones_own_in_all_three(tmp_path: Path) -> None:
    write_image(tmp_path / "own.png", np.zeros((*SIZE, 3), np.uint8))
    CALLS.clear()
    tiny(tmp_path, steps=1)
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_custom_parts(PARTS)
    Config.set_custom_limbs([(0, 1), (0, 2)])
    Config.set_model_arch(Arch)
    Config.set_custom_postprocessor(PostProcessor)
    Config.set_dataset_type(Config.DATA.USERDEF)
    config, dataset = Config.get_config(), Own(str(tmp_path / "own.png"))
    model = Model.get_model(config)
    Model.get_train(config)(model, dataset)
    assert CALLS["cal_loss"] > 0 and CALLS["input"] == 1
    assert Model.get_eval(config)(model, dataset) == {"people": 1}
    assert (dataset.measured[0]["image_id"], dataset.measured[0]["keypoints"]) == (7, [42, 30, 40, 30, 41, 30])
    written = Model.get_test(config)(model, dataset)
    assert json.loads(written.read_text())[0]["keypoints"] == [42, 30, 40, 30, 41, 30]


def algorithm_of(**custom: Any) -> Any:
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_model_backbone(Config.BACKBONE.Vggtiny)
    Config.set_input_size(64, 64)
    Config.set_custom_parts(PARTS)
    Config.set_custom_limbs([(0, 1), (0, 2)])
    for name, value in custom.items():
        getattr(Config, f"set_{name}")(value)
    config = Config.get_config()
    return prepared_algorithm(Model.get_model(config), config)


def batch() -> Any:
    people = Instances.from_keypoints(torch.rand(2, 1, 3, 2) * 60)
    return bare_batch(2, (64, 64), people)


class Fixed:
    """Gives always the same, whatever it is asked."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def process(self, *args: Any, **more: Any) -> Any:
        return self.value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"conf_map": np.zeros((4, 8, 8))}, "gave no 'paf_map' .but conf_map.; expected 4 x 8 x 8"),
        (
            {"conf_map": np.zeros((3, 8, 8)), "paf_map": np.zeros((4, 8, 8))},
            "'conf_map' is 3 x 8 x 8 .*expected 4 x 8 x 8",
        ),
        (
            {"conf_map": np.zeros((4, 8, 8)), "paf_map": np.zeros((4, 8, 9))},
            "'paf_map' is 4 x 8 x 9 .*expected 4 x 8 x 8",
        ),
        (3, "gave int; a mapping"),
        ({"conf_map": "x", "paf_map": 1}, "'conf_map' is no array of numbers"),
    ],
)
def test_wrong_targets(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"preprocessor Fixed: {message}"):
        algorithm_of(custom_preprocessor=Fixed(value)).encode(batch())


@pytest.mark.parametrize(
    ("value", "message"),
    [([[]], "gave 1 lists; a list of people for each of 2 images"), (None, "gave NoneType"), ([[1], []], "no Human")],
)
def test_wrong_people(value: Any, message: str) -> None:
    algorithm = algorithm_of(custom_postprocessor=Fixed(value)).eval()
    given = batch()
    with torch.no_grad(), pytest.raises(InputError, match=f"postprocessor Fixed: .*{message}"):
        algorithm.decode(algorithm(given), given)


def test_wrong_images_of_an_augmentor() -> None:
    algorithm = algorithm_of(custom_augmentor=Fixed((np.zeros((9, 9, 3)), [], np.zeros((9, 9)), None)))
    with pytest.raises(InputError, match=r"augmentor Fixed: image is \(9, 9, 3\).*expected \(64, 64, 3\)"):
        algorithm.training_losses(batch())
    fitting = np.zeros((64, 64, 3)), np.zeros((4, 3, 2)), np.zeros((64, 64))
    algorithm.places.augmentor = Fixed(fitting)
    with pytest.raises(InputError, match=r"augmentor Fixed: annos is \(4, 3, 2\); expected \(people, 4, 2\)"):
        algorithm.training_losses(batch())
    algorithm.places.augmentor = Fixed((fitting[0], np.zeros((1, 4, 2)), fitting[2], np.zeros((2, 4))))
    with pytest.raises(InputError, match=r"augmentor Fixed: bbxs is \(2, 4\); expected \(1, 4\)"):
        algorithm.training_losses(batch())


class Wrong(Model.BasicModel):
    """Gives what it is told to."""

    given: Any = None
    lost: Any = 0.0

    def forward(self, x: Any) -> Any:
        return self.given

    def cal_loss(self, conf: Any, pd_conf: Any, paf: Any, pd_paf: Any) -> Any:
        assert conf.shape == pd_conf.shape and paf.shape == pd_paf.shape
        return self.lost


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            (torch.zeros(2, 5, 8, 8), torch.zeros(2, 4, 8, 8)),
            "Wrong.forward: 'conf_map' is 5 x 8 x 8 .*expected 4 x 8 x 8",
        ),
        (torch.zeros(2, 4, 8, 8), "Wrong.forward: gave Tensor; conf_map, paf_map are expected"),
        ((torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, 8, 8)), "Wrong.cal_loss: 'model' is float"),
        (
            (torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, 8, 8), torch.zeros(())),
            "Wrong.cal_loss: no gradient leads from model to the network",
        ),
    ],
)
def test_wrong_networks(given: Any, message: str) -> None:
    algorithm = algorithm_of(model_arch=Wrong)
    algorithm.model.given = given
    if len(given) == 3:
        algorithm.model.given, algorithm.model.lost = given[:2], given[2]
    with pytest.raises(InputError, match=message):
        algorithm.training_losses(batch())


def test_a_loss_of_other_arguments() -> None:
    class Six(Wrong):
        given = torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, 8, 8)

        def cal_loss(self, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any: ...

    with pytest.raises(InputError, match=r"Six\.cal_loss\(a.*missing a required argument.*called with 4 maps, or with"):
        algorithm_of(model_arch=Six).training_losses(batch())


def test_what_is_no_class_of_the_right_kind() -> None:
    with pytest.raises(ConfigError, match="set_custom_preprocessor: object has no method 'process'"):
        algorithm_of(custom_preprocessor=object())
    with pytest.raises(ConfigError, match=r"must be a torch\.nn\.Module, or derive from Model\.BasicModel"):
        algorithm_of(custom_preprocessor=None, model_arch=Fixed(1))
    with pytest.raises(ConfigError, match="has no cal_loss"):
        algorithm_of(model_arch=nn.Identity())


def test_a_preset_with_a_loss_of_ones_own() -> None:
    class Mine(Model.LightweightOpenpose):  # type: ignore[name-defined, misc]
        def cal_loss(self, *args: Any, **more: Any) -> Any:
            CALLS["mine"] += 1
            return super().cal_loss(*args, **more)

    CALLS.clear()
    algorithm = algorithm_of(model_arch=Mine)
    losses = algorithm.train().training_losses(batch())
    losses["model"].backward()
    assert CALLS["mine"] == 1 and algorithm.model.algorithm.network.stages[0].conf[-1].weight.grad.abs().sum() > 0
