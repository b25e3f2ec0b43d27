"""Identities over the whole of a video: tracks from frame to frame, put together where their number is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from vitruve.errors import InputError
from vitruve.evaluation.oks import instance_scores
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels
from vitruve.tracking.tracker import Following, Tracker


def track_labels(predictions: Labels, following: Following | None = None) -> Labels:
    """Give each instance an identity that stays the same over time.

    Args:
        predictions: Frames of one view; those of several videos are followed apart, each in the order of its frames.
        following: How tracks are made; None for the usual way. With ``max_individuals`` there are never more identities
            in a video: tracks that follow one another are joined until there are so few, nearest ends first.

    Returns:
        The same frames with :attr:`Instances.tracks`, counted from 0 in each video in the order of appearance.
        Instances that belong to no track are left out.

    Raises:
        InputError: There are several views, or frames are no frames of a video.
    """
    following = following or Following()
    videos: dict[str, list[int]] = {}
    for place, frame in enumerate(predictions):
        if len(frame.images) > 1:
            raise InputError(f"{frame.name}: tracking takes one view, not {len(frame.images)}; give one file a view")
        if frame.first_image.index is None:
            raise InputError(f"{frame.name}: an image file; tracking takes predictions of the frames of a video")
        videos.setdefault(frame.first_image.path.as_posix(), []).append(place)
    frames = list(predictions.frames)
    for places in videos.values():
        places.sort(key=lambda place: predictions[place].first_image.index or 0)
        tracks = _numbers([predictions[place] for place in places], predictions, following)
        for place, numbers in zip(places, tracks, strict=True):
            frames[place] = _with_tracks(predictions[place], numbers)
    return replace(predictions, frames=tuple(frames))


@dataclass
class _Piece:
    """A track from the first to the last frame it was seen in."""

    number: int
    first: int
    last: int
    begins: np.ndarray
    ends: np.ndarray
    count: int = 0


def _numbers(frames: Sequence[Frame], labels: Labels, following: Following) -> list[np.ndarray]:
    tracker = Tracker(labels.skeleton, following)
    found: list[np.ndarray] = []
    pieces: dict[int, _Piece] = {}
    for frame in frames:
        people, index = frame.instances[0], frame.first_image.index or 0
        found.append(tracker.step(index, people.keypoints, instance_scores(people)))
        for number, points in zip(found[-1].tolist(), people.keypoints, strict=True):
            if number >= 0:
                piece = pieces.setdefault(number, _Piece(number, index, index, points, points))
                piece.last, piece.ends, piece.count = index, points, piece.count + 1
    kept = [piece for piece in pieces.values() if piece.count >= following.min_frames]
    names = _joined(kept, following.max_individuals)
    table = np.array([names.get(number, -1) for number in range(len(pieces))] + [-1])
    return [table[numbers] for numbers in found]


def _joined(pieces: Sequence[_Piece], limit: int | None) -> dict[int, int]:
    """Identities of tracks, at most ``limit`` of them.

    At no time are more than ``limit`` tracks open, so that many identities suffice for all of them (Dilworth 1950, for
    intervals in time). Of all ways to join two tracks as often as is needed, the one with the least sum of costs is
    taken.
    """
    order = sorted(pieces, key=lambda piece: (piece.first, piece.number))
    joins = 0 if limit is None else max(0, len(order) - limit)
    before: dict[int, int] = {}
    if joins:
        count, free = len(order), len(order) - joins
        # As many places as there shall be beginnings and ends of identities take those that are not joined.
        cost = np.zeros((count + free, count + free))
        cost[count:, count:] = np.inf
        cost[:count, :count] = _costs(order)
        rows, columns = linear_sum_assignment(cost)
        before = {int(b): int(a) for a, b in zip(rows, columns, strict=True) if a < count and b < count}
    names: dict[int, int] = {}
    for place, piece in enumerate(order):
        earlier = before.get(place)
        names[piece.number] = len(set(names.values())) if earlier is None else names[order[earlier].number]
    return names


def _costs(pieces: Sequence[_Piece]) -> Float[np.ndarray, "P P"]:
    """Distance from the end of each track to the beginning of each other, in sizes of who begins.

    It is the less strange the longer the time between, and infinite where the other one begins too early.
    """
    begins, ends = (np.stack([getattr(piece, name) for piece in pieces]) for name in ("begins", "ends"))
    size = np.maximum(np.nanmax(np.nanmax(begins, 1) - np.nanmin(begins, 1), -1), 1.0)
    apart = np.linalg.norm(np.nanmean(begins, 1)[None] - np.nanmean(ends, 1)[:, None], axis=-1)
    gap = np.array([piece.first for piece in pieces])[None] - np.array([piece.last for piece in pieces])[:, None]
    return np.where(gap > 0, apart / size / (1 + 0.05 * np.maximum(gap, 0)), np.inf)


def _with_tracks(frame: Frame, numbers: np.ndarray) -> Frame:
    known = numbers >= 0
    people: Instances = frame.instances[:, known]
    return replace(frame, instances=replace(people, tracks=numbers[known][None]))
