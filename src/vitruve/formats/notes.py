"""What a set of labels holds besides keypoints, in words, so that nothing is lost in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton


class LabelsWarning(UserWarning):
    """Something in a label file that was skipped or changed while reading it."""


def features(labels: Labels) -> dict[str, str]:
    """What these labels hold that not every format can keep.

    A format names in its ``KEEPS`` those it can write; the others are lost, and the words say what that
    means.

    Args:
        labels: Any labels.

    Returns:
        For each feature that is there: how much of it there is.
    """
    found: dict[str, str] = {}
    parts = [frame.instances for frame in labels.frames]

    def count(name: str, number: int, words: str) -> None:
        if number:
            found[name] = f"{number} {words}"

    occluded = [(p.visible == 1, np.isnan(p.keypoints).any(-1)) for p in parts]
    count("occluded", sum(int((o & ~m).sum()) for o, m in occluded), "occluded keypoints (visible = 1)")
    count(
        "occluded without coordinates",
        sum(int((o & m).sum()) for o, m in occluded),
        "occluded keypoints without coordinates",
    )
    count(
        "fractions",
        sum(int((np.isfinite(p.keypoints) & (p.keypoints % 1 != 0.5)).any(-1).sum()) for p in parts),
        "fractions of coordinates",
    )
    count(
        "keypoint scores",
        sum(int(np.isfinite(p.keypoint_scores).sum()) for p in parts if p.keypoint_scores is not None),
        "keypoint confidences",
    )
    count(
        "instance scores",
        sum(int(np.isfinite(p.scores).sum()) for p in parts if p.scores is not None),
        "instance confidences",
    )
    count("boxes", sum(int(np.isfinite(p.boxes).all(-1).sum()) for p in parts if p.boxes is not None), "boxes")
    count(
        "head boxes",
        sum(int(np.isfinite(p.head_boxes).all(-1).sum()) for p in parts if p.head_boxes is not None),
        "boxes of heads",
    )
    count("areas", sum(int(np.isfinite(p.areas).sum()) for p in parts if p.areas is not None), "areas")
    count("crowds", sum(int(p.crowds.sum()) for p in parts if p.crowds is not None), "crowds")
    count("ignored parts", sum(any(f.ignore) for f in labels.frames), "images of which parts are to be ignored")
    count("tracks", sum(int((p.tracks >= 0).sum()) for p in parts if p.tracks is not None), "identities")
    count("instances", sum(bool((p.present.sum(-1) > 1).any()) for p in parts), "frames with several instances")
    count("splits", sum(frame.split is not None for frame in labels.frames), "frames assigned to a split")
    numbered = [i for frame in labels.frames for i in frame.images if i.index is not None and i.path != Path()]
    count("videos", len(numbered), "names of the videos that frame numbers count")
    count("3d", sum(frame.instances_3d is not None for frame in labels.frames), "frames with points in space")
    count("cameras", len(labels.cameras), "sessions with cameras")
    views = max((len(frame.images) for frame in labels.frames), default=1)
    if views > 1:
        found["views"] = f"{views} views"
    if len(labels.categories) > 1:
        found["categories"] = f"{len(labels.categories)} categories ({', '.join(labels.categories)})"
    return found | _skeleton_features(labels.skeleton)


def _skeleton_features(skeleton: Skeleton) -> dict[str, str]:
    found = {}
    if skeleton.edges:
        found["edges"] = f"{len(skeleton.edges)} skeleton edges"
    if skeleton.swaps != Skeleton.from_names(skeleton.names).swaps:
        found["swaps"] = f"{len(skeleton.swaps)} left-right pairs that do not follow from the names"
    details = [name for name in ("sigmas", "colors", "derived") if getattr(skeleton, name)]
    if details:
        found["details"] = f"the skeleton's {', '.join(details)}"
    return found
