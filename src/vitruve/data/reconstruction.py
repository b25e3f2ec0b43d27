"""Points in space for labels that have none, from what their calibrated views show."""

from __future__ import annotations

from dataclasses import replace

from vitruve.data.scenes import Scenes
from vitruve.structures.labels import Labels


def reconstructed(labels: Labels) -> Labels:
    """Labels with points in space wherever cameras are known; those that are there stay.

    Args:
        labels: Of several views.

    Returns:
        The same frames; a point is NaN where fewer than two views show it.
    """
    scenes = Scenes(labels)
    frames = tuple(
        frame
        if frame.instances_3d is not None or frame.session not in labels.cameras
        else replace(frame, instances_3d=scenes.truth(index))
        for index, frame in enumerate(labels)
    )
    return replace(labels, frames=frames)
