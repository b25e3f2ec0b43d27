from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats import coco
from vitruve.formats.coco_results import read_results, results_name, write_results
from vitruve.formats.conversion import convert
from vitruve.formats.hub import read_labels, recognise, write_labels
from vitruve.formats.notes import LabelsWarning
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.mask import Mask
from vitruve.structures.skeletons import KNOWN

NAMES = ["nose", "left_ear", "right_ear"]


def content() -> dict[str, Any]:
    """Two images; in the first a person, one without keypoints, and a crowd."""
    square = [2, 2, 6, 2, 6, 6, 2, 6]
    return {
        "images": [
            {"id": 31, "file_name": "a.png", "width": 20, "height": 10},
            {"id": 7, "file_name": "b.png", "width": 20, "height": 10},
        ],
        "categories": [{"id": 5, "name": "dog", "keypoints": NAMES, "skeleton": [[1, 2], [1, 3]]}],
        "annotations": [
            {
                **{"id": 100, "image_id": 31, "category_id": 5, "iscrowd": 0, "area": 12.5, "bbox": [1, 2, 3, 4]},
                **{"keypoints": [3, 4, 2, 0, 0, 0, 5.5, 6, 1], "num_keypoints": 2, "track_id": 4},
            },
            {
                **{"id": 90, "image_id": 31, "category_id": 5, "iscrowd": 0, "area": 16, "bbox": [2, 2, 4, 4]},
                **{"keypoints": [0] * 9, "num_keypoints": 0, "segmentation": [square]},
            },
            {
                **{"id": 901, "image_id": 31, "category_id": 5, "iscrowd": 1, "area": 30, "bbox": [10, 0, 3, 10]},
                **{"keypoints": [0] * 9, "segmentation": {"size": [10, 20], "counts": [100, 30, 70]}},
            },
        ],
    }


def written(folder: Path, change: Callable[[dict[str, Any]], object] = lambda it: None, name: str = "it.json") -> Path:
    values = content()
    change(values)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    return path


def test_what_is_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert recognise(path).NAME == "coco"
    labels = read_labels(path)
    assert labels.skeleton.names == tuple(NAMES) and labels.skeleton.edges == ((0, 1), (0, 2))
    assert labels.skeleton.swaps == ((1, 2),)
    assert labels.categories == ("dog",)
    first, second = labels
    assert (first.id, second.id) == (31, 7) and first.images == (ImageRef(Path("a.png"), size=(20, 10)),)
    people = first.instances[0]
    np.testing.assert_array_equal(people.keypoints[0], [[3, 4], [np.nan, np.nan], [5.5, 6]])
    assert people.visible.tolist() == [[2, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert np.isnan(people.keypoints[1:]).all()
    assert people.crowds.tolist() == [False, False, True]
    assert people.boxes[0].tolist() == [1, 2, 4, 6] and people.areas.tolist() == [12.5, 16, 30]
    assert people.ids.tolist() == [100, 90, 901] and people.tracks.tolist() == [4, -1, -1]
    inside = np.zeros((10, 20), bool)
    inside[2:6, 2:6] = inside[:, 10:13] = True
    np.testing.assert_array_equal(first.ignore[0].array(), inside)
    assert second.ignore == () and second.instances.keypoints.shape == (1, 0, 3, 2)


def test_everything_comes_back(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path))
    write_labels(labels, tmp_path / "again.json", "coco")
    again = read_labels(tmp_path / "again.json")
    assert again.skeleton == labels.skeleton and again.categories == labels.categories
    for one, other in zip(labels, again, strict=True):
        assert (one.id, one.images, one.split) == (other.id, other.images, other.split)
        for name in Instances.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(one.instances, name), getattr(other.instances, name), err_msg=name)
        assert [m.runs.tolist() for m in one.ignore] == [m.runs.tolist() for m in other.ignore]


def test_a_part_to_ignore_that_is_nobodys_becomes_a_crowd(tmp_path: Path) -> None:
    mask = np.zeros((8, 9), bool)
    mask[1:3, 4:7] = True
    people = Instances.from_keypoints(np.full((1, 1, 3, 2), 2.0))
    frame = Frame((ImageRef(Path("a.png"), size=(9, 8)),), people, ignore=(Mask.from_array(mask),))
    write_labels(Labels(KNOWN["coco17"].from_names(NAMES), (frame,)), tmp_path / "a.json", "coco")
    found = read_labels(tmp_path / "a.json")[0]
    assert found.instances.crowds.tolist() == [[False, True]] and found.instances.boxes[0, 1].tolist() == [4, 1, 7, 3]
    np.testing.assert_array_equal(found.ignore[0].array(), mask)


def test_two_categories_with_other_keypoints(tmp_path: Path) -> None:
    def change(it: dict[str, Any]) -> None:
        it["categories"].append({"id": 9, "name": "fish", "keypoints": ["fin", "nose"], "skeleton": [[1, 2]]})
        it["annotations"].append({"id": 1, "image_id": 7, "category_id": 9, "keypoints": [1, 1, 2, 2, 2, 2]})

    labels = read_labels(written(tmp_path, change))
    assert labels.skeleton.names == (*NAMES, "fin") and labels.categories == ("dog", "fish")
    assert labels.skeleton.edges == ((0, 1), (0, 2), (3, 0))
    fish = labels[1].instances[0]
    np.testing.assert_array_equal(fish.keypoints[0, [0, 3]], [[2, 2], [1, 1]])
    assert fish.categories.tolist() == [1] and fish.visible[0].tolist() == [2, 0, 0, 2]


def test_boxes_without_any_keypoint_are_labels(tmp_path: Path) -> None:
    def change(it: dict[str, Any]) -> None:
        it["categories"] = [{"id": 5, "name": "dog"}]
        it["annotations"] = [{"id": 1, "image_id": 7, "category_id": 5, "bbox": [1, 2, 3, 4]}]

    labels = read_labels(written(tmp_path, change))
    assert labels.skeleton.names == () and labels[1].instances.boxes.tolist() == [[[1, 2, 4, 6]]]
    assert labels[1].ignore == ()


def test_a_known_skeleton_brings_its_sigmas(tmp_path: Path) -> None:
    def change(it: dict[str, Any]) -> None:
        it["categories"][0] |= {"keypoints": list(KNOWN["coco17"].names), "skeleton": [[1, 2]]}
        it["annotations"] = []

    skeleton = read_labels(written(tmp_path, change)).skeleton
    assert skeleton.sigmas == KNOWN["coco17"].sigmas and skeleton.derived and skeleton.edges == ((0, 1),)


LAYOUTS = ["", "images", "val2017", "images/val2017", "../val2017", "../images/val2017", "../images"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_are_found(layout: str, tmp_path: Path) -> None:
    home = tmp_path / "set" / "annotations"
    path = written(home, name="person_keypoints_val2017.json")
    write_image(home / layout / "a.png", np.zeros((10, 20, 3), np.uint8))
    labels = read_labels(path)
    assert labels.path(labels[0].images[0]).samefile(home / layout / "a.png")
    assert labels[0].split == "validation"
    assert read_labels(path, root=tmp_path).path(labels[0].images[0])


def test_the_folder_of_a_set_has_both_splits(tmp_path: Path) -> None:
    written(tmp_path / "annotations", name="person_keypoints_train2017.json")
    written(tmp_path / "annotations", name="person_keypoints_val2017.json")
    labels = read_labels(tmp_path)
    assert [frame.split for frame in labels] == ["train", "train", "validation", "validation"]
    written(tmp_path / "annotations", name="person_keypoints_val2014.json")
    with pytest.raises(InputError, match=r"holds several versions of COCO .*name one file"):
        read_labels(tmp_path)


def test_boxes_stand_for_masks_that_are_missing(tmp_path: Path) -> None:
    path = written(tmp_path, lambda it: [it["annotations"][i].pop("segmentation") for i in (1, 2)])
    with pytest.warns(LabelsWarning, match=r"it.json: 2 crowds or .* no segmentation \(first: annotation 90\)"):
        mask = read_labels(path)[0].ignore[0].array()
    assert mask[2:6, 2:6].all() and mask[:, 10:13].all() and mask.sum() == 16 + 30


def test_boxes_that_are_missing_go_around_polygons_and_runs(tmp_path: Path) -> None:
    parts = [[1, 2, 5, 2.5, 3, 7], [8, 1, 9, 1, 9, 3.5]]
    runs = {"size": [10, 20], "counts": [45, 3, 7, 2, 143]}

    def change(it: dict[str, Any]) -> None:
        it["categories"] = [{"id": 5, "name": "dock"}]
        own = {"image_id": 31, "category_id": 5}
        it["annotations"] = [{**own, "id": n + 1, "segmentation": each} for n, each in enumerate((parts, runs, []))]

    people = read_labels(written(tmp_path, change))[0].instances
    assert people.boxes is not None
    assert people.boxes[0, :2].tolist() == [[1, 1, 9, 7], [4, 5, 6, 8]] and np.isnan(people.boxes[0, 2]).all()
    for wrong in ([[1, 2, 3]], {"counts": [1]}, {"size": [10, -1], "counts": [1]}, 5):
        path = written(tmp_path, lambda it, each=wrong: (change(it), put("annotations", 1, segmentation=each)(it)))
        with pytest.raises(InputError, match=r"it\.json: .*\(id 2\)\.segmentation"):
            read_labels(path)


def put(where: str, number: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda it: it[where][number].update(values)


WRONG = {
    "an image that is not there": (
        put("annotations", 0, image_id=8),
        r"annotations\[0\] \(id 100\).image_id: 8 is the",
    ),
    "a category that is not there": (
        put("annotations", 0, category_id=8),
        r"\(id 100\).category_id: 8 is the id of no",
    ),
    "too few numbers": (
        put("annotations", 0, keypoints=[1, 2, 2]),
        r"\(id 100\).keypoints: 3 numbers; expected 9: x, y",
    ),
    "no list": (put("annotations", 0, keypoints=3), r"\(id 100\).keypoints: no numbers; expected 9"),
    "words": (put("annotations", 0, keypoints=["a"] * 9), r"\(id 100\).keypoints: 9 numbers; expected 9"),
    "NaN": (
        put("annotations", 0, keypoints=[float("nan"), 4, 2, 0, 0, 0, 1, 1, 1]),
        r"\(id 100\).keypoints: 'nose' is at \(nan, 4\); write 0, 0, 0",
    ),
    "visibility": (put("annotations", 0, keypoints=[1, 4, 3] * 3), "visibility of 'nose' is 3; must be 0, 1 or 2"),
    "a box of three": (put("annotations", 0, bbox=[1, 2, 3]), r"\(id 100\).bbox: 3 numbers; expected 4"),
    "a box inside out": (put("annotations", 0, bbox=[1, 2, -3, 4]), "must be x, y, width and height"),
    "no mask and no box": (
        put("annotations", 1, segmentation=[], bbox=None),
        r"\(id 90\): has no keypoints, no segmentation and no bbox",
    ),
    "a line": (put("annotations", 1, segmentation=[[1, 2, 3, 4]]), "a polygon must be x, y of three corners or more"),
    "another image's mask": (
        put("annotations", 2, segmentation={"size": [20, 10], "counts": [200]}),
        r"\(id 901\).segmentation.size: \[20, 10\], but the image has height and width \[10, 20\]",
    ),
    "runs too short": (
        put("annotations", 2, segmentation={"size": [10, 20], "counts": [100]}),
        r"\(id 901\).segmentation.counts: do not describe this image",
    ),
    "a size that is no list": (
        put("annotations", 2, segmentation={"size": 5, "counts": [100, 30, 70]}),
        r"\(id 901\).segmentation.size: 5, but the image has",
    ),
    "runs too long to count": (
        put("annotations", 2, segmentation={"size": [10, 20], "counts": [10**30]}),
        r"\(id 901\).segmentation.counts: do not describe this image",
    ),
    "text that is no runs": (put("annotations", 2, segmentation={"size": [10, 20], "counts": "ü"}), "do not describe"),
    "an image twice": (put("images", 1, id=31), r"images\[1\]: id 31 is that of another image"),
    "an annotation twice": (put("annotations", 1, id=100), r"annotations\[1\] \(id 100\): its id is that of another"),
    "no name": (lambda it: it["images"][0].pop("file_name"), r"images\[0\]: must have a whole number as id"),
    "no size": (lambda it: it["images"][0].pop("width"), r"\(id 90\): its image 31 has no width and height"),
    "no categories": (lambda it: it.pop("categories"), "categories: is missing"),
    "limbs of nobody": (put("categories", 0, skeleton=[[0, 4]]), r"categories\[0\]: skeleton: \[0, 4\] must be two"),
    "a split": (put("images", 0, split="most"), "image 31: split: 'most'; must be one of train, "),
    "no image": (lambda it: it.update(images=[], annotations=[]), "holds no image"),
}


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [10, 20], "counts": [7]}, r"\(id 100\).segmentation.counts: do not describe this image"),
        ({"size": [20, 10], "counts": [200]}, r"\(id 100\).segmentation.size: \[20, 10\], but the image"),
        ([[1, 2, 3, 4]], r"\(id 100\).segmentation: a polygon must be"),
    ],
)
def test_a_wrong_mask_that_is_not_needed_is_said_and_left_out(segmentation: Any, message: str, tmp_path: Path) -> None:
    whole = read_labels(written(tmp_path))[0]
    with pytest.warns(LabelsWarning, match=f"it.json: .*{message}.*1 in this file"):
        frame = read_labels(written(tmp_path, put("annotations", 0, segmentation=segmentation)))[0]
    np.testing.assert_array_equal(frame.instances.keypoints, whole.instances.keypoints)
    np.testing.assert_array_equal(frame.ignore[0].array(), whole.ignore[0].array())


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(case: str, tmp_path: Path) -> None:
    change, message = WRONG[case]
    with pytest.raises(InputError, match=message) as caught:
        coco.read(written(tmp_path, change))
    assert "it.json" in str(caught.value) and "\n" not in str(caught.value)


def test_several_views_are_refused(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path))
    twice = replace(labels[0], images=labels[0].images * 2, instances=labels[0].instances[[0, 0]])
    with pytest.raises(InputError, match="coco holds one view, not 2"):
        write_labels(replace(labels, frames=(twice,)), tmp_path / "b.json", "coco")


def test_results_come_back(tmp_path: Path) -> None:
    truth = read_labels(written(tmp_path))
    rng = np.random.default_rng(0)
    frames = []
    for frame, count in zip(truth, (2, 0), strict=True):
        points = rng.uniform(0, 9, (1, count, 3, 2))
        points[:, :1, 1] = np.nan
        likelihood = np.where(np.isnan(points[..., 0]), 0, rng.uniform(size=(1, count, 3)))
        people = Instances.from_keypoints(points, keypoint_scores=likelihood, scores=np.array([[0.9, 0.3]])[:, :count])
        frames.append(replace(frame, instances=people))
    predictions = replace(truth, frames=tuple(frames))
    write_results(predictions, tmp_path / "results.json", tmp_path / "it.json")
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [(row["image_id"], row["category_id"], row["score"]) for row in rows] == [(31, 5, 0.9), (31, 5, 0.3)]
    assert rows[0]["keypoints"][3:6] == [0, 0, 0]
    found = read_results(tmp_path / "results.json", truth)
    for one, other in zip(predictions, found, strict=True):
        np.testing.assert_array_equal(one.instances.keypoints, other.instances.keypoints)
        np.testing.assert_array_equal(one.instances.keypoint_scores, other.instances.keypoint_scores)
    assert results_name("test-dev2017", "pifpaf") == "person_keypoints_test-dev2017_pifpaf_results.json"


def test_results_of_images_named_by_their_numbers(tmp_path: Path) -> None:
    people = Instances.from_keypoints(np.ones((1, 1, 3, 2)), keypoint_scores=np.full((1, 1, 3), 0.5))
    frames = (Frame((ImageRef(Path("COCO_val2014_000000000042.jpg")),), people),)
    labels = Labels(KNOWN["coco17"].from_names(NAMES), frames)
    write_results(labels, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())[0] == {
        **{"image_id": 42, "category_id": 1, "score": 0.5},
        "keypoints": [1, 1, 0.5] * 3,
    }
    nameless = replace(frames[0], images=(ImageRef(Path("dog.jpg")),))
    with pytest.raises(InputError, match=r"r.json: image 'dog.jpg' has no number; give the COCO file"):
        write_results(replace(labels, frames=(nameless,)), tmp_path / "r.json")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "must be a list of rows"),
        ([{"image_id": 1}], "row 0.image_id: 1 is the id of no image"),
        ([{"image_id": 31, "keypoints": [1]}], "row 0.keypoints: 1 numbers; expected 9"),
        ([{"image_id": [31]}], r"row 0.image_id: \[31\] is the id of no image"),
        ([{"image_id": 31, "keypoints": [1] * 9}], "row 0: score and keypoints must be finite"),
        ([{"image_id": 31, "keypoints": ["left"] * 9, "score": 1}], "row 0: score and keypoints must be finite"),
    ],
)
def test_wrong_results(rows: Any, message: str, tmp_path: Path) -> None:
    truth = read_labels(written(tmp_path))
    (tmp_path / "r.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match=f"r.json: {message}"):
        read_results(tmp_path / "r.json", truth)


def test_the_real_file(data_dir: Path, tmp_path: Path) -> None:
    file = data_dir / "coco_mini" / "test_coco.json"
    labels = read_labels(file)
    assert labels.skeleton == KNOWN["coco17"] and len(labels) == 4
    assert all(labels.path(frame.images[0]).is_file() for frame in labels)
    assert sum(int((frame.instances.visible > 0).any(-1).sum()) for frame in labels) == 12
    assert sum(bool(frame.ignore) for frame in labels) == 2
    convert(file, tmp_path / "set", "coco")
    again = read_labels(tmp_path / "set")
    for one, other in zip(labels, again, strict=True):
        assert one.id == other.id
        np.testing.assert_array_equal(one.instances.keypoints, other.instances.keypoints)
        np.testing.assert_array_equal(one.instances.ids, other.instances.ids)
        np.testing.assert_array_equal(one.instances.areas, other.instances.areas)


def test_masks_of_the_real_file_are_cocos(data_dir: Path) -> None:
    api = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    file = data_dir / "coco_mini" / "test_coco.json"
    official = api.COCO(str(file))
    for frame in read_labels(file):
        entries = [a for a in official.imgToAnns[frame.id] if a["iscrowd"] or not a["num_keypoints"]]
        if not entries:
            assert frame.ignore == ()
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            theirs = np.any([official.annToMask(entry) for entry in entries], 0)
        assert (frame.ignore[0].array() != theirs).sum() <= 0.05 * theirs.sum()


def test_coco_itself_takes_results_and_what_is_written(data_dir: Path, tmp_path: Path) -> None:
    api = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    from pycocotools.cocoeval import COCOeval

    truth = read_labels(data_dir / "coco_mini" / "test_coco.json")
    frames = [
        replace(f, instances=replace(f.instances, scores=np.linspace(1, 0.5, f.instances.keypoints.shape[1])[None]))
        for f in truth
    ]
    write_results(replace(truth, frames=tuple(frames)), tmp_path / "results.json")
    write_labels(truth, tmp_path / "truth.json", "coco")
    official = api.COCO(str(tmp_path / "truth.json"))
    measured = COCOeval(official, official.loadRes(str(tmp_path / "results.json")), "keypoints")
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    assert measured.stats[0] == pytest.approx(1.0)
    assert read_results(tmp_path / "results.json", truth)[1].instances.scores.shape == (1, 2)
