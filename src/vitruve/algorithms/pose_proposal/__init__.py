"""Persons and keypoints as boxes in a coarse grid; see :mod:`vitruve.algorithms.pose_proposal.algorithm`."""

from vitruve.algorithms.pose_proposal.algorithm import PoseProposal

ALGORITHM = PoseProposal
