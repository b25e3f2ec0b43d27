"""How well people were found among others: precision and recall, correct keypoints by the size of heads, identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.evaluation.average_precision import THRESHOLDS
from vitruve.evaluation.oks import AREAS, average_precision
from vitruve.evaluation.pckh import head_relative
from vitruve.evaluation.tracking import identities
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels

Pairs = Sequence[tuple[Frame, Frame]]


@dataclass(frozen=True, eq=False)
class People:
    """Figures of several instances an image, over all images of each split, also those with nobody.

    Attributes:
        average_precision: One row a split: ``images``, ``people`` (labelled), and COCO's figures in percent: ``AP``,
            ``AP50``, ``AP75``, ``APm``, ``APl`` and the same of ``AR``.
        by_threshold: One row a split, area and similarity: ``people``, ``precision`` and ``recall``, 0 to 1.
        pckh: One row a split: correct keypoints by the size of heads, in percent, as MPII has them; empty without
            boxes of heads.
        identities: One row a video, where labels and predictions have tracks; see
            :class:`vitruve.evaluation.tracking.Identities`.
        curves: ``(T, 101)`` precision at recalls from 0 to 1 for each similarity, of people of any size, by split.
    """

    average_precision: pd.DataFrame
    by_threshold: pd.DataFrame
    pckh: pd.DataFrame
    identities: pd.DataFrame
    curves: Mapping[str, Float[np.ndarray, "T 101"]]


def measure_people(truth: Labels, pairs: Pairs, splits: Sequence[str], order: Sequence[str], tracked: Pairs) -> People:
    """Measure predictions of several instances.

    Args:
        truth: The labels.
        pairs: Each labelled frame with its prediction.
        splits: The split of each.
        order: The splits in the order of tables.
        tracked: Frames of videos with predictions that have tracks; none where labels have none.

    Returns:
        The figures.
    """
    sigmas, names = truth.skeleton.oks_sigmas, truth.skeleton.names
    precisions, thresholds, heads, curves = [], [], [], {}
    for split in order:
        images = _images([pair for pair, name in zip(pairs, splits, strict=True) if name == split])
        found = average_precision(images, sigmas)
        every = found.table[found.table["area"] == "all"]
        counts = {"split": split, "images": len(images), "people": int(every["people"].iloc[0])}
        precisions.append({**counts, **{name: 100 * value for name, value in found.summary.items()}})
        thresholds.append(found.table.assign(split=split)[["split", *found.table.columns]])
        curves[split] = found.curves[list(AREAS).index("all")]
        if any(one.head_boxes is not None for one, _ in images):
            figures = head_relative(images, names).summary
            heads.append({"split": split, **{name: 100 * value for name, value in figures.items()}})
    return People(
        average_precision=pd.DataFrame(precisions),
        by_threshold=pd.concat(thresholds, ignore_index=True),
        pckh=pd.DataFrame(heads),
        identities=_identities(tracked, sigmas),
        curves=curves,
    )


def precision_curves(people: People) -> dict[str, dict[str, Float[np.ndarray, " R"]]]:
    """Precision at recalls from 0 to 1 by split and similarity, for a picture.

    Args:
        people: The figures.

    Returns:
        Curves at a similarity of 0.5, 0.75 and 0.9.
    """
    shown = {f"OKS {value:g}": THRESHOLDS.index(value) for value in (0.5, 0.75, 0.9)}
    return {split: {name: each[place] for name, place in shown.items()} for split, each in people.curves.items()}


def _images(pairs: Pairs) -> list[tuple[Instances, Instances]]:
    views = range(len(pairs[0][0].images)) if pairs else range(0)
    return [(truth.instances[view], found.instances[view]) for truth, found in pairs for view in views]


def _identities(pairs: Pairs, sigmas: np.ndarray) -> pd.DataFrame:
    videos: dict[str, list[tuple[Frame, Frame]]] = {}
    for truth, found in pairs:
        videos.setdefault(truth.first_image.path.as_posix(), []).append((truth, found))
    rows = []
    for name, each in videos.items():
        each.sort(key=lambda pair: pair[0].first_image.index or 0)
        rows.append({"video": name, **asdict(identities(_images(each), sigmas))})
    return pd.DataFrame(rows)
