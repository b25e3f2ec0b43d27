from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vitruve.algorithms.base import Needs
from vitruve.data.context import check_context, check_neighbours, neighbour, window
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("nose",))


def _labels(root: Path, *names: str, split: str | None = None) -> Labels:
    frames = tuple(Frame((ImageRef(Path(name)),), Instances.empty(1), split=split) for name in names)
    return Labels(SKELETON, frames, root=root)


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/img00000010.png", ["08", "09", "10", "11", "12"]),
        ("a/img00000001.png", ["00", "00", "01", "02", "03"]),  # no frame has a number below 0
    ],
)
def test_names_of_neighbours_keep_their_zeros(name: str, expected: list[str]) -> None:
    found = window(ImageRef(Path(name)), 2, lambda each: True)
    assert [each.path.as_posix() for each in found] == [f"a/img000000{number}.png" for number in expected]


def test_beyond_the_end_of_a_video_its_last_frame_is_seen_again() -> None:
    # As in the prediction of the whole video: a labelled frame is given the same five frames.
    def exists(image: ImageRef) -> bool:
        return image.index is not None and image.index < 6

    for index, expected in ((0, [0, 0, 0, 1, 2]), (1, [0, 0, 1, 2, 3]), (4, [2, 3, 4, 5, 5]), (5, [3, 4, 5, 5, 5])):
        assert [each.index for each in window(ImageRef(Path("v.mp4"), index), 2, exists)] == expected
    assert neighbour(ImageRef(Path("gone.mp4"), 3), -1, lambda each: False) is None


def test_no_context_frame_at_all_is_an_error_before_training(tmp_path: Path) -> None:
    labels = _labels(tmp_path, "a/img005.png", "a/img050.png")
    _touch(tmp_path, "a/img005.png", "a/img050.png", "a/img6.png", "b/img006.png", "a/img006.jpg")
    with pytest.raises(InputError, match=r"img005\.png: has no context frames, nor has any .* 2 labelled") as caught:
        check_context(labels, Needs(context=2), ImageCache(0), "heatmap_mhcrnn")
    message = str(caught.value)
    assert "\n" not in message and "model.model_type=heatmap_mhcrnn" in message and "as many digits" in message
    assert check_context(labels, Needs(), ImageCache(0), "heatmap") is None


def test_some_missing_context_frames_are_counted(tmp_path: Path) -> None:
    names = [f"img{number:03d}.png" for number in (3, 4, 5, 6, 7, 19, 20)]
    _touch(tmp_path, *names)
    cache, needs = ImageCache(0), Needs(context=2)
    said = check_context(_labels(tmp_path, "img005.png", "img020.png"), needs, cache, "heatmap_mhcrnn")
    assert said is not None and "\n" not in said
    assert "1 of 2 labelled images lack some (3 in all" in said and "img020.png" in said
    assert check_context(_labels(tmp_path, "img005.png"), needs, cache, "heatmap_mhcrnn") is None
    # Frames that nobody looks at need none.
    unused = _labels(tmp_path, "img020.png", split="unused")
    both = Labels(SKELETON, (*_labels(tmp_path, "img005.png").frames, *unused.frames), root=tmp_path)
    assert check_context(both, needs, cache, "heatmap_mhcrnn") is None


def _film(root: Path, places: np.ndarray) -> None:
    """Noisy images of a bright spot at the given places, on ground that is the same in all of them."""
    rng = np.random.default_rng(0)
    ground = rng.uniform(40, 90, (64, 80, 3))
    for number, (x, y) in enumerate(places):
        image = cv2.circle(ground.copy(), (round(x), round(y)), 9, (250, 250, 250), -1)
        noisy = image + rng.normal(0, 6, image.shape)
        write_image(root / f"img{number:03d}.png", noisy.clip(0, 255).astype(np.uint8))


def test_neighbours_by_number_alone_are_noticed(tmp_path: Path) -> None:
    time, rng = np.arange(60) / 6, np.random.default_rng(1)
    path = np.stack([40 + 25 * np.sin(time), 32 + 20 * np.cos(1.7 * time)], -1)
    needs, numbers = Needs(context=2), range(2, 58, 5)
    for name, places in (("video", path), ("still", np.tile(path[:1], (60, 1))), ("mixed", rng.permutation(path))):
        (tmp_path / name).mkdir()
        _film(tmp_path / name, places)
        labels = _labels(tmp_path / name, *(f"img{number:03d}.png" for number in numbers))
        said = check_neighbours(labels, needs, ImageCache(0))
        # An animal that never moves looks the same everywhere: nothing can be told.
        assert (said is not None) == (name == "mixed"), said
    assert said is not None and "\n" not in said and "model.model_type=heatmap" in said
    assert check_neighbours(labels, Needs(), ImageCache(0)) is None
    assert check_neighbours(labels[:3], needs, ImageCache(0)) is None
    # Each is a labelled image, and the numbers are those of labelling: neighbours are no more alike than others.
    every = _labels(tmp_path / "mixed", *(f"img{number:03d}.png" for number in range(60)))
    assert check_neighbours(every, needs, ImageCache(0)) is not None
