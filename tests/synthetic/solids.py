"""What solids are by definition, to compare with how they are rendered."""

from __future__ import annotations

import numpy as np

from vitruve.synthetic.raycast import Cone, Ellipsoid, Solid


def inside(solid: Solid, points: np.ndarray) -> np.ndarray:
    """Whether points lie in a solid, by its definition: a cone is all the balls between its two."""
    if isinstance(solid, Ellipsoid):
        return np.asarray((((points - solid.centre) @ solid.rotation / solid.radii) ** 2).sum(-1) <= 1)
    assert isinstance(solid, Cone)
    # Where along the axis the ball reaches furthest beyond the point: a parabola's lowest place.
    way, off, taper = solid.end - solid.start, points - solid.start, solid.radii[1] - solid.radii[0]
    share = np.clip((off @ way + taper * solid.radii[0]) / (way @ way - taper**2), 0, 1)[..., None]
    return np.asarray(((off - share * way) ** 2).sum(-1) <= (solid.radii[0] + share[..., 0] * taper) ** 2)
