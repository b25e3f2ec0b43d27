"""OpenPose: confidence maps and part affinity fields in six stages, any number of instances an image."""

from vitruve.algorithms.openpose.algorithm import OpenPose

ALGORITHM = OpenPose
