"""Lightweight OpenPose: part affinity fields in two light stages, for processors."""

from vitruve.algorithms.lightweight_openpose.algorithm import LightweightOpenPose

ALGORITHM = LightweightOpenPose
