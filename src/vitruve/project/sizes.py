"""How large crops and cubes have to be for the animals of a set of labels: one rule for each, after JARVIS' own.

JARVIS has two rules for the spacing of voxels, which disagree, and takes missing keypoints to lie at (0, 0, 0).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitruve.data.reconstruction import reconstructed
from vitruve.errors import InputError
from vitruve.structures.labels import Labels

_PERCENTILE = 98.0
_MARGIN = 1.2
_PIXELS = 64
_MILLIMETRES = 8
_VOXELS = 85
# The network in space halves the cube twice.
_SHRINKS = 4


@dataclass(frozen=True)
class CropSize:
    """The side of the square around an animal in an image.

    Attributes:
        pixels: The side, a multiple of 64.
        extent: 98th percentile of the extent of the labelled keypoints in an image, in pixels: the larger of width
            and height.
        images: Images with two labelled keypoints at least.
        fitting: How many of them are not larger than the crop.
    """

    pixels: int
    extent: float
    images: int
    fitting: int

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return (
            f"98 of 100 animals extend over at most {self.extent:.0f} px in an image; times {_MARGIN}, up to the next "
            f"multiple of {_PIXELS}. {_share(self.fitting, self.images)} of {self.images} labelled images fit"
        )


@dataclass(frozen=True)
class CubeSize:
    """The cube around an animal in space.

    Attributes:
        edge: In mm, a multiple of four times the spacing.
        spacing: Of the voxels, in mm: whole, and tenths for small animals.
        extent: 98th percentile of the extent of the known points of a frameset along an axis, in mm; the largest of
            the three.
        framesets: Those with two known points at least.
        fitting: How many of them are not larger than the cube.
        skipped: Framesets with fewer.
    """

    edge: float
    spacing: float
    extent: float
    framesets: int
    fitting: int
    skipped: int

    @property
    def reason(self) -> str:
        """Why, in one line."""
        less = f"; {self.skipped} have fewer than two points in space and count for nothing" if self.skipped else ""
        return (
            f"98 of 100 animals extend over at most {self.extent:.1f} mm along an axis; times {_MARGIN}, with about "
            f"{_VOXELS} voxels or fewer ({round(self.edge / self.spacing)}). "
            f"{_share(self.fitting, self.framesets)} of {self.framesets} framesets fit{less}"
        )


def crop_size(labels: Labels) -> CropSize:
    """The crop that labels ask for: 1.2 times what 98 of 100 animals take up, up to the next multiple of 64 pixels.

    Args:
        labels: Of any number of views.

    Returns:
        The size, and what it is derived from.

    Raises:
        InputError: No image has two labelled keypoints.
    """
    extents = _extents(labels.keypoints().reshape(-1, len(labels.skeleton), 2))
    if not len(extents):
        raise InputError("no image of the set has two labelled keypoints; label more, or export the set again")
    extent = float(np.percentile(extents, _PERCENTILE, 0).max())
    pixels = max(1, math.ceil(_MARGIN * extent / _PIXELS)) * _PIXELS
    return CropSize(pixels, extent, len(extents), int((extents <= pixels).all(-1).sum()))


def cube_size(labels: Labels) -> CubeSize:
    """The cube that labels ask for: 1.2 times what 98 of 100 animals take up, up to the next multiple of 8 mm.

    The spacing is the smallest whole number of millimetres, or of tenths for cubes below 85 mm, with at most 85 voxels
    along an edge. Then the edge grows to the next multiple of four times the spacing.

    Args:
        labels: With calibrated cameras, or with points in space.

    Returns:
        The size, and what it is derived from.

    Raises:
        InputError: No frameset has two points that two cameras see.
    """
    known = [extent for _, extent in _framesets(labels)]
    extents = np.array(known).reshape(-1, 3)
    if not len(extents):
        raise InputError(
            "no frameset has two keypoints that two cameras see; label more, or check that the calibration is of "
            "these images"
        )
    extent = float(np.percentile(extents, _PERCENTILE, 0).max())
    edge = max(1, math.ceil(_MARGIN * extent / _MILLIMETRES)) * _MILLIMETRES
    steps = 1 if edge >= _VOXELS else 10
    tenths = math.ceil(edge * steps / _VOXELS) * (10 // steps)
    # In tenths of a millimetre, which are exact.
    unit = _SHRINKS * tenths
    edge_tenths = math.ceil(10 * edge / unit) * unit
    fitting = int((extents <= edge_tenths / 10).all(-1).sum())
    return CubeSize(edge_tenths / 10, tenths / 10, extent, len(extents), fitting, len(labels) - len(extents))


def larger_than(labels: Labels, edge: float) -> list[str]:
    """The framesets that a cube cannot hold.

    Args:
        labels: With calibrated cameras, or with points in space.
        edge: Of the cube, in mm.

    Returns:
        Their names.
    """
    return [name for name, extent in _framesets(labels) if (extent > edge).any()]


def _framesets(labels: Labels) -> Iterator[tuple[str, Float[np.ndarray, " 3"]]]:
    """Name and extent of each frameset that has two known points."""
    for frame in reconstructed(labels):
        for extent in () if frame.instances_3d is None else _extents(frame.instances_3d.keypoints):
            yield frame.name, extent


def _extents(points: Float[np.ndarray, "N K D"]) -> Float[np.ndarray, "n D"]:
    """Extent of the known points along each axis, where there are two."""
    several = points[np.isfinite(points).all(-1).sum(-1) >= 2]
    return np.asarray(np.nanmax(several, 1) - np.nanmin(several, 1)) if len(several) else several[:, 0]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if part in (0, whole) else f"{min(99.9, 100 * part / whole):.1f}%"
