"""JARVIS' EfficientTrack: where an animal is in an image (one keypoint), or where its keypoints are in a crop."""

from __future__ import annotations

from vitruve.algorithms.base import ImageAlgorithm
from vitruve.algorithms.efficienttrack_network import EfficientTrackTargets


class EfficientTrack(EfficientTrackTargets, ImageAlgorithm):
    """A fine and a coarse map a keypoint of each image."""

    description = "EfficientNet and BiFPN with maps of two sizes, one animal an image (JARVIS' 2D networks)"
