from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from vitruve.config.schema import Config, Remarks
from vitruve.errors import InputError
from vitruve.example_project import write_example
from vitruve.formats.hub import read_labels, write_labels
from vitruve.media.images import read_image
from vitruve.media.video import VideoReader
from vitruve.synthetic.crowd_files import LABELS, NEW_LABELS, CrowdExtent, crowd_images, crowd_video

SMALL = {"people": 3, "images": 3, "new": 2, "videos": 1, "frames": 4, "width": 128, "height": 96}


def test_images_show_few_and_many_people(tmp_path):
    labels = crowd_images(tmp_path, CrowdExtent(people=6, images=6, width=128, height=96))
    counts = [frame.instances.keypoints.shape[1] for frame in labels]
    assert max(counts) > min(counts) and labels.categories == ("person",)
    for frame in labels:
        assert read_image(tmp_path / frame.images[0].path).shape == (96, 128, 3)
        assert frame.instances.areas is not None and frame.instances.tracks is None


def test_a_video_comes_with_who_is_who(tmp_path):
    truth = crowd_video(tmp_path, 0, CrowdExtent(**SMALL))
    with VideoReader(truth.path(truth[0].images[0])) as video:
        assert video.count() == len(truth) == 4
    write_labels(truth, tmp_path / "truth.csv", "deeplabcut")
    again = read_labels(tmp_path / "truth.csv", "deeplabcut")
    tracks = sorted({int(track) for frame in truth for track in frame.instances.tracks[0]})
    assert again[0].instances.keypoints.shape[1] == len(tracks)
    places = [tracks.index(track) for track in truth[0].instances.tracks[0]]
    np.testing.assert_allclose(again[0].instances.keypoints[0, places], truth[0].instances.keypoints[0])


def test_numbers_out_of_range_are_refused():
    with pytest.raises(InputError, match="people=51; it must be from 1 to 50"):
        CrowdExtent(people=51)


def test_the_example_is_a_project(tmp_path: Path) -> None:
    root = write_example("crowd", tmp_path / "crowd", joints=14, **SMALL)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {
        LABELS,
        NEW_LABELS,
        "config.yaml",
        "skeleton.yaml",
        "videos/crowd00.mp4",
        "videos/crowd00_truth.csv",
    } < files
    labels = read_labels(root / LABELS)
    assert len(labels) == 3 and len(labels.skeleton) == 14 and labels.skeleton.edges
    wanted = crowd_images(tmp_path / "again", CrowdExtent(**SMALL, joints=14))
    for frame, other in zip(labels, wanted, strict=True):
        one, two = frame.instances, other.instances
        np.testing.assert_allclose(one.keypoints, two.keypoints, atol=0.01)
        np.testing.assert_array_equal(one.visible, two.visible)
        np.testing.assert_allclose(one.areas, two.areas, rtol=0.01)
        assert (not frame.ignore) == (not other.ignore)


def test_all_settings_of_the_example_have_an_effect(tmp_path: Path) -> None:
    root = write_example("crowd", tmp_path / "crowd", **SMALL)
    assert Config.examine(yaml.safe_load((root / "config.yaml").read_text()))[1] == Remarks((), ())
