"""Maps of data sets: what is on them, where, and how they look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from curation.pictures import KINDS, clips, colors
from vitruve.curation.crops import crop_images, crops_of
from vitruve.curation.embedding import Embedder, open_embedder
from vitruve.curation.files import write_map
from vitruve.curation.tsne_map import map_of, plane
from vitruve.errors import ConfigError, InputError, RunError
from vitruve.networks.backbone import Backbone
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    return clips(tmp_path_factory.mktemp("clips"), kinds=3)


def test_a_crop_shows_its_object_and_nothing_else(labels: Labels) -> None:
    crops = crops_of(labels)
    assert [crop.frame for crop in crops] == list(range(len(labels)))
    assert [crop.category for crop in crops[:15:5]] == [0, 1, 2]
    for crop, image in zip(crops, crop_images(labels, crops, 16), strict=True):
        away = np.abs(image - KINDS[crop.category].astype(float))
        assert away.max() <= 9


def test_a_crop_at_the_border_has_no_black(tmp_path: Path) -> None:
    labels = clips(tmp_path, 1, 1)
    boxes = np.array([[[-20, -20, 10, 10], [60, 40, 90, 60], [-100, -100, 300, 300.0]]])
    frame = replace(labels[0], instances=Instances(np.zeros((1, 3, 0, 2)), np.zeros((1, 3, 0), np.int8), boxes=boxes))
    labels = replace(labels, frames=(frame,))
    assert all(image.min() > 2 for image in crop_images(labels, crops_of(labels), 8))


def test_keypoints_whole_images_and_crowds(labels: Labels) -> None:
    points = np.array([[[[10.0, 10.0], [30.0, 20.0], [np.nan, np.nan]]]])
    posed = Frame((ImageRef(Path("a.png"), size=(64, 48)),), Instances.from_keypoints(points))
    crops = crops_of(Labels(Skeleton(("a", "b", "c")), (posed,)))
    # A tenth wider on each side, and square around the middle.
    assert crops[0].box == pytest.approx((8, 3, 32, 27))
    assert crops_of(labels, "images")[0].box is None
    crowd = replace(labels[0], instances=replace(labels[0].instances, crowds=np.array([[True]])))
    assert crops_of(replace(labels, frames=(crowd,)))[0].box is None
    drawn = crops_of(labels, most=45)
    assert len(drawn) == 40
    assert drawn == crops_of(labels, most=45)
    with pytest.raises(InputError, match="hold no frame"):
        crops_of(labels[:0])


def test_the_map_has_the_clusters_of_what_is_shown(labels: Labels, tmp_path: Path) -> None:
    made = map_of(labels, colors(), seed=1)
    assert made.count == 3
    assert {(c, n) for c, n in zip(made.classes, made.clusters.tolist(), strict=True)} == {
        *zip("abc", [0, 1, 2], strict=True)
    }
    assert made.points.shape == (40, 2)
    assert np.abs(made.points).max() == pytest.approx(1)
    assert made.thumbnails.shape == (40, 24, 24, 3)
    assert (made.points == map_of(labels, colors(), seed=1).points).all()
    # On the plane too, each point's neighbour is of its cluster.
    away = np.linalg.norm(made.points[:, None] - made.points, axis=-1) + 9 * np.eye(40)
    assert (made.clusters[away.argmin(1)] == made.clusters).all()
    files = write_map(made, tmp_path)
    assert all(path.stat().st_size > 1000 for path in files.values())


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_small_maps(labels: Labels, count: int) -> None:
    made = map_of(labels[:count], colors())
    assert made.points.shape == (count, 2)
    assert np.isfinite(made.points).all()


def test_equal_points_lie_on_one_place() -> None:
    assert (plane(np.ones((9, 4))) == 0).all()


def test_learned_and_random_networks_are_pooled_differently() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    random = Embedder.of_backbone("test_resnet", pretrained=False, size=32, device="cpu", seed=2)
    torch.manual_seed(9)
    assert (
        random(images) == Embedder.of_backbone("test_resnet", pretrained=False, size=32, device="cpu", seed=2)(images)
    ).all()
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = Backbone("test_resnet", (32, 32)).eval()
    with torch.inference_mode():
        maps = network(torch.from_numpy(images).permute(0, 3, 1, 2))
    slow = [m.mean((2, 3)) for m in maps] + [m.flatten(2).std(-1, unbiased=False) for m in maps]
    np.testing.assert_allclose(random(images), torch.cat(slow, 1).numpy(), rtol=1e-4, atol=1e-5)
    learned = Embedder(network, True, "learned", 32)
    np.testing.assert_allclose(learned(images), maps[-1].mean((2, 3)).numpy(), rtol=1e-4, atol=1e-5)


def test_what_makes_points_is_named_wrongly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such network"):
        open_embedder("resnett18", pretrained=False)
    with pytest.raises(ConfigError, match="give one of the two"):
        open_embedder(weights=tmp_path / "a.safetensors", run=tmp_path)
    with pytest.raises(RunError, match="no such weight file"):
        open_embedder("test_resnet", tmp_path / "a.safetensors")
    with pytest.raises(RunError, match="no such run directory"):
        open_embedder(run=tmp_path / "run")
