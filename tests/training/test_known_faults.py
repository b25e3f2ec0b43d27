"""Faults of Lightning Pose that lie between settings, labels and networks, shown to be absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference.stand_in import Bright
from tiny_project import SIZE, settings, write_project
from vitruve.config.schema import Config
from vitruve.data.dataset import PoseDataset
from vitruve.data.images import ImageCache
from vitruve.inference.predictor import Predictor
from vitruve.structures.batch import Batch
from vitruve.training.prepare import prepare
from vitruve.training.unsupervised import fit_subspaces


def _config(project: Path, **losses: Any) -> Config:
    values = settings(project)
    values["data"] |= {"columns_for_singleview_pca": [0, 1], "mirrored_column_matches": [[0], [1]]}
    return Config.from_mapping({**values, "losses": losses})


def test_subspaces_are_those_of_labels_in_original_pixels(tmp_path: Path) -> None:
    """Lightning Pose fits them to labels of the resized images and measures predictions in original pixels."""
    write_project(tmp_path)
    config = _config(tmp_path, pca_singleview={"components_to_keep": 2, "centering_method": None})
    labels = prepare(config).labels
    size = (config.data.image_resize_dims.width, config.data.image_resize_dims.height)
    assert size != SIZE, "the fault shows only where images are resized"
    points = labels.split("train").keypoints()[:, 0, 0].reshape(-1, 4)
    found = fit_subspaces(config, labels)["pca_singleview"]
    np.testing.assert_allclose(found.mean, points.mean(0), rtol=1e-5)
    assert np.abs(found.mean - (points * np.tile(np.divide(size, SIZE), 2)).mean(0)).max() > 1


def test_each_subspace_has_its_own_settings(tmp_path: Path) -> None:
    """Lightning Pose measures the multi-view error with the settings of the single-view one."""
    write_project(tmp_path)
    config = _config(tmp_path, pca_singleview={"components_to_keep": 1}, pca_multiview={"components_to_keep": 3})
    found = fit_subspaces(config, prepare(config).labels)
    assert {name: len(each.components) for name, each in found.items()} == {"pca_singleview": 1, "pca_multiview": 3}


def test_training_and_prediction_sample_images_alike(tmp_path: Path) -> None:
    """Lightning Pose has five ways to resize an image, and results differ with the way it was read."""
    write_project(tmp_path, frames=4)
    labels = prepare(Config.from_mapping(settings(tmp_path))).labels
    seen: list[torch.Tensor] = []

    class Watched(Bright):
        def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
            seen.append(batch.images[:, 0, 0])
            return super().forward(batch)

    network = Watched()
    paths = [labels.path(frame.images[0]) for frame in labels]
    list(Predictor(network, 4).predict(paths))
    Predictor(network, 4).predict_labels(labels)
    data = PoseDataset(labels, network.task.input_size, network.needs, ImageCache(0))
    trained = torch.stack([torch.as_tensor(data[index].images) for index in range(4)])[:, 0, 0]
    predicted, of_labels = seen
    assert trained.float().std() > 1
    assert torch.equal(predicted, of_labels) and torch.equal(predicted, trained)
