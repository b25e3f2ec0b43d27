"""HyperPose's programs: ``from vitruve.compat.hyperpose import Config, Model, Dataset`` in place of ``hyperpose``."""

from __future__ import annotations

from vitruve.compat.hyperpose import config as Config

__all__ = ["Config"]
