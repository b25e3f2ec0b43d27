from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference.stand_in import SKELETON, Bright
from vitruve.data.crop_settings import CropSettings
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError, InputError, RunError
from vitruve.formats.bbox_file import read_boxes, write_boxes
from vitruve.formats.table import read_predictions
from vitruve.geometry.boxes import BoxRule, centred, edges
from vitruve.inference.files import predict_to_files, predict_views
from vitruve.inference.jobs import Job, jobs_for
from vitruve.inference.locate import NetworkLocator, NoLocator, TableLocator, instance_boxes
from vitruve.inference.predictor import Predictor
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

INPUT = 32
SIZE = (120, 90)


class Sure(Bright):
    """Likely where the brightest pixel is white, unlikely where the image is dark."""

    def decode(self, outputs: Any, batch: Any) -> Instances:
        found = super().decode(outputs, batch)
        reach = self.needs.context
        inner = batch.images[:, :, reach : batch.images.shape[2] - reach]
        light = (inner.float().amax((3, 4, 5)) / 255).transpose(1, 2).flatten(0, 1)
        return replace(found, keypoint_scores=light[:, :, None, None].expand(*light.shape, 1, 2))


def dot_image(x: int, y: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    if 0 <= x < size[0] and 0 <= y < size[1]:
        image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 120
        image[y, x] = 255
    return image


def box_with(rng: np.random.Generator, dot: np.ndarray) -> np.ndarray:
    """Edges of a box of any place and size in which the dot's pixel is exactly one pixel of the input."""
    scale = rng.uniform(0.6, 3.0, 2)  # input pixels to an original pixel
    pixel = rng.integers(2, INPUT - 2, 2)
    low = dot - (pixel + 0.5) / scale
    return np.concatenate([low, low + INPUT / scale])


def at(x: float, y: float, size: float) -> np.ndarray:
    return edges(np.array([x, y, size, size], float))


def test_what_is_found_in_any_box_is_exact_in_the_original(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dots = rng.integers((0, 0), SIZE, (40, 2))
    boxes = np.stack([box_with(rng, dot) for dot in dots])
    outside = (boxes[:, :2] < -0.5).any(1) | (boxes[:, 2:] > np.array(SIZE) - 0.5).any(1)
    assert outside.sum() > 5 and (~outside).sum() > 5
    paths = [tmp_path / f"{i:02d}.png" for i in range(40)]
    for path, dot in zip(paths, dots, strict=True):
        write_image(path, dot_image(*dot))
    write_boxes(tmp_path / "bbox.csv", [path.name for path in paths], boxes)
    network = Predictor(Bright(), 7, locator=TableLocator(tmp_path))
    found = np.stack([frame.instances.keypoints[0, 0, 0] for frame in network.predict(paths)])
    assert np.abs(found - dots).max() < 1e-3
    empty = Instances.empty(2)
    labels = Labels(SKELETON, tuple(Frame((ImageRef(path),), empty) for path in paths))
    found = network.predict_labels(labels).keypoints()[:, 0, 0, 0]
    assert np.abs(found - dots).max() < 1e-3


def walk(count: int, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = rng.integers(-4, 5, (count, 2)).cumsum(0)
    return (np.array(SIZE) // 2 + steps).clip((5, 5), np.array(SIZE) - 6)


def clip(path: Path, dots: np.ndarray) -> Path:
    with VideoWriter(path, 25, crf=0) as video:
        for dot in dots:
            video.write(dot_image(*dot))
    return path


def zooming(window: int = 5, size: float = 32.0, context: int = 0, batch_size: int = 4) -> Predictor:
    settings = CropSettings(size=size, anchors=("spot",), smooth_window=window, threshold=0.05)
    finder = Predictor(Sure(), 4)
    return Predictor(Bright(context), batch_size, locator=NetworkLocator(finder, settings, 1.0, "finder"))


def test_a_second_look_through_a_crop_is_sharper(tmp_path: Path) -> None:
    dots = walk(30)
    path = clip(tmp_path / "a.mp4", dots)

    def error(network: Predictor) -> float:
        found = np.stack([frame.instances.keypoints[0, 0, 0] for frame in network.predict(path)])
        return float(np.abs(found - dots).max())

    assert error(Predictor(Bright(), 4)) > 1.2  # a pixel of the input is four of the original
    assert error(zooming()) < 0.8


def slow_boxes(dots: np.ndarray, window: int, size: float) -> np.ndarray:
    """What the locator should do, frame by frame: medians of the window, the last box where nothing is seen."""
    scale = np.array(SIZE) / INPUT
    seen = []
    for x, y in dots:
        if not (0 <= x < SIZE[0] and 0 <= y < SIZE[1]):
            seen.append([np.nan, np.nan, size, size])
            continue
        # The brightest pixel of the whole image shrunk to the input, back in the original.
        image = Predictor(Bright(), 1).predict(dot_image(x, y))
        seen.append([*next(iter(image)).instances.keypoints[0, 0, 0], size, size])
    last = np.array([(SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2, max(SIZE), max(SIZE)])
    reach, boxes = window // 2, []
    for t in range(len(dots)):
        part = np.array(seen[max(0, t - reach) : t + reach + 1])
        known = part[~np.isnan(part[:, 0])]
        middle = np.array([*(np.median(known[:, :2], 0) if len(known) else last[:2]), size, size])
        last = middle
        boxes.append(middle)
    assert scale.min() > 1
    return np.array(boxes)


@pytest.mark.parametrize("window", [1, 5])
def test_boxes_of_a_stream_are_those_of_a_slow_reference(window: int, tmp_path: Path) -> None:
    dots = walk(24)
    dots[:3] = -9  # not seen at first
    dots[9:17] = -9  # and lost for longer than a window
    path = clip(tmp_path / "a.mp4", dots)
    locator = zooming(window).locator
    assert locator is not None
    with closing(locator.follow(path)) as instants:
        boxes = np.array([shot.frame.images[0].box for shot in instants])
    np.testing.assert_allclose(centred(boxes), slow_boxes(dots, window, 32.0), atol=2e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_a_video_may_be_shorter_than_the_window(count: int, tmp_path: Path) -> None:
    dots = walk(count)
    path = clip(tmp_path / "a.mp4", dots)
    assert len(list(zooming(9).predict(path))) == count


def job(path: Path, folder: str = "out") -> Job:
    (made,) = jobs_for([path], path.parent / folder, path.parent / folder, formats=("csv",), labeled_video=False)
    return replace(made, boxes=path.parent / folder / f"{path.stem}_bbox.csv")


class Killed(Exception):
    pass


class Dying(Predictor):
    """Ends after so many predictions, as a process that is killed."""

    after = 0

    def stream_source(self, *arguments: Any, **options: Any) -> Iterator[Any]:  # type: ignore[override]
        with closing(super().stream_source(*arguments, **options)) as found:
            for number, prediction in enumerate(found):
                if number == self.after:
                    raise Killed
                yield prediction


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("after", [3, 9, 14])
def test_an_interrupted_prediction_ends_with_the_same_files(context: int, after: int, tmp_path: Path) -> None:
    dots = walk(21)
    dots[6:14] = -9  # the box at the interruption is one that has been held
    path = clip(tmp_path / "a.mp4", dots)
    options: dict[str, Any] = {"scorer": "net", "identity": "x"}
    predict_to_files(zooming(context=context), job(path, "whole"), **options)
    network = zooming(context=context)
    dying = Dying(network.algorithm, network.batch_size, locator=network.locator)
    dying.after = after
    with pytest.raises(Killed):
        predict_to_files(dying, job(path), **options)
    done = predict_to_files(zooming(context=context), job(path), **options)
    assert done.frames == 21 - after // 4 * 4
    for name in ("a.csv", "a_bbox.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert predict_to_files(zooming(context=context), job(path), **options).skipped
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"a.csv", "a_bbox.csv", ".a.json"}


def test_the_boxes_that_were_written_give_the_same_predictions(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", walk(17))
    options: dict[str, Any] = {"scorer": "net", "identity": "x"}
    predict_to_files(zooming(), job(path), **options)
    assert len(read_boxes(tmp_path / "out" / "a_bbox.csv").edges) == 17
    by_table = Predictor(Bright(), 4, locator=TableLocator(tmp_path / "out"))
    predict_to_files(by_table, replace(job(path, "again"), boxes=None), **options)
    first, second = (read_predictions(tmp_path / name / "a.csv").to_numpy() for name in ("out", "again"))
    np.testing.assert_array_equal(first, second)


def test_neighbours_are_seen_through_the_crop_of_their_middle_frame(tmp_path: Path) -> None:
    # The second keypoint holds the mean brightness of the window's first and last frame: with crops of their own, or
    # with one crop for all of them, these would be other numbers.
    rng = np.random.default_rng(5)
    images = rng.integers(0, 90, (9, SIZE[1], SIZE[0], 3)).astype(np.uint8)
    boxes = np.stack([at(x, y, 32) for x, y in rng.integers(20, 60, (9, 2)) + 0.5])
    write_boxes(tmp_path / "bbox.csv", [str(i) for i in range(9)], boxes)

    class Listed(TableLocator):
        def of_image(self, name: str) -> np.ndarray:
            return boxes[int(name)]

    found = list(Predictor(Bright(2), 4, locator=Listed(tmp_path)).predict(images))
    for t, frame in enumerate(found):
        low = np.round(boxes[t, :2] + 0.5).astype(int)
        ends = [images[i][low[1] : low[1] + 32, low[0] : low[0] + 32].mean() for i in (max(0, t - 2), min(8, t + 2))]
        np.testing.assert_allclose(frame.instances.keypoints[0, 0, 1], ends, atol=1e-3)


def test_image_files_have_boxes_of_their_own(tmp_path: Path) -> None:
    dots = np.array([[20, 30], [100, 60], [-9, -9], [60, 20]])
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for path, dot in zip(paths, dots, strict=True):
        write_image(path, dot_image(*dot))
    locator = zooming().locator
    assert locator is not None
    with closing(locator.follow(paths)) as instants:
        boxes = centred(np.array([shot.frame.images[0].box for shot in instants]))
    np.testing.assert_allclose(boxes[[0, 1, 3], :2], dots[[0, 1, 3]], atol=2.1)
    np.testing.assert_allclose(boxes[2, :2], [59.5, 44.5])


def test_boxes_of_images_serve_from_any_folder_and_pass_over_damaged_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "set" / f"{i}.png" for i in range(4)]
    for path, dot in zip(paths, [[20, 30], [100, 60], [40, 40], [60, 20]], strict=True):
        write_image(path, dot_image(*dot))
    paths[2].write_bytes(b"no image")
    (made,) = jobs_for(paths, tmp_path / "out", tmp_path / "out", formats=("csv",), labeled_video=False)
    options: dict[str, Any] = {"scorer": "net", "identity": "one"}
    found = predict_to_files(zooming(), replace(made, boxes=tmp_path / "out" / "set_bbox.csv"), **options)
    assert len(found.unreadable) == 1 and "2.png" in found.unreadable[0]
    monkeypatch.chdir(tmp_path / "set")
    typed = [Path(path.name) for path in paths]
    locator = TableLocator(tmp_path / "out" / "set_bbox.csv")
    locator.check(typed)
    again = replace(made, source=tuple(typed), table=tmp_path / "again" / "set.csv")
    assert len(predict_to_files(Predictor(Bright(), 4, locator=locator), again, **options).unreadable) == 1
    assert again.table.read_text() == made.table.read_text()


def test_both_views_of_a_recording_go_on_with_their_boxes(tmp_path: Path) -> None:
    dots = [walk(14), walk(14, 4)]
    for each in dots:
        each[5:11] = -9
    videos = [clip(tmp_path / f"s_{name}.mp4", each) for name, each in zip(("top", "side"), dots, strict=True)]
    options: dict[str, Any] = {"scorer": "net", "identity": "x"}
    predict_views(zooming(), [job(video, "whole") for video in videos], **options)
    network = zooming()
    dying = Dying(network.algorithm, network.batch_size, locator=network.locator)
    dying.after = 9
    with pytest.raises(Killed):
        predict_views(dying, [job(video) for video in videos], **options)
    done = predict_views(zooming(), [job(video) for video in videos], **options)
    assert [one.frames for one in done] == [6, 6]
    for video, each in zip(videos, dots, strict=True):
        for name in (f"{video.stem}.csv", f"{video.stem}_bbox.csv"):
            assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        boxes = centred(read_boxes(tmp_path / "out" / f"{video.stem}_bbox.csv").edges)
        np.testing.assert_allclose(boxes, slow_boxes(each, 5, 32.0), atol=2e-4)


def test_each_view_has_its_box() -> None:
    dots = np.array([[20, 30], [90, 60]])
    images = [dot_image(*dot) for dot in dots]
    settings = CropSettings(size=32.0, anchors=("spot",), threshold=0.05)
    frame = Frame((ImageRef(Path("a.png"), size=SIZE), ImageRef(Path("b.png"), size=SIZE)), Instances.empty(2, (2,)))

    class Pictures(ImageCache):
        def read(self, labels: Labels, image: ImageRef) -> np.ndarray:
            return images["ab".index(image.path.stem)]

    labels = Labels(SKELETON, (frame,))
    located = NetworkLocator(Predictor(Sure(), 4), settings, 1.0, "x").locate(labels, Pictures(0))
    boxes = centred(np.array([image.box for image in located[0].images]))
    assert np.abs(boxes[:, :2] - dots).max() < 2.1
    np.testing.assert_allclose(boxes[:, 2:], 32)
    kept = NetworkLocator(Predictor(Sure(), 4), settings, 1.0, "x").locate(located, Pictures(0))
    assert kept is located


def test_a_detector_s_best_box_is_taken() -> None:
    found = Instances(
        np.zeros((1, 3, 0, 2)),
        np.zeros((1, 3, 0), np.int8),
        scores=np.array([[0.2, 0.9, np.nan]]),
        boxes=np.array([[[0, 0, 9, 9], [10, 20, 30, 60], [0, 0, 1, 1]]], float),
    )
    np.testing.assert_allclose(instance_boxes(found, [], BoxRule(1.5, threshold=0.3)), [[20, 40, 60, 60]])
    assert np.isnan(instance_boxes(found, [], BoxRule(1.5, threshold=0.95))).all()
    assert np.isnan(instance_boxes(Instances.empty(2), [0, 1], BoxRule())).all()


def test_an_anchor_must_be_a_keypoint() -> None:
    finder = Predictor(Sure(), 4)
    with pytest.raises(ConfigError, match=r"crop\.anchors: 'spott' is no keypoint \(did you mean 'spot'\?\)"):
        NetworkLocator(finder, CropSettings(size=32.0, anchors=("spott",)), 1.0, "x")


def test_a_table_must_have_a_row_a_frame(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", walk(5))
    write_boxes(tmp_path / "a_bbox.csv", range(4), np.tile(at(30, 30, 32), (4, 1)))
    network = Predictor(Bright(), 4, locator=TableLocator(tmp_path))
    with pytest.raises(InputError, match=r"a_bbox\.csv: 4 rows, but a\.mp4 has 5 frames"):
        list(network.predict(path))
    other = clip(tmp_path / "b.mp4", walk(2))
    with pytest.raises(InputError, match=r"b_bbox\.csv: missing, so there are no boxes for b\.mp4"):
        list(network.predict(other))
    write_boxes(tmp_path / "b_bbox.csv", ["x.png", "y.png"], np.tile(at(30, 30, 32), (2, 1)))
    with pytest.raises(InputError, match=r"b_bbox\.csv: names images, but boxes of b\.mp4"):
        list(network.predict(other))


def test_a_run_that_needs_crops_does_not_look_at_whole_images(tmp_path: Path) -> None:
    network = Predictor(Bright(), 4, locator=NoLocator(tmp_path))
    with pytest.raises(RunError, match="give --locator RUN"):
        list(network.predict(dot_image(3, 3)))
    labels = Labels(SKELETON, (Frame((ImageRef(tmp_path / "a.png"),), Instances.empty(2)),))
    with pytest.raises(RunError, match="give --locator RUN"):
        network.predict_labels(labels)


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_locator_that_finds_nothing_says_so(tmp_path: Path) -> None:
    settings = CropSettings(size=32.0, anchors=("spot",), threshold=0.99)
    finder = NetworkLocator(Predictor(Sure(), 4), settings, 1.0, "x")
    dim = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for path in paths:
        write_image(path, dim)
    labels = Labels(SKELETON, tuple(Frame((ImageRef(path, size=SIZE),), Instances.empty(2)) for path in paths))
    expected = (
        r"nothing was located in 20 of 20 labelled images \(100%\): .* at best 0.35, crop.threshold=0.99 is needed"
    )
    with pytest.warns(UserWarning, match=expected):
        finder.locate(labels, ImageCache(0))
    with pytest.raises(InputError, match=expected):
        finder.locate(labels, ImageCache(0), needed=True)
    with VideoWriter(tmp_path / "dim.mp4", 25, crf=0) as video:
        for _ in range(12):
            video.write(dim)
    with pytest.warns(UserWarning, match=r"nothing was located in 12 of 12 frames of dim\.mp4 "):
        assert len(list(finder.follow(tmp_path / "dim.mp4"))) == 12
    # One find in twenty is still too few; it is not an error, and a few that are not found need no line.
    for seen, said in ((1, True), (4, False)):
        for path in paths[:seen]:
            write_image(path, np.full_like(dim, 255))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            finder.locate(labels, ImageCache(0), needed=True)
        assert [f"in {20 - seen} of 20" in str(each.message) for each in caught] == [True] * said
    assert finder.locate(finder.locate(labels, ImageCache(0)), ImageCache(0), needed=True)
