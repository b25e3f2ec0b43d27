from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.evaluation.tracking import identities
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.crowd import CrowdScene
from vitruve.tracking.track import track_labels
from vitruve.tracking.tracker import Following

SKELETON = Skeleton(("head", "middle", "tail"))
SHAPE = np.array([[0.0, 0], [20, 5], [40, 0]])


def video(frames):
    """Labels of a video, from a list of places a frame; None for nobody."""
    labelled = []
    for index, places in enumerate(frames):
        points = np.array([SHAPE + place for place in places if place is not None], float).reshape(1, -1, 3, 2)
        people = Instances.from_keypoints(points, scores=np.ones(points.shape[:2]))
        labelled.append(Frame((ImageRef(Path("v.mp4"), index),), people))
    return Labels(SKELETON, tuple(labelled))


def tracks(labels):
    return [frame.instances.tracks[0].tolist() for frame in labels]


def test_two_who_cross_keep_their_identities():
    """They meet and go on; the nearest in each frame would have them turn back."""
    frames = [[(4.0 * t, 100.0), (200 - 4.0 * t, 112.0)] for t in range(50)]
    assert tracks(track_labels(video(frames))) == [[0, 1]] * 50


def test_the_order_of_instances_does_not_matter():
    rng = np.random.default_rng(0)
    frames, orders = [], []
    for t in range(30):
        order = rng.permutation(3)
        people = [(100.0 * n + 2 * t, 50.0 * n) for n in range(3)]
        frames.append([people[n] for n in order])
        orders.append(order)
    found = tracks(track_labels(video(frames)))
    names = {int(n): track for n, track in zip(orders[0], found[0], strict=True)}
    assert all([names[int(n)] for n in order] == each for order, each in zip(orders, found, strict=True))


def test_who_is_hidden_for_a_while_goes_on_with_the_same_identity():
    frames = [[None if 12 <= t < 30 else (5.0 * t, 10.0)] for t in range(45)]
    found = track_labels(video(frames), Following(max_gap=25))
    assert {t for each in tracks(found) for t in each} == {0}
    apart = track_labels(video(frames), Following(max_gap=5))
    assert {t for each in tracks(apart) for t in each} == {0, 1}


def test_false_instances_that_last_for_a_moment_are_left_out():
    frames = [[(2.0 * t, 10.0), *([(400.0, 300.0)] if t in (5, 6) else [])] for t in range(20)]
    assert tracks(track_labels(video(frames))) == [[0]] * 20
    assert sorted({t for each in tracks(track_labels(video(frames), Following(min_frames=2))) for t in each}) == [0, 1]


@pytest.mark.parametrize("seed", range(8))
def test_a_known_number_of_individuals_is_never_exceeded(seed):
    """Whatever is predicted: people who jump, false ones, gaps."""
    rng = np.random.default_rng(seed)
    limit = int(rng.integers(1, 5))
    frames = []
    for t in range(80):
        people = [(60.0 * n + 3 * t, 40.0 * n) for n in range(limit) if rng.random() > 0.2]
        people += [tuple(rng.uniform(0, 500, 2)) for _ in range(rng.integers(0, 3))]
        frames.append(people if t % 20 else [(x + 300, y) for x, y in people])
    found = track_labels(
        video(frames), Following(max_individuals=limit, max_gap=int(rng.integers(0, 10)), min_frames=1)
    )
    names = {track for each in tracks(found) for track in each}
    assert names == set(range(len(names))) and len(names) <= limit
    assert all(len(set(each)) == len(each) for each in tracks(found))


def test_tracks_are_joined_where_their_number_is_known():
    """Both vanish for longer than a track is kept; they come back where they were."""
    there = [(10.0, 10.0), (300.0, 200.0)]
    frames = [there] * 10 + [[None, None]] * 20 + [there[::-1]] * 10
    found = tracks(track_labels(video(frames), Following(max_individuals=2, max_gap=5)))
    assert found[0] == [0, 1] and found[-1] == [1, 0]


def test_missing_keypoints_do_not_break_a_track():
    labels = video([[(3.0 * t, 20.0), (3.0 * t, 90.0)] for t in range(20)])
    for t, frame in enumerate(labels):
        frame.instances.keypoints[0, :, t % 3] = np.nan
    assert tracks(track_labels(labels)) == [[0, 1]] * 20


def test_rendered_people_who_cross_and_leave():
    scene = CrowdScene(5, 4, 17, (320, 256))
    rng = np.random.default_rng(0)
    frames, truths = [], []
    for index in range(100):
        people = scene.look(20 + index / 25).people
        truths.append(people[0])
        known = (people.visible[0] > 0).any(-1)
        points = people.keypoints[:, known] + rng.normal(0, 1.0, people.keypoints[:, known].shape)
        points = points[:, rng.random(points.shape[1]) > 0.05]
        found = Instances.from_keypoints(points, scores=np.ones(points.shape[:2]))
        frames.append(Frame((ImageRef(Path("v.mp4"), index),), found))
    labels = track_labels(Labels(scene.skeleton, tuple(frames)))
    result = identities(
        [(truth, frame.instances[0]) for truth, frame in zip(truths, labels, strict=True)], scene.skeleton.oks_sigmas
    )
    assert result.idf1 > 0.9 and result.switches <= 1


def test_what_cannot_be_tracked_is_refused():
    image = Labels(SKELETON, (Frame((ImageRef(Path("a.png")),), Instances.empty(3)),))
    with pytest.raises(InputError, match=r"a\.png: an image file; tracking takes predictions of the frames of a video"):
        track_labels(image)
    with pytest.raises(InputError, match="max_individuals=0; it must be at least 1"):
        Following(max_individuals=0)
