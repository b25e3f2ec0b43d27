"""Rendered scenes with exact ground truth, for the example projects, tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vitruve.errors import InputError, nearest
from vitruve.synthetic.crowd import CrowdScene
from vitruve.synthetic.field import FieldScene
from vitruve.synthetic.mouse import MouseScene
from vitruve.synthetic.rig import RigScene
from vitruve.synthetic.scene import Scene

SCENES: dict[str, Callable[[int], Scene]] = {
    "mouse": MouseScene,
    "cluttered_mouse": partial(MouseScene, clutter=60, leaves=24),
    "crowd": CrowdScene,
    "field": FieldScene,
    "rig": RigScene,
}
"""What can be rendered: each makes its scene from a seed."""


def make_scene(name: str, seed: int = 0) -> Scene:
    """A scene by its name.

    Args:
        name: A key of :data:`SCENES`.
        seed: Another seed gives another trajectory, floor and noise.

    Returns:
        The scene.

    Raises:
        InputError: There is no such scene.
    """
    if name not in SCENES:
        raise InputError(f"no scene '{name}'{nearest(name, SCENES)}; there are: {', '.join(SCENES)}")
    return SCENES[name](seed)
