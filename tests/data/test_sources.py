from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitruve.config.compose import compose
from vitruve.config.schema import Config
from vitruve.data.settings import DataSettings
from vitruve.data.sources import load_labels, own_skeleton_labels
from vitruve.errors import ConfigError, InputError
from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import KNOWN
from vitruve.training.prepare import draw_split


def write_set(
    folder: Path,
    skeleton: Skeleton,
    count: int = 4,
    categories: Sequence[str] = ("person",),
    without: Sequence[int] = (),
    seed: int = 0,
) -> Labels:
    """A COCO file with images of one or two instances; those of some images are not written."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        path = Path(f"img{number}.png")
        if number not in without:
            write_image(folder / path, np.zeros((40, 60, 3), np.uint8))
        points = rng.uniform(1, 39, (1, 1 + number % 2, len(skeleton), 2))
        kinds = np.full((1, 1 + number % 2), number % len(categories))
        frames.append(Frame((ImageRef(path, size=(60, 40)),), Instances.from_keypoints(points, categories=kinds)))
    labels = Labels(skeleton, tuple(frames), folder, tuple(categories))
    write_labels(labels, folder / "annotations.json", "coco")
    return labels


def settings(folder: Path, **data: Any) -> DataSettings:
    return DataSettings(**{"data_dir": folder, "csv_file": "annotations.json", **data})


def sets(*entries: dict[str, Any], **data: Any) -> DataSettings:
    return DataSettings.model_validate({"sets": [{"csv_file": "annotations.json", **each} for each in entries], **data})


def test_labels_of_coco_as_openpose(tmp_path: Path) -> None:
    given = write_set(tmp_path, KNOWN["coco17"])
    labels = load_labels(settings(tmp_path, skeleton="openpose18"))
    assert labels.skeleton is KNOWN["openpose18"] and len(labels) == 4
    shoulders = given[1].instances.keypoints[0, :, 5:7]
    np.testing.assert_allclose(labels[1].instances.keypoints[0, :, 1], shoulders.mean(1))
    own = own_skeleton_labels(settings(tmp_path, skeleton="openpose18"))
    assert own.skeleton == KNOWN["coco17"]


def test_what_is_never_labelled_is_said(tmp_path: Path) -> None:
    write_set(tmp_path, KNOWN["coco17"])
    with pytest.warns(UserWarning, match="head_top, upper_neck: not labelled below"):
        load_labels(settings(tmp_path, skeleton="openpose_mpii15"))


def test_a_known_skeleton_on_the_command_line_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    overrides = ["data.skeleton=openpose18", "data.sets=[{csv_file: x.json, data_dir: a}]"]
    config = compose(None, None, overrides).config
    assert config.data.skeleton == "openpose18" and config.data.sets[0].data_dir == tmp_path / "a"
    assert compose(None, None, ["data.skeleton=mine.yaml"]).config.data.skeleton == str(tmp_path / "mine.yaml")
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    assert Config.load(tmp_path / "config.yaml") == config


def test_two_sets_with_one_skeleton_to_learn(tmp_path: Path) -> None:
    write_set(tmp_path / "coco", KNOWN["coco17"])
    write_set(tmp_path / "mpii", KNOWN["mpii16"], 3)
    both = sets({"data_dir": tmp_path / "coco"}, {"data_dir": tmp_path / "mpii"}, skeleton="openpose18")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        labels = load_labels(both)
        assert own_skeleton_labels(both).skeleton.names == KNOWN["openpose18"].names
    assert len(labels) == 7 and labels.skeleton is KNOWN["openpose18"]
    assert all(labels.path(frame.images[0]).is_file() for frame in labels)
    nose, wrist = 0, 4
    assert np.isnan(labels[5].instances.keypoints[..., nose, :]).all()
    assert np.isfinite(labels[5].instances.keypoints[..., wrist, :]).all()


def test_sets_that_do_not_fit_name_the_setting(tmp_path: Path) -> None:
    write_set(tmp_path / "coco", KNOWN["coco17"])
    write_set(tmp_path / "mpii", KNOWN["mpii16"])
    with pytest.raises(ConfigError, match=r"data.sets: the labels below .*name the skeleton to learn: data.skeleton="):
        load_labels(sets({"data_dir": tmp_path / "coco"}, {"data_dir": tmp_path / "mpii"}))


def test_the_same_keypoints_in_another_order(tmp_path: Path) -> None:
    write_set(tmp_path / "a", Skeleton(("nose", "tail")))
    given = write_set(tmp_path / "b", Skeleton(("tail", "nose")))
    labels = load_labels(sets({"data_dir": tmp_path / "a"}, {"data_dir": tmp_path / "b"}))
    np.testing.assert_array_equal(labels[4].instances.keypoints, given[0].instances.keypoints[:, :, ::-1])


def test_categories_of_several_sets_are_one_list(tmp_path: Path) -> None:
    joints = Skeleton(("nose", "tail"))
    write_set(tmp_path / "a", joints, 2, ("dog", "cat"))
    write_set(tmp_path / "b", joints, 2, ("cat", "fish"))
    labels = load_labels(sets({"data_dir": tmp_path / "a"}, {"data_dir": tmp_path / "b"}))
    assert labels.categories == ("dog", "cat", "fish")
    assert [frame.instances.categories[0, 0] for frame in labels] == [0, 1, 1, 2]


def test_shares_and_splits(tmp_path: Path) -> None:
    joints = Skeleton(("nose", "tail"))
    write_set(tmp_path / "a", joints, 10)
    write_set(tmp_path / "b", joints, 4)
    data = sets(
        {"data_dir": tmp_path / "a", "share": 0.3, "split": "train"}, {"data_dir": tmp_path / "b", "split": "test"}
    )
    labels = load_labels(data)
    assert [frame.split for frame in labels] == ["train"] * 3 + ["test"] * 4
    assert [f.name for f in load_labels(data)] == [f.name for f in labels]
    given = Config.from_mapping({"training": {"split": {"method": "given"}}}).training
    assert draw_split(labels, given) == ["train"] * 3 + ["test"] * 4


def test_sets_beside_a_file_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"csv_file=a.csv beside sets: list all label files in sets"):
        Config.from_mapping({"data": {"csv_file": "a.csv", "sets": [{"csv_file": "b.csv"}]}})
    with pytest.raises(ConfigError, match=r"label_format=coco beside sets: name the format of each set"):
        Config.from_mapping({"data": {"label_format": "coco", "sets": [{"csv_file": "b.csv"}]}})
    with pytest.raises(ConfigError, match=r"data\.sets.*sharee"):
        Config.from_mapping({"data": {"sets": [{"csv_file": "b.csv", "sharee": 1}]}})


def test_images_that_are_not_there(tmp_path: Path) -> None:
    write_set(tmp_path, Skeleton(("nose", "tail")), 9, without=(1, 2, 5, 6))
    message = r"4 of the 9 images that are labelled are not there \(img1.png, img2.png, img5.png, .., below "
    with pytest.raises(InputError, match=message + r".*data.missing_images=skip"):
        load_labels(settings(tmp_path))
    with pytest.warns(UserWarning, match=message + r".* and are left out"):
        labels = load_labels(settings(tmp_path, missing_images="skip"))
    assert [frame.name for frame in labels] == ["img0.png", "img3.png", "img4.png", "img7.png", "img8.png"]


def test_none_of_the_images_is_there(tmp_path: Path) -> None:
    write_set(tmp_path, Skeleton(("nose", "tail")), 3, without=range(3))
    for missing in ("error", "skip"):
        with pytest.raises(InputError, match=r"3 of the 3 images .* put them where the labels say$"):
            load_labels(settings(tmp_path, missing_images=missing))


def test_the_filter_applies_to_what_is_learned_and_to_what_is_measured(tmp_path: Path) -> None:
    write_set(tmp_path, KNOWN["coco17"])
    data = settings(tmp_path, filter={"min_instances": 2}, skeleton="openpose18")
    for labels in (load_labels(data), own_skeleton_labels(data)):
        assert [frame.name for frame in labels] == ["img1.png", "img3.png"]
    with pytest.raises(ConfigError, match=r"data.filter: leaves none of 4 images \(min_instances=3 drops 4\)"):
        load_labels(settings(tmp_path, filter={"min_instances": 3}))


def test_real_people_of_two_data_sets(data_dir: Path) -> None:
    data = DataSettings.model_validate(
        {
            "sets": [
                {"csv_file": "test_coco.json", "data_dir": data_dir / "coco_mini", "split": "train"},
                {"csv_file": "test_mpii.json", "data_dir": data_dir / "mpii_mini", "split": "validation"},
            ],
            "skeleton": "openpose18",
            "filter": {"min_keypoints": 5, "min_area": 1024},
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        labels = load_labels(data)
    assert len(labels) == 9 and all(labels.path(frame.images[0]).is_file() for frame in labels)
    seen = [int((frame.instances.visible > 0).any(-1).sum()) for frame in labels]
    assert seen == [1, 2, 4, 5, 1, 1, 1, 1, 1]
