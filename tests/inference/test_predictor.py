from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.stand_in import SKELETON, numbered, predictor, spots
from vitruve.errors import InputError
from vitruve.inference.predictor import Prediction
from vitruve.inference.shots import Shot, shots
from vitruve.media.images import read_image, write_image
from vitruve.media.video import VideoReader, VideoWriter
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels


def found(frames: object, keypoint: int = 0) -> np.ndarray:
    return np.array([frame.instances.keypoints[0, 0, keypoint] for frame in frames])  # type: ignore[attr-defined]


def write_clip(path: Path, count: int) -> Path:
    with VideoWriter(path, 25, crf=0) as video:
        for image in numbered(count):
            video.write(image)
    return path


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_every_image_once_and_in_order(count: int, batch_size: int) -> None:
    frames = list(predictor(batch_size).predict(numbered(count)))
    np.testing.assert_allclose(found(frames), spots(count), atol=1e-4)
    assert [frame.images[0].index for frame in frames] == list(range(count))
    assert frames[0].instances.keypoints.shape == (1, 1, 2, 2)


def test_nothing_in_nothing_out() -> None:
    assert list(predictor().predict([])) == []
    assert list(predictor(context=2).predict(iter([]))) == []


def test_kinds_of_sources(tmp_path: Path) -> None:
    images = numbered(6)
    paths = [tmp_path / f"img{index}.png" for index in range(6)]
    for path, image in zip(paths, images, strict=True):
        write_image(path, image)
    clip = write_clip(tmp_path / "clip.mp4", 6)
    for source in (images, iter(images), (image for image in images), np.stack(images), paths, map(str, paths)):
        np.testing.assert_allclose(found(predictor().predict(source)), spots(6), atol=1e-4)
    # The pixels that a video was compressed from come back nearly, the brightest in the same place.
    for source in (clip, str(clip)):
        frames = list(predictor().predict(source))
        assert [frame.images[0].index for frame in frames] == list(range(6))
        np.testing.assert_allclose(found(frames), spots(6), atol=1e-4)
    for source in (images[3], paths[3], str(paths[3]), images[3][..., 0], [images[3][..., 0]]):
        np.testing.assert_allclose(found(predictor().predict(source)), spots(6)[3:4], atol=1e-4)
    assert next(predictor().predict(paths)).images[0].path == paths[0]


def test_coordinates_are_those_of_the_original_image() -> None:
    # Twice as wide and four times as high as the network's input: blocks of 2 by 4 pixels become one.
    image = np.zeros((128, 64, 3), np.uint8)
    image[40:44, 20:22] = 255
    (frame,) = predictor().predict(image)
    np.testing.assert_allclose(frame.instances.keypoints[0, 0, 0], (20.5, 41.5), atol=1e-4)


@pytest.mark.parametrize("start", [0, 1, 2, 3, 7, 9, 10])
@pytest.mark.parametrize("context", [0, 1, 2])
def test_start_leaves_out_images_but_not_their_context(tmp_path: Path, start: int, context: int) -> None:
    images, network = numbered(9), predictor(4, context)
    whole, rest = list(network.predict(images)), list(network.predict(images, start))
    assert len(rest) == max(0, 9 - start)
    for one, other in zip(rest, whole[start:], strict=True):
        np.testing.assert_array_equal(one.instances.keypoints, other.instances.keypoints)
        assert one.images == other.images
    if rest:
        assert list(network.predict(images[0], start)) == [] or start == 0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("reach", [1, 2])
def test_windows_repeat_the_outermost_image_at_both_ends(count: int, reach: int) -> None:
    images = numbered(count)
    means = np.array([image.mean() for image in images])
    ends = found(predictor(3, reach).predict(images), keypoint=1)
    numbers = np.arange(count)
    np.testing.assert_allclose(ends[:, 0], means[np.maximum(numbers - reach, 0)], rtol=1e-5)
    np.testing.assert_allclose(ends[:, 1], means[np.minimum(numbers + reach, count - 1)], rtol=1e-5)
    np.testing.assert_allclose(found(predictor(3, reach).predict(images)), spots(count), atol=1e-4)


def test_several_views_and_views_that_come_and_go() -> None:
    images = numbered(8)
    items = [
        Shot(Frame((ImageRef(Path(), i),) * views, Instances.empty(2)), tuple(images[i : i + views]))
        for i, views in enumerate((2, 2, 1, 1, 1, 2))
    ]
    frames = [prediction.frame for prediction in predictor(4).stream(items)]
    assert [frame.instances.keypoints.shape[0] for frame in frames] == [2, 2, 1, 1, 1, 2]
    for i, frame in enumerate(frames):
        np.testing.assert_allclose(frame.instances.keypoints[:, 0, 0], spots(8)[i : i + len(frame.images)], atol=1e-4)


def test_context_of_image_files_goes_by_their_numbers_not_by_their_place_in_a_list(tmp_path: Path) -> None:
    images = numbered(14)
    paths = [tmp_path / f"img{index:03d}.png" for index in range(14)]
    for index in set(range(14)) - {9}:
        write_image(paths[index], images[index])
    means = np.array([image.mean() for image in images])
    for listed in ([2, 6, 7, 8], [8, 2, 12, 6], [7], [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13]):
        frames = list(predictor(3, 2).predict([paths[index] for index in listed]))
        np.testing.assert_allclose(found(frames), spots(14)[listed], atol=1e-4)
        # Numbers stop at 0, and an image stands in for a neighbour that is not on disk.
        before = [index if index - 2 == 9 else max(index - 2, 0) for index in listed]
        after = [index if index + 2 in (9, 14, 15) else index + 2 for index in listed]
        np.testing.assert_allclose(found(frames, keypoint=1), np.stack([means[before], means[after]], -1), rtol=1e-5)


def test_every_image_file_is_read_once_when_its_neighbours_are_in_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"img{index:03d}.png" for index in range(9)]
    for path, image in zip(paths, numbered(9), strict=True):
        write_image(path, image)
    reads: list[Path] = []

    def counted(path: Path) -> np.ndarray:
        reads.append(path)
        return read_image(path)

    monkeypatch.setattr("vitruve.inference.shots.read_image", counted)
    list(predictor(4, 2).predict(paths))
    assert reads == paths


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_context_ends_where_the_size_of_images_changes(batch_size: int) -> None:
    images = numbered(9)
    wide = [np.repeat(image, 2, 1) if 3 <= index < 7 else image for index, image in enumerate(images)]
    frames = list(predictor(batch_size, 2).predict(wide))
    means = np.array([image.mean() for image in images])
    bounds = np.array([(0, 2)] * 3 + [(3, 6)] * 4 + [(7, 8)] * 2)
    numbers = np.arange(9)
    before, after = np.maximum(numbers - 2, bounds[:, 0]), np.minimum(numbers + 2, bounds[:, 1])
    np.testing.assert_allclose(found(frames, keypoint=1), np.stack([means[before], means[after]], -1), rtol=1e-5)
    places = spots(9)
    places[3:7, 0] = 2 * places[3:7, 0] + 0.5  # two pixels of the original are one of the input
    np.testing.assert_allclose(found(frames), places, atol=1e-4)


@pytest.mark.parametrize("context", [0, 2])
def test_batches_are_the_same_wherever_one_goes_on(context: int, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [
        Shot(Frame((ImageRef(Path(), i),) * views, Instances.empty(2)), (image,) * views)
        for i, (image, views) in enumerate(zip(numbered(14), [1] * 5 + [2] * 9, strict=True))
    ]
    network, batches = predictor(4, context), list[list[int | None]]()
    run = network.run_batch

    def noted(frames: list[Frame], batch: object) -> list[Frame]:
        batches.append([frame.images[0].index for frame in frames])
        return run(frames, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(network, "run_batch", noted)
    list(network.stream(items))
    assert batches == [[0, 1, 2, 3], [4], [5, 6, 7], [8, 9, 10, 11], [12, 13]]
    for start in (4, 8, 12):
        whole = [batch for batch in batches if batch[0] is not None and batch[0] >= start]
        batches.clear()
        list(network.stream(items[start - context :], lead=context))
        assert batches == whole
        batches[:] = [[0, 1, 2, 3], [4], [5, 6, 7], [8, 9, 10, 11], [12, 13]]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([np.zeros((8, 8, 3), np.float32)], r"image 0: float32 array \(8, 8, 3\); give uint8 arrays"),
        ([numbered(1)[0], "no.png"], r"no\.png: no such image"),
        ([numbered(1)[0], None], "image 1: NoneType; give uint8 arrays"),
        (np.zeros((8, 8, 4), np.uint8), "image 0: 4 channels; give three, in RGB"),
        (np.zeros((2, 8, 8, 1), np.uint8), "image 0: 1 channels"),
        ("no.mp4", r"no\.mp4"),
        (5, "source: int; give a video, images, an array or an iterable of arrays"),
    ],
)
def test_what_is_no_image(source: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        list(predictor().predict(source))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_errors_of_the_source_surface_and_leave_no_thread() -> None:
    before = threading.active_count()

    def source() -> Iterator[np.ndarray]:
        yield from numbered(5)
        raise OSError("the camera is gone")

    stream = predictor(2).predict(source())
    with pytest.raises(OSError, match="the camera is gone"):
        list(stream)
    assert threading.active_count() == before


def test_stopping_early_closes_files_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, before, closed = write_clip(tmp_path / "clip.mp4", 30), threading.active_count(), []
    close = VideoReader.close
    monkeypatch.setattr(VideoReader, "close", lambda self: (closed.append(self.path), close(self)))
    stream = predictor(2).predict(clip)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert closed == [clip] and threading.active_count() == before
    # The same without being asked: a loop that is left.
    for _ in predictor(2).predict(clip):
        break
    gc.collect()
    assert closed == [clip, clip] and threading.active_count() == before


def test_memory_does_not_grow_with_the_stream() -> None:
    made: list[weakref.ref[np.ndarray]] = []
    counts = []

    class Image(np.ndarray):
        pass

    def images() -> Iterator[np.ndarray]:
        for index in range(120):
            image = np.full((32, 32, 3), index, np.uint8).view(Image)
            made.append(weakref.ref(image))
            yield image

    for _ in predictor(2).predict(images()):
        counts.append(sum(image() is not None for image in made))
    # Batches of two: one being made, two waiting, one in the network, two waiting, one in the reader's hands.
    assert len(counts) == 120 and max(counts) <= 2 * 9
    assert max(counts[80:]) <= max(counts[:40]) + 4


def test_labels_as_a_source(tmp_path: Path) -> None:
    frames = []
    for index, image in enumerate(numbered(5)):
        write_image(tmp_path / f"img{index}.png", image)
        frames.append(Frame((ImageRef(Path(f"img{index}.png")),), Instances.empty(2), session="s", split="test"))
    clip = write_clip(tmp_path / "clip.mp4", 5)
    frames += [Frame((ImageRef(Path(clip.name), index),), Instances.empty(2)) for index in (4, 0)]
    labels = Labels(SKELETON, tuple(frames), tmp_path)
    predicted = predictor(2).predict_labels(labels)
    np.testing.assert_allclose(found(predicted), spots(5)[[0, 1, 2, 3, 4, 4, 0]], atol=1e-4)
    assert [frame.images for frame in predicted] == [frame.images for frame in labels]
    assert predicted[0].session == "s" and predicted[0].split == "test"
    # Neighbours in time are found by their names, those that are not there are replaced.
    ends = found(predictor(2, 1).predict_labels(labels[:5]), keypoint=1)
    means = np.array([image.mean() for image in numbered(5)])
    np.testing.assert_allclose(ends[:, 1], means[[1, 2, 3, 4, 4]], rtol=1e-5)
    missing = Labels(SKELETON, (Frame((ImageRef(Path("gone.png")),), Instances.empty(2)),), tmp_path)
    with pytest.raises(InputError, match=r"gone\.png"):
        predictor().predict_labels(missing)


def test_shots_hold_what_they_are_made_of(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 3)
    made = list(shots(clip, 1))
    assert [shot.frame.images[0] for shot in made] == [ImageRef(clip, index, (32, 32)) for index in (1, 2)]
    predictions = list(predictor().stream(made))
    assert all(isinstance(item, Prediction) for item in predictions)
    assert all(item.images[0] is shot.images[0] for item, shot in zip(predictions, made, strict=True))
