"""How plausible predictions are, without any label: motion from frame to frame, and distance from the labelled poses.

The tables are Lightning Pose's: a row a frame, a column a keypoint, pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.evaluation.subspace import Subspace

TEMPORAL_NORM = "temporal_norm"


def temporal_norm(
    keypoints: Float[np.ndarray, "F V K D"], before: Float[np.ndarray, "V K D"] | None = None
) -> Float[np.ndarray, "F V K"]:
    """How far each keypoint moved since the frame before.

    Args:
        keypoints: Of consecutive frames, in pixels, or in space in any unit.
        before: Those of the frame before the first, where there is one.

    Returns:
        In the same unit; NaN in the first frame when there is none before it.
    """
    first = np.full_like(keypoints[:1], np.nan) if before is None else before[None]
    return np.asarray(np.linalg.norm(keypoints - np.concatenate([first, keypoints[:-1]]), axis=-1))


def label_free_errors(
    parts: Iterator[Float[np.ndarray, "F V K 2"]], subspaces: Mapping[str, Subspace], motion: bool = True
) -> Iterator[dict[str, Float[np.ndarray, "F V K"]]]:
    """Everything that can be said of predictions without labels, part by part, in bounded memory.

    Args:
        parts: Keypoints in original pixels; each part goes on where the one before ended.
        subspaces: What poses are measured against, by name.
        motion: The frames follow one another, so motion can be measured.

    Yields:
        For each part pixels by name: ``temporal_norm``, ``pca_singleview_error``, ``pca_multiview_error``.
    """
    before = None
    for keypoints in parts:
        found = {f"{name}_error": subspace.errors(keypoints) for name, subspace in subspaces.items()}
        if motion:
            found = {TEMPORAL_NORM: temporal_norm(keypoints, before), **found}
            before = keypoints[-1]
        yield found


def error_table(
    values: Float[np.ndarray, "F K"], names: Sequence[str], index: Sequence[str | int], splits: Sequence[str] = ()
) -> pd.DataFrame:
    """Errors as Lightning Pose lays them out: one header row with the keypoints, then a row a frame.

    Args:
        values: In pixels.
        names: The keypoints.
        index: The frames.
        splits: The split of each frame, for labelled ones: a last column ``set``.

    Returns:
        The table.
    """
    table = pd.DataFrame(values, index=pd.Index(index), columns=pd.Index(names))
    if len(splits):
        table["set"] = list(splits)
    return table
