"""How well identities are kept over time: IDF1 and identity switches.

IDF1 is that of Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking" (2016);
switches and accuracy are those of Bernardin & Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The
CLEAR MOT Metrics" (2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from vitruve.evaluation.oks import similarity
from vitruve.structures.instances import Instances

THRESHOLD = 0.5
"""Object keypoint similarity from which a prediction is of a labelled instance."""


@dataclass(frozen=True)
class Identities:
    """How well identities were kept.

    Attributes:
        idf1: Share of all instances, labelled and predicted, that have the identity assigned to theirs for the whole
            time, 0 to 1.
        switches: How often a labelled identity is found with another predicted one than before.
        accuracy: MOTA: 1 less misses, false ones and switches, each over the labelled instances; it may be negative.
        misses: Labelled instances that are not found.
        false: Predicted instances that are of nobody.
        labelled: Labelled instances.
        true_tracks: Labelled identities.
        found_tracks: Predicted identities.
    """

    idf1: float
    switches: int
    accuracy: float
    misses: int
    false: int
    labelled: int
    true_tracks: int
    found_tracks: int


def identities(
    frames: Sequence[tuple[Instances, Instances]], sigmas: Float[np.ndarray, " K"], threshold: float = THRESHOLD
) -> Identities:
    """Measure identities in consecutive frames of one video.

    Args:
        frames: Truth and predictions of each, ``(N, ...)`` and ``(M, ...)`` of one view, all with tracks. Labelled
            instances without a keypoint are nobody; predicted ones without a track are left out.
        sigmas: One OKS constant a keypoint.
        threshold: Least similarity of what belongs together.

    Returns:
        The figures; IDF1 and accuracy are NaN where nobody is labelled.
    """
    pairs = [(_followed(truth), _followed(found)) for truth, found in frames]
    wanted, given = (sorted({int(t) for pair in pairs for t in pair[place][1]}) for place in (0, 1))
    together = np.zeros((len(wanted), len(given)), int)
    labelled, predicted, matched, switches = 0, 0, 0, 0
    last: dict[int, int] = {}
    for (truth, true_tracks), (found, found_tracks) in pairs:
        labelled += len(true_tracks)
        predicted += len(found_tracks)
        near = similarity(found.keypoints, truth, sigmas).T
        for n, m in zip(*np.nonzero(near >= threshold), strict=True):
            together[wanted.index(true_tracks[n]), given.index(found_tracks[m])] += 1
        # What was found before is preferred to what lies a little nearer.
        same = np.array([[last.get(t) == f for f in found_tracks] for t in true_tracks], bool).reshape(near.shape)
        gain = np.where(near >= threshold, near + 2 * same, 0)
        rows, columns = linear_sum_assignment(-gain)
        for n, m in zip(rows, columns, strict=True):
            if gain[n, m] > 0:
                matched += 1
                switches += true_tracks[n] in last and not same[n, m]
                last[true_tracks[n]] = found_tracks[m]
    rows, columns = linear_sum_assignment(-together)
    right = int(together[rows, columns].sum())
    total = labelled + predicted
    misses, false = labelled - matched, predicted - matched
    return Identities(
        idf1=2 * right / total if labelled else float("nan"),
        switches=int(switches),
        accuracy=1 - (misses + false + switches) / labelled if labelled else float("nan"),
        misses=misses,
        false=false,
        labelled=labelled,
        true_tracks=len(wanted),
        found_tracks=len(given),
    )


def _followed(instances: Instances) -> tuple[Instances, list[int]]:
    """Those with a keypoint and a track, and their tracks."""
    if instances.tracks is None:
        raise ValueError("instances without tracks")
    there = (np.asarray(instances.visible) > 0).any(-1) & (np.asarray(instances.tracks) >= 0)
    return instances[there], [int(track) for track in np.asarray(instances.tracks)[there]]
