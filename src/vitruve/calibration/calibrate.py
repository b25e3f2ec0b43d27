"""``vitruve calibrate``: from recordings of a board to a calibration file and its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitruve.errors import InputError, nearest

if TYPE_CHECKING:
    from vitruve.calibration.intrinsics import Lens
    from vitruve.calibration.solve import Solution
    from vitruve.structures.camera import Camera

_FEWEST_FRAMES = 4


@dataclass(frozen=True)
class Calibration:
    """Calibrated cameras.

    Attributes:
        cameras: By their names; millimetres, in the frame of the primary camera.
        report: Errors, coverage and advice a camera and a pair (:func:`vitruve.calibration.report.describe`).
        path: The calibration file or folder.
        files: The files of the report by the stem of their names.
        solution: The corners and boards behind it.
    """

    cameras: dict[str, Camera]
    report: dict[str, Any]
    path: Path
    files: dict[str, Path]
    solution: Solution


def calibrate(
    recordings: str | Path,
    squares: tuple[int, int],
    square: float,
    *,
    marker: float | None = None,
    dictionary: str = "4X4_50",
    legacy: bool = False,
    output: str | Path | None = None,
    format: str | None = None,
    primary: str | None = None,
    lens: Lens = "radial",
    frames: int = 100,
    shortest: bool = False,
) -> Calibration:
    """Calibrate cameras from recordings of a checkerboard or ChArUco board.

    Args:
        recordings: A folder with one video or one folder of images a camera, taken at the same instants, or subfolders
            of such, or JARVIS' ``Intrinsics`` and ``Extrinsics``.
        squares: Squares along both sides of the board (not corners).
        square: Side of a square in millimetres.
        marker: Side of a marker in millimetres; None for a checkerboard.
        dictionary: Family of the markers, such as ``4X4_50``.
        legacy: Whether a ChArUco board with an even number of rows was printed by OpenCV before 4.6.
        output: The calibration file, or folder for ``jarvis``; by default ``calibration.toml`` in ``recordings``. The
            report goes to ``<output without suffix>_report`` beside it.
        format: A format of calibrations; by default what the suffix of ``output`` says.
        primary: Camera whose frame becomes the world's; by default the one that most ``<first>-<second>`` folders name
            first, else the first.
        lens: ``radial`` (k1, k2), ``brown`` (k1, k2, p1, p2, k3) or ``fisheye``, which only anipose holds.
        frames: Images of a recording to look at, at the most; spread over it.
        shortest: Use recordings of different lengths up to the end of the shortest.

    Returns:
        The cameras, what they are worth, and the files written.

    Raises:
        InputError: The recordings cannot be read, show no board, differ in length, or do not hold the cameras together.
    """
    from vitruve.calibration.page import write_report
    from vitruve.calibration.recordings import find_sources, first_camera
    from vitruve.calibration.report import describe
    from vitruve.calibration.solve import solve
    from vitruve.calibration.views import find_views
    from vitruve.formats.calibration import format_of, write_cameras
    from vitruve.geometry.board import Board

    board = Board(*squares, square, marker, dictionary, legacy)
    if frames < _FEWEST_FRAMES:
        raise InputError(f"frames={frames}: at least {_FEWEST_FRAMES} images of each recording are needed, better 100")
    path = Path(output) if output is not None else Path(recordings) / "calibration.toml"
    if format_of(path, format) != "anipose" and lens == "fisheye":
        raise InputError(f"lens=fisheye: {path} is of a format that cannot hold fisheye lenses; write anipose (.toml)")
    sources = find_sources(Path(recordings))
    first = primary or first_camera(sources)
    names = sorted({source.camera for source in sources})
    if first not in names:
        raise InputError(f"primary '{first}'{nearest(first, names)}: the cameras are {', '.join(names)}")
    views = find_views(board, sources, most=frames, shortest=shortest)
    solution = solve(views, lens=lens, primary=views.names.index(first))
    report = describe(solution)
    write_cameras(solution.cameras, path, format=format)
    files = write_report(solution, report, path.with_name(f"{path.stem}_report"))
    return Calibration(solution.cameras, report, path, files, solution)
