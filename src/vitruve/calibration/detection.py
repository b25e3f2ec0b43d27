"""Finding the corners of a board in an image, and saying why none are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vitruve.geometry.board import DICTIONARIES, Board

FEWEST_CORNERS = 6
"""Corners that an image must show to count: fewer do not tell the board's pose."""

# Equal shares of all grey levels find more boards, but move corners: what is measured is only stretched.
_SEARCH, _MEASURE = cv2.CALIB_CB_NORMALIZE_IMAGE, cv2.CALIB_CB_ACCURACY
# Longer sides of the images that are searched, one after the other; corners are measured in the image as it is.
_SEARCHED = (320, 1280)
# Around the outermost corners, in squares: the border of the board with some of its margin.
_AROUND = 1.7
_ANY_BOARD = _SEARCH | _MEASURE | cv2.CALIB_CB_LARGER | cv2.CALIB_CB_EXHAUSTIVE
_SMALLEST = (3, 3)
_DARK, _BRIGHT, _FLAT, _BLURRED = 30, 225, 12, 20


def find_corners(board: Board, image: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "N 2"] | None:
    """The inner corners of a board, to a fraction of a pixel.

    A checkerboard is found whole (Duda and Frese 2018, Accurate detection and localization of checkerboard corners for
    calibration), a ChArUco board also in part (Garrido-Jurado et al. 2014).

    Args:
        board: What to look for.
        image: Grey.

    Returns:
        A row for each of :attr:`Board.points`, NaN for those that are not seen; None where the board is not found.
    """
    if board.marker is None:
        return _checkerboard(board, image)
    corners, numbers, _, _ = cv2.aruco.CharucoDetector(board.aruco()).detectBoard(image)
    if numbers is None or len(numbers) < FEWEST_CORNERS:
        return None
    found = np.full((len(board.points), 2), np.nan)
    found[np.ravel(numbers)] = np.reshape(corners, (-1, 2))
    # Corners of one line tell no pose.
    seen = board.points[np.ravel(numbers), :2]
    flat = np.linalg.matrix_rank(seen - seen.mean(0), tol=board.square / 10) < 2
    return None if flat else found


def _checkerboard(board: Board, image: np.ndarray) -> np.ndarray | None:
    across, down = board.corners
    grid = _measured(image, (across, down))
    if grid is None:
        return None
    # Seen from its front, a board's first side turns to the other one clockwise in the image.
    first, second = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
    if first[0] * second[1] < first[1] * second[0]:
        grid = grid[:, ::-1]
    if _first_is_lighter(image, grid):
        grid = np.rot90(grid, 1 if across == down else 2)
    return grid.reshape(-1, 2)


def _measured(image: np.ndarray, corners: tuple[int, int]) -> np.ndarray | None:
    """The corners as a grid, in one of its orders; a search takes long, so the board is first found in small images."""
    for side in _SEARCHED:
        shrink = min(1.0, side / max(image.shape))
        small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        found = _grid(small, corners, _SEARCH)
        if found is not None:
            break
        if shrink == 1:
            return None
    else:
        return None
    found = (found + 0.5) * np.divide(image.shape[::-1], small.shape[::-1]) - 0.5
    square = max(np.linalg.norm(np.diff(found, axis=axis), axis=-1).max() for axis in (0, 1))
    low = np.floor(found.min((0, 1)) - _AROUND * square).astype(int).clip(0)
    high = np.ceil(found.max((0, 1)) + _AROUND * square).astype(int) + 1
    part = cv2.normalize(image[low[1] : high[1], low[0] : high[0]], None, 0, 255, cv2.NORM_MINMAX)
    exact = _grid(part, corners, _MEASURE)
    return _grid(image, corners, _SEARCH | _MEASURE) if exact is None else exact + low


def _grid(image: np.ndarray, corners: tuple[int, int], flags: int) -> np.ndarray | None:
    known, found = cv2.findChessboardCornersSB(image, corners, flags=flags)
    return np.reshape(found, (corners[1], corners[0], 2)).astype(np.float64) if known else None


def _first_is_lighter(image: np.ndarray, grid: np.ndarray) -> bool:
    """Whether squares that should be black, as the first is, are lighter than the others."""
    middles = (grid[:-1, :-1] + grid[1:, 1:] + grid[:-1, 1:] + grid[1:, :-1]) / 4
    columns, rows = np.moveaxis(middles.round().astype(int), -1, 0)
    grey = image[rows.clip(0, image.shape[0] - 1), columns.clip(0, image.shape[1] - 1)].astype(float)
    odd = np.indices(grey.shape).sum(0) % 2 == 1
    return bool(odd.any() and grey[~odd].mean() > grey[odd].mean())


def why_none(board: Board, images: Sequence[UInt8[np.ndarray, "H W"]]) -> str:
    """The likely reason why a board is found in none of some images.

    Args:
        board: What was looked for.
        images: Some of the images, grey.

    Returns:
        What is wrong and what would be right, as the end of a sentence.
    """
    other = _other_markers(board, images) if board.marker is not None else _other_checkerboard(board, images)
    if other:
        return other
    level = float(np.median([image.mean() for image in images]))
    contrast = float(np.median([image.std() for image in images]))
    sharpness = float(np.median([cv2.Laplacian(image, cv2.CV_64F).var() for image in images]))
    if level < _DARK:
        return f"the images are dark (mean grey level {level:.0f} of 255); add light or a longer exposure"
    if level > _BRIGHT:
        return f"the images are overexposed (mean grey level {level:.0f} of 255); use less light"
    if contrast < _FLAT:
        return f"the images show hardly any contrast (standard deviation {contrast:.0f} grey levels); is the lens open?"
    if sharpness < _BLURRED:
        return "the images are blurred; focus the lens, expose shorter or move the board more slowly"
    whole = "" if board.marker is not None else " whole, with a white margin around it,"
    return (
        f"no board of {board.columns}x{board.rows} squares is seen{whole} in the images that were looked at; is it "
        "turned away, cut off or lit unevenly, and are squares (not corners) counted?"
    )


def _other_checkerboard(board: Board, images: Sequence[np.ndarray]) -> str:
    for image in images:
        markers = _marker_family(image)
        if markers:
            return (
                f"the board shows markers of {markers}: it is a ChArUco board; say so with the marker's side and "
                f"dictionary={markers}"
            )
    found = [cv2.findChessboardCornersSBWithMeta(image, _SMALLEST, _ANY_BOARD) for image in images]
    shapes = Counter(tuple(sorted(np.shape(meta), reverse=True)) for known, _, meta in found if known)
    # Noise passes for the smallest board there is, and a part of a hidden board has another size each time.
    del shapes[_SMALLEST]
    usual = max(shapes, key=lambda shape: (shapes[shape], shape[0] * shape[1]), default=())
    if not usual or shapes[usual] < min(2, len(images)) or usual == tuple(sorted(board.corners, reverse=True)):
        return ""
    return (
        f"a checkerboard of {usual[0] + 1}x{usual[1] + 1} squares is seen, not one of {board.columns}x{board.rows}; "
        "count the squares (not the corners) along both sides, or show all of the board"
    )


def _other_markers(board: Board, images: Sequence[np.ndarray]) -> str:
    detector = cv2.aruco.ArucoDetector(board.aruco().getDictionary())
    seen = {int(number) for image in images for number in np.ravel(_detected(detector, image))}
    if seen:
        held = set(np.ravel(board.aruco().getIds()).tolist())
        if not seen & held:
            return f"markers {min(seen)} to {max(seen)} are seen, but the board has {min(held)} to {max(held)}"
        flip = Board(board.columns, board.rows, board.square, board.marker, board.dictionary, not board.legacy)
        if any(find_corners(flip, image) is not None for image in images):
            return f"the board is of the {'newer' if board.legacy else 'older'} pattern; use legacy={not board.legacy}"
        return (
            f"{len(seen)} of its {len(held)} markers are seen, but their arrangement is another one; check "
            f"{board.columns}x{board.rows} (swap the two?) and the sides of squares and markers"
        )
    for image in images:
        family = _marker_family(image)
        if family:
            return f"the board shows markers of {family}, not of {board.dictionary}; give dictionary={family}"
    return ""


def _marker_family(image: np.ndarray) -> str:
    """The family that most markers of an image are of; empty where fewer than three are seen."""
    best: tuple[int, str] = (2, "")
    for family in DICTIONARIES:
        # Smaller families are the beginnings of the largest.
        if family.endswith(("_50", "_100", "_250")):
            continue
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{family}"))
        numbers = np.ravel(_detected(cv2.aruco.ArucoDetector(dictionary), image))
        if len(numbers) > best[0]:
            bits, _, size = family.partition("_")
            fits = next((n for n in (50, 100, 250) if numbers.max() < n), 1000)
            best = len(numbers), f"{bits}_{fits}" if size == "1000" else family
    return best[1]


def _detected(detector: cv2.aruco.ArucoDetector, image: np.ndarray) -> np.ndarray:
    _, numbers, _ = detector.detectMarkers(image)
    return np.zeros(0, int) if numbers is None else np.asarray(numbers)
