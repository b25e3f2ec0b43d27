"""Which of many images to label next: those that networks are unsure of, those that differ, or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from vitruve.curation.clusters import distances
from vitruve.errors import ConfigError, nearest

Strategy = Literal["both", "entropy", "spread", "diversity", "coreset", "random"]

STRATEGIES = get_args(Strategy)
"""What :func:`choose_next` knows."""


def choose_next(
    count: int,
    strategy: str,
    points: Float[np.ndarray, "M Q"],
    doubt: Float[np.ndarray, " M"] | None = None,
    *,
    taken: Float[np.ndarray, "L Q"] | None = None,
    clips: Sequence[str] = (),
    numbers: Sequence[int] = (),
    apart: int = 1,
    seed: int = 0,
) -> list[int]:
    """Choose images to label next.

    ``entropy`` and ``spread`` take those of most doubt; ``diversity`` draws by squared distance from what is chosen
    (k-means++, Arthur and Vassilvitskii 2007); ``coreset`` takes what is farthest from it (Sener and Savarese 2018);
    ``both`` draws by squared distance times doubt; ``random`` is what all of them have to beat.

    Args:
        count: How many.
        strategy: One of :data:`STRATEGIES`.
        points: What each image looks like.
        doubt: How unsure networks are of each, at least 0; NaN is none.
        taken: What images look like that are labelled already.
        clips: The clip of each image; empty where they are of none.
        numbers: The number of each in its clip.
        apart: Least difference of the numbers of two chosen images of one clip; given up where there are too few.
        seed: Of what chance decides.

    Returns:
        Numbers of the images, the first choice first; all of them where there are not more than asked for.

    Raises:
        ConfigError: There is no such strategy, or it needs a doubt that is not there.
    """
    if strategy not in STRATEGIES:
        raise ConfigError(
            f"--by {strategy}: no such way{nearest(strategy, STRATEGIES)}; there are {', '.join(STRATEGIES)}"
        )
    if strategy in ("both", "entropy", "spread") and doubt is None:
        raise ConfigError(f"--by {strategy}: needs a network that says how sure it is: --run RUN")
    rng = np.random.default_rng(seed)
    weights = np.ones(len(points)) if doubt is None else np.nan_to_num(np.asarray(doubt, np.float64), nan=0.0)
    clip = np.array(list(clips) or [""] * len(points))
    number = np.array(list(numbers) or [0] * len(points)) if clips else np.arange(len(points)) * max(1, apart)
    order = rng.permutation(len(points)) if strategy == "random" else np.argsort(-weights, kind="stable")
    away = _nearest(points, taken)
    chosen: list[int] = []
    for spacing in dict.fromkeys((apart, 0)):
        while len(chosen) < min(count, len(points)):
            free = _free(clip, number, chosen, spacing)
            if not free.any():
                break
            if strategy in ("random", "entropy", "spread"):
                best = int(order[free[order]][0])
            else:
                best = _different(strategy, points, away, weights, free, rng)
            chosen.append(best)
            away = np.minimum(away, distances(points, points[[best]])[:, 0])
    return chosen


def _different(
    strategy: str, points: np.ndarray, away: np.ndarray, weights: np.ndarray, free: np.ndarray, rng: np.random.Generator
) -> int:
    """The next image that differs from what is chosen; the first of all is any, or the one nearest the middle."""
    first = np.isinf(away).all()
    if strategy == "coreset":
        value = -((points - points.mean(0)) ** 2).sum(1) if first else away
        return int(np.where(free, value, -np.inf).argmax())
    chance = np.ones(len(points)) if first else away**2
    chance = np.where(free, chance * (weights if strategy == "both" else 1.0), 0.0)
    # All that is left looks like what is chosen, or nothing is doubtful: any will do.
    chance = chance if chance.sum() > 0 else free.astype(np.float64)
    return int(rng.choice(len(points), p=chance / chance.sum()))


def _nearest(points: np.ndarray, taken: np.ndarray | None) -> Float[np.ndarray, " M"]:
    if taken is None or not len(taken):
        return np.full(len(points), np.inf)
    return np.asarray(distances(points, taken).min(1))


def _free(clip: np.ndarray, number: Int[np.ndarray, " M"], chosen: Sequence[int], apart: int) -> Bool[np.ndarray, " M"]:
    free = np.ones(len(clip), bool)
    free[list(chosen)] = False
    if apart > 1:
        for each in chosen:
            free &= (clip != clip[each]) | (np.abs(number - number[each]) >= apart)
    return free
