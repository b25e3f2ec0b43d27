"""``vitruve smooth``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.errors import InputError


def command(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS",
            help="Prediction tables of one recording, a folder of them, or several folders, one a network.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the tables; smoothed/ beside them by default."),
    ] = None,
    mode: Annotated[
        str, typer.Option(metavar="MODE", help="single, multi, calibrated, mirrored, or auto: what is given tells.")
    ] = "auto",
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Anipose's calibration.toml, for points in space.")
    ] = None,
    camera_names: Annotated[
        str, typer.Option(metavar="A,B", help="Parts of file names (mirrors: of keypoint names) that name the cameras.")
    ] = "",
    mirrored_columns: Annotated[
        str, typer.Option(metavar="0,1;7,8", help="Keypoint indices of each view, for mirrors.")
    ] = "",
    bodyparts: Annotated[str, typer.Option(metavar="A,B", help="Keypoints to smooth; all by default.")] = "",
    s: Annotated[
        str, typer.Option("--s", metavar="S[,S]", help="Scale of the motion, for all or each; found by likelihood.")
    ] = "",
    s_frames: Annotated[
        str, typer.Option(metavar="A:B[,A:B]", help="Frames to find the scale from; all by default.")
    ] = "",
    blocks: Annotated[
        str, typer.Option(metavar="A,B;C,D", help="Keypoints, by name or index, that share one scale.")
    ] = "",
    variance: Annotated[
        str, typer.Option(metavar="KIND", help="Ensemble variance by its confidence (confidence), or plain.")
    ] = "confidence",
    latents: Annotated[int, typer.Option(metavar="N", help="Dimensions of the state where geometry is learned.")] = 3,
    quantile: Annotated[
        float, typer.Option(metavar="PERCENT", help="Frames of least variance that geometry is learned from.")
    ] = 95.0,
    inflate: Annotated[
        bool, typer.Option("--inflate/--no-inflate", help="Let views that contradict the others count less.")
    ] = True,
    labels: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Labels to compare with, one file a camera: coverage is written beside."),
    ] = None,
) -> None:
    """Smooth the predictions of several networks over time, with variances."""
    from vitruve.smoothing.smooth import smooth

    done = smooth(
        sources,
        output=output,
        mode=mode,  # type: ignore[arg-type]
        calibration=calibration,
        camera_names=_words(camera_names),
        mirrored_columns=[[int(word) for word in _numbers("--mirrored-columns", x)] for x in _parts(mirrored_columns)],
        bodyparts=_words(bodyparts),
        s=[float(word) for word in _numbers("--s", s)] or None,
        s_frames=[_stretch(word) for word in _words(s_frames)],
        blocks=[_words(part) for part in _parts(blocks)],
        variance=variance,  # type: ignore[arg-type]
        latents=latents,
        quantile=quantile,
        inflate=inflate,
        labels=labels or (),
    )
    for recording in done:
        for path in (*recording.tables.values(), recording.table_3d):
            if path is not None:
                typer.echo(f"{path}: {recording.frames} frames")
        for camera, path in recording.coverage.items():
            row = recording.covered[camera][-1]
            shares = ", ".join(f"{p} % intervals hold {row[f'within_{p}_percent_interval']:.1%}" for p in (50, 90, 95))
            typer.echo(f"{path}: {shares} of {row['labelled']} labels; {row['rmse_px']:.2f} px RMSE")


def _parts(text: str) -> list[str]:
    return [part for part in text.split(";") if part.strip()]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option: str, text: str) -> list[str]:
    words = _words(text)
    for word in words:
        try:
            float(word) if option == "--s" else int(word)
        except ValueError:
            raise InputError(f"{option}: '{word}' is no number") from None
    return words


def _stretch(word: str) -> tuple[int, int]:
    begin, _, end = word.partition(":")
    if not (begin.strip().isdigit() and end.strip().isdigit()):
        raise InputError(f"--s-frames: '{word}' is no stretch of frames; give first:last+1, such as 0:2000")
    return int(begin), int(end)
