"""Which frames of a video to label next: different from one another, from those labelled already, and in motion.

Frames are compared as small grey images. One pass keeps a bounded number of candidates; k-means++ (Arthur and
Vassilvitskii 2007) and Lloyd's iterations on their principal components then find as many groups as frames are wanted,
and each group gives one frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int, UInt8

SAME = 6
"""Frames in which no pixel of the small image differs by more grey levels show the same; coding noise is below it."""

_MOST_CANDIDATES = 2000
_COMPONENTS = 32
_ROUNDS = 20
_DOUBTFUL_SHARE = 0.25


@dataclass
class _Candidate:
    """A frame that may be chosen.

    Attributes:
        index: Its number in the video.
        image: ``(h, w)`` grey.
        motion: Mean change from the frame before, in grey levels.
    """

    index: int
    image: npt.NDArray[np.uint8]
    motion: float


@dataclass(frozen=True)
class Candidates:
    """The frames of a video among which :func:`choose` chooses.

    Attributes:
        indices: ``(M,)`` their numbers in the video, rising.
        images: ``(M, h, w)`` small grey images.
        motion: ``(M,)`` mean change from the frame before, in grey levels.
        taken: ``(L, h, w)`` small images of the frames that are labelled already.
        total: How many frames the video has.
    """

    indices: Int[np.ndarray, " M"]
    images: UInt8[np.ndarray, "M h w"]
    motion: Float[np.ndarray, " M"]
    taken: UInt8[np.ndarray, "L h w"]
    total: int


def gather(
    frames: Iterable[npt.NDArray[np.uint8]], labelled: Iterable[int] = (), most: int = _MOST_CANDIDATES
) -> Candidates:
    """One pass over a video that keeps the frames worth considering, in bounded memory.

    A frame like the last one kept is left out. Of a video with more than ``most`` different frames, each stretch of
    equal length gives the frame with the most motion.

    Args:
        frames: ``(h, w)`` small grey images of all frames, in order.
        labelled: Numbers of the frames that are labelled already; they are no candidates.
        most: Number of candidates kept at most, at least 2.

    Returns:
        The candidates.
    """
    known = set(labelled)
    kept: list[_Candidate] = []
    taken: list[npt.NDArray[np.uint8]] = []
    before: npt.NDArray[np.uint8] | None = None
    stretch, total = 1, 0
    for index, image in enumerate(frames):
        total += 1
        motion = 0.0 if before is None else float(_difference(image, before).mean())
        before = image
        if index in known:
            taken.append(image)
            continue
        if kept and not _differs(image, kept[-1].image):
            continue
        kept.append(_Candidate(index, image, motion))
        if stretch > 1:
            _thin(kept, stretch, newest_only=True)
        while len(kept) > most:
            stretch *= 2
            _thin(kept, stretch)
    shape = (0, 1, 1) if before is None else (0, *before.shape)
    return Candidates(
        np.array([each.index for each in kept], dtype=np.int64),
        np.stack([each.image for each in kept]) if kept else np.empty(shape, np.uint8),
        np.array([each.motion for each in kept], dtype=np.float64),
        np.stack(taken) if taken else np.empty(shape, np.uint8),
        total,
    )


def choose(
    candidates: Candidates,
    count: int,
    *,
    seed: int = 0,
    apart: int = 5,
    doubt: Float[np.ndarray, " T"] | None = None,
) -> list[int]:
    """Choose frames that differ from one another and from those labelled already.

    Groups weigh frames by their motion. With ``doubt``, only the quarter of the candidates with the most doubt (but at
    least five a wanted frame) is considered, groups weigh frames by it, and each group gives its most doubtful frame.

    Args:
        candidates: What :func:`gather` kept.
        count: How many frames are wanted, at least 1.
        seed: Of the first centre; the same seed gives the same frames.
        apart: Least distance between two chosen frames, in frames; it is given up where the video is too short.
        doubt: For each frame of the video how little a prediction is to be trusted, at least 0; NaN where unknown.

    Returns:
        Rising frame numbers; fewer than ``count`` where the video has no more different frames.
    """
    fresh = np.array([not _shown(image, candidates.taken) for image in candidates.images], dtype=bool)
    usable = np.flatnonzero(fresh)
    weights = candidates.motion + _middle(candidates.motion)
    if doubt is not None:
        within = np.clip(candidates.indices, 0, len(doubt) - 1)
        weights = np.where(candidates.indices < len(doubt), np.nan_to_num(doubt[within]), 0.0)
        number = max(int(_DOUBTFUL_SHARE * len(usable)), 5 * count)
        usable = np.sort(usable[np.argsort(-weights[usable], kind="stable")[:number]])
        weights = weights + 1e-3
    if not len(usable):
        return []
    features = _components(candidates.images[usable])
    groups, distances = _k_means(features, weights[usable], min(count, len(usable)), np.random.default_rng(seed))
    # Nearest to the middle of its group first, or most doubtful first; who is refused leaves the place to the next.
    order = np.argsort(distances if doubt is None else -weights[usable], kind="stable")
    chosen: list[int] = []
    for spacing in dict.fromkeys((apart, 1)):
        # A group each, then whoever is left: a group may hold nothing but neighbours of frames that are chosen.
        for once in (True, False):
            filled = {int(groups[i]) for i in chosen} if once else set()
            for i in order:
                if len(chosen) == count:
                    break
                if i in chosen or (once and int(groups[i]) in filled):
                    continue
                if _fits(candidates, usable, int(i), chosen, spacing):
                    chosen.append(int(i))
                    filled.add(int(groups[i]))
    return sorted(int(candidates.indices[usable[i]]) for i in chosen)


def doubt_of(keypoints: Float[np.ndarray, "T K 2"], scores: Float[np.ndarray, "T K"] | None) -> Float[np.ndarray, " T"]:
    """How little the predictions of a video are to be trusted, frame by frame.

    The sum of two parts, each a mean over keypoints: one minus the likelihood, and whether the keypoint leaps, that is,
    lies further from the middle between its two neighbours in time than ten times its usual distance from there.

    Args:
        keypoints: Predictions in pixels, NaN where missing.
        scores: Likelihoods, 0 to 1, or None.

    Returns:
        From 0 (all likely, nothing leaps) to 2; a missing keypoint counts as unlikely.
    """
    missing = np.isnan(keypoints[..., 0])
    unlikely = missing.astype(np.float64)
    if scores is not None:
        unlikely = np.where(missing, 1.0, 1 - np.nan_to_num(scores))
    leaps = np.zeros(missing.shape)
    if len(keypoints) > 2:
        bend = np.linalg.norm(keypoints[1:-1] - (keypoints[:-2] + keypoints[2:]) / 2, axis=-1)
        usual = np.array([_middle(column[~np.isnan(column)]) for column in bend.T])
        # A still keypoint has no usual distance: within a pixel, nothing leaps.
        leaps[1:-1] = np.nan_to_num(bend) > 10 * np.maximum(usual, 0.1)
    return np.asarray(unlikely.mean(-1) + leaps.mean(-1))


def _thin(kept: list[_Candidate], stretch: int, newest_only: bool = False) -> None:
    """Keep one candidate a stretch of frames: the one with the most motion."""
    first = max(0, len(kept) - 2) if newest_only else 0
    best: dict[int, _Candidate] = {}
    for each in kept[first:]:
        place = each.index // stretch
        if place not in best or each.motion > best[place].motion:
            best[place] = each
    kept[first:] = best.values()


def _difference(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.maximum(a, b) - np.minimum(a, b)


def _differs(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> bool:
    return bool(_difference(a, b).max() > SAME)


def _shown(image: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8]) -> bool:
    """Whether one of several images shows the same."""
    if not len(others):
        return False
    return bool((_difference(others, image[None]).reshape(len(others), -1).max(1) <= SAME).any())


def _fits(candidates: Candidates, usable: np.ndarray, i: int, chosen: Sequence[int], spacing: int) -> bool:
    number, image = candidates.indices[usable[i]], candidates.images[usable[i]]
    others = usable[list(chosen)]
    return bool((np.abs(candidates.indices[others] - number) >= spacing).all()) and not _shown(
        image, candidates.images[others]
    )


def _middle(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _components(images: UInt8[np.ndarray, "M h w"]) -> Float[np.ndarray, "M P"]:
    """Principal components of images at half their size."""
    height, width = (side - side % 2 or 1 for side in images.shape[1:])
    even = images[:, :height, :width].astype(np.float32)
    step = (min(2, height), min(2, width))
    coarse = even.reshape(len(images), height // step[0], step[0], width // step[1], step[1]).mean((2, 4))
    rows = coarse.reshape(len(images), -1)
    rows -= rows.mean(0)
    # The smaller of the two Gram matrices has the same principal directions.
    if rows.shape[0] <= rows.shape[1]:
        values, vectors = np.linalg.eigh(rows @ rows.T)
        return vectors[:, ::-1][:, :_COMPONENTS] * np.sqrt(np.maximum(values[::-1][:_COMPONENTS], 0))
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return rows @ vectors[:, ::-1][:, :_COMPONENTS]


def _k_means(
    points: Float[np.ndarray, "M P"], weights: Float[np.ndarray, " M"], count: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Weighted k-means: the group of each point and its squared distance from the group's centre."""
    weights = weights if weights.sum() > 0 else np.ones(len(points))
    centers = np.empty((count, points.shape[1]))
    nearest = np.ones(len(points))
    for i in range(count):
        chance = weights * nearest
        # All points lie on a centre: any will do.
        chance = chance if chance.sum() > 0 else np.ones(len(points))
        centers[i] = points[rng.choice(len(points), p=chance / chance.sum())]
        to_new = ((points - centers[i]) ** 2).sum(1)
        nearest = to_new if i == 0 else np.minimum(nearest, to_new)
    groups = np.full(len(points), -1)
    for _ in range(_ROUNDS):
        distances = _squared(points, centers)
        found = distances.argmin(1)
        if (found == groups).all():
            break
        groups = found
        for i in range(count):
            mine = groups == i
            if weights[mine].sum() > 0:
                centers[i] = np.average(points[mine], axis=0, weights=weights[mine])
    distances = _squared(points, centers)
    return distances.argmin(1), distances.min(1)


def _squared(points: np.ndarray, centers: np.ndarray) -> Float[np.ndarray, "M N"]:
    products = points @ centers.T
    return np.maximum((points**2).sum(1)[:, None] - 2 * products + (centers**2).sum(1), 0)
