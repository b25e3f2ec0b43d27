from __future__ import annotations

import math

import numpy as np
import pytest

from vitruve.evaluation.tracking import identities
from vitruve.structures.instances import Instances

SIGMAS = np.full(2, 0.05)


def people(places):
    """People of 40 x 40 px at places, by track."""
    tracks = np.array(list(places), np.int64)
    points = np.array([[[x, 0.0], [x + 40.0, 40.0]] for x in places.values()]).reshape(-1, 2, 2)
    return Instances.from_keypoints(points, tracks=tracks)


def test_everybody_followed():
    frames = [(people({0: t, 1: 500 + t}), people({7: t, 3: 500 + t})) for t in range(5)]
    result = identities(frames, SIGMAS)
    assert result.idf1 == 1 and result.switches == 0 and result.accuracy == 1
    assert (result.labelled, result.true_tracks, result.found_tracks) == (10, 2, 2)


def test_identities_that_change_places_by_hand():
    """Two people, six frames; in the last two their identities are exchanged: two switches, 8 of 12 are right."""
    frames = [(people({0: 0, 1: 500}), people({0: 0, 1: 500} if t < 4 else {1: 0, 0: 500})) for t in range(6)]
    result = identities(frames, SIGMAS)
    assert result.switches == 2
    assert result.idf1 == pytest.approx(2 * 8 / 24)
    assert result.accuracy == pytest.approx(1 - 2 / 12)


def test_misses_and_false_ones_by_hand():
    """One person in four frames, missed in one; somebody who is not there in two."""
    found = [{0: 0}, {}, {0: 0, 9: 900}, {0: 0, 9: 900}]
    result = identities([(people({5: 0}), people(each)) for each in found], SIGMAS)
    assert (result.misses, result.false, result.switches) == (1, 2, 0)
    assert result.idf1 == pytest.approx(2 * 3 / (4 + 5))
    assert result.accuracy == pytest.approx(1 - 3 / 4)


def test_a_track_that_breaks_is_one_switch():
    found = [{0: 0}, {0: 0}, {}, {1: 0}]
    result = identities([(people({5: 0}), people(each)) for each in found], SIGMAS)
    assert result.switches == 1 and result.idf1 == pytest.approx(2 * 2 / (4 + 3))


def test_nobody_labelled_is_not_a_number():
    assert math.isnan(identities([(people({}), people({0: 0}))], SIGMAS).idf1)
