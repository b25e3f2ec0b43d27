"""Pages of labelled sets: they hold all they need, and say what the labels say."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrated_scene import SIZE, SKELETON, VIEWS, picture, rig, scene_labels
from tiny_project import write_project
from vitruve.data.reconstruction import reconstructed
from vitruve.errors import InputError
from vitruve.formats import jarvis
from vitruve.media.images import read_image, write_image
from vitruve.pipeline.view_dataset import reprojected, view_dataset
from vitruve.structures.instances import Instances
from vitruve.structures.labels import ImageRef, Labels


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """A TrainingSet on disk, in which one label of the third frameset is 12 px off."""
    folder = tmp_path_factory.mktemp("set")
    scene = scene_labels(6).with_splits(["train"] * 4 + ["validation"] * 2)
    frames = []
    for number, (frame, paths) in enumerate(zip(scene, jarvis.image_names(scene, "walk"), strict=True)):
        for view, path in enumerate(paths):
            write_image(folder / path, picture(frame.instances.keypoints[view, 0]))
        keypoints = frame.instances.keypoints.copy()
        if number == 2:
            keypoints[1, 0, 3] += (12, 0)
        images = tuple(ImageRef(path) for path in paths)
        frames.append(replace(frame, images=images, instances=Instances.from_keypoints(keypoints)))
    made = replace(scene, frames=tuple(frames), root=folder)
    jarvis.write(made, folder)
    return made


def data_of(page: Path) -> dict[str, Any]:
    """What the script of a page draws."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    # Nothing is fetched: no address but those that hold their content.
    rest = text.replace(found[1], "")
    assert not re.search(r'(src|href)="(?!data:)', rest) and "http" not in rest and "import " not in rest
    values: dict[str, Any] = json.loads(found[1])
    return values


def test_a_page_in_space_shows_labels_and_where_their_points_appear(labels: Labels, tmp_path: Path) -> None:
    made = view_dataset(labels.root, in_space=True, output=tmp_path / "set.html")
    data = data_of(made["page"])
    assert data["names"] == list(SKELETON.names) and data["views"] == list(VIEWS) and len(data["frames"]) == 6
    first = data["frames"][0]
    assert first["name"].startswith("walk/") and all(uri.startswith("data:image/jpeg") for uri in first["images"])
    assert first["sizes"] == [list(SIZE)] * 3
    # Labels of a TrainingSet have lost their fractions.
    np.testing.assert_allclose(first["labels"], labels[0].instances.keypoints[:, 0], atol=0.51)
    solid = reconstructed(jarvis.read(labels.root))
    truth = solid[0].instances_3d
    assert truth is not None
    np.testing.assert_allclose(first["points"], truth.keypoints[0], atol=0.01)
    for view, camera in enumerate(rig()):
        np.testing.assert_allclose(first["reprojected"][view], camera.project(truth.keypoints[0]), atol=0.02)
    assert len(read_image(made["sheet"])) > 500


def test_the_label_that_contradicts_the_others_is_seen_and_comes_first_when_asked(
    labels: Labels, tmp_path: Path
) -> None:
    made = view_dataset(labels.root, in_space=True, output=tmp_path / "worst.html", worst=True, frames=2)
    data = data_of(made["page"])
    assert len(data["frames"]) == 2
    first = data["frames"][0]
    away = np.linalg.norm(np.array(first["labels"]) - np.array(first["reprojected"]), axis=-1)
    assert away[1, 3] > 8 and np.unravel_index(away.argmax(), away.shape) == (1, 3)


def test_a_missing_view_and_missing_keypoints_are_empty(labels: Labels) -> None:
    frame = labels[0]
    keypoints = frame.instances.keypoints.copy()
    keypoints[0] = np.nan
    gone = replace(frame, images=(ImageRef(Path()), *frame.images[1:]), instances=Instances.from_keypoints(keypoints))
    part = reconstructed(replace(labels, frames=(gone,)))
    seen = reprojected(part)[0]
    assert np.isnan(seen[0]).all() and np.isfinite(seen[1:]).all()
    np.testing.assert_allclose(seen[1:], keypoints[1:, 0], atol=1e-2)


def test_images_without_cameras_have_a_page_of_labels(tmp_path: Path) -> None:
    project = write_project(tmp_path / "dots", 9)
    made = view_dataset(project / "CollectedData.csv", in_space=False, output=tmp_path / "dots.html", frames=4, side=40)
    data = data_of(made["page"])
    assert len(data["frames"]) == 4 and data["frames"][0]["reprojected"] is None
    assert data["frames"][0]["name"] != data["frames"][3]["name"]
    with pytest.raises(InputError, match="vitruve visualize dataset2d"):
        view_dataset(project / "CollectedData.csv", in_space=True, output=tmp_path / "no.html")
    with pytest.raises(InputError, match="no frame in the split 'test'; there is None"):
        view_dataset(project / "CollectedData.csv", in_space=False, output=tmp_path / "no.html", split="test")
    assert not (tmp_path / "no.html").exists()


def test_a_split_is_shown_alone(labels: Labels, tmp_path: Path) -> None:
    made = view_dataset(labels.root, in_space=False, output=tmp_path / "val.html", split="validation")
    data = data_of(made["page"])
    assert len(data["frames"]) == 2 and {frame["note"] for frame in data["frames"]} == {"validation split"}
    # Reprojections are shown in the plane, too, where cameras are known; the skeleton in space is not.
    assert data["frames"][0]["reprojected"] is not None and data["frames"][0]["points"] is None


@pytest.mark.parametrize("in_space", [True, False])
def test_images_that_are_not_there_are_grey_and_counted(labels: Labels, tmp_path: Path, in_space: bool) -> None:
    whole = data_of(view_dataset(labels.root, in_space=in_space, output=tmp_path / "whole.html")["page"])
    folder = tmp_path / "set"
    shutil.copytree(labels.root, folder)
    images = [folder / image.path for frame in labels for image in frame.images]
    for image in images[1:]:
        image.unlink()
    with pytest.warns(UserWarning, match=rf"{len(images) - 1} of the {len(images)} images are not there"):
        made = view_dataset(folder, in_space=in_space, output=tmp_path / "set.html")
    shown = data_of(made["page"])
    for before, after in zip(whole["frames"], shown["frames"], strict=True):
        assert {**before, "images": None} == {**after, "images": None}
    uris = [uri for frame in shown["frames"] for uri in frame["images"]]
    assert len(set(uris)) == 2 and uris.count(uris[0]) == 1
    assert f"{len(images) - 1} of {len(images)} are not there and shown grey" in made["page"].read_text()


def test_sizes_of_absent_images_that_nothing_tells_hold_every_label(tmp_path: Path) -> None:
    write_project(tmp_path)
    table = next(tmp_path.glob("*.csv"))
    for image in tmp_path.rglob("*.png"):
        image.unlink()
    with pytest.warns(UserWarning, match="are not there and shown grey"):
        shown = data_of(view_dataset(table, output=tmp_path / "set.html")["page"])
    size = np.array(shown["frames"][0]["sizes"][0])
    points = np.array([frame["labels"] for frame in shown["frames"]], np.float64)
    assert (np.nanmax(points, (0, 1, 2)) < size).all()
