"""Objects as boxes, in one stage; see :mod:`vitruve.algorithms.retinanet.algorithm`."""

from vitruve.algorithms.retinanet.algorithm import RetinaNet

ALGORITHM = RetinaNet
