"""HyperPose's programs: ``from vitruve.compat.hyperpose import Config, Model, Dataset`` in place of ``hyperpose``."""

from __future__ import annotations

from vitruve.compat.hyperpose import config as Config
from vitruve.compat.hyperpose import dataset as Dataset
from vitruve.compat.hyperpose import model as Model

__all__ = ["Config", "Dataset", "Model"]
