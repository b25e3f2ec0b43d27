"""Maps of two sizes from a network that exchanges features over five."""

from vitruve.algorithms.efficienttrack.algorithm import EfficientTrack

ALGORITHM = EfficientTrack
