"""What labels and folders tell before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tiny_project import SIZE, SKELETON, write_project, write_video
from vitruve.errors import InputError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.media.images import write_image
from vitruve.pipeline.dataset_facts import find_facts, mirrored_views, turning


def test_a_project_is_described(tmp_path: Path) -> None:
    write_project(tmp_path, frames=6)
    write_video(tmp_path / "videos" / "a.mp4", 3)
    facts = find_facts(tmp_path)
    assert (facts.size, facts.labelled, facts.video_count) == (SIZE, 6, 1)
    assert facts.files == (tmp_path / "CollectedData.csv",)
    assert facts.skeleton.names == SKELETON.names
    assert facts.coverage == (1.0, 1.0)
    assert facts.views == facts.mirrors == facts.calibrations == ()
    assert find_facts(tmp_path / "CollectedData.csv").files == facts.files


def test_numbers_of_labels_are_not_taken_for_numbers_of_frames(tmp_path: Path) -> None:
    write_project(tmp_path, frames=9)
    assert find_facts(tmp_path).context == 0
    labels = read_labels(tmp_path)
    write_labels(labels[[2, 6]], tmp_path / "CollectedData.csv")
    assert find_facts(tmp_path).context == 1.0
    (tmp_path / "labeled-data" / "dots" / "img008.png").unlink()
    assert find_facts(tmp_path).context == 0.5


def test_of_images_only_the_header_is_read(tmp_path: Path) -> None:
    write_project(tmp_path, frames=3)
    path = tmp_path / "labeled-data" / "dots" / "img001.png"
    path.write_bytes(path.read_bytes()[:60])
    assert find_facts(tmp_path).size == SIZE


def test_two_views_are_two_files(tmp_path: Path) -> None:
    write_project(tmp_path, frames=4)
    text = (tmp_path / "CollectedData.csv").read_text()
    (tmp_path / "CollectedData.csv").unlink()
    for view in ("left", "right"):
        (tmp_path / f"CollectedData_{view}.csv").write_text(text.replace("labeled-data/dots", f"labeled-data/a_{view}"))
        for index in range(4):
            write_image(tmp_path / f"labeled-data/a_{view}/img{index:03d}.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "calibration.toml").write_text("")
    facts = find_facts(tmp_path)
    assert facts.views == ("left", "right")
    assert facts.calibrations == (tmp_path / "calibration.toml",)
    assert facts.mirrors == ()


def test_nothing_labelled_is_said(tmp_path: Path) -> None:
    (tmp_path / "CollectedData.csv").write_text("scorer,m,m\nbodyparts,n,n\ncoords,x,y\nimg0.png,,\n")
    with pytest.raises(InputError, match="no keypoint is labelled in any of 1 frames"):
        find_facts(tmp_path)


@pytest.mark.parametrize(
    ("names", "views"),
    [
        (["nose_top", "tail_top", "nose_bot", "tail_bot"], ((0, 1), (2, 3))),
        (["nose_top", "obs_top", "tail_bot", "tail_top", "nose_bot"], ((0, 3), (4, 2))),
        (["a_camA", "b_camA", "a_camB", "b_camB", "a_camC", "b_camC"], ((0, 1), (2, 3), (4, 5))),
        (["paw_left", "ear_left", "paw_right", "ear_right"], ()),
        (["paw_front", "ear_front", "paw_back", "ear_back"], ()),
        (["nose_top", "nose_bot"], ()),
        (["nose", "tail"], ()),
    ],
)
def test_views_within_an_image_are_read_from_names(names: list[str], views: tuple[tuple[int, ...], ...]) -> None:
    assert mirrored_views(names) == views


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (lambda rng: rng.normal(0, 0.3, 60), "upright"),
        (lambda rng: np.pi * rng.integers(0, 2, 60) + rng.normal(0, 0.2, 60), "both ways"),
        (lambda rng: rng.uniform(0, 2 * np.pi, 60), "all ways"),
        (lambda rng: rng.uniform(0, 2 * np.pi, 5), "unknown"),
    ],
)
def test_how_animals_lie(turns: object, expected: str) -> None:
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 20, 8) + 1j * rng.normal(0, 20, 8)
    poses = np.exp(1j * turns(rng))[:, None] * (shape + rng.normal(0, 2, 8)) + rng.normal(200, 50, 1)  # type: ignore[operator]
    keypoints = np.stack([poses.real, poses.imag], -1)
    keypoints[rng.random(keypoints.shape[:2]) < 0.1] = np.nan
    assert turning(keypoints) == expected


def test_poses_that_are_no_turns_of_one_another_tell_nothing() -> None:
    assert turning(np.random.default_rng(0).normal(0, 20, (60, 12, 2))) == "unknown"
