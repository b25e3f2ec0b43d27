"""A tiny rig on disk, and settings under which its networks train in seconds."""

from __future__ import annotations

import re
from pathlib import Path

from vitruve.formats.hub import write_labels
from vitruve.project import Project
from vitruve.structures.labels import Labels
from vitruve.synthetic.rig_files import RigExtent, rig_labels

TINY = ("model.backbone=test_resnet.r160_in1k", "training.backbone_pretrained=false", "training.precision=32")
"""Overrides that make a training short."""


def training_set(folder: Path, cameras: int = 3) -> Labels:
    """Write a JARVIS TrainingSet of three framesets.

    Args:
        folder: Where to.
        cameras: How many.

    Returns:
        Its labels, with exact points in space.
    """
    extent = RigExtent(cameras=cameras, width=96, height=96, train=2, val=1, sessions=1, frames=1, occluders=0)
    labels = rig_labels(folder, extent)
    write_labels(labels, folder, format="jarvis")
    return labels


def shrunk(project: Project) -> Project:
    """A project with small images and few voxels."""
    values = {"IMAGE_SIZE": 64, "ROI_CUBE_SIZE": 240, "GRID_SPACING": 15, "DATALOADER_NUM_WORKERS": 0}
    text = project.config_file.read_text()
    for key, value in values.items():
        text, found = re.subn(rf"{key}: \d+", f"{key}: {value}", text)
        assert found == 1
    project.config_file.write_text(text)
    return Project(project.path)
