from __future__ import annotations

import numpy as np
import torch

from vitruve.structures.batch import Batch
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances


def _batch() -> Batch:
    rng = np.random.default_rng(0)
    to_image = np.tile(np.eye(3, dtype=np.float32), (2, 3, 1, 1))
    to_image[..., :2, :] += rng.uniform(-0.3, 0.3, (2, 3, 2, 3)).astype(np.float32)
    to_image[..., :2, 2] *= 1000
    keypoints = rng.uniform(0, 1000, (2, 3, 4, 5, 2)).astype(np.float32)
    keypoints[0, 1, 2] = np.nan
    cameras = Camera(*(torch.zeros(2, 3, *shape) for shape in ((3, 3), (3, 3), (3,), (8,), (2,))))
    return Batch(
        torch.zeros(2, 3, 1, 3, 32, 64, dtype=torch.uint8),
        torch.from_numpy(to_image),
        Instances.from_keypoints(torch.from_numpy(keypoints)),
        truth_3d=Instances.from_keypoints(torch.zeros(2, 4, 5, 3)),
        cameras=cameras,
    )


def test_truth_in_input_is_the_inverse_of_to_image_view_by_view() -> None:
    batch = _batch()
    found = batch.truth_in_input
    assert batch.truth is not None and found is not None
    points = batch.truth.keypoints.double().numpy()
    for b, v, n, k in np.ndindex(2, 3, 4, 5):
        x, y, w = np.linalg.inv(batch.to_image[b, v].double().numpy()) @ [*points[b, v, n, k], 1]
        np.testing.assert_allclose(found.keypoints[b, v, n, k], [x / w, y / w], atol=1e-3)
    back = found.transformed(batch.to_image)
    np.testing.assert_allclose(back.keypoints, batch.truth.keypoints, atol=1e-3)


def test_without_truth_there_is_none_in_the_input() -> None:
    assert Batch(torch.zeros(1, 1, 1, 3, 8, 8), torch.eye(3)[None, None]).truth_in_input is None


def test_size_and_length() -> None:
    batch = _batch()
    assert len(batch) == 2 and batch.input_size == (64, 32)


def test_a_function_reaches_every_tensor() -> None:
    batch = _batch()
    seen: list[tuple[int, ...]] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(tensor.shape))
        return tensor + 1

    changed = batch.map(note)
    # images, to_image, two truths of keypoints and visibility, five arrays of cameras
    assert len(seen) == 2 + 2 * 2 + 5
    assert changed.cameras is not None and float(changed.cameras.distortion.min()) == 1
    assert changed.ignore is None
    assert batch.to("cpu").images.dtype == torch.uint8


def test_other_images_keep_the_rest() -> None:
    batch = _batch()
    floats = batch.with_images(batch.images.float() + 0.5)
    assert floats.images.dtype == torch.float32 and floats.truth is batch.truth
