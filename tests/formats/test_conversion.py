"""Whole projects from one format to another, with their images, and the words about what is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.conversion import convert
from vitruve.formats.hub import read_labels, write_labels
from vitruve.media.images import read_image, write_image
from vitruve.media.video import VideoReader, VideoWriter
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (16, 24, 3), np.uint8)


def project(root: Path, names: tuple[str, ...], count: int = 1, skeleton: Skeleton | None = None) -> Labels:
    frames = []
    for number, name in enumerate(names):
        write_image(root / name, pixels(number))
        keypoints = np.random.default_rng(number).uniform(0, 16, (1, count, 2, 2))
        frames.append(Frame((ImageRef(Path(name)),), Instances.from_keypoints(keypoints), Path(name).parent.name))
    return Labels(skeleton or Skeleton(("a", "b"), ((0, 1),)), tuple(frames), root, scorer="ann")


NAMES = ("labeled-data/s1/i1.png", "labeled-data/s1/i2.png", "labeled-data/s2/i1.png")


def assert_usable(folder: Path, wanted: Labels) -> Labels:
    found = read_labels(folder)
    assert found.skeleton == wanted.skeleton
    np.testing.assert_array_equal(found.keypoints(), wanted.keypoints())
    for here, there in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(read_image(found.path(here.images[0])), read_image(wanted.path(there.images[0])))
    return found


def test_deeplabcut_project_to_lightning_pose_and_back(tmp_path: Path) -> None:
    wanted = project(tmp_path / "dlc", NAMES)
    write_labels(wanted, tmp_path / "dlc", "deeplabcut")
    report = convert(tmp_path / "dlc", tmp_path / "lp")
    assert (report.source_format, report.target_format) == ("deeplabcut", "lightning_pose")
    assert (report.frames, report.instances, report.keypoints, report.images) == (3, 3, 6, 3)
    assert report.notes == ("edges, left-right pairs and the like are in skeleton.yaml, beside the labels",)
    assert (tmp_path / "lp" / "CollectedData.csv").is_file()
    found = assert_usable(tmp_path / "lp", wanted)
    assert [f.name for f in found] == list(NAMES)
    convert(tmp_path / "lp", tmp_path / "dlc2", to="deeplabcut")
    assert_usable(tmp_path / "dlc2", wanted)


def test_several_animals_are_never_dropped_in_silence(tmp_path: Path) -> None:
    wanted = project(tmp_path / "dlc", NAMES, count=2)
    write_labels(wanted, tmp_path / "dlc", "deeplabcut")
    with pytest.raises(InputError, match=r"3 of 3 images hold several instances .* lightning_pose holds one"):
        convert(tmp_path / "dlc", tmp_path / "lp")
    assert not (tmp_path / "lp").exists()
    report = convert(tmp_path / "dlc", tmp_path / "lp", first_instance=True)
    assert any("3 instances in 3 images were left out" in note for note in report.notes)
    np.testing.assert_array_equal(read_labels(tmp_path / "lp").keypoints(), wanted.keypoints()[:, :, :1])
    report = convert(tmp_path / "dlc", tmp_path / "slp", to="sleap")
    assert report.instances == 6
    np.testing.assert_array_equal(read_labels(tmp_path / "slp" / "labels.slp").keypoints(), wanted.keypoints())


def test_images_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    wanted = project(tmp_path, ("x/cam/i.png", "y/cam/i.png", "z/i.png"))
    write_labels(wanted, tmp_path / "a.csv")
    found = assert_usable_without_skeleton(convert(tmp_path / "a.csv", tmp_path / "lp").destination, wanted)
    names = ["labeled-data/cam/i.png", "labeled-data/cam_2/i.png", "labeled-data/z/i.png"]
    assert [f.name for f in found] == names


def assert_usable_without_skeleton(folder: Path, wanted: Labels) -> Labels:
    return assert_usable(folder, replace(wanted, skeleton=Skeleton.from_names(wanted.skeleton.names)))


def test_missing_images_are_reported(tmp_path: Path) -> None:
    wanted = project(tmp_path / "a", NAMES)
    write_labels(wanted, tmp_path / "a")
    (tmp_path / "a" / NAMES[1]).unlink()
    report = convert(tmp_path / "a", tmp_path / "b")
    assert report.frames == report.images == 2
    assert report.notes == (f"1 frames were left out: their images could not be read (first: '{NAMES[1]}')",)
    for name in NAMES:
        (tmp_path / "a" / name).unlink(missing_ok=True)
    with pytest.raises(InputError, match=r"none of its 3 images could be read \(first: 'labeled-data/s1/i1.png'"):
        convert(tmp_path / "a", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_labels_are_not_overwritten(tmp_path: Path) -> None:
    write_labels(project(tmp_path / "a", NAMES), tmp_path / "a")
    convert(tmp_path / "a", tmp_path / "b")
    for to, place in (("lightning_pose", "b"), ("deeplabcut", "b"), ("lightning_pose", "b/CollectedData.csv")):
        with pytest.raises(InputError, match="holds labels already"):
            convert(tmp_path / "a", tmp_path / place, to=to)
    assert convert(tmp_path / "a", tmp_path / "b", overwrite=True).frames == 3


def test_a_file_points_at_the_images(tmp_path: Path) -> None:
    wanted = project(tmp_path / "a", NAMES, skeleton=Skeleton(("a", "b")))
    write_labels(wanted, tmp_path / "a")
    report = convert(tmp_path / "a", tmp_path / "b" / "x.csv")
    assert report.images == 0 and report.notes == ("images were not copied: the labels point at them where they are",)
    assert_usable(tmp_path / "b" / "x.csv", wanted)
    convert(tmp_path / "a", tmp_path / "a" / "x.slp", to="sleap")
    found = assert_usable(tmp_path / "a" / "x.slp", wanted)
    assert found[0].name == NAMES[0]


def test_files_of_deeplabcut_point_at_images_elsewhere_and_so_do_their_copies(tmp_path: Path) -> None:
    wanted = project(tmp_path / "a", NAMES, skeleton=Skeleton(("a", "b")))
    write_labels(wanted, tmp_path / "a")
    convert(tmp_path / "a", tmp_path / "b" / "x.h5")
    assert_usable(tmp_path / "b" / "x.h5", wanted)
    report = convert(tmp_path / "b" / "x.h5", tmp_path / "c" / "x.csv")
    assert report.notes == ("images were not copied: the labels point at them where they are",)
    assert_usable(tmp_path / "c" / "x.csv", wanted)
    # Beside their own images, absolute names of another machine, and of this one, are those in the project.
    write_labels(
        replace(wanted, frames=_renamed(wanted, Path("/other/machine"))), tmp_path / "a" / "y.h5", "deeplabcut"
    )
    assert [frame.name for frame in assert_usable(tmp_path / "a" / "y.h5", wanted)] == list(NAMES)
    write_labels(replace(wanted, frames=_renamed(wanted, tmp_path / "a")), tmp_path / "a" / "z.h5", "deeplabcut")
    assert [frame.name for frame in assert_usable(tmp_path / "a" / "z.h5", wanted)] == list(NAMES)


def _renamed(labels: Labels, folder: Path) -> tuple[Frame, ...]:
    return tuple(replace(frame, images=(ImageRef(folder / frame.name),)) for frame in labels)


def test_what_is_missing_or_impossible_is_said(tmp_path: Path) -> None:
    labels = project(tmp_path / "a", NAMES, skeleton=Skeleton(("a", "b")))
    odd = Instances.from_keypoints(np.array([-500.0, 3, 2, 2]).reshape(1, 1, 2, 2))
    write_labels(replace(labels, frames=(replace(labels[0], instances=odd), *labels.frames[1:])), tmp_path / "a")
    (tmp_path / "a" / NAMES[1]).unlink()
    outside = f"1 keypoints lie outside their image (first: {NAMES[0]}: a at x = -500, y = 3)"
    report = convert(tmp_path / "a", tmp_path / "b" / "x.csv")
    assert report.notes[0].startswith(outside)
    assert report.notes[1].startswith(f"1 of 3 images are not there (first: {tmp_path / 'a' / NAMES[1]})")
    assert report.notes[2:] == ("images were not copied: the labels point at them where they are",)
    assert convert(tmp_path / "a", tmp_path / "c").notes[0].startswith(outside)


def test_predictions_are_converted_without_a_word_on_images(tmp_path: Path) -> None:
    labels = project(tmp_path / "a", NAMES, skeleton=Skeleton(("a", "b")))
    frames = tuple(
        replace(frame, instances=replace(frame.instances, keypoint_scores=np.ones((1, 1, 2)))) for frame in labels
    )
    write_labels(replace(labels, frames=frames), tmp_path / "run" / "predictions.csv")
    video = tuple(replace(frame, images=(ImageRef(Path(), n),)) for n, frame in enumerate(frames))
    write_labels(replace(labels, frames=video), tmp_path / "run" / "video.csv")
    for name, names in (("predictions", list(NAMES)), ("video", ["0", "1", "2"])):
        report = convert(tmp_path / "run" / f"{name}.csv", tmp_path / f"{name}.csv")
        assert report.notes == ()
        assert [frame.name for frame in read_labels(tmp_path / f"{name}.csv")] == names


def test_the_format_follows_from_the_suffix(tmp_path: Path) -> None:
    write_labels(project(tmp_path / "a", NAMES), tmp_path / "a")
    for place, wanted in (("b/x.slp", "sleap"), ("b/x.h5", "deeplabcut"), ("b/x.csv", "lightning_pose")):
        assert convert(tmp_path / "a", tmp_path / place).target_format == wanted
    assert convert(tmp_path / "a", tmp_path / "c").target_format == "lightning_pose"
    with pytest.raises(InputError, match=r"x\.txt: no label format has files that end in \.txt; known are "):
        convert(tmp_path / "a", tmp_path / "x.txt")
    with pytest.raises(InputError, match=r"sleap files end in \.slp, not in \.h5; name another format \(--to\)"):
        convert(tmp_path / "a", tmp_path / "y.h5", to="sleap")


def test_frames_of_videos_are_written_as_png(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", 10) as video:
        for number in range(5):
            video.write(np.full((32, 48, 3), 40 * number + 20, np.uint8))
    skeleton = Skeleton(("a", "b"))
    instances = Instances.from_keypoints(np.ones((1, 1, 2, 2)))
    frames = tuple(Frame((ImageRef(Path("v.mp4"), n),), instances, "v") for n in (3, 1, 99))
    write_labels(Labels(skeleton, frames, tmp_path), tmp_path / "a.slp", "sleap")
    report = convert(tmp_path / "a.slp", tmp_path / "lp")
    assert any("1 frames were left out" in note and "'99'" in note for note in report.notes)
    found = read_labels(tmp_path / "lp")
    assert [f.name for f in found] == ["labeled-data/v/img00000003.png", "labeled-data/v/img00000001.png"]
    with VideoReader(tmp_path / "v.mp4") as video:
        truth = video.read([3, 1])
    for frame, image in zip(found, truth, strict=True):
        np.testing.assert_array_equal(read_image(found.path(frame.images[0])), image)


def test_views_keep_their_folders(tmp_path: Path) -> None:
    frames = []
    for number in range(2):
        names = [f"labeled-data/s_{view}/i{number}.png" for view in ("top", "side")]
        for name in names:
            write_image(tmp_path / "a" / name, pixels(number))
        instances = Instances.from_keypoints(np.full((2, 1, 2, 2), float(number)))
        frames.append(Frame(tuple(ImageRef(Path(name)) for name in names), instances, "s"))
    wanted = Labels(Skeleton(("a", "b")), tuple(frames), tmp_path / "a", view_names=("top", "side"))
    write_labels(wanted, tmp_path / "a")
    report = convert(tmp_path / "a", tmp_path / "b")
    assert report.images == 4
    found = read_labels(tmp_path / "b")
    assert found.view_names == ("side", "top") and found[1].images[0].name == "labeled-data/s_side/i1.png"
    with pytest.raises(InputError, match="deeplabcut holds one view, not 2"):
        convert(tmp_path / "a", tmp_path / "c", to="deeplabcut")


def test_what_a_format_cannot_keep_is_said(tmp_path: Path) -> None:
    text = (
        "scorer,s,s,s,s,set\nbodyparts,a,a,a,a,\ncoords,x,y,visible,likelihood,\n"
        "labeled-data/s/i1.png,1,2,1,0.5,train\n"
    )
    (tmp_path / "a.csv").write_text(text)
    write_image(tmp_path / "labeled-data/s/i1.png", pixels(0))
    report = convert(tmp_path / "a.csv", tmp_path / "b", to="deeplabcut")
    assert report.notes == (
        "1 occluded keypoints (visible = 1) are not kept by deeplabcut",
        "1 frames assigned to a split are not kept by deeplabcut",
    )
    assert convert(tmp_path / "a.csv", tmp_path / "c").notes == ()


def test_package_file_to_every_format(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "sleap" / "minimal_instance.pkg.slp"
    with pytest.raises(InputError, match="1 of 1 images hold several instances"):
        convert(source, tmp_path / "lp")
    report = convert(source, tmp_path / "lp", first_instance=True)
    assert report.images == 1 and any("1 instances in 1 images were left out" in note for note in report.notes)
    labels = read_labels(tmp_path / "lp")
    assert labels.skeleton.edges == ((0, 1),)
    assert labels[0].name == "labeled-data/centered_pair_low_quality/img00000000.png"
    assert read_image(labels.path(labels[0].images[0])).shape == (384, 384, 3)
    convert(source, tmp_path / "dlc", to="deeplabcut")
    np.testing.assert_array_equal(read_labels(tmp_path / "dlc").keypoints(), read_labels(source).keypoints())
    report = convert(source, tmp_path / "x.slp", to="sleap")
    assert any("1 images lie inside the source" in note for note in report.notes)
