from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rendered import label_set

from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.structures.labels import ImageRef, Labels

BYTES = 64 * 48 * 3


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return label_set(tmp_path, 5, (64, 48), 2)


def _refs(labels: Labels) -> list[ImageRef]:
    return [frame.images[0] for frame in labels]


def test_an_image_is_read_once(labels: Labels) -> None:
    cache, refs = ImageCache(1), _refs(labels)
    cache.fill(labels, refs)
    assert cache.nbytes == 5 * BYTES
    first = [cache.read(labels, ref) for ref in refs]
    for ref in refs:
        labels.path(ref).unlink()
    assert all(cache.read(labels, ref) is image for ref, image in zip(refs, first, strict=True))


@pytest.mark.parametrize("images", [0, 1, 2.9])
def test_the_bound_is_kept_and_what_does_not_fit_is_read_again(labels: Labels, images: float) -> None:
    cache = ImageCache(images * BYTES / 1e9)
    for _ in range(2):
        for ref in _refs(labels):
            assert cache.read(labels, ref).shape == (48, 64, 3)
            assert cache.nbytes <= images * BYTES
    assert cache.nbytes == int(images) * BYTES
    cache.fill(labels, _refs(labels))
    assert cache.nbytes == int(images) * BYTES


def test_pixels_are_those_of_the_file_kept_or_not(labels: Labels) -> None:
    for ref in _refs(labels):
        np.testing.assert_array_equal(ImageCache(0).read(labels, ref), ImageCache(1).read(labels, ref))


def test_a_missing_image_is_one_line_also_when_filled_ahead(labels: Labels) -> None:
    gone = ImageRef(Path("view0/img009.png"))
    with pytest.raises(InputError, match=r"img009\.png: no such image"):
        ImageCache(1).fill(labels, [*_refs(labels), gone])
    assert not ImageCache(1).holds(labels, gone) and ImageCache(1).holds(labels, _refs(labels)[0])
