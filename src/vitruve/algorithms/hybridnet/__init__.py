"""Points in space from the maps of several calibrated views."""

from vitruve.algorithms.hybridnet.algorithm import HybridNet

ALGORITHM = HybridNet
