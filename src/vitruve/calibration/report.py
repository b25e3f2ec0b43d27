"""What a calibration is worth: errors, coverage and uncertainty a camera and a pair, and what to record again."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitruve.calibration.intrinsics import coverage
from vitruve.calibration.solve import Solution, camera_centers, shared_instants

_FEW_BOARDS, _MANY_DROPPED = 15, 0.25
_LITTLE_COVERED, _LITTLE_TILT = 0.6, 20.0
_LARGE_ERROR, _VAGUE_FOCAL, _VAGUE_PLACE = 1.0, 0.01, 0.01
_FEW_SHARED, _FEW_AGREE = 8, 0.5


def describe(solution: Solution) -> dict[str, Any]:
    """All figures of a calibration, ready for JSON.

    Args:
        solution: The calibration.

    Returns:
        ``board``, ``primary``, ``error_px``, ``rig_size_mm``, ``cameras`` and ``pairs`` (one mapping each), ``advice``
        and ``notes`` (sentences).
    """
    views, bundle = solution.views, solution.bundle
    residuals = bundle.residuals(solution.sightings)
    centers = camera_centers(bundle.cameras)
    size = float(np.linalg.norm(centers[:, None] - centers[None], axis=-1).max())
    cameras = [_camera(solution, number, residuals, centers, size) for number in range(len(views.names))]
    pairs = [_pair(solution, number, centers) for number in range(len(solution.pairs))]
    board = views.board
    return {
        "board": {
            "kind": "checkerboard" if board.marker is None else "charuco",
            "squares": [board.columns, board.rows],
            "square_mm": board.square,
            "marker_mm": board.marker,
            "dictionary": None if board.marker is None else board.dictionary,
        },
        "primary": views.names[solution.primary],
        "error_px": _errors(residuals),
        "rig_size_mm": size,
        "cameras": cameras,
        "pairs": pairs,
        "advice": [f"{item['name']}: {text}" for item in cameras for text in item["advice"]]
        + [f"{' and '.join(item['cameras'])}: {text}" for item in pairs for text in item["advice"]],
        "notes": list(views.notes),
    }


def _errors(residuals: np.ndarray) -> dict[str, float]:
    length = np.linalg.norm(residuals, axis=-1)
    length = length[~np.isnan(length)]
    return {
        "mean": float(length.mean()),
        "median": float(np.median(length)),
        "rms": float(np.sqrt((length**2).mean())),
        "p95": float(np.percentile(length, 95)),
    }


def _camera(
    solution: Solution, number: int, residuals: np.ndarray, centers: np.ndarray, rig_size: float
) -> dict[str, Any]:
    views, bundle = solution.views, solution.bundle
    assert bundle.deviation is not None
    mine = views.camera == number
    used = mine & solution.used
    covered = coverage(views.pixels[used], tuple(views.sizes[number].tolist()))
    focal = float(bundle.cameras.intrinsics[number, 0, 0])
    place = float(np.linalg.norm(bundle.deviation[number, -3:]))
    made = {
        "name": views.names[number],
        "size": views.sizes[number].tolist(),
        "images_searched": int(views.searched[number]),
        "boards_found": int(mine.sum()),
        "boards_used": int(used.sum()),
        "error_px": _errors(residuals[solution.sightings.camera == number]),
        "coverage": float(covered.mean()),
        "tilt_degrees": _tilt(solution, number),
        "focal_px": focal,
        "focal_deviation_px": float(bundle.deviation[number, 0]),
        "position_mm": centers[number].tolist(),
        "position_deviation_mm": place,
    }
    made["advice"] = _advice(made, covered, rig_size)
    return made


def _tilt(solution: Solution, number: int) -> float:
    """The largest angle between the board and the image, but for the last twentieth; degrees."""
    seen = solution.sightings
    places = seen.place[seen.camera == number]
    normals = solution.bundle.rotation[places][:, :, 2] @ solution.bundle.cameras.rotation[number].T
    return float(np.degrees(np.percentile(np.arccos(np.clip(np.abs(normals[:, 2]), 0, 1)), 95)))


def _advice(camera: dict[str, Any], covered: np.ndarray, rig_size: float) -> list[str]:
    advice = []
    if camera["boards_used"] < _FEW_BOARDS:
        advice.append(
            f"{camera['boards_used']} boards count, of {camera['images_searched']} images; 20 and more are better: "
            "show it longer, or look at more images (frames)"
        )
    if camera["boards_found"] - camera["boards_used"] > _MANY_DROPPED * camera["boards_found"]:
        advice.append(
            f"{camera['boards_found'] - camera['boards_used']} of {camera['boards_found']} boards contradict the "
            "others: move it more slowly, keep it flat, and check that the cameras record at the same instants"
        )
    if camera["coverage"] < _LITTLE_COVERED:
        advice.append(
            f"{camera['coverage']:.0%} of the image have shown the board: show it {_where_not(covered)}, for the lens "
            "bends most at the border"
        )
    if camera["tilt_degrees"] < _LITTLE_TILT:
        advice.append(f"the board is tilted by {camera['tilt_degrees']:.0f} degrees at the most; tilt it by 30 to 45")
    if camera["error_px"]["median"] > _LARGE_ERROR:
        advice.append(
            f"the median error is {camera['error_px']['median']:.1f} px: are the images sharp, the board flat, and its "
            "squares of equal sides?"
        )
    if camera["focal_deviation_px"] > _VAGUE_FOCAL * camera["focal_px"]:
        advice.append("its focal length is known to no better than 1 %: show the board nearer and more tilted")
    if rig_size > 0 and camera["position_deviation_mm"] > _VAGUE_PLACE * rig_size:
        advice.append(
            f"its position is known to {camera['position_deviation_mm']:.1f} mm only: show it the board together with "
            "other cameras"
        )
    return advice


def _where_not(covered: np.ndarray) -> str:
    """The thirds of the image that have shown the least."""
    rows, columns = np.array_split(np.arange(covered.shape[0]), 3), np.array_split(np.arange(covered.shape[1]), 3)
    shares = {
        f"{vertical} {horizontal}".strip(): covered[np.ix_(row, column)].mean()
        for row, vertical in zip(rows, ("upper", "", "lower"), strict=True)
        for column, horizontal in zip(columns, ("left", "middle", "right"), strict=True)
        if len(row) and len(column)
    }
    bare = sorted((name for name, share in shares.items() if share < 0.5), key=lambda name: shares[name])
    return "in the " + ", ".join(bare[:4]) if bare else "everywhere"


def _pair(solution: Solution, number: int, centers: np.ndarray) -> dict[str, Any]:
    pair, views = solution.pairs[number], solution.views
    first, second = pair.cameras
    axes = solution.bundle.cameras.rotation[[first, second], 2]
    made = {
        "cameras": [views.names[first], views.names[second]],
        "boards_shared": pair.shared,
        "boards_agreeing": pair.agreeing,
        "boards_used": shared_instants(views, solution.used, pair.cameras),
        "transfer_error_px": pair.error,
        "distance_mm": float(np.linalg.norm(centers[first] - centers[second])),
        "angle_degrees": float(np.degrees(np.arccos(np.clip(axes[0] @ axes[1], -1, 1)))),
    }
    advice = []
    if pair.agreeing < _FEW_AGREE * pair.shared:
        advice.append(
            f"{pair.shared - pair.agreeing} of {pair.shared} shared boards contradict the others: check that frame n "
            "of both shows the same instant"
        )
    elif pair.shared < _FEW_SHARED and not _connected_otherwise(solution, number):
        advice.append(f"only {pair.shared} boards hold them together; show the board to both at once more often")
    made["advice"] = advice
    return made


def _connected_otherwise(solution: Solution, number: int) -> bool:
    """Whether the two cameras hang together without their own pair, by pairs that share enough."""
    first, second = solution.pairs[number].cameras
    reached, frontier = {first}, [first]
    while frontier:
        camera = frontier.pop()
        for other, pair in enumerate(solution.pairs):
            if other != number and camera in pair.cameras and pair.agreeing >= _FEW_SHARED:
                for each in pair.cameras:
                    if each not in reached:
                        reached.add(each)
                        frontier.append(each)
    return second in reached
