"""Objects as boxes, in two stages; see :mod:`vitruve.algorithms.faster_rcnn.algorithm`."""

from vitruve.algorithms.faster_rcnn.algorithm import FasterRCNN

ALGORITHM = FasterRCNN
