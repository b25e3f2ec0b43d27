"""``Dataset``: COCO, MPII, the user's own, added data, several together; filters in all three pipelines."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formats.mpii_release import person, struct, write_release
from vitruve.compat.hyperpose import Config, Dataset
from vitruve.compat.hyperpose.anatomy import NameConverter, learned_skeleton
from vitruve.compat.hyperpose.targets import bare_labels, read_mask
from vitruve.compat.hyperpose.training import training_labels
from vitruve.errors import ConfigError, InputError
from vitruve.formats import coco as coco_format
from vitruve.media.images import write_image
from vitruve.structures.skeletons import known_skeleton


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / f"own{number}.png") for number in range(2)]
    for path in paths:
        write_image(path, np.zeros((60, 80, 3), np.uint8))
    return paths


@pytest.fixture
def mpii(tmp_path: Path) -> Path:
    """Three training images, of which the first validates, and one test image, named by numbers."""
    rng = np.random.default_rng(0)

    def entry() -> dict[str, Any]:
        joints = rng.integers(20, 90, (16, 2)).astype(float).tolist()
        joints[8:10] = [[50.25, 40.75], [51.5, 20.125]]
        return {"joints": joints, "joints_vis": [1] * 16, "scale": 0.5, "center": [55.0, 56.0]}

    tested = {"scale": 0.2, "objpos": struct(x=30.0, y=31.0)}
    images = [(f"0000{n}.png", True, [person(entry(), n)], [1]) for n in range(3)]
    home = tmp_path / "mpii"
    home.mkdir()
    write_release(home / "mpii_human_pose_v1_u12_1.mat", [*images, ("00009.png", False, [tested], [])])
    for name in ("00000", "00001", "00002", "00009"):
        write_image(home / f"{name}.png", np.zeros((100, 100, 3), np.uint8))
    return tmp_path


def own(paths: list[str], count: int = 17) -> list[dict[str, Any]]:
    kpt = [[[10.0 + k, 20.0] for k in range(count)]]
    return [{"kpt": kpt, "mask": None, "bbx": [[9, 18, 20, 30]]}, {"kpt": kpt, "bbxs": [[9, 18, 20, 30]]}][: len(paths)]


def test_coco(coco: Path) -> None:
    Config.set_dataset_path(coco)
    config = Config.get_config()
    dataset = Dataset.get_dataset(config)
    truth = coco_format.read(coco / "mscoco2017" / "annotations" / "person_keypoints_train2017.json")
    people = [f for f in truth if (f.instances.visible > 0).any()]
    paths, targets = dataset.generate_train_data()
    assert [Path(path).name for path in paths] == [f.first_image.path.name for f in people]
    assert targets[0].keys() == {"kpt", "mask", "bbx", "bbxs"}
    first = people[0].instances[0]
    kpt = np.array(targets[0]["kpt"])
    assert kpt.shape[1:] == (17, 3)
    there = first[(first.visible > 0).any(-1)]
    np.testing.assert_allclose(kpt[..., :2], np.nan_to_num(there.keypoints))
    labels = training_labels(dataset, config)
    assert labels.skeleton.names == known_skeleton("openpose18").names and len(labels) == len(people)
    assert dataset.get_train_datasize() == len(people)
    nose = labels[0].instances.keypoints[0, :, 0]
    np.testing.assert_allclose(nose, there.keypoints[:, 0])
    ignored = [bool(frame.ignore) for frame in people]
    assert [bool(frame.ignore) for frame in labels] == ignored
    eval_paths, numbers = dataset.get_eval_dataset(in_list=True)
    assert numbers == [10001, 10002, 10003] and dataset.get_eval_datasize() == len(eval_paths) == 3
    assert [number for _, number in dataset.get_test_dataset()] == [1, 2]
    assert [part.name for part in dataset.get_parts()][:3] == ["Nose", "LEye", "REye"]
    assert len(dataset.get_colors()) == 17 and dataset.get_dataset_type() is Config.DATA.MSCOCO


def test_a_neck_needs_both_shoulders() -> None:
    convert = NameConverter(known_skeleton("coco17"), known_skeleton("openpose18"))
    values = np.zeros((17, 3))
    values[5], values[6] = (100, 50, 2), (2000, 50, 0)
    assert convert(values)[1].tolist() == [0, 0, 0], "one shoulder that is missing makes no neck"
    values[6] = 120, 60, 1
    assert convert(values)[1].tolist() == [110, 55, 1]
    back = NameConverter(known_skeleton("openpose18"), known_skeleton("coco17"))
    assert np.array_equal(back(convert(values)), values)


def test_coco_measures_all_images(coco: Path, tmp_path: Path) -> None:
    Config.set_dataset_path(coco)
    dataset = Dataset.get_dataset(Config.get_config())
    rows = []
    for frame in dataset.labels("val"):
        people = frame.instances[0]
        for n in np.flatnonzero((people.visible > 0).any(-1)):
            values = np.concatenate([np.nan_to_num(people.keypoints[n]), people.visible[n][:, None] > 0], 1)
            rows.append({"image_id": frame.id, "category_id": 1, "keypoints": values.ravel().tolist(), "score": 0.9})
    perfect = dataset.official_eval({"annotations": rows}, tmp_path / "eval")
    assert perfect["AP"] == pytest.approx(1)
    half = [row for row in rows if row["image_id"] == rows[0]["image_id"]]
    missed = dataset.official_eval(half, tmp_path / "eval")
    assert 0 < missed["AP"] < 1, "images without a prediction are missed, not forgotten"
    alone = dataset.official_eval(half, tmp_path / "eval", image_ids=[rows[0]["image_id"]])
    assert alone["AP"] == pytest.approx(1)
    with pytest.raises(InputError, match=r"official_eval: row 0\.image_id: 5 is the id of no image"):
        dataset.official_eval([{**rows[0], "image_id": 5}], tmp_path)
    with pytest.raises(InputError, match=r"row 0\.keypoints: 48 numbers; expected 51"):
        dataset.official_eval([{**rows[0], "keypoints": [1] * 48}], tmp_path)
    with pytest.raises(InputError, match=r"row 0: 'image_id'; give image_id, keypoints and score"):
        dataset.official_eval([{}], tmp_path)


def test_mpii(mpii: Path, tmp_path: Path) -> None:
    Config.set_dataset_type(Config.DATA.MPII)
    Config.set_dataset_path(mpii)
    config = Config.get_config()
    dataset = Dataset.get_dataset(config)
    assert [number for _, number in dataset.get_eval_dataset()] == [0]
    assert [number for _, number in dataset.get_test_dataset()] == [9]
    labels = training_labels(dataset, config)
    assert labels.skeleton.names == known_skeleton("openpose_mpii15").names and len(labels) == 2
    truth = dataset.labels("val")[0].instances[0]
    values = np.concatenate([np.nan_to_num(truth.keypoints[0]), truth.visible[0][:, None] > 0], 1)
    row = {"image_id": 0, "keypoints": values.ravel().tolist(), "score": 1.0}
    assert dataset.official_eval([row], tmp_path / "eval")["Mean"] == 1
    assert dataset.official_eval([], tmp_path / "eval")["Mean"] == 0
    assert json.loads((tmp_path / "eval" / "result.json").read_text())["Mean"] == 0
    assert dataset.official_test([row], tmp_path / "test").is_file()


def test_filters_look_at_meta_objects_in_all_three(coco: Path, mpii: Path) -> None:
    seen: list[Any] = []

    def keep(meta: Any) -> bool:
        seen.append(meta)
        return len(seen) % 2 == 1

    Config.set_dataset_filter(keep)
    for kind, root, counts in ((Config.DATA.COCO, coco, (2, 2, 1)), (Config.DATA.MPII, mpii, (1, 1, 1))):
        Config.set_dataset_type(kind)
        Config.set_dataset_path(root)
        dataset = Dataset.get_dataset(Config.get_config())
        found = []
        for generate in (dataset.generate_train_data, dataset.generate_eval_data, dataset.generate_test_data):
            seen.clear()
            found.append(len(generate()[0]))
        assert tuple(found) == counts
    metas = [Dataset.COCOMeta.of(labels, labels[0]) for labels in [coco_format.read(coco / "mscoco2017")]]
    assert metas[0].joint_list[0].shape == (51,) and metas[0].is_crowd is False
    assert (metas[0].height, metas[0].width) == (128, 160) and len(metas[0].bbx_list) >= len(metas[0].joint_list)
    assert isinstance(seen[0], Dataset.MPIIMeta) and seen[0].image_id == 9 and seen[0].scale_list == [40.0]
    Config.set_dataset_filter(lambda meta: False)
    with pytest.raises(InputError, match="<lambda> keeps none of the 2 images"):
        Dataset.get_dataset(Config.get_config()).generate_train_data()


def test_added_data_with_either_name_of_boxes(coco: Path, pictures: list[str]) -> None:
    Config.set_dataset_path(coco)
    Config.set_useradd_data(pictures, own(pictures), 3)
    config = Config.get_config()
    labels = training_labels(Dataset.get_dataset(config), config)
    added = [frame for frame in labels if frame.first_image.path.name.startswith("own")]
    assert len(added) == 6 and len(labels) == 10
    for frame in added:
        assert frame.instances.boxes is not None and frame.instances.boxes[0, 0].tolist() == [9, 18, 29, 48]
        assert frame.instances.keypoints[0, 0, 0].tolist() == [10, 20]
    Config.set_official_dataset(False)
    config = Config.get_config()
    assert len(training_labels(Dataset.get_dataset(config), config)) == 6
    Config.set_useradd_data(pictures[:1], [{"kpt": [[1, 2]]}])
    config = Config.get_config()
    with pytest.raises(InputError, match=r"own0\.png: person 0: keypoints of a person are \(2,\)"):
        training_labels(Dataset.get_dataset(config), config)


class Own:
    """A data set of the user's own, as the page describes it."""

    def __init__(self, pairs: Any, convert: Any = None) -> None:
        self.pairs = pairs
        if convert is not None:
            self.get_input_kpt_cvter = lambda: convert

    def get_train_dataset(self) -> Any:
        return iter(self.pairs)

    def get_eval_dataset(self) -> Any:
        return [(path, f"name {number}") for number, (path, _) in enumerate(self.pairs)]


PARTS = Enum("Parts", "Nose Tail Background", start=0)


def labelled(dataset: Any) -> Any:
    Config.set_custom_parts(PARTS)
    Config.set_custom_limbs([(0, 1)])
    Config.set_userdef_dataset(dataset)
    config = Config.get_config()
    return training_labels(Dataset.get_dataset(config), config)


def test_a_data_set_of_ones_own(pictures: list[str]) -> None:
    polygon = [[0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0]]
    target = {"kpt": [[[5, 6], [-1000, -1000]], [[7, 8], [9, 10]]], "bbx": None, "mask": polygon}
    labels = labelled(Own([(pictures[0].encode(), json.dumps(target)), (pictures[1], target)]))
    for frame in labels:
        assert frame.instances.visible[0].tolist() == [[2, 0], [2, 2]]
        assert frame.instances.keypoints[0, 1].tolist() == [[7, 8], [9, 10]]
        assert np.isnan(frame.instances.keypoints[0, 0, 1]).all() and frame.ignore[0].array().sum() == 100
    turned = labelled(Own([(pictures[0], target)], convert=lambda person: person[::-1]))
    assert turned[0].instances.keypoints[0, 1].tolist() == [[9, 10], [7, 8]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (b"\x80\x04\x95nothing", r"Python pickle.*yield the dict itself, or json\.dumps"),
        ("{", "neither a dict nor JSON"),
        ({"keypoints": []}, r"no 'kpt' \(but keypoints\)"),
        ({"kpt": [[[1, 2]] * 5]}, "person 0 has 5 keypoints after conversion, but the model learns 2"),
        ({"kpt": [[1, 2]]}, r"person 0: keypoints of a person are \(2,\); they must be \(K, 2\)"),
        ({"kpt": [[[1, 2], [3, 4]]], "bbx": [[1, 2, 3, 4]] * 2}, "2 boxes in 'bbx' for 1 people"),
        ({"kpt": [[[1, 2], [3, 4]]], "mask": [[1.0, 2.0]]}, "polygon must be x, y of three corners"),
    ],
)
def test_wrong_targets_are_named(target: Any, message: str, pictures: list[str]) -> None:
    with pytest.raises(InputError, match=f"dataset Own: .*own0.png.*{message}"):
        labelled(Own([(pictures[0], target)]))


def test_wrong_data_sets(tmp_path: Path, pictures: list[str]) -> None:
    with pytest.warns(UserWarning, match="1 images are not there"), pytest.raises(InputError, match="no image"):
        labelled(Own([(str(tmp_path / "gone.png"), {"kpt": []})]))
    with pytest.raises(ConfigError, match="object has no method 'get_train_dataset'"):
        labelled(object())
    with pytest.raises(InputError, match=r"element 0 is str; expected \(image path, target\)"):
        labelled(Own(pictures))
    with pytest.raises(InputError, match=r"dataset Own: element 0 is str; expected \(image path, number\)"):
        bare_labels(pictures, known_skeleton("coco17"), "dataset Own")
    Config.set_dataset_filter(len)
    with pytest.warns(UserWarning, match="set_dataset_filter has no effect on Own"):
        labelled(Own([(pictures[0], {"kpt": []})]))
    Config.reset()
    Config.set_dataset_path(tmp_path)
    with pytest.raises(InputError, match=r"no COCO here; .*mscoco2017/annotations/person_keypoints_train2017\.json"):
        Dataset.get_dataset(Config.get_config()).generate_train_data()
    Config.set_dataset_type(Config.DATA.MPII)
    with pytest.raises(InputError, match=r"no mpii_human_pose_v1_u12_1\.mat here"):
        Dataset.get_dataset(Config.get_config()).generate_train_data()
    Config.set_dataset_type(Config.DATA.USERDEF)
    with pytest.raises(ConfigError, match=r"give the data set by Config\.set_userdef_dataset"):
        Dataset.get_dataset(Config.get_config())


def test_several_data_sets(coco: Path, mpii: Path) -> None:
    configs = []
    for kind, root in ((Config.DATA.COCO, coco), (Config.DATA.MPII, mpii)):
        Config.set_dataset_type(kind)
        Config.set_dataset_path(root)
        configs.append(Config.get_config())
    Config.set_multiple_dataset(configs)
    config = Config.get_config()
    dataset = Dataset.get_dataset(config)
    labels = training_labels(dataset, config)
    assert labels.skeleton.names == learned_skeleton(configs[0]).names and len(labels) == 6
    last = labels[-1].instances.visible[0, 0]
    names = labels.skeleton.names
    assert last[names.index("left_elbow")] > 0 and last[names.index("neck")] > 0 and last[names.index("nose")] == 0
    assert [number for _, number in dataset.get_eval_dataset()] == [10001, 10002, 10003]
    assert dataset.official_eval([])["AP"] == 0
    Config.set_dataset_filter(lambda meta: False)
    config = Config.get_config()
    with pytest.raises(InputError, match="keeps none"):
        Dataset.get_dataset(config).generate_train_data()


def test_one_of_ones_own_among_several(coco: Path, pictures: list[str]) -> None:
    Config.set_dataset_path(coco)
    configs = [Config.get_config()]
    turned = [[float(k), 5.0] for k in range(18)]
    Config.set_userdef_dataset(Own([(pictures[0], json.dumps({"kpt": [turned]}))], convert=lambda person: person[::-1]))
    Config.set_multiple_dataset([*configs, Config.get_config()])
    config = Config.get_config()
    labels = training_labels(Dataset.get_dataset(config), config)
    assert labels[-1].instances.keypoints[0, 0, :2].tolist() == [[17, 5], [16, 5]], "its own converter is asked"


def test_masks_in_every_form() -> None:
    inside = np.zeros((6, 8), bool)
    inside[2:4, 1:5] = True
    polygon = [[1.0, 2.0, 5.0, 2.0, 5.0, 4.0, 1.0, 4.0]]
    flat = inside.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = {"counts": np.diff(np.concatenate([[0], edges, [flat.size]])).tolist(), "size": [6, 8]}
    for given in (inside, inside[None], polygon, runs, [runs], [polygon, None]):
        mask = read_mask(given, (8, 6), "x")
        assert mask is not None and np.array_equal(mask.array(), inside)
    assert read_mask(None, (8, 6), "x") is None and read_mask([], (8, 6), "x") is None
    with pytest.raises(InputError, match=r"x: 'mask' is \(3, 3\); expected height and width \(6, 8\)"):
        read_mask(np.zeros((3, 3)), (8, 6), "x")


def test_images_to_adapt_to(pictures: list[str]) -> None:
    Config.set_domainadapt_dataset(pictures, 2)
    pairs = Dataset.get_domainadapt_dataset(Config.get_config())
    assert len(pairs) == 4 and all(target["labeled"] == 0 for _, target in pairs)
    assert replace(Config.get_config().data).domainadapt_scale_rate == 2
