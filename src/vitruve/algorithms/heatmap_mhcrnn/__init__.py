"""One probability map a keypoint, from a frame and its neighbours in time."""

from vitruve.algorithms.heatmap_mhcrnn.algorithm import HeatmapMHCRNN

ALGORITHM = HeatmapMHCRNN
