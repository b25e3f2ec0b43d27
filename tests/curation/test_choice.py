"""Which images to label next, on points whose best choice is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitruve.curation.choice import STRATEGIES, choose_next
from vitruve.curation.doubt import entropy_of_maps, entropy_of_scores, spread_of
from vitruve.errors import ConfigError
from vitruve.structures.instances import Instances

RNG = np.random.default_rng(0)
# Four groups of ten alike.
POINTS = np.repeat(np.array([[0, 0], [30, 0], [0, 30], [30, 30.0]]), 10, 0) + 0.1 * RNG.normal(size=(40, 2))
DOUBT = RNG.uniform(0.1, 0.9, 40)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_way_gives_as_many_different_images_as_asked_for(strategy: str) -> None:
    chosen = choose_next(7, strategy, POINTS, DOUBT, seed=3)
    assert len(set(chosen)) == 7
    assert chosen == choose_next(7, strategy, POINTS, DOUBT, seed=3)
    assert sorted(choose_next(99, strategy, POINTS, DOUBT)) == list(range(40))
    assert choose_next(0, strategy, POINTS, DOUBT) == []


@pytest.mark.parametrize("strategy", ["diversity", "coreset", "both"])
def test_difference_takes_one_of_each_group(strategy: str) -> None:
    for seed in range(5):
        chosen = choose_next(4, strategy, POINTS, DOUBT, seed=seed)
        assert {i // 10 for i in chosen} == {0, 1, 2, 3}
        # What is labelled already is not looked for again.
        fewer = choose_next(2, strategy, POINTS, DOUBT, taken=POINTS[[5, 15]], seed=seed)
        assert {i // 10 for i in fewer} == {2, 3}


@pytest.mark.parametrize("strategy", ["entropy", "spread"])
def test_doubt_takes_the_most_doubtful(strategy: str) -> None:
    assert choose_next(6, strategy, POINTS, DOUBT) == np.argsort(-DOUBT)[:6].tolist()


def test_both_never_takes_what_is_certain() -> None:
    sure = np.where(np.arange(40) % 10 == 0, 1.0, 0.0)
    for seed in range(5):
        assert sorted(choose_next(4, "both", POINTS, sure, seed=seed)) == [0, 10, 20, 30]
    assert len(choose_next(6, "both", POINTS, np.full(40, np.nan))) == 6


def test_frames_of_a_clip_are_kept_apart_until_there_are_no_others() -> None:
    numbers, clips = list(range(20)) * 2, ["a"] * 20 + ["b"] * 20
    doubt = np.r_[np.linspace(2, 1, 20), np.linspace(0.5, 0.1, 20)]
    chosen = choose_next(4, "entropy", POINTS, doubt, clips=clips, numbers=numbers, apart=8)
    assert chosen == [0, 8, 16, 20]
    more = choose_next(30, "entropy", POINTS, doubt, clips=clips, numbers=numbers, apart=8)
    assert more[:6] == [0, 8, 16, 20, 28, 36]
    assert len(set(more)) == 30


def test_wrong_ways_are_said() -> None:
    with pytest.raises(ConfigError, match=r"--by entropie: no such way \(did you mean 'entropy'\?\)"):
        choose_next(1, "entropie", POINTS, DOUBT)
    with pytest.raises(ConfigError, match="needs a network"):
        choose_next(1, "entropy", POINTS)


def test_entropy_of_heatmaps_goes_from_one_cell_to_anywhere() -> None:
    peaked = torch.zeros(1, 2, 8, 8)
    peaked[:, :, 3, 4] = 100
    half = torch.zeros(1, 2, 8, 8)
    half[..., :4] = -1e4
    maps = torch.cat([peaked, torch.zeros(1, 2, 8, 8), half])
    torch.testing.assert_close(entropy_of_maps(maps), torch.tensor([0, 1, np.log(32) / np.log(64)]).float())


def boxes(*rows: tuple[float, float, float, float], scores: list[float], classes: list[int]) -> Instances:
    count = len(rows)
    return Instances(
        np.zeros((count, 0, 2)),
        np.zeros((count, 0), np.int8),
        boxes=np.array(rows, np.float64).reshape(-1, 4),
        scores=np.array(scores),
        categories=np.array(classes, np.int64),
    )


def test_entropy_of_scores() -> None:
    assert entropy_of_scores(boxes((0, 0, 1, 1), (2, 2, 3, 3), scores=[0.5, 1.0], classes=[0, 0])) == pytest.approx(1)
    assert entropy_of_scores(boxes(scores=[], classes=[])) == 0
    posed = Instances.from_keypoints(np.zeros((1, 2, 2)), keypoint_scores=np.array([[0.5, 1.0]]))
    assert entropy_of_scores(posed) == pytest.approx(0.5)


def test_spread_of_boxes_counts_place_and_class() -> None:
    one = boxes((0, 0, 10, 10), scores=[0.8], classes=[1])
    assert spread_of([one, one]) == 0
    assert spread_of([one, boxes((0, 0, 10, 5), scores=[0.8], classes=[1])]) == pytest.approx(0.5)
    assert spread_of([one, boxes((0, 0, 10, 10), scores=[0.2], classes=[2])]) == pytest.approx(1)
    none = boxes(scores=[], classes=[])
    assert spread_of([one, none]) == pytest.approx(1)
    assert spread_of([none, none]) == 0


def test_spread_of_keypoints_is_in_pixels_whatever_their_order() -> None:
    points = np.array([[[0.0, 0.0], [10.0, 0.0]], [[100.0, 0.0], [110.0, 0.0]]])
    first = Instances.from_keypoints(points)
    moved = Instances.from_keypoints(np.add(points[::-1], (0, 4)))
    assert spread_of([first, first]) == 0
    # Two networks, each 2 px from their mean.
    assert spread_of([first, moved]) == pytest.approx(2)
    assert spread_of([Instances.empty(2, ())] * 2) == 0
