"""Vitruve trains, runs and improves pose models."""

__version__ = "0.1.0"
