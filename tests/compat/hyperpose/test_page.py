"""The programs of HyperPose's training page, word by word; only the name that is imported from has changed."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from compat.hyperpose.conftest import SIZE, tiny
from vitruve.compat.hyperpose import Config, Dataset, Model
from vitruve.compat.hyperpose.weights import read_arrays
from vitruve.errors import RunError
from vitruve.inference.load import load_run

ASSEMBLE = """
# assemble the system using 'get' APIs
# get config object
config=Config.get_config()
# get model object
model=Model.get_model(config)
# get dataset object
dataset=Dataset.get_dataset(config)
"""

TRAIN = f"""
# set the train configuartion using 'set' APIs
# import modules of hyperpose
from vitruve.compat.hyperpose import Config,Model,Dataset
# set model name
Config.set_model_name(args.model_name)
# set model architecture
Config.set_model_type(Config.MODEL.LightweightOpenpose)
# set model backbone
Config.set_model_backbone(Config.BACKBONE.Vggtiny)
# set dataset to use
Config.set_dataset_type(Config.DATA.COCO)
# set training type
Config.set_train_type(Config.TRAIN.Single_train)
{ASSEMBLE}# get train pipeline
train=Model.get_train(config)
# train!
train(model,dataset)
"""

EVALUATE = f"""
# set the evaluate pipeline using 'set' APIs
# import modules of hyperpose
from vitruve.compat.hyperpose import Config,Model,Dataset
# set model name to be eval
Config.set_model_name(args.model_name)
# set the model architecture and backbone according to the training configuration of the model to be evaluated.
Config.set_model_type(Config.MODEL.LightweightOpenpose)
Config.set_model_backbone(Config.BACKBONE.Vggtiny)
# set dataset to use
Config.set_dataset_type(Config.DATA.MSCOCO)
{ASSEMBLE}# get evaluate pipeline
eval=Model.get_eval(config)
# evaluate!
eval(model,dataset)
"""

ARCHITECTURE = """
    Config.set_model_name(your_model_name)
    Config.set_model_type(similiar_ model_type)
    Config.set_model_arch(your_model_arch)
"""

FILTER = """
    def my_dataset_filter(coco_meta):
        if(len(coco_meta.joint_list)<5 and (not coco_meta.is_crowd)):
            return True
        else:
            return False
    Config.set_dataset_filter(my_dataset_filter)
"""

PREPROCESS = """
preprocess=Model.get_preprocess(Config.MODEL.LightweightOPenpose)
conf_map,paf_map=preprocess(annos,img_height,img_width,model_hout,model_wout,Config.DATA.MSCOCO,data_format="channels_first")
pd_conf_map,pd_paf_map=my_model.forward(input_image[np.newaxis,...])
my_model.cal_loss(conf_map,pd_conf_map,paf_map,pd_paf_map)
"""

POSTPROCESS = """
pd_conf_map,pd_paf_map=my_model.forward(input_image[np.newaxis,...])
postprocess=Model.get_postprocess(Config.MODEL.LightweightOpenpose)
pd_humans=postprocess(pd_conf_map,pd_paf_map,dataset_type,data_format="channels_first")
for pd_human in pd_humans:
    pd_human.draw(input_image)
"""

VISUALIZE = """
pd_conf_map,pd_paf_map=my_model.forward(input_image[np.newaxis,...])
visualize=Model.get_visualize(Config.MODEL.LightweightOpenpose)
visualize(input_image,pd_conf_map,pd_paf_map,save_name="my_visual",save_dir="./vis_dir")
"""

TREE = {
    "log.txt",
    "frozen_page.onnx",
    "model_dir/newest_model.npz",
    "train_vis_dir/train_2_0.png",
    "eval_vis_dir/gt_ann.json",
    "eval_vis_dir/person_keypoints_val2017_hyperpose_results.json",
    "eval_vis_dir/10001_result.png",
    "eval_vis_dir/10001_heatmaps_0.png",
    "test_vis_dir/person_keypoints_test-dev2017_hyperpose_results.json",
    "test_vis_dir/1_result.png",
    "data_vis_dir/000000000001_0.png",
    "data_vis_dir/visualize_info.txt",
}


def run(program: str, **names: Any) -> dict[str, Any]:
    """Carry a program out; what it has defined."""
    found: dict[str, Any] = {"np": np, "Config": Config, "Model": Model, "Dataset": Dataset, **names}
    exec(compile(textwrap.dedent(program), "page", "exec"), found)
    return found


def test_the_integrated_pipelines(coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = SimpleNamespace(model_name="page")
    tiny(coco)
    trained = run(TRAIN, args=args)
    home = tmp_path / "save_dir" / "page"
    weights = trained["model"].algorithm.state_dict()
    stored = read_arrays(home / "model_dir" / "newest_model.npz")
    assert stored.keys() == weights.keys()
    assert all(np.array_equal(stored[name], value.numpy()) for name, value in weights.items()), "to the last bit"
    log = (home / "log.txt").read_text().splitlines()
    assert [line.split()[2:6] for line in log[:3]] == [
        ["Start", "Training-", "model", "page"],
        ["Train", "Step=1", "/", "2:"],
        ["Train", "Step=2", "/", "2:"],
    ]

    evaluated = run(EVALUATE, args=args)
    again = evaluated["model"].algorithm.state_dict()
    assert evaluated["model"] is not trained["model"]
    assert all(torch.equal(weights[name], again[name]) for name in weights), "evaluation loads what training left"
    assert "COCO keypoints on 3 images: AP 0.0" in capsys.readouterr().out
    config, model, dataset = (evaluated[name] for name in ("config", "model", "dataset"))
    assert Model.get_evaluate(config)(model, dataset, vis_num=0, enable_multiscale_search=True).keys() >= {
        "AP",
        "AP50",
        "AR",
    }
    written = Model.get_test(config)(model, dataset)
    assert "codalab" in capsys.readouterr().out and isinstance(json.loads(written.read_text()), list)
    dataset.visualize(2)
    Model.get_export(config)(model)
    there = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert there >= TREE, TREE - there
    truth = json.loads((home / "eval_vis_dir" / "gt_ann.json").read_text())
    assert [image["id"] for image in truth["images"]] == [10001, 10002, 10003]

    plain = load_run(home / "model_dir").algorithm.state_dict()
    assert all(torch.equal(weights[name], plain[name]) for name in weights), "model_dir is a run of the core"

    Config.set_n_step(4)
    config = Config.get_config()
    Model.get_train(config)(Model.get_model(config), dataset)
    log = (home / "log.txt").read_text().splitlines()
    assert [line.split()[2:4] for line in log if "Continue" in line or "Step=" in line][2:] == [
        ["Continue", "Training-"],
        ["Train", "Step=3"],
        ["Train", "Step=4"],
    ]
    Config.set_custom_limbs([(0, 1)])
    config = Config.get_config()
    for work in (Model.get_train(config), Model.get_eval(config), Model.get_test(config)):
        with pytest.raises(RunError, match="holds a model of another skeleton"):
            work(Model.get_model(config), dataset)


def test_a_model_that_is_not_trained(coco: Path) -> None:
    tiny(coco)
    with pytest.raises(RunError, match=r"newest_model\.npz: no such weight file; train the model first"):
        run(EVALUATE, args=SimpleNamespace(model_name="other"))


def test_filter(coco: Path) -> None:
    Config.set_dataset_path(coco)
    run(FILTER)
    dataset = Dataset.get_dataset(Config.get_config())
    paths, targets = dataset.generate_train_data()
    assert len(paths) == len(targets) == 4 and all(len(target["kpt"]) < 5 for target in targets)


@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_a_pipeline_of_ones_own(layout: str, tmp_path: Path) -> None:
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_model_backbone(Config.BACKBONE.Vggtiny)
    Config.set_input_size(*SIZE)
    my_model = Model.get_model(Config.get_config())
    my_model.eval()
    shape = (*SIZE, 3) if layout == "channels last" else (3, *SIZE)
    image = np.random.default_rng(0).random(shape, np.float32)
    annos = [np.random.default_rng(1).uniform(20, 100, (18, 2))]
    names = {
        **{"annos": annos, "img_height": SIZE[0], "img_width": SIZE[1], "my_model": my_model, "input_image": image},
        **{"model_hout": my_model.hout, "model_wout": my_model.wout, "dataset_type": Config.DATA.MSCOCO},
    }
    found = run(PREPROCESS, **names)
    assert found["conf_map"].shape == (my_model.n_pos, 16, 20) == (19, my_model.hout, my_model.wout)
    assert found["paf_map"].shape == (2 * my_model.n_limbs, 16, 20)
    loss = my_model.cal_loss(found["conf_map"], found["pd_conf_map"], found["paf_map"], found["pd_paf_map"])
    assert loss.requires_grad and loss.item() > 0
    run(POSTPROCESS, **names)
    run(VISUALIZE, **names)
    assert (tmp_path / "vis_dir" / "my_visual.png").is_file()
    # The targets themselves give the person back that they were made of.
    before = image.copy()
    postprocess = Model.get_postprocess(Config.MODEL.LightweightOpenpose)
    (human,) = postprocess(found["conf_map"], found["paf_map"], Config.DATA.MSCOCO, data_format="channels_first")
    places = np.array([(part.x, part.y) for _, part in sorted(human.body_parts.items())])
    np.testing.assert_allclose(places, annos[0], atol=0.5)
    human.draw(image)
    assert not np.array_equal(before, image)


def test_the_page_names_what_there_is() -> None:
    for name in ("Openpose", "LightweightOpenpose", "MobilenetThinOpenpose", "Poseproposal", "Pifpaf"):
        assert issubclass(getattr(Model, name), Model.BasicModel)
    for name in ("vgg16_backbone", "vgg19_backbone", "Resnet18_backbone", "Resnet50_backbone", "MobilenetV2_backbone"):
        assert hasattr(Model, name)
    assert Dataset.COCOMeta is Dataset.CocoMeta and Dataset.MPIIMeta
    with pytest.raises(AttributeError, match="did you mean 'Resnet50_backbone'"):
        _ = Model.Resnet51_backbone
    assert "set_model_arch" in ARCHITECTURE
