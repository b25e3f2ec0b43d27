from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest

from vitruve.evaluation.average_precision import assign
from vitruve.evaluation.oks import average_precision, instance_areas, similarity
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import DEFAULT_SIGMA

SIGMAS = np.array([0.026, 0.025, 0.035, 0.079, 0.107])


def person(points, area, **arrays):
    return Instances.from_keypoints(np.array([points], float), areas=np.array([float(area)]), **arrays)


def test_similarity_is_the_mean_of_gaussians_over_the_labelled_keypoints():
    truth = person([[10, 10], [20, 10], [np.nan, np.nan]], 400)
    found = np.array([[[13.0, 14.0], [20.0, 10.0], [5.0, 5.0]], [[np.nan, np.nan], [20.0, 10.0], [0.0, 0.0]]])
    sigmas = np.full(3, DEFAULT_SIGMA)
    far = math.exp(-(3**2 + 4**2) / (2 * 400 * (2 * 0.05) ** 2))
    np.testing.assert_allclose(similarity(found, truth, sigmas), [[(far + 1) / 2], [1 / 2]], rtol=1e-12)


def test_unknown_areas_are_those_of_the_boxes():
    several = Instances.from_keypoints(
        np.array([[[0.0, 0.0], [4.0, 5.0]], [[0.0, 0.0], [4.0, 5.0]], [[0.0, 0.0], [4.0, 5.0]]]),
        areas=np.array([7.0, np.nan, np.nan]),
        boxes=np.array([[0.0, 0, 9, 9], [0, 0, 10, 10], [np.nan] * 4]),
    )
    assert instance_areas(several).tolist() == [7, 100, 20]


def test_the_best_prediction_chooses_first_and_crowds_are_chosen_again():
    similar = np.array([[0.9, 0.8], [0.95, 0.7], [0.6, 0.99]])
    assert assign(similar, np.array([[False, False]]), np.array([False, False]), [0.5, 0.75]).tolist() == [
        [[0, 1, -1], [0, -1, 1]]
    ]
    assert assign(similar, np.array([[False, True]]), np.array([False, True]), [0.75]).tolist() == [[[0, -1, 1]]]


def test_people_in_images_without_predictions_are_missed():
    """HyperPose evaluates only images with a prediction, which inflates its precision."""
    one = person(np.arange(10).reshape(5, 2) * 10, 5000)
    nobody = Instances.empty(5, ())
    found = Instances.from_keypoints(one.keypoints, scores=np.ones(1))
    assert average_precision([(one, found)], SIGMAS).summary["AP"] == pytest.approx(1)
    both = average_precision([(one, found), (one, nobody)], SIGMAS)
    assert both.summary["AR"] == 0.5
    assert both.summary["AP"] == pytest.approx(51 / 101)
    assert average_precision([(nobody, found), (one, found)], SIGMAS).summary["AP50"] == pytest.approx(0.5)


def test_no_people_of_a_size_is_not_a_number():
    empty = average_precision([(Instances.empty(5, ()), Instances.empty(5, ()))], SIGMAS)
    assert all(math.isnan(value) for value in empty.summary.values())
    assert math.isnan(average_precision([], SIGMAS).summary["AP"])


def random_set(rng, images):
    """Truth and predictions with all that COCO has: crowds, people without keypoints, empty images, many guesses."""
    pairs = []
    for _ in range(images):
        n = int(rng.integers(0, 6))
        corner = rng.uniform(0, 300, (n, 1, 2))
        size = rng.choice([20.0, 60.0, 150.0], (n, 1, 1))
        points = corner + size * rng.uniform(0, 1, (n, 5, 2))
        visible = rng.choice([0, 1, 2], (n, 5))
        visible[rng.random(n) < 0.2] = 0
        boxes = np.concatenate([corner, corner + size], -1)[:, 0]
        truth = Instances(
            np.where(visible[..., None] > 0, points, np.nan),
            visible.astype(np.int8),
            boxes=boxes,
            areas=(size[:, 0, 0] ** 2) * rng.uniform(0.3, 0.9, n),
            crowds=rng.random(n) < 0.15,
        )
        guesses = [points + size * rng.normal(0, spread, points.shape) for spread in (0.01, 0.04, 0.1)]
        more = rng.uniform(0, 300, (int(rng.integers(0, 30)), 1, 2)) + rng.normal(0, 30, (1, 5, 2))
        found = np.concatenate([*guesses, more])
        found = found[rng.random(len(found)) < 0.8]
        pairs.append((truth, Instances.from_keypoints(found, scores=rng.random(len(found)))))
    return pairs


def reference(pairs, sigmas):
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for image, (truth, found) in enumerate(pairs):
        for points, flags, box, area, crowd in zip(
            truth.keypoints, truth.visible, truth.boxes, truth.areas, truth.crowds, strict=True
        ):
            flat = np.concatenate([np.nan_to_num(points), flags[:, None]], -1).ravel().tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "keypoints": flat,
                    "num_keypoints": int((flags > 0).sum()),
                    "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
                    "area": float(area),
                    "iscrowd": int(crowd),
                }
            )
        for points, score in zip(found.keypoints, found.scores, strict=True):
            flat = np.concatenate([points, np.ones((len(points), 1))], -1).ravel().tolist()
            results.append({"image_id": image, "category_id": 1, "keypoints": flat, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(len(pairs))],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person"}],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(4))
def test_all_figures_are_those_of_the_reference_implementation(seed):
    pairs = random_set(np.random.default_rng(seed), 25)
    wanted = reference(pairs, SIGMAS)
    found = average_precision(pairs, SIGMAS)
    np.testing.assert_allclose(list(found.summary.values()), wanted.stats, atol=1e-9)
    curves = wanted.eval["precision"][:, :, 0, :, 0].transpose(2, 0, 1)
    np.testing.assert_allclose(found.curves, np.where(curves < 0, np.nan, curves), atol=1e-9)
    assert 0.02 < found.summary["AP"] < 0.9
