"""Confidence maps, fields and people against slow references, and people encoded and found again."""

from __future__ import annotations

import math
from pathlib import Path

import crowds
import numpy as np
import pytest
import torch

from vitruve.codecs import paf
from vitruve.codecs.assembly import People, assemble, gaps
from vitruve.codecs.limb_graph import connected
from vitruve.codecs.peaks import MOST, find_peaks
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import known_skeleton
from vitruve.synthetic.crowd import FIGURES

STRIDE, SIGMA, WIDTH = 8, 7.0, 8.0
SIZE = (432, 368)
CHAIN = Skeleton(("a", "b", "c", "d"), ((0, 1), (1, 2), (2, 3)))


def encoded(points: np.ndarray, limbs: tuple[tuple[int, int], ...], size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    cells = (size[0] // STRIDE, size[1] // STRIDE)
    tensor = torch.from_numpy(points)[None].float()
    conf = paf.encode_parts(tensor, cells, STRIDE, SIGMA)
    fields = paf.encode_limbs(tensor, limbs, cells, STRIDE, WIDTH)
    return [conf[0].numpy(), fields[0].numpy()]


def decoded(conf: np.ndarray, fields: np.ndarray, limbs: tuple[tuple[int, int], ...], **settings: float) -> People:
    """People in input pixels."""
    count = len(conf) - 1
    peaks = find_peaks(conf[:count], 0.1, SIGMA / STRIDE)
    people = assemble(peaks, fields, np.array(limbs, int).reshape(-1, 2), gaps(count, limbs), **settings)  # type: ignore[arg-type]
    return people._replace(keypoints=(people.keypoints + 0.5) * STRIDE - 0.5)


def found_again(points: np.ndarray, skeleton: Skeleton, size: tuple[int, int] = SIZE) -> People:
    limbs = connected(len(skeleton), skeleton.edges)
    return decoded(*encoded(points, limbs, size), limbs)


def test_maps_and_fields_are_those_of_a_slow_reference() -> None:
    rng = np.random.default_rng(0)
    width, height = 11, 9
    points = rng.uniform(-20, 110, (2, 4, 3, 2))
    points[0, 0, 1] = points[1, 2, 0] = np.nan
    points[1, 3, 1] = points[1, 3, 0]  # a limb without a length
    limbs = ((0, 1), (1, 2))
    tensor = torch.from_numpy(points).double()
    conf = paf.encode_parts(tensor, (width, height), STRIDE, SIGMA).numpy()
    fields = paf.encode_limbs(tensor, limbs, (width, height), STRIDE, WIDTH).numpy()
    for image in range(2):
        for row in range(height):
            for column in range(width):
                here = np.array([column, row]) * STRIDE + STRIDE / 2 - 0.5
                best = []
                for k in range(3):
                    values = [0.0]
                    for person in points[image, :, k]:
                        exponent = ((person - here) ** 2).sum() / (2 * SIGMA**2)
                        values.append(math.exp(-exponent) if exponent <= 4.6052 else 0.0)
                    best.append(max(values))
                np.testing.assert_allclose(conf[image, :, row, column], [*best, 1 - max(best)], atol=1e-6)
                for limb, (a, b) in enumerate(limbs):
                    on = []
                    for person in points[image]:
                        length = np.linalg.norm(person[b] - person[a])
                        if not length > 0:
                            continue
                        u = (person[b] - person[a]) / length
                        along, aside = (here - person[a]) @ u, (here - person[a]) @ [u[1], -u[0]]
                        if abs(aside) <= WIDTH and -WIDTH <= along <= length + WIDTH:
                            on.append(u)
                    wanted = np.mean(on, 0) if on else np.zeros(2)
                    np.testing.assert_allclose(fields[image, 2 * limb : 2 * limb + 2, row, column], wanted, atol=1e-6)
    assert conf[:, :3].max() > 0.5 and abs(fields).max() > 0.9


def test_no_one_and_no_limbs() -> None:
    conf = paf.encode_parts(torch.zeros(2, 0, 3, 2), (6, 5), STRIDE, SIGMA)
    assert conf.shape == (2, 4, 5, 6) and not conf[:, :3].any() and bool((conf[:, 3] == 1).all())
    assert not paf.encode_limbs(torch.zeros(2, 0, 3, 2), ((0, 1),), (6, 5), STRIDE, WIDTH).any()
    assert paf.encode_limbs(torch.zeros(2, 1, 3, 2), (), (6, 5), STRIDE, WIDTH).shape == (2, 0, 5, 6)
    assert len(decoded(np.zeros((4, 5, 6)), np.zeros((2, 5, 6)), ((0, 1),)).scores) == 0


def test_peaks_are_found_to_a_fraction_of_a_cell_at_the_border_too() -> None:
    cells = (12, 10)
    rng = np.random.default_rng(0)
    places = rng.uniform(-0.4, [12 * 8 - 0.6, 10 * 8 - 0.6], (400, 2))
    places[:8] = [(-0.4, -0.4), (95, 79), (3.5, 3.5), (7.5, 7.5), (43.5, 7.5), (47.5, 43.5), (0, 40), (40, 79.4)]
    for spread in (5.0, 7.0, 12.0):
        maps = paf.encode_parts(torch.from_numpy(places)[:, None, None], cells, STRIDE, spread)[:, 0].numpy()
        peaks = find_peaks(maps, 0.1, spread / STRIDE)
        assert (np.diff(peaks.begin) == 1).all()
        found = (np.stack([peaks.x, peaks.y], -1) + 0.5) * STRIDE - 0.5
        assert np.abs(found - places).max() < 0.35  # pixels, where neighbours lie below 0.01 and are cut off
        inner = ((places > 12) & (places < [80, 64])).all(1)
        assert np.abs(found - places)[inner].max() < (0.35 if spread < 7 else 0.01)
        assert np.abs(peaks.scores[inner] - 1).max() < 0.02


def test_peaks_that_are_apart_are_two_and_noise_on_one_is_one() -> None:
    rng = np.random.default_rng(0)
    for angle in np.linspace(0, np.pi, 7):
        step = 14 * np.array([np.cos(angle), np.sin(angle)])
        pair = np.stack([[60.0, 50.0], [60.0 + step[0], 50.0 + step[1]]])[:, None]
        conf, _ = encoded(pair, (), (160, 128))
        peaks = find_peaks(conf[:1], 0.1, SIGMA / STRIDE)
        assert len(peaks.x) == 2
    for _ in range(200):
        conf, _ = encoded(rng.uniform(40, 90, (1, 1, 2)), (), (160, 128))
        peaks = find_peaks(conf[:1] + rng.normal(0, 0.03, conf[:1].shape), 0.2, SIGMA / STRIDE)
        assert len(peaks.x) == 1


def test_maps_of_a_network_that_knows_nothing_have_a_bounded_number_of_peaks() -> None:
    maps = np.random.default_rng(0).uniform(0, 1, (2, 60, 60))
    peaks = find_peaks(maps, 0.1, 0.9)
    assert (np.diff(peaks.begin) == MOST).all()
    assert peaks.scores.min() > np.quantile(maps, 0.9)  # the highest are kept


@pytest.mark.parametrize("count", crowds.NUMBERS)
def test_people_of_any_skeleton_are_found_again(count: int) -> None:
    skeleton = crowds.skeleton(count)
    for seed in range(3):
        # Keypoints closer than a cell cannot be told apart: skeletons of many need larger people.
        number, tall, size = (5, (60.0, 160.0), SIZE) if count < 100 else (2, (300.0, 340.0), (640, 480))
        truth = crowds.people(number, skeleton, size, seed, tall)
        people = found_again(truth, skeleton, size)
        assert len(people.scores) == len(truth)
        areas = np.nanmax(truth, 1) - np.nanmin(truth, 1)
        assert crowds.similarity(people.keypoints, truth, areas.prod(-1), 0.05).min() > 0.95
        assert bool(((people.scores > 0) & (people.scores <= 1)).all())
        # What is missing is not made up.
        nearest = np.nan_to_num(np.abs(people.keypoints[None] - truth[:, None])).sum((-1, -2)).argmin(1)
        assert (np.isnan(people.keypoints[nearest]).any(-1) >= np.isnan(truth).any(-1)).all()


@pytest.mark.parametrize("name", ["coco17", "openpose18"])
def test_people_of_photographs_are_found_again(data_dir: Path, name: str) -> None:
    skeleton = known_skeleton(name)
    sigmas = np.array(skeleton.sigmas)
    worst = []
    for points, _, areas in crowds.photographs(data_dir, SIZE):
        if name == "openpose18":
            coco = known_skeleton("coco17")
            neck = points[:, [coco.index("left_shoulder"), coco.index("right_shoulder")]].mean(1)
            points = np.stack([neck if n == "neck" else points[:, coco.index(n)] for n in skeleton.names], 1)
        people = found_again(points, skeleton)
        assert len(people.scores) == len(points)
        worst.append(crowds.similarity(people.keypoints, points, areas, sigmas).min())
    print(name, np.round(worst, 3))
    assert min(worst) > 0.95


@pytest.mark.parametrize("joints", FIGURES)
def test_people_of_rendered_crowds_are_found_again(joints: int) -> None:
    kind = FIGURES[joints]
    for points, _, areas in crowds.rendered(joints, SIZE):
        alike = crowds.similarity(found_again(points, kind).keypoints, points, areas, np.array(kind.sigmas))
        others = np.linalg.norm(points[:, None] - points, axis=-1) + 1e9 * np.eye(len(points))[..., None]
        # Nearer than two cells, keypoints of a kind may make one peak.
        apart = ~(others < 2 * STRIDE).any((1, 2))
        assert alike[apart].min(initial=1) > 0.95


def test_a_limb_that_is_not_seen_is_made_up_for_by_another() -> None:
    skeleton = Skeleton(("a", "b", "c"), ((0, 1), (1, 2), (0, 2)))
    truth = np.array([[[100, 100], [140, 130], [100, 160]], [[200, 100], [240, 130], [200, 160]]], float)
    for lost in range(3):
        conf, fields = encoded(truth, skeleton.edges)
        fields[2 * lost : 2 * lost + 2] = 0
        people = decoded(conf, fields, skeleton.edges)
        assert len(people.scores) == 2
        np.testing.assert_allclose(np.sort(people.keypoints[:, 1, 0]), [140, 240], atol=0.1)
        assert bool(np.isfinite(people.keypoints).all())


def test_what_lies_beyond_a_missing_keypoint_belongs_to_the_nearest_who_lacks_it() -> None:
    truth = np.array(
        [[[100, 100], [140, 100], [np.nan] * 2, [180, 120]], [[100, 200], [140, 200], [170, 200], [200, 200]]]
    )
    people = found_again(truth, CHAIN)
    assert len(people.scores) == 2
    order = np.argsort(people.keypoints[:, 0, 1])
    np.testing.assert_allclose(people.keypoints[order], truth, atol=0.3)
    # Too far to be the same one: a person of two keypoints and one of one, which are too few to be given.
    truth[0, 3] = [400, 300]
    assert len(found_again(truth, CHAIN).scores) == 1


def test_people_who_cross_are_told_apart_by_direction() -> None:
    truth = np.array(
        [[[100, 100], [200, 200], [220, 260], [220, 320]], [[200, 100], [100, 200], [60, 260], [60, 320]]], float
    )
    people = found_again(truth, CHAIN)
    order = np.argsort(people.keypoints[:, 0, 0])
    np.testing.assert_allclose(people.keypoints[order], truth, atol=0.3)


def test_two_who_share_a_place_are_never_one() -> None:
    truth = np.array(
        [[[100, 100], [140, 100], [170, 100], [220, 100]], [[100, 140], [140, 100], [180, 140], [220, 140]]], float
    )
    people = found_again(truth, CHAIN)  # one peak for both of b
    assert np.isfinite(people.keypoints).all(-1).sum() == 7
    for person in people.keypoints:
        assert np.isfinite(person).all(-1).sum() >= 3


def test_the_order_of_limbs_and_of_keypoints_does_not_matter() -> None:
    skeleton = crowds.skeleton(14)
    truth = crowds.people(6, skeleton, SIZE, 5)
    rng = np.random.default_rng(1)
    order = rng.permutation(14)
    place = np.argsort(order)
    edges = tuple((int(place[b]), int(place[a])) for a, b in rng.permutation(np.array(skeleton.edges)))
    one = found_again(truth, skeleton)
    two = found_again(truth[:, order], Skeleton(tuple("abcdefghijklmn"), edges))
    assert len(one.scores) == len(two.scores) == 6
    for person in one.keypoints:
        assert np.nan_to_num(np.abs(two.keypoints[:, place] - person)).sum((-1, -2)).min() < 0.01


def test_noise_neither_adds_nor_loses_people() -> None:
    skeleton = known_skeleton("openpose18")
    rng = np.random.default_rng(0)
    limbs = connected(len(skeleton), skeleton.edges)
    for seed in range(5):
        truth = crowds.people(5, skeleton, SIZE, seed, (130, 160))
        conf, fields = encoded(truth, limbs)
        people = decoded(conf + rng.normal(0, 0.03, conf.shape), fields + rng.normal(0, 0.1, fields.shape), limbs)
        assert len(people.scores) == 5
        areas = (np.nanmax(truth, 1) - np.nanmin(truth, 1)).prod(-1)
        assert crowds.similarity(people.keypoints, truth, areas, 0.05).min() > 0.85


def test_scores_rise_with_what_is_seen_and_the_best_come_first() -> None:
    truth = np.array(
        [
            [[100, 100], [140, 100], [180, 100], [np.nan] * 2],
            [[100, 200], [140, 200], [180, 200], [220, 200]],
            [[100, 300], [140, 300], [180, 300], [220, 300]],
        ]
    )
    conf, fields = encoded(truth, CHAIN.edges)
    conf[:4, 33:42] *= 0.5  # the last is half as clear
    one, two = (decoded(conf, fields, CHAIN.edges) for _ in range(2))
    np.testing.assert_array_equal(one.scores, two.scores)
    np.testing.assert_allclose(one.scores, [1, 0.75, 0.5], atol=0.01)
    np.testing.assert_allclose(np.round(one.keypoints[:, 0, 1]), [200, 100, 300])
    np.testing.assert_allclose(one.keypoint_scores[1], [1, 1, 1, 0], atol=0.01)
    assert len(decoded(conf, fields, CHAIN.edges, min_keypoints=4).scores) == 2
    assert len(decoded(conf, fields, CHAIN.edges, min_score=0.6).scores) == 2


def test_few_keypoints_are_enough_for_a_small_skeleton() -> None:
    truth = np.array([[[100.0, 100.0]], [[200.0, 100.0]]])
    assert len(found_again(truth, Skeleton(("middle",))).scores) == 2
    pair = np.array([[[100.0, 100.0], [130.0, 110.0]]])
    assert len(found_again(pair, Skeleton(("a", "b"))).scores) == 1
