from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibrated_scene import VIEWS, rig, scene_labels
from vitruve.errors import InputError
from vitruve.formats.calibration import read_cameras
from vitruve.formats.conversion import convert
from vitruve.formats.hub import read_labels, recognise, write_labels
from vitruve.formats.jarvis import image_names
from vitruve.formats.notes import LabelsWarning
from vitruve.formats.session_cameras import attached, found_calibrations
from vitruve.geometry.triangulation import reprojection_errors, triangulate
from vitruve.media.images import read_image, write_image
from vitruve.structures.camera import stack_cameras
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


def scene(root: Path, sessions: tuple[str, ...] = ("rig/walk", "rig/run"), count: int = 6) -> Labels:
    """Framesets of three views without fractions, with images on disk whose size differs from view to view."""
    labels = scene_labels(count, sessions=sessions)
    frames = []
    for number, frame in enumerate(labels):
        names = [Path(frame.session, view, f"shot{number:03d}.png") for view in VIEWS]
        for view, name in enumerate(names):
            write_image(root / name, np.full((48 + view, 64, 3), number, np.uint8))
        points = np.floor(frame.instances.keypoints) + 0.5
        points[number % len(VIEWS), :, 0] = np.nan
        frames.append(
            replace(frame, images=tuple(ImageRef(name) for name in names), instances=Instances.from_keypoints(points))
        )
    return replace(labels, frames=tuple(frames), root=root, skeleton=Skeleton(labels.skeleton.names, ((0, 1),)))


def training_set(root: Path, **more: object) -> Path:
    """A 3D export in ``root/set``, through conversion."""
    labels = scene(root / "raw", **more)
    names = image_names(labels, "x")
    frames = []
    for frame, places in zip(labels, names, strict=True):
        for image, place in zip(frame.images, places, strict=True):
            write_image(root / "set" / place, read_image(labels.path(image)))
        frames.append(replace(frame, images=tuple(ImageRef(place) for place in places)))
    write_labels(replace(labels, frames=tuple(frames), root=root / "set"), root / "set", "jarvis")
    return root / "set"


def content(folder: Path, split: str = "train") -> dict:
    return json.loads((folder / "annotations" / f"instances_{split}.json").read_text())


def test_a_set_comes_back(tmp_path: Path) -> None:
    wanted = scene(tmp_path / "raw")
    folder = training_set(tmp_path)
    assert recognise(folder).NAME == "jarvis"
    found = read_labels(folder)
    assert found.skeleton == wanted.skeleton and found.view_names == tuple(sorted(VIEWS))
    assert [frame.split for frame in found] == ["train"] * 5 + ["validation"]
    order = [wanted.view_names.index(view) for view in found.view_names]
    np.testing.assert_array_equal(found.keypoints(), wanted.keypoints()[:, order])
    assert [frame.session for frame in found] == [frame.session for frame in wanted]
    for frame, there in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(
            read_image(found.path(frame.images[1])), read_image(wanted.path(there.images[order[1]]))
        )
    assert set(found.cameras) == {"rig/walk", "rig/run"}
    for number, view in enumerate(found.view_names):
        camera, there = found.cameras["rig/walk"][number], wanted.cameras["rig/walk"][VIEWS.index(view)]
        np.testing.assert_array_equal(camera.rotation, there.rotation)
        np.testing.assert_array_equal(camera.intrinsics, there.intrinsics)
        # The size is the image's own, whatever a file says.
        assert camera.size.tolist() == [64, 48 + VIEWS.index(view)]


def test_a_size_is_that_of_the_first_image_that_is_there(tmp_path: Path) -> None:
    folder = training_set(tmp_path)
    lost = sorted(VIEWS)[0]
    (folder / "train/rig/walk" / lost / "Frame_0.png").unlink()
    part = content(folder)
    for image in part["images"]:
        image["width"], image["height"] = 1280, 1024
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(part))
    found = read_labels(folder)
    sizes = {session: cameras[0].size.tolist() for session, cameras in found.cameras.items()}
    assert sizes == {session: [64, 48 + VIEWS.index(lost)] for session in ("rig/walk", "rig/run")}


def test_keys_and_layout_are_those_of_the_exporter(tmp_path: Path) -> None:
    folder = training_set(tmp_path)
    written = content(folder)
    assert list(written) == sorted(written) and "\n" not in (folder / "annotations/instances_train.json").read_text()
    cameras = {view: f"calib_params/rig/{view}.yaml" for view in sorted(VIEWS)}
    assert written["calibrations"] == {"rig": cameras} and list(written["calibrations"]["rig"]) == sorted(VIEWS)
    assert all((folder / file).is_file() for file in cameras.values())
    assert [image["id"] for image in written["images"]] == list(range(15))
    assert written["images"][0]["file_name"] == f"rig/walk/{sorted(VIEWS)[0]}/Frame_0.png"
    assert (written["images"][0]["width"], written["images"][0]["height"]) == (64, 48)
    assert written["framesets"]["rig/walk/Frame_0"] == {"datasetName": "rig", "frames": [0, 1, 2]}
    for key, entry in written["framesets"].items():
        names = [written["images"][i]["file_name"] for i in entry["frames"]]
        assert [name.split("/")[-2] for name in names] == sorted(VIEWS)
        assert {name.replace(f"/{name.split('/')[-2]}/", "/").removesuffix(".png") for name in names} == {key}
    points = [value for entry in written["annotations"] for value in entry["keypoints"]]
    assert all(isinstance(value, int) for value in points) and set(points[2::3]) == {1}
    assert {entry["category_id"] for entry in written["annotations"]} == {1}
    assert [category["id"] for category in written["categories"]] == [0]
    assert written["skeleton"][0].keys() == {"keypointA", "keypointB", "length", "name"}


def test_real_framesets_are_written_as_they_were(data_dir: Path, tmp_path: Path) -> None:
    original = json.loads((data_dir / "jarvis_hand/annotations/instances_val_newformat.json").read_text())
    write_labels(read_labels(data_dir / "jarvis_hand"), tmp_path, "jarvis")
    written, train = content(tmp_path, "val"), content(tmp_path)
    for key in ("images", "framesets", "calibrations", "categories", "licenses"):
        assert written[key] == original[key], key
    assert written.keys() == train.keys() == original.keys()
    assert written["info"].keys() == original["info"].keys()
    for entry, wanted in zip(written["annotations"], original["annotations"], strict=True):
        wanted = wanted | {"id": entry["id"]}
        # The exporter's boxes are of coordinates with their fractions.
        np.testing.assert_allclose(entry.pop("bbox"), wanted.pop("bbox"), atol=1)
        assert entry == wanted


def test_the_hand_triangulates_to_half_a_pixel(data_dir: Path) -> None:
    labels = read_labels(data_dir / "jarvis_hand")
    assert len(labels) == 3 and len(labels.view_names) == 12 and labels.categories == ("Right Hand",)
    assert labels.skeleton.names[0] == "keypoint_0" and {frame.split for frame in labels} == {"validation"}
    assert labels.cameras[labels[0].session][0].size.tolist() == [1280, 1024]
    medians, largest = {}, 0.0
    for frame in labels:
        cameras, pixels = stack_cameras(labels.cameras[frame.session]), frame.instances.keypoints[:, 0]
        errors = reprojection_errors(cameras, triangulate(cameras, pixels), pixels)
        medians[frame.session.rpartition("/")[-1]] = float(np.nanmedian(errors))
        largest = max(largest, float(np.nanmax(errors)))
    assert 0.43 < medians["Sphere"] < 0.47 and 0.43 < medians["Hadle"] < 0.47
    assert 1.6 < medians["Bar horizontal"] < 1.64 and 8 < largest < 11


def test_names_and_bones_of_newer_sets(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "calib_params").symlink_to(data_dir / "jarvis_hand" / "calib_params")
    for folder, name in (("annotations", "instances_val_newformat.json"),):
        (tmp_path / folder / "instances_val.json").write_bytes((data_dir / "jarvis_hand" / folder / name).read_bytes())
    skeleton = read_labels(tmp_path).skeleton
    assert skeleton.names[:2] == ("Pinky_T", "Pinky_D") and skeleton.edges[0] == (0, 1) and len(skeleton.edges) == 15


def test_older_sets_take_names_from_the_skeleton_file(tmp_path: Path) -> None:
    folder = training_set(tmp_path)
    names = read_labels(folder).skeleton.names
    for split in ("train", "val"):
        old = content(folder, split)
        del old["keypoint_names"], old["skeleton"]
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(old))
    assert read_labels(folder).skeleton.names == tuple(f"keypoint_{number}" for number in range(len(names)))
    (folder / "skeleton.yaml").write_text(f"names: [{', '.join(names)}]\n")
    assert read_labels(folder).skeleton.names == names


def test_every_dataset_has_its_own_calibration(tmp_path: Path) -> None:
    labels = scene(tmp_path / "raw", sessions=("one/walk", "two/run"))
    moved = tuple(replace(camera, translation=camera.translation + 5) for camera in rig())
    labels = replace(labels, cameras=dict(labels.cameras) | {"two/run": moved})
    write_labels(labels, tmp_path / "set", "jarvis")
    found = read_labels(tmp_path / "set")
    one, two = (found.cameras[session][0].translation for session in ("one/walk", "two/run"))
    np.testing.assert_array_equal(two, one + 5)
    labels = replace(labels, frames=tuple(replace(f, session=f.session.replace("two", "one")) for f in labels))
    labels = replace(labels, cameras={"one/walk": rig(), "one/run": moved})
    with pytest.raises(InputError, match="session 'one/run': another session of 'one' has other cameras"):
        write_labels(labels, tmp_path / "other", "jarvis")


def test_a_camera_that_a_dataset_has_not_is_missing_there(tmp_path: Path) -> None:
    folder = training_set(tmp_path, sessions=("one/walk", "two/run"))
    lost = sorted(VIEWS)[1]
    for split in ("train", "val"):
        part = content(folder, split)
        part["calibrations"]["two"].pop(lost)
        for key, entry in part["framesets"].items():
            entry["frames"] = entry["frames"][::2] if key.startswith("two") else entry["frames"]
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(part))
    with pytest.warns(LabelsWarning, match="images are of no frameset"):
        labels = read_labels(folder)
    assert labels.view_names == tuple(sorted(VIEWS))
    assert np.isnan(labels.cameras["two/run"][1].intrinsics).all()
    frame = next(frame for frame in labels if frame.session == "two/run")
    assert frame.images[1].path == Path() and np.isnan(frame.instances.keypoints[1]).all()
    cameras, pixels = stack_cameras(labels.cameras["two/run"]), frame.instances.keypoints[:, 0]
    wanted = triangulate(stack_cameras(labels.cameras["two/run"]).views([0, 2]), pixels[[0, 2]])
    np.testing.assert_allclose(triangulate(cameras, pixels), wanted)
    write_labels(labels, tmp_path / "again", "jarvis")
    with pytest.warns(LabelsWarning):
        again = read_labels(folder)
    np.testing.assert_array_equal(again.keypoints(), labels.keypoints())


def test_a_2d_export_has_one_view(tmp_path: Path) -> None:
    names = [Path("train/rec/top", f"Frame_{n}.jpg") for n in range(2)] + [Path("val/rec/top/Frame_7.jpg")]
    points = np.array([[[[0.4, 3.6], [np.nan, np.nan]]], [[[0.0, 0.0], [9.0, 2.0]]], [[[np.nan] * 2] * 2]])
    frames = tuple(
        Frame((ImageRef(name),), Instances.from_keypoints(p[None]), "rec/top")
        for name, p in zip(names, points, strict=True)
    )
    write_labels(Labels(Skeleton(("a", "b")), frames, tmp_path), tmp_path, "jarvis")
    written = content(tmp_path)
    assert "calibrations" not in written and "framesets" not in written
    assert [entry["keypoints"] for entry in written["annotations"]] == [[0, 3, 1, 0, 0, 1], [1, 0, 1, 9, 2, 1]]
    assert content(tmp_path, "val")["annotations"] == [] and len(content(tmp_path, "val")["images"]) == 1
    found = read_labels(tmp_path)
    assert found.view_names == () and [f.name for f in found] == [name.as_posix() for name in names]
    assert [f.split for f in found] == ["train", "train", "validation"] and found[0].session == "rec/top"
    assert np.isnan(found[2].instances.keypoints).all()
    assert found[1].instances.keypoints[0, 0].tolist() == [[1.5, 0.5], [9.5, 2.5]]


def test_conversion_to_lightning_pose_and_back(tmp_path: Path) -> None:
    wanted = read_labels(training_set(tmp_path))
    report = convert(tmp_path / "set", tmp_path / "lp")
    assert any("cameras are in calibrations/" in note for note in report.notes)
    project = read_labels(tmp_path / "lp")
    project = attached(project, found_calibrations(project, tmp_path / "lp"))
    assert {frame.session for frame in project} == {"rig_walk", "rig_run"} == set(project.cameras)
    np.testing.assert_array_equal(project.keypoints(), wanted.keypoints())
    report = convert(tmp_path / "lp", tmp_path / "back", to="jarvis")
    assert report.images == 18 and (report.source_format, report.target_format) == ("lightning_pose", "jarvis")
    back = read_labels(tmp_path / "back")
    np.testing.assert_array_equal(back.keypoints(), wanted.keypoints())
    assert [f.split for f in back] == [f.split for f in wanted]
    for frame, there in zip(back, wanted, strict=True):
        np.testing.assert_array_equal(read_image(back.path(frame.images[2])), read_image(wanted.path(there.images[2])))
    for session, cameras in back.cameras.items():
        for camera, there in zip(cameras, wanted.cameras[session.split("/")[0].replace("_", "/")], strict=True):
            np.testing.assert_allclose(camera.rotation, there.rotation, atol=1e-12)
            np.testing.assert_array_equal(camera.translation, there.translation)
    assert len(read_cameras(tmp_path / "back" / "calib_params" / "rig_walk")) == 3


def test_what_conversion_loses_is_said(tmp_path: Path) -> None:
    labels = scene_labels(2, views=1, calibrated=False)
    labels = replace(labels, view_names=(), root=tmp_path)
    for frame in labels:
        write_image(tmp_path / frame.images[0].path, np.zeros((8, 8, 3), np.uint8))
    write_labels(labels, tmp_path / "CollectedData.csv")
    report = convert(tmp_path / "CollectedData.csv", tmp_path / "set", to="jarvis")
    assert any("fractions of coordinates are not kept by jarvis" in note for note in report.notes)


def test_several_views_need_their_cameras(tmp_path: Path) -> None:
    labels = replace(scene(tmp_path), cameras={})
    with pytest.raises(InputError, match="session 'rig/walk': a TrainingSet of several views needs their cameras"):
        write_labels(labels, tmp_path / "set", "jarvis")
    assert not (tmp_path / "set").exists()


def _first(part: dict, key: str) -> dict:
    return part[key][0] if isinstance(part[key], list) else next(iter(part[key].values()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.pop("images"), "images: must be a list; give an annotation file of JARVIS"),
        (lambda p: _first(p, "categories").pop("num_keypoints"), "categories[0].num_keypoints"),
        (lambda p: p["keypoint_names"].pop(), "names for "),
        (lambda p: _first(p, "skeleton").update(keypointA="tail?"), "skeleton: tail? - "),
        (lambda p: _first(p, "annotations")["keypoints"].pop(), "annotations[0].keypoints (rig/walk/"),
        (lambda p: _first(p, "annotations").update(keypoints=["x"]), "annotations[0].keypoints (rig/walk/"),
        (lambda p: _first(p, "annotations").update(image_id=99), "annotations[0].image_id: 99 is the id of no image"),
        (lambda p: p["annotations"].append(p["annotations"][0]), "the image has another annotation"),
        (lambda p: p["images"].append(p["images"][0]), "id 0 is that of another image, too"),
        (lambda p: _first(p, "framesets")["frames"].pop(), "2 images; expected 3, one of each camera of 'rig'"),
        (lambda p: _first(p, "framesets").update(frames=[0, 1, 99]), "frames: 99 is the id of no image"),
        (lambda p: _first(p, "framesets").update(datasetName="other"), "datasetName: 'other' has no calibration"),
        (lambda p: p.pop("framesets"), "framesets: is missing; export the set as 3D"),
        (
            lambda p: p["calibrations"]["rig"].update({VIEWS[0]: "absent.yaml"}),
            "calibrations: 'rig' has other cameras or files",
        ),
        (lambda p: p.update(calibrations=[1]), "calibrations: must name the file of each camera"),
        (lambda p: p["calibrations"]["rig"].update({VIEWS[0]: 1}), "calibrations: must name the file of each camera"),
        (lambda p: _first(p, "annotations").update(image_id=[1]), "annotations[0].image_id: [1] is the id of no image"),
        (lambda p: _first(p, "framesets").update(frames=[0, 1, [2]]), "frames: [2] is the id of no image"),
        (lambda p: _first(p, "images").update(width="wide"), "images[0]: width and height must be numbers"),
    ],
)
def test_errors_name_the_entry(change: Callable[[dict], object], words: str, tmp_path: Path) -> None:
    folder = training_set(tmp_path)
    part = content(folder)
    change(part)
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(part))
    with pytest.raises(InputError) as caught:
        read_labels(folder, "jarvis")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_splits_of_different_keypoints(tmp_path: Path) -> None:
    folder = training_set(tmp_path)
    part = content(folder, "val")
    part["keypoint_names"][0] = "other"
    part["skeleton"] = []
    (folder / "annotations" / "instances_val.json").write_text(json.dumps(part))
    with pytest.raises(InputError, match=r"instances_val\.json: has .*other.*; export both splits of one dataset"):
        read_labels(folder)
    (folder / "calib_params" / "rig" / f"{VIEWS[0]}.yaml").unlink()
    with pytest.raises(InputError, match=rf"{VIEWS[0]}\.yaml: cannot be read"):
        read_labels(folder / "annotations" / "instances_train.json")
    with pytest.raises(InputError, match=r"no annotations/instances_train\.json"):
        read_labels(tmp_path, "jarvis")
