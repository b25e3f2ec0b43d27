"""Keypoints, boxes and scores of several instances, as parallel arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

Array: TypeAlias = Any
"""A numpy array or a torch tensor: labels on disk are the first, a batch on a device is the second."""

UNLABELLED, OCCLUDED, VISIBLE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Instances:
    """N instances with K keypoints each, below any leading axes (views, batch, time).

    All arrays are numpy, or all are torch. Missing instances (padding) have NaN keypoints that are unlabelled.

    Attributes:
        keypoints: ``(..., N, K, D)`` in pixels (D = 2) or millimetres (D = 3); NaN where missing.
        visible: ``(..., N, K)``: 0 unlabelled, 1 occluded, 2 visible.
        keypoint_scores: ``(..., N, K)`` confidence from 0 to 1, or None for labels.
        scores: ``(..., N)`` confidence of the instance, or None.
        boxes: ``(..., N, 4)`` as ``x1 y1 x2 y2`` in pixels, NaN where missing, or None.
        categories: ``(..., N)`` index of the class, -1 where missing, or None.
        tracks: ``(..., N)`` identity over time, -1 where unknown, or None.
        areas: ``(..., N)`` what the instance itself covers, in square pixels, NaN where unknown, or None.
        head_boxes: ``(..., N, 4)`` around the head alone, like ``boxes``, or None.
        crowds: ``(..., N)`` True for one that stands for many that are not told apart: it is not to be found and not
            to be missed. Or None.
        ids: ``(..., N)`` what its file numbers an instance by, -1 where it has no number, or None.

    Raises:
        ValueError: The shapes do not belong together.
    """

    keypoints: Float[Array, "*lead N K D"]
    visible: Shaped[Array, "*lead N K"]
    keypoint_scores: Float[Array, "*lead N K"] | None = None
    scores: Float[Array, "*lead N"] | None = None
    boxes: Float[Array, "*lead N 4"] | None = None
    categories: Int[Array, "*lead N"] | None = None
    tracks: Int[Array, "*lead N"] | None = None
    areas: Float[Array, "*lead N"] | None = None
    head_boxes: Float[Array, "*lead N 4"] | None = None
    crowds: Bool[Array, "*lead N"] | None = None
    ids: Int[Array, "*lead N"] | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.keypoints.shape)
        if len(shape) < 3:
            raise ValueError(f"keypoints must be (..., N, K, D), not {shape}")
        wanted = {"visible": shape[:-1], "keypoint_scores": shape[:-1]}
        wanted |= dict.fromkeys(("boxes", "head_boxes"), (*shape[:-2], 4))
        for item in fields(self):
            value = getattr(self, item.name)
            expected = wanted.get(item.name, shape[:-2])
            if item.name != "keypoints" and value is not None and tuple(value.shape) != expected:
                raise ValueError(f"{item.name} is {tuple(value.shape)}, but keypoints {shape} ask for {expected}")

    @classmethod
    def from_keypoints(cls, keypoints: Float[Array, "*lead N K D"], **arrays: Any) -> Instances:
        """Instances whose finite keypoints are visible and whose NaN keypoints are unlabelled.

        Args:
            keypoints: ``(..., N, K, D)``.
            **arrays: Any other attribute of this class but ``visible``.

        Returns:
            The instances.
        """
        missing = _missing(keypoints)
        visible = np.where(missing, UNLABELLED, VISIBLE) if isinstance(missing, np.ndarray) else (~missing) * VISIBLE
        return cls(keypoints, visible.astype(np.int8) if isinstance(visible, np.ndarray) else visible, **arrays)

    @classmethod
    def empty(cls, num_keypoints: int, lead: tuple[int, ...] = (1,), dims: int = 2) -> Instances:
        """No instance at all, as numpy arrays.

        Args:
            num_keypoints: K.
            lead: The leading axes.
            dims: D.

        Returns:
            Instances with N = 0.
        """
        return cls(
            np.zeros((*lead, 0, num_keypoints, dims), np.float32),
            np.zeros((*lead, 0, num_keypoints), np.int8),
        )

    @property
    def num_keypoints(self) -> int:
        """K, the number of keypoints of each instance."""
        return int(self.keypoints.shape[-2])

    @property
    def present(self) -> Shaped[Array, "*lead N"]:
        """True where an instance has a labelled keypoint or a box, False where it only fills up an axis."""
        labelled = (self.visible > 0).any(-1)
        return labelled if self.boxes is None else labelled | ~_missing(self.boxes)

    def map(self, function: Callable[[Array], Array]) -> Instances:
        """The same instances with a function applied to every array that is there.

        Args:
            function: It may change leading axes, the kind of array or its device, the same way for each array.

        Returns:
            The new instances.
        """
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return Instances(**{name: None if value is None else function(value) for name, value in values.items()})

    def __getitem__(self, index: Any) -> Instances:
        """Index the leading axes (or N, where there are none); arrays stay parallel."""
        return self.map(lambda array: array[index])

    def reordered(self, order: Sequence[int]) -> Instances:
        """The same instances with their keypoints in another order.

        Args:
            order: For each new place the keypoint's present one.

        Returns:
            The new instances.
        """
        index = list(order)
        scores = None if self.keypoint_scores is None else self.keypoint_scores[..., index]
        return replace(
            self,
            keypoints=self.keypoints[..., index, :],
            visible=self.visible[..., index],
            keypoint_scores=scores,
        )

    def transformed(self, matrix: Float[Array, "*lead 3 3"]) -> Instances:
        """Move keypoints and boxes by 3x3 matrices in the plane.

        Args:
            matrix: One matrix, or one for each of the leading axes. Affine or projective.

        Returns:
            The moved instances. A box becomes the box around its moved corners, an area grows as the plane does there.

        Raises:
            ValueError: The keypoints are not in the plane.
        """
        if self.keypoints.shape[-1] != 2:
            raise ValueError("transformed() moves points of the plane; these keypoints have three dimensions")
        areas = self.areas
        if areas is not None:
            areas = areas * _growth(matrix, areas)
        return replace(
            self,
            keypoints=apply_matrix(matrix, self.keypoints),
            boxes=_moved_boxes(matrix, self.boxes),
            areas=areas,
            head_boxes=_moved_boxes(matrix, self.head_boxes),
        )

    def numpy(self) -> Instances:
        """The same instances as numpy arrays in main memory."""
        return self.map(lambda a: a if isinstance(a, np.ndarray) else a.detach().cpu().numpy())


def apply_matrix(
    matrix: Float[Array, "*every 3 3"], points: Float[Array, "*lead N K 2"]
) -> Float[Array, "*lead N K 2"]:
    """Move points by 3x3 matrices, batched over leading axes.

    Args:
        matrix: ``(3, 3)`` or ``(*lead, 3, 3)``.
        points: ``(*lead, N, K, 2)``.

    Returns:
        The moved points, in the kind and precision of ``points``.
    """
    if isinstance(points, np.ndarray):
        matrix = np.asarray(matrix, dtype=np.promote_types(points.dtype, np.float32))
    else:
        matrix = matrix.to(points)
    columns = matrix.swapaxes(-1, -2)
    if columns.ndim > 2:
        columns = columns[..., None, None, :, :]
    # No matrix product: where a network is trained in half precision it would be done in that, and round by a pixel.
    moved = points[..., :1] * columns[..., 0, :] + points[..., 1:] * columns[..., 1, :] + columns[..., 2, :]
    bottom = matrix[..., 2, :]
    if bool((bottom[..., :2] == 0).all()) and bool((bottom[..., 2] == 1).all()):
        return moved[..., :2]
    return moved[..., :2] / moved[..., 2:]


def _missing(values: Array) -> Array:
    unset = np.isnan(values) if isinstance(values, np.ndarray) else values.isnan()
    return unset.any(-1)


def _moved_boxes(matrix: Array, boxes: Array | None) -> Array | None:
    if boxes is None:
        return None
    corners = boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].reshape(*boxes.shape[:-1], 4, 2)
    return _concatenate(*_extent(apply_matrix(matrix, corners)))


def _growth(matrix: Array, like: Array) -> Array:
    """How many times larger an area becomes; a perspective has no one answer, and its affine part is taken."""
    a, b, c, d = (matrix[..., i, j] / matrix[..., 2, 2] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    factor = abs(a * d - b * c)
    factor = np.asarray(factor, like.dtype) if isinstance(like, np.ndarray) else factor.to(like)
    return factor[..., None] if factor.ndim else factor


def _extent(corners: Array) -> tuple[Array, Array]:
    if isinstance(corners, np.ndarray):
        return corners.min(-2), corners.max(-2)
    return corners.amin(-2), corners.amax(-2)


def _concatenate(low: Array, high: Array) -> Array:
    if isinstance(low, np.ndarray):
        return np.concatenate([low, high], -1)
    import torch

    return torch.cat([low, high], -1)
