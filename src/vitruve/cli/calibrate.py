"""``vitruve calibrate``."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class _Lens(StrEnum):
    radial = "radial"
    brown = "brown"
    fisheye = "fisheye"


def command(
    recordings: Annotated[
        Path,
        typer.Argument(
            metavar="RECORDINGS",
            help="Folder with one video or image folder a camera, or with JARVIS' Intrinsics and Extrinsics.",
        ),
    ],
    squares: Annotated[
        str, typer.Option(metavar="CxR", help="Squares (not corners) along both sides of the board, such as 8x5.")
    ],
    square: Annotated[float, typer.Option(metavar="MM", help="Side of a square in millimetres.")],
    marker: Annotated[
        float | None, typer.Option(metavar="MM", help="Side of a ChArUco marker in millimetres; none: checkerboard.")
    ] = None,
    dictionary: Annotated[str, typer.Option(metavar="NAME", help="Family of the ChArUco markers.")] = "4X4_50",
    legacy: Annotated[
        bool, typer.Option("--legacy", help="The ChArUco board was printed by OpenCV before 4.6.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Calibration to write; calibration.toml in RECORDINGS by default."
        ),
    ] = None,
    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="anipose, jarvis and so on; by default as --output ends.")
    ] = None,
    primary: Annotated[
        str | None, typer.Option(metavar="CAMERA", help="Camera whose frame becomes the world's.")
    ] = None,
    lens: Annotated[
        _Lens, typer.Option(help="radial: k1, k2; brown: also p1, p2, k3; fisheye: lenses of 120 degrees and more.")
    ] = _Lens.radial,
    frames: Annotated[int, typer.Option(metavar="N", help="Images of each recording to look at, at the most.")] = 100,
    shortest: Annotated[
        bool, typer.Option("--shortest", help="Use recordings of different lengths up to the end of the shortest.")
    ] = False,
) -> None:
    """Calibrate cameras from recordings of a checkerboard or ChArUco board."""
    from vitruve import api
    from vitruve.errors import InputError

    counts = re.fullmatch(r"(\d{1,3})[xX](\d{1,3})", squares.strip())
    if counts is None:
        raise InputError(f"--squares {squares}: give the squares along both sides, such as 8x5")
    made = api.calibrate(
        recordings,
        (int(counts[1]), int(counts[2])),
        square,
        marker=marker,
        dictionary=dictionary,
        legacy=legacy,
        output=output,
        format=format,
        primary=primary,
        lens=lens.value,
        frames=frames,
        shortest=shortest,
    )
    for item in made.report["cameras"]:
        typer.echo(
            f"{item['name']}: {item['boards_used']} of {item['boards_found']} boards, median error "
            f"{item['error_px']['median']:.2f} px, {item['coverage']:.0%} of the image covered"
        )
    for line in made.report["notes"] + made.report["advice"]:
        typer.echo(f"note: {line}", err=True)
    typer.echo(f"{made.path}: {len(made.cameras)} cameras; what they are worth: {made.files['report']}")
