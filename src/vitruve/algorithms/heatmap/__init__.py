"""One probability map a keypoint."""

from vitruve.algorithms.heatmap.algorithm import Heatmap

ALGORITHM = Heatmap
