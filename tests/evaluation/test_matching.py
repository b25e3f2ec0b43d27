from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.evaluation.matching import align, labelled_keypoints, match_instances
from vitruve.structures.instances import Instances
from vitruve.structures.labels import ImageRef, Labels

MakeLabels = Callable[..., Labels]
Change = Callable[[MakeLabels, Labels], tuple[Labels, Labels]]


def test_matching_finds_the_least_sum_of_all_permutations() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        truth, found = rng.uniform(0, 100, (3, 2, 2)), rng.uniform(0, 100, (4, 2, 2))
        truth[0, 1] = math.nan

        def cost(order: tuple[int, ...], truth: np.ndarray = truth, found: np.ndarray = found) -> float:
            return sum(
                float(np.nanmean([math.dist(p, q) for p, q in zip(truth[n], found[m], strict=True)]))
                for n, m in enumerate(order)
            )

        best = min(itertools.permutations(range(4), 3), key=cost)
        assert match_instances(truth, found).tolist() == list(best)


def test_matching_leaves_over_what_has_no_partner() -> None:
    truth = np.array([[[0.0, 0.0]], [[50.0, 0.0]]])
    assert match_instances(truth, truth[1:]).tolist() == [-1, 0]
    assert match_instances(truth, truth[:0]).tolist() == [-1, -1]
    assert match_instances(truth[:0], truth).tolist() == []


def test_an_instance_without_shared_keypoint_takes_no_partner_from_another() -> None:
    missing = np.full((1, 1, 2), math.nan)
    truth = np.concatenate([missing, [[[90.0, 90.0]]]])
    assert match_instances(truth, np.array([[[0.0, 0.0]]])).tolist() == [-1, 0]


def test_align_undoes_any_order_of_frames_instances_and_keypoints(labels_of: MakeLabels) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 200, (5, 2, 3, 3, 2))
    scores = rng.uniform(0, 1, (5, 2, 3, 3))
    joints = [2, 0, 1]
    shuffled = labels_of(
        truth[:, :, ::-1][..., joints, :] + 0.25, scores[:, :, ::-1][..., joints], ("paw", "nose", "tail")
    )
    aligned = align(labels_of(truth), shuffled[[3, 1, 4, 0, 2]])
    np.testing.assert_allclose(aligned.keypoints(), truth + 0.25)
    np.testing.assert_allclose(aligned.keypoint_scores(), scores)
    assert [frame.name for frame in aligned] == [f"view0/{n}.png" for n in range(5)]


def test_split_comes_from_the_predictions_and_else_from_the_labels(labels_of: MakeLabels) -> None:
    truth = labels_of(np.zeros((2, 1, 1, 3, 2))).with_splits(["test", "test"])
    predictions = labels_of(np.zeros((2, 1, 1, 3, 2))).with_splits(["train", None])
    assert [frame.split for frame in align(truth, predictions)] == ["train", "test"]


def test_labels_that_say_unlabelled_have_no_truth() -> None:
    instances = Instances(np.ones((1, 1, 3, 2)), np.array([[[0, 1, 2]]]))
    assert np.isnan(labelled_keypoints(instances)[0, 0, :, 0]).tolist() == [True, False, False]


def test_frames_of_two_videos_do_not_mix(labels_of: MakeLabels) -> None:
    truth = labels_of(np.zeros((2, 1, 1, 3, 2)))
    videos = [replace(f, images=(ImageRef(Path(f"{n}.mp4"), 7),)) for n, f in zip("ab", truth, strict=True)]
    both = replace(truth, frames=tuple(videos))
    assert len(align(both, both[[1, 0]])) == 2
    with pytest.raises(InputError, match=r"b\.mp4 frame 7 is not predicted"):
        align(both, both[:1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda make, zeros: (zeros, zeros[:4]), r"view0/4\.png is not predicted"),
        (
            lambda make, zeros: (zeros, zeros[:1]),
            r"1\.png, view0/2\.png, view0/3\.png and 1 more are not predicted",
        ),
        (lambda make, zeros: (zeros[1:], zeros), r"view0/0\.png is not in the labels"),
        (lambda make, zeros: (zeros[:0], zeros), "no frame"),
        (lambda make, zeros: (zeros[[0, 0]], zeros), r"view0/0\.png is there twice"),
        (lambda make, zeros: (zeros, zeros[[0, 1, 1]]), r"view0/1\.png is there twice"),
        (
            lambda make, zeros: (zeros, make(np.zeros((5, 1, 1, 2, 2)), names=("nose", "ear"))),
            "lack tail, paw and have ear",
        ),
        (lambda make, zeros: (zeros, make(np.zeros((5, 2, 1, 3, 2)))), "2 views predicted but 1 labelled"),
        (lambda make, zeros: (make(np.zeros((5, 1, 1, 3, 3))), zeros), "pixel errors need"),
        (lambda make, zeros: (make(np.zeros((5, 1, 1, 0, 2)), names=()), zeros), "no keypoints"),
    ],
)
def test_what_does_not_belong_together_is_named(labels_of: MakeLabels, change: Change, message: str) -> None:
    truth, predictions = change(labels_of, labels_of(np.zeros((5, 1, 1, 3, 2))))
    with pytest.raises(InputError, match=message) as caught:
        align(truth, predictions)
    assert "\n" not in str(caught.value)
