from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import tiny_project
from vitruve import cropping
from vitruve.cli.main import build
from vitruve.errors import ConfigError, InputError
from vitruve.formats.bbox_file import read_boxes, write_boxes
from vitruve.formats.hub import read_labels
from vitruve.formats.table import format_rows, header_lines, read_predictions, write_h5
from vitruve.geometry.affine import area
from vitruve.geometry.boxes import centred
from vitruve.media.images import read_image
from vitruve.media.video import VideoReader
from vitruve.structures.instances import apply_matrix

NAMES = ("red", "green")


def write_table(path: Path, points: np.ndarray, scores: np.ndarray, names: list[str] | None = None) -> Path:
    head = "".join(line + "\n" for line in header_lines("net", NAMES))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + format_rows(names or list(range(len(points))), points, scores))
    return path


def values(path: Path) -> np.ndarray:
    return read_predictions(path).to_numpy(float).reshape(-1, 2, 3)


@pytest.fixture
def walk() -> np.ndarray:
    rng = np.random.default_rng(0)
    middle = 150 + rng.normal(0, 3, (40, 1, 2)).cumsum(0)
    return middle + np.array([[-20.0, 5.0], [20.0, -5.0]]) + rng.normal(0, 1, (40, 2, 2))


def test_from_predictions_to_boxes_smoothed_written_and_back_to_the_original(walk: np.ndarray, tmp_path: Path) -> None:
    scores = np.full((40, 2), 0.9)
    scores[10:13, 0] = 0.1  # too little is found
    scores[20:22] = 0.0
    source = write_table(tmp_path / "clip.csv", walk, scores)
    (made,) = cropping.create_boxes(source, ratio=2.0, threshold=0.3, aspect=1.5)
    assert made.table == tmp_path / "clip_bbox.csv" and (made.boxes, made.filled) == (40, 5)
    boxes = centred(read_boxes(made.table).edges)
    width = np.abs(walk[:, 0, 0] - walk[:, 1, 0])
    good = (scores > 0.3).all(1)
    np.testing.assert_allclose(boxes[good, :2], walk.mean(1)[good], atol=1e-3)
    np.testing.assert_allclose(boxes[good, 2], 2 * width[good], atol=1e-3)
    np.testing.assert_allclose(boxes[:, 2] / boxes[:, 3], 1.5, atol=1e-4)
    np.testing.assert_allclose(boxes[20:22, 0], np.interp([20, 21], [19, 22], boxes[[19, 22], 0]), atol=1e-3)

    (smooth,) = cropping.smooth_boxes(made.table, tmp_path / "smooth", method="median", window=5)
    found = read_boxes(smooth.table).edges
    np.testing.assert_allclose(
        centred(found)[2:-2, 0], [np.median(boxes[t - 2 : t + 3, 0]) for t in range(2, 38)], atol=1e-4
    )

    # Another program predicts on copies of 96x64 px; the boxes differ in size, so each row has a scale of its own.
    size = (96, 64)
    there = np.stack([apply_matrix(area((0, 0), size, tuple(b)), p[None])[0] for b, p in zip(found, walk, strict=True)])
    on_copy = write_table(tmp_path / "theirs" / "clip.csv", there, scores)
    (back,) = cropping.remap(on_copy, tmp_path / "smooth", tmp_path / "back", size=size)
    np.testing.assert_allclose(values(back)[..., :2], walk, atol=2e-4)
    np.testing.assert_allclose(values(back)[..., 2], scores)


def test_offset_alone_is_not_enough(walk: np.ndarray, tmp_path: Path) -> None:
    # Lightning Pose's remap adds x and y only, although copies of boxes of several sizes are scaled to one.
    low = walk.mean(1) - 40
    boxes = np.concatenate([low, low + np.linspace(60, 120, 40)[:, None]], -1)
    write_boxes(tmp_path / "clip_bbox.csv", range(40), boxes)
    at_corner = write_table(tmp_path / "in" / "clip.csv", np.tile([[63.5, 63.5]], (40, 2, 1)), np.ones((40, 2)))
    with pytest.raises(InputError, match=r"boxes differ in size.*give --size WxH"):
        cropping.remap(at_corner, tmp_path / "clip_bbox.csv", tmp_path / "out")
    (back,) = cropping.remap(at_corner, tmp_path / "clip_bbox.csv", tmp_path / "out", size=(64, 64))
    # The last edge of each copy is the last edge of its box.
    np.testing.assert_allclose(values(back)[:, 0, :2], boxes[:, 2:], atol=2e-4)


def test_copies_of_boxes_of_one_size_need_no_size(walk: np.ndarray, tmp_path: Path) -> None:
    (made,) = cropping.create_boxes(write_table(tmp_path / "clip.csv", walk, np.ones((40, 2))), size=80)
    boxes = read_boxes(made.table)
    np.testing.assert_allclose(centred(boxes.edges)[:, 2:], 80)
    moved = walk - (boxes.edges[:, None, :2] + 0.5)
    source = write_table(tmp_path / "in" / "clip.csv", moved, np.ones((40, 2)))
    write_h5(source, tmp_path / "h5" / "clip.h5")
    for given in (source, tmp_path / "h5" / "clip.h5"):
        (back,) = cropping.remap(given, made.table, tmp_path / "back" / given.suffix)
        np.testing.assert_allclose(values(back)[..., :2], walk, atol=2e-4)
    np.testing.assert_allclose(values(tmp_path / "h5" / "clip.h5")[..., :2], moved, atol=1e-4)


def test_anchors_that_coincide_keep_a_box(tmp_path: Path) -> None:
    source = write_table(tmp_path / "clip.csv", np.full((6, 2, 2), 33.0), np.ones((6, 2)))
    (made,) = cropping.create_boxes(source, anchors=["red", "green"], min_size=48)
    np.testing.assert_allclose(centred(read_boxes(made.table).edges), [[33, 33, 48, 48]] * 6)
    with pytest.raises(ConfigError, match="anchors: a single keypoint has no extent"):
        cropping.create_boxes(source, anchors=["red"])
    with pytest.raises(ConfigError, match=r"crop\.anchors: 'rad' is no keypoint \(did you mean 'red'"):
        cropping.create_boxes(source, anchors=["rad", "green"])


def test_what_cannot_be_is_said(walk: np.ndarray, tmp_path: Path) -> None:
    unsure = write_table(tmp_path / "a.csv", walk, np.full((40, 2), 0.1))
    with pytest.raises(InputError, match=r"a\.csv: in no frame are there two anchors of likelihood 0\.3"):
        cropping.create_boxes(unsure)
    with pytest.raises(ConfigError, match="ratio: "):
        cropping.create_boxes(unsure, ratio=0.5)
    with pytest.raises(InputError, match=r"--window 4: must be an odd number"):
        cropping.smooth_boxes(unsure, tmp_path, window=4)
    with pytest.raises(InputError, match=r"a\.csv: row 1: the header is"):
        cropping.smooth_boxes(unsure, tmp_path / "s")
    (made,) = cropping.create_boxes(unsure, threshold=0.0)
    short = write_table(tmp_path / "b" / "a.csv", walk[:7], np.ones((7, 2)))
    with pytest.raises(InputError, match=r"a_bbox\.csv: 40 rows, but a\.csv has 7 frames"):
        cropping.remap(short, made.table, tmp_path / "out")
    with pytest.raises(InputError, match=r"would be replaced by its remapped self"):
        cropping.remap(unsure, made.table, tmp_path, size=(10, 10))
    named = write_table(tmp_path / "c.csv", walk[:2], np.array([[1.0, 1.0], [0.0, 0.0]]), ["x/1.png", "x/2.png"])
    with pytest.raises(InputError, match=r"c\.csv: row 5: no anchor counts in image 'x/2\.png'"):
        cropping.create_boxes(named)


def test_a_cropped_video_has_every_frame_and_its_size_is_recorded(tmp_path: Path) -> None:
    points = tiny_project.write_video(tmp_path / "clip.mp4", 23)
    low = points.mean(1) - 24.3
    boxes = np.concatenate([low, low + np.linspace(44, 60, 23)[:, None]], -1)
    write_boxes(tmp_path / "boxes" / "clip_bbox.csv", range(23), boxes)
    (made,) = cropping.crop(tmp_path / "clip.mp4", tmp_path / "boxes", tmp_path / "out")
    assert made.images == 23 and made.size == (52, 52)
    assert json.loads((tmp_path / "out" / "clip_bbox.json").read_text()) == {"crop_size": [52, 52]}
    with VideoReader(made.output) as video:
        assert (video.width, video.height, video.count()) == (52, 52, 23)
        images = list(video.frames())
    # The dots, found in the copy by their colour, are brought back to where they were drawn.
    found = np.stack([[_middle(image, 0, 1), _middle(image, 1, 0)] for image in images])
    source = write_table(tmp_path / "seen" / "clip.csv", found, np.ones((23, 2)))
    (back,) = cropping.remap(source, made.table, tmp_path / "back")
    apart = np.linalg.norm(points[:, 0] - points[:, 1], axis=-1) > 12
    whole = ((found > 6) & (found < 45)).all((1, 2)) & apart
    assert whole.sum() >= 4
    assert np.abs(values(back)[whole, :, :2] - points[whole]).max() < 0.35


def _middle(image: np.ndarray, channel: int, other: int) -> np.ndarray:
    weight = (image[..., channel].astype(float) - image[..., other] - 60).clip(0)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / max(weight.sum(), 1e-9)


def test_cropped_labels_are_those_of_the_cropped_images(tmp_path: Path) -> None:
    project = tiny_project.write_project(tmp_path / "p", frames=5)
    (made,) = cropping.create_boxes(project / "CollectedData.csv", ratio=1.6, min_size=30)
    (copies,) = cropping.crop(project / "CollectedData.csv", made.table, tmp_path / "out", size=(64, 64))
    assert copies.images == 5
    labels = read_labels(tmp_path / "out" / "CollectedData.csv")
    for frame in labels:
        image = read_image(labels.path(frame.images[0]))
        assert image.shape == (64, 64, 3)
        x, y = np.round(frame.instances.keypoints[0, 0, 0]).astype(int)
        assert image[y, x, 0] > 150 > image[y, x, 1]
    original = read_labels(project / "CollectedData.csv").keypoints()
    (back,) = cropping.remap(tmp_path / "out" / "CollectedData.csv", copies.table, tmp_path / "back")
    np.testing.assert_allclose(read_labels(back).keypoints(), original, atol=1e-3)
    with pytest.raises(InputError, match="would replace its original"):
        cropping.crop(project / "CollectedData.csv", made.table, project)


def test_the_commands_do_the_same(walk: np.ndarray, tmp_path: Path) -> None:
    write_table(tmp_path / "in" / "clip.csv", walk, np.ones((40, 2)))
    run = CliRunner()
    steps = [
        ["create-bbox", str(tmp_path / "in"), "--crop-size", "90", "--anchor-keypoints", "red, green"],
        ["smooth-bbox", str(tmp_path / "in"), "-o", str(tmp_path / "s"), "--method", "mean", "--window", "3"],
        ["remap", str(tmp_path / "in" / "clip.csv"), "--boxes", str(tmp_path / "s"), "-o", str(tmp_path / "b")],
    ]
    for step in steps:
        done = run.invoke(build(), step)
        assert done.exit_code == 0, (done.output, done.exception)
    low = read_boxes(tmp_path / "s" / "clip_bbox.csv").edges[:, :2]
    np.testing.assert_allclose(values(tmp_path / "b" / "clip.csv")[..., :2], walk + low[:, None] + 0.5, atol=2e-4)
    bad = run.invoke(build(), [*steps[2], "--size", "90"])
    assert isinstance(bad.exception, InputError) and "--size 90: give width and height" in str(bad.exception)


def test_tables_of_pandas_are_taken(tmp_path: Path, walk: np.ndarray) -> None:
    columns = pd.MultiIndex.from_product([["dlc"], NAMES, ["x", "y", "likelihood"]])
    frame = pd.DataFrame(np.concatenate([walk, np.ones((40, 2, 1))], -1).reshape(40, 6), columns=columns)
    frame.to_csv(tmp_path / "dlc.csv")
    (made,) = cropping.create_boxes(tmp_path / "dlc.csv")
    assert made.boxes == 40
    np.testing.assert_allclose(centred(read_boxes(made.table).edges)[:, :2], walk.mean(1), atol=1e-3)
