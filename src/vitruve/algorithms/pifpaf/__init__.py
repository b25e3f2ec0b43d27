"""Composite fields that point at keypoints; see :mod:`vitruve.algorithms.pifpaf.algorithm`."""

from vitruve.algorithms.pifpaf.algorithm import PifPaf

ALGORITHM = PifPaf
