"""The one way in which an image is sampled, in training and in prediction alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vitruve.geometry.affine import Matrix, Size, resize
from vitruve.structures.instances import apply_matrix


@dataclass(frozen=True, eq=False)
class Warp:
    """A geometric change from an original image to the network's input.

    Attributes:
        matrix: ``(3, 3)`` from original image pixels to input pixels.
        size: Width and height of the input.
        displacement: ``(H, W, 2)`` in input pixels, or None: the input at ``p`` shows what the matrix alone would
            have put at ``p + displacement[p]``.
    """

    matrix: Matrix
    size: Size
    displacement: Float[np.ndarray, "H W 2"] | None = None

    @property
    def to_image(self) -> Matrix:
        """``(3, 3)`` from input pixels to original image pixels, the displacement left out."""
        return np.linalg.inv(self.matrix)

    def image(self, image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "H W c"]:
        """Sample an image once: bilinear, black outside.

        Where the image shrinks to less than half, whole blocks of pixels are averaged first, so that nothing
        between the samples is skipped.

        Args:
            image: The original image.

        Returns:
            The input image.
        """
        matrix, channels = self.matrix, image.shape[2]
        # A hair more: a matrix that shrinks by 8 must not be taken for one by 7.999.
        shrink = int(1 / max(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))), 1e-6) + 1e-6)
        if shrink >= 2:
            image, matrix = _averaged(image, matrix, shrink)
        if self.displacement is not None:
            columns, rows = (np.arange(side, dtype=np.float32) for side in self.size)
            grid = np.stack(np.meshgrid(columns, rows), -1) + self.displacement.astype(np.float32)
            # OpenCV's own product: this is done for every second training image.
            where = cv2.perspectiveTransform(grid, np.linalg.inv(matrix))
            sampled = cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        elif (matrix[2] == (0, 0, 1)).all():
            sampled = cv2.warpAffine(image, matrix[:2], self.size, flags=cv2.INTER_LINEAR)
        else:
            sampled = cv2.warpPerspective(image, matrix, self.size, flags=cv2.INTER_LINEAR)
        return sampled.reshape(*self.size[::-1], channels)  # OpenCV drops an axis of one channel

    def displaced(self, points: Float[np.ndarray, "*lead 2"]) -> Float[np.ndarray, "*lead 2"]:
        """Where original points lie so that :attr:`to_image` alone describes the input image.

        Without a displacement these are the points themselves.

        Args:
            points: Original pixels; NaN stays NaN.

        Returns:
            Original pixels, each moved by what the displacement does to it.
        """
        if self.displacement is None or points.size == 0:
            return points
        lead = points.shape[:-1]
        aim = apply_matrix(self.matrix, points.reshape(1, -1, 2).astype(np.float64))[0]
        place = aim.copy()
        for _ in range(8):  # p + d(p) = aim; d changes by less than a pixel a pixel, so this contracts
            sampled = cv2.remap(
                self.displacement.astype(np.float32),
                np.nan_to_num(place).astype(np.float32)[None],
                None,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )[0]
            place = aim - sampled
        return apply_matrix(self.to_image, place[None])[0].reshape(*lead, 2).astype(points.dtype)

    def displaced_boxes(self, boxes: Float[np.ndarray, "*lead 4"] | None) -> Float[np.ndarray, "*lead 4"] | None:
        """The boxes around the corners of boxes that :meth:`displaced` has moved; None of None."""
        if boxes is None or self.displacement is None:
            return boxes
        corners = boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].reshape(*boxes.shape[:-1], 4, 2)
        moved = self.displaced(corners)
        return np.concatenate([moved.min(-2), moved.max(-2)], -1)


def _averaged(image: np.ndarray, matrix: Matrix, factor: int) -> tuple[np.ndarray, Matrix]:
    height, width = image.shape[:2]
    down, right = -height % factor, -width % factor
    if down or right:
        image = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE)
    full = (width + right, height + down)
    small = (full[0] // factor, full[1] // factor)
    image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return image, matrix @ resize(small, full)


def use_one_thread() -> None:
    """Keep OpenCV to the calling thread: where a network needs the cores, waiting for one another costs more."""
    cv2.setNumThreads(1)
