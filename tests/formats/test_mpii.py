from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpii_release import person, struct, structs, write_release
from scipy.io import savemat

from vitruve.errors import InputError
from vitruve.formats import mpii, mpii_json
from vitruve.formats.conversion import convert
from vitruve.formats.hub import read_labels, recognise
from vitruve.media.images import write_image


def entry(name: str, seed: int) -> dict[str, Any]:
    """A person of HRNet's list, with joints between 20 and 90, counted from 1; the right ankle is missing."""
    rng = np.random.default_rng(seed)
    joints = rng.integers(20, 90, (16, 2)).astype(float).tolist()
    joints[8:10] = [[50.25, 40.75], [51.5, 20.125]]
    joints[0] = [-1.0, -1.0]
    return {
        **{"image": name, "joints": joints, "joints_vis": [0] + [1] * 15, "scale": 0.5, "center": [55.0, 56.0]},
    }


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Five images: one, two people; only one without joints; a test image; one without anybody."""
    a, b, c = (entry(name, seed) for seed, name in enumerate("abb"))
    bare = {"x1": 5, "y1": 6, "x2": 11, "y2": 14}
    tested = {"scale": 0.2, "objpos": struct(x=30.0, y=31.0)}
    images = [
        ("a.png", True, [person(a, 0)], [1]),
        ("b.png", True, [person(b, 1), person(c, 2), bare], [2]),
        ("c.png", True, [bare], []),
        ("d.png", False, [tested], []),
        ("e.png", True, [], []),
    ]
    # Below a folder of its own: images are looked for in the one above, too.
    file = tmp_path / "mpii" / "mpii_human_pose_v1_u12_1.mat"
    file.parent.mkdir()
    write_release(file, images)
    return file


def test_joints_count_from_zero_and_say_what_is_seen(release: Path) -> None:
    assert recognise(release).NAME == "mpii"
    labels = read_labels(release)
    assert [frame.name for frame in labels] == ["a.png", "b.png"] and labels.skeleton is mpii.SKELETON
    joints = np.array(entry("a", 0)["joints"]) - 1
    joints[0] = np.nan
    people = labels[0].instances[0]
    np.testing.assert_array_equal(people.keypoints[0], joints)
    # Numbers and texts in turn, and nothing for the two that follow from the head, which are seen.
    expected = [0 if n == 0 else 2 if n in (8, 9) else (2, 2, 1, 1)[n % 4] for n in range(16)]
    assert people.visible[0].tolist() == expected


def test_boxes_scales_and_ids(release: Path) -> None:
    labels = read_labels(release)
    people = labels[1].instances[0]
    assert people.head_boxes is not None and people.boxes is not None
    np.testing.assert_array_equal(people.head_boxes[2], [4, 5, 10, 13])
    joints = np.array(entry("b", 1)["joints"])[1:] - 1
    around = np.concatenate([joints, people.head_boxes[0].reshape(2, 2)])
    np.testing.assert_array_equal(people.boxes[0], [*around.min(0), *around.max(0)])
    assert (people.visible[2] == 0).all() and [frame.id for frame in labels] == [0, 1]
    assert labels[1].ignore == ()
    images = mpii.read_images(release)
    assert [image.train for image in images] == [True, True, True, False, True]
    assert images[0].people[0].scale == 0.5 and images[0].people[0].center.tolist() == [54, 55]
    np.testing.assert_allclose(images[3].people[0].box, [9, 10, 49, 50])
    assert images[4].people == ()


def test_people_without_joints_are_ignored_where_the_image_is(release: Path) -> None:
    write_image(release.parent / "images" / "b.png", np.zeros((100, 120, 3), np.uint8))
    frame = read_labels(release)[1]
    assert frame.images[0].path == Path("images/b.png") and frame.images[0].size == (120, 100)
    inside = np.zeros((100, 120), bool)
    inside[5:13, 4:10] = True
    np.testing.assert_array_equal(frame.ignore[0].array(), inside)


def test_people_who_stand_apart(release: Path) -> None:
    labels = mpii.read(release, single_person=True)
    seen = [(frame.instances.visible > 0).any(-1)[0].tolist() for frame in labels]
    assert seen == [[True], [False, True, False]]


def test_splits(release: Path) -> None:
    assert [frame.split for frame in read_labels(release)] == ["validation", "train"]
    (release.parent / "validation.txt").write_text("images/b.png\n")
    assert [frame.split for frame in read_labels(release)] == ["train", "validation"]
    (release.parent / "split_val.json").write_text(json.dumps([{"image": "a.png"}, {"image": "c.png"}]))
    assert [frame.split for frame in read_labels(release)] == ["validation", "train"]
    (release.parent / "split_val.json").write_text('["x.png"]')
    with pytest.raises(InputError, match=r"split_val.json: names no image of .* that has joints"):
        read_labels(release)
    (release.parent / "split_val.json").write_text("5")
    with pytest.raises(InputError, match=r"split_val.json: must be a list of image names"):
        read_labels(release)


def test_a_file_that_is_not_of_mpii(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"x": np.ones(3)})
    with pytest.raises(InputError, match=r"a.mat: holds no RELEASE.annolist; give MPII's"):
        read_labels(path, "mpii")
    with pytest.raises(InputError, match=r"a.mat: holds neither params and labelData of DANNCE nor RELEASE of MPII"):
        read_labels(path)
    savemat(path, {"RELEASE": struct(annolist=structs([{"image": struct(name="a")}]), img_train=np.ones((1, 2)))})
    with pytest.raises(InputError, match="img_train has 2 entries for 1 images of annolist"):
        read_labels(path)
    path.write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 200)
    with pytest.raises(InputError, match=r"a.mat: not a MATLAB file"):
        read_labels(path, "mpii")
    with pytest.raises(InputError, match="no such file; give MPII's"):
        mpii.read(tmp_path / "b.mat")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 16}, r"annolist\(1\) \(a.png\).annorect\(1\): joint 16; joints are numbered from 0 to 15"),
        ({"x": float("nan")}, r"annorect\(1\).x: nan; must be a finite number"),
        ({"is_visible": "often"}, r"is_visible: often; must be a finite number"),
    ],
)
def test_wrong_joints(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    point = {"x": 1.0, "y": 2.0, "id": 3, "is_visible": "1"} | change
    write_release(tmp_path / "a.mat", [("a.png", True, [{"annopoints": struct(point=structs([point]))}], [])])
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path / "a.mat")


def test_without_any_joint(tmp_path: Path) -> None:
    write_release(tmp_path / "a.mat", [("a.png", True, [{"scale": 1.0}], [])])
    with pytest.raises(InputError, match="none of its images has a person with joints"):
        read_labels(tmp_path / "a.mat")


def test_the_list_of_hrnet(tmp_path: Path) -> None:
    (tmp_path / "valid.json").write_text(json.dumps([entry("b.png", 1), entry("a.png", 0), entry("b.png", 2)]))
    assert recognise(tmp_path / "valid.json").NAME == "mpii_json"
    labels = read_labels(tmp_path / "valid.json")
    assert [frame.name for frame in labels] == ["b.png", "a.png"] and labels[0].split == "validation"
    people = labels[0].instances[0]
    np.testing.assert_array_equal(people.keypoints[1, 1:], np.array(entry("b", 2)["joints"])[1:] - 1)
    assert people.visible[:, 0].tolist() == [0, 0] and np.isnan(people.keypoints[:, 0]).all()
    assert people.boxes[0].tolist() == [4, 5, 104, 105]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "must be a list of people"),
        ([{"joints_vis": []}], "entry 0: must have image"),
        ([{**entry("a", 0), "joints": [[1, 2]]}], r"entry 0 \(a\).joints: must be 16 x 2 finite numbers"),
        ([{**entry("a", 0), "joints_vis": None}], r"entry 0 \(a\).joints_vis: must be 16 finite numbers"),
        ([{**entry("a", 0), "scale": "tall"}], r"entry 0 \(a\).scale: must be one finite numbers"),
    ],
)
def test_wrong_lists(values: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=rf"a.json: {message}"):
        mpii_json.read(tmp_path / "a.json")


def test_the_real_list_as_matlab_file(data_dir: Path, tmp_path: Path) -> None:
    listed = read_labels(data_dir / "mpii_mini" / "test_mpii.json")
    assert len(listed) == 5 and all(listed.path(frame.images[0]).is_file() for frame in listed)
    entries = json.loads((data_dir / "mpii_mini" / "test_mpii.json").read_text())
    images = [(each["image"], True, [person(each, turn)], [1]) for turn, each in enumerate(entries)]
    write_release(tmp_path / "a.mat", images)
    found = read_labels(tmp_path / "a.mat", root=data_dir / "mpii_mini")
    for one, other in zip(listed, found, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.instances.keypoints, other.instances.keypoints)
        assert ((one.instances.visible > 0) == (other.instances.visible > 0)).all()
    convert(data_dir / "mpii_mini" / "test_mpii.json", tmp_path / "set", "coco")
    again = read_labels(tmp_path / "set")
    np.testing.assert_array_equal(again[0].instances.keypoints, listed[0].instances.keypoints)
    assert again.skeleton == mpii.SKELETON
