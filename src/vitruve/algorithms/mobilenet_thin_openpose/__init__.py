"""OpenPose of separable convolutions on a thin MobileNet."""

from vitruve.algorithms.mobilenet_thin_openpose.algorithm import MobilenetThinOpenPose

ALGORITHM = MobilenetThinOpenPose
