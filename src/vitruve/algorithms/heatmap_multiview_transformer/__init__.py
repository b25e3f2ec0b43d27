"""Heatmaps of several views of one instant, from one transformer that sees them together."""

from vitruve.algorithms.heatmap_multiview_transformer.algorithm import HeatmapMultiviewTransformer

ALGORITHM = HeatmapMultiviewTransformer
