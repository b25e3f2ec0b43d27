"""Coordinates straight from the network."""

from vitruve.algorithms.regression.algorithm import Regression

ALGORITHM = Regression
