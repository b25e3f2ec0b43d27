"""Framesets as one picture: a row each, with the surroundings of the animal in every view and the skeleton in space."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.draw import contact_sheet, keypoint_colors
from vitruve.visualize.scene3d import Stage
from vitruve.visualize.viewer_page import ShownFrame

_LABEL, _SEEN, _DARK, _TEXT = (255, 122, 0), (0, 180, 255), (20, 20, 20), (235, 238, 241)
_MARGIN = 1.35
_LEAST = 24.0
_CAPTION = 34
_SHIFT = 4


def shrunk(image: UInt8[np.ndarray, "H W 3"], side: int) -> UInt8[np.ndarray, "h w 3"]:
    """An image whose longer side has at most so many pixels.

    Args:
        image: RGB.
        side: Pixels.

    Returns:
        The image itself where it is small enough.
    """
    height, width = image.shape[:2]
    share = side / max(height, width)
    if share >= 1:
        return image
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def frames_sheet(
    frames: Sequence[ShownFrame],
    skeleton: Skeleton,
    views: Sequence[str],
    up: Float[np.ndarray, " 3"] | None = None,
    tile: int = 260,
) -> UInt8[np.ndarray, "H W 3"]:
    """A row a frameset: labels as rings, points in space as crosses, what is between them as lines.

    Args:
        frames: At least one.
        skeleton: Gives edges and colours.
        views: The V names.
        up: Which way is up in space.
        tile: Width and height of each picture in pixels.

    Returns:
        RGB.
    """
    solid = [frame.points for frame in frames if frame.points is not None]
    stage = None
    tiles = []
    for frame in frames:
        tiles += [_view(frame, view, name, skeleton, tile) for view, name in enumerate(views or ("",))]
        if solid and frame.points is not None:
            # Each pose in its own middle: together they would be as small as the arena is large.
            stage = Stage(frame.points[None], np.array([0.0, 0.0, 1.0]) if up is None else up, (tile, tile + _CAPTION))
            tiles.append(stage.picture(frame.points, skeleton, 35, 22))
    width = max(len(views), 1) + (1 if solid else 0)
    return contact_sheet(tiles, width if width > 1 else 4)


def _view(frame: ShownFrame, view: int, name: str, skeleton: Skeleton, tile: int) -> np.ndarray:
    cell = np.full((tile + _CAPTION, tile, 3), _DARK, np.uint8)
    image = frame.images[view]
    if image is None or isinstance(image, str) or frame.sizes is None:
        _write(cell, f"{name}: no image", tile + 14)
        return cell
    labels = _of(frame.labels, view, skeleton)
    seen = _of(frame.reprojected, view, skeleton)
    corner, wide = _area(np.concatenate([labels, seen]), frame.sizes[view])
    scale = tile / wide
    share = image.shape[1] / float(frame.sizes[view][0])
    # One map from the picture, which may be smaller than the original, to the tile.
    matrix = np.array(
        [
            [scale / share, 0, scale * (0.5 / share - 0.5 - corner[0])],
            [0, scale / share, scale * (0.5 / share - 0.5 - corner[1])],
        ]
    )
    flags = cv2.INTER_AREA if scale < share else cv2.INTER_LINEAR
    cell[:tile] = cv2.warpAffine(image, matrix, (tile, tile), flags=flags, borderValue=_DARK)
    _mark(cell[:tile], (labels - corner) * scale, (seen - corner) * scale, skeleton)
    away = np.linalg.norm(labels - seen, axis=-1)
    away = away[np.isfinite(away)]
    said = f"{name} " + (f"{np.median(away):.1f} px, at most {away.max():.1f}" if away.size else "")
    _write(cell, frame.name if view == 0 else "", tile + 13)
    _write(cell, said, tile + 28)
    return cell


def _of(points: np.ndarray | None, view: int, skeleton: Skeleton) -> Float[np.ndarray, "K 2"]:
    return np.full((len(skeleton), 2), np.nan) if points is None else points[view].astype(np.float64)


def _area(points: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, float]:
    """Upper left corner and width of the square that is shown, in original pixels."""
    inside = points[np.isfinite(points).all(-1) & (points > -0.5).all(-1) & (points < size - 0.5).all(-1)]
    if len(inside) < 2:
        wide = float(max(size))
        return (np.asarray(size) - 1 - wide) / 2, wide
    low, high = inside.min(0), inside.max(0)
    wide = min(max(float((high - low).max()), _LEAST) * _MARGIN, float(max(size)))
    return (low + high - wide) / 2, wide


def _mark(image: np.ndarray, labels: np.ndarray, seen: np.ndarray, skeleton: Skeleton) -> None:
    colors = keypoint_colors(skeleton, "turbo").tolist()
    shown = labels if np.isfinite(labels).any() else seen

    def at(point: np.ndarray) -> tuple[int, int]:
        x, y = np.rint(np.clip(point, -2000, 2000) * (1 << _SHIFT)).astype(int).tolist()
        return x, y

    for a, b in skeleton.edges:
        if np.isfinite(shown[[a, b]]).all():
            cv2.line(image, at(shown[a]), at(shown[b]), colors[b], 1, cv2.LINE_AA, _SHIFT)
    for label, point in zip(labels, seen, strict=True):
        there = np.isfinite(label).all(), np.isfinite(point).all()
        if all(there):
            cv2.line(image, at(label), at(point), (255, 45, 85), 1, cv2.LINE_AA, _SHIFT)
        if there[0]:
            cv2.circle(image, at(label), 5 << _SHIFT, _LABEL, 2, cv2.LINE_AA, _SHIFT)
        if there[1]:
            for way in (np.array([2.5, 2.5]), np.array([2.5, -2.5])):
                cv2.line(image, at(point - way), at(point + way), _SEEN, 1, cv2.LINE_AA, _SHIFT)


def _write(image: np.ndarray, text: str, row: int) -> None:
    cv2.putText(image, text[-44:], (6, row), cv2.FONT_HERSHEY_SIMPLEX, 0.36, _TEXT, 1, cv2.LINE_AA)
