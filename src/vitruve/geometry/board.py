"""Calibration boards: where their corners are, and how they look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from vitruve.errors import InputError, nearest

DICTIONARIES = (
    *(f"{bits}X{bits}_{count}" for bits in (4, 5, 6, 7) for count in (50, 100, 250, 1000)),
    "ARUCO_ORIGINAL",
    "APRILTAG_16h5",
    "APRILTAG_25h9",
    "APRILTAG_36h10",
    "APRILTAG_36h11",
)
"""Families of markers that a ChArUco board can be printed with."""

# A checkerboard is searched by at least 3 x 3 corners; 2 x 3 of a ChArUco board tell its pose.
_FEWEST_SQUARES = {"checkerboard": (4, 4), "ChArUco board": (3, 4)}


@dataclass(frozen=True)
class Board:
    """A flat board of black and white squares, with markers in the white ones (ChArUco) or without (checkerboard).

    Attributes:
        columns: Squares along the first side. Checkerboards have at least 4 by 4, ChArUco boards 3 by 4.
        rows: Squares along the other side.
        square: Side of a square in millimetres, as measured on the print.
        marker: Side of a marker in millimetres; None for a checkerboard.
        dictionary: Family of the markers, of :data:`DICTIONARIES`.
        legacy: Whether the first square of a ChArUco board with an even number of rows is white, as OpenCV printed them
            before 4.6.
    """

    columns: int
    rows: int
    square: float
    marker: float | None = None
    dictionary: str = "4X4_50"
    legacy: bool = False

    def __post_init__(self) -> None:
        kind = "checkerboard" if self.marker is None else "ChArUco board"
        low, high = _FEWEST_SQUARES[kind]
        if min(self.columns, self.rows) < low or max(self.columns, self.rows) < high:
            raise InputError(
                f"{kind} {self.columns}x{self.rows}: has too few squares; count the squares (not the corners) along "
                f"both sides, at least {low} by {high}"
            )
        if not self.square > 0:
            raise InputError(f"square={self.square}: give the side of a square in millimetres, above 0")
        if self.dictionary not in DICTIONARIES:
            raise InputError(
                f"dictionary '{self.dictionary}'{nearest(self.dictionary, DICTIONARIES)}: is not known; "
                f"there are {', '.join(DICTIONARIES)}"
            )
        if self.marker is not None and not 0 < self.marker < self.square:
            raise InputError(
                f"marker={self.marker}: markers lie inside squares of {self.square} mm; measure them again"
            )
        if self.marker is not None and len(self.aruco().getDictionary().bytesList) < self.columns * self.rows // 2:
            raise InputError(
                f"dictionary '{self.dictionary}': has fewer markers than a board of {self.columns}x{self.rows} squares "
                "holds; name the one that the board was printed with"
            )

    @property
    def corners(self) -> tuple[int, int]:
        """Inner corners along both sides."""
        return self.columns - 1, self.rows - 1

    @property
    def points(self) -> Float[np.ndarray, "N 3"]:
        """Inner corners on the board in millimetres, row by row, with z = 0; a corner's row is its number."""
        across, down = self.corners
        x, y = np.meshgrid(np.arange(1, across + 1), np.arange(1, down + 1))
        return np.stack([x.ravel(), y.ravel(), np.zeros(across * down)], -1) * float(self.square)

    @property
    def middle(self) -> Float[np.ndarray, " 3"]:
        """The middle of the board in millimetres."""
        return np.array([self.columns, self.rows, 0.0]) * self.square / 2

    @property
    def turns(self) -> tuple[Int[np.ndarray, " N"], ...]:
        """Orders of the corners that look alike: the board itself, and what it is when turned in its plane.

        A checkerboard with an even sum of squares along its sides looks the same upside down, and a square one with an
        odd number of squares also after a quarter turn.
        """
        across, down = self.corners
        order = np.arange(across * down).reshape(down, across)
        if self.marker is not None or (self.columns + self.rows) % 2:
            return (order.ravel(),)
        quarters = (0, 1, 2, 3) if across == down and self.columns % 2 else (0, 2)
        return tuple(np.rot90(order, quarter).ravel() for quarter in quarters)

    def aruco(self) -> Any:
        """OpenCV's ChArUco board.

        Returns:
            ``cv2.aruco.CharucoBoard``; only for boards with markers.
        """
        family = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{self.dictionary}"))
        board = cv2.aruco.CharucoBoard((self.columns, self.rows), self.square, float(self.marker or 0), family)
        board.setLegacyPattern(self.legacy)
        return board

    def image(self, pixels_per_square: int = 64) -> UInt8[np.ndarray, "H W"]:
        """The board as it is printed, grey, with a white margin of one square around it.

        Args:
            pixels_per_square: Resolution.

        Returns:
            Pixels of the board and its margin.
        """
        side = pixels_per_square
        if self.marker is not None:
            board = np.asarray(self.aruco().generateImage((self.columns * side, self.rows * side)), np.uint8)
        else:
            x, y = np.meshgrid(np.arange(self.columns), np.arange(self.rows))
            board = np.kron((x + y) % 2 * 255, np.ones((side, side))).astype(np.uint8)
        return np.pad(board, side, constant_values=255)
