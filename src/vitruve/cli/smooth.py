"""``vitruve smooth``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitruve.cli.options import listed
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
        str,
        typer.Option(
            metavar="MODE",
            help="single, multi, calibrated, mirrored, ibl-pupil, ibl-paw, or auto: what is given tells.",
        ),
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
    timestamps: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Times of the frames, one file a camera, of cameras that are not synchronous."
        ),
    ] = None,
    bodyparts: Annotated[str, typer.Option(metavar="A,B", help="Keypoints to smooth; all by default.")] = "",
    s: Annotated[
        str, typer.Option("--s", metavar="S[,S]", help="Scale of the motion, for all or each; found by likelihood.")
    ] = "",
    diameter_s: Annotated[
        float | None, typer.Option(metavar="S", help="Pupils: what lasts of the diameter a frame, 0 to below 1.")
    ] = None,
    com_s: Annotated[float | None, typer.Option(metavar="S", help="Pupils: the same of the centre.")] = None,
    s_frames: Annotated[
        str, typer.Option(metavar="A:B[,A:B]", help="Frames to find scales from; all by default.")
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
        typer.Option(metavar="FILE", help="Labels to compare with, one file a camera: errors are written beside."),
    ] = None,
) -> None:
    """Smooth the predictions of several networks over time, with variances."""
    from vitruve.smoothing.smooth import smooth

    done = smooth(
        sources,
        output=output,
        mode=mode,  # type: ignore[arg-type]
        calibration=calibration,
        camera_names=listed(camera_names),
        mirrored_columns=[[int(word) for word in _numbers("--mirrored-columns", x)] for x in _parts(mirrored_columns)],
        timestamps=timestamps or (),
        bodyparts=listed(bodyparts),
        s=[float(word) for word in _numbers("--s", s)] or None,
        diameter_s=diameter_s,
        com_s=com_s,
        s_frames=[_stretch(word) for word in listed(s_frames)],
        blocks=[listed(part) for part in _parts(blocks)],
        variance=variance,  # type: ignore[arg-type]
        latents=latents,
        quantile=quantile,
        inflate=inflate,
        labels=labels or (),
    )
    for recording in done:
        first = next(iter(recording.frames.values()))
        cameras = f"{len(recording.tables)} cameras, " if len(recording.tables) > 1 else ""
        members = _counts(recording.members, "member") + (" each" if cameras else "")
        typer.echo(f"{recording.name}: mode {recording.mode}, {cameras}{members}, {_counts(recording.frames, 'frame')}")
        for camera, path in recording.tables.items():
            typer.echo(f"{path}: {recording.frames[camera]} frames")
        if recording.table_3d is not None:
            typer.echo(f"{recording.table_3d}: {first} frames")
        if recording.table_pupils is not None:
            found = (f"{name} diameter_s {d:.6g} com_s {c:.6g}" for name, (d, c) in recording.decay.items())
            typer.echo(f"{recording.table_pupils}: {first} frames, {', '.join(found)}")
        for camera, path in recording.coverage.items():
            typer.echo(f"{path}: {_compared(recording.covered[camera][-1], '_px', ' px')}")
        if recording.coverage_3d is not None:
            typer.echo(f"{recording.coverage_3d}: {_compared(recording.covered_3d[-1], '', '')}")


def _counts(numbers: dict[str, int], what: str) -> str:
    different = list(dict.fromkeys(numbers.values()))
    return f"{' and '.join(map(str, different))} {what}{'' if different == [1] else 's'}"


def _compared(row: dict[str, Any], end: str, unit: str) -> str:
    if not row["labelled"]:
        return "no label to compare with"
    shares = ", ".join(f"{p} % intervals hold {row[f'within_{p}_percent_interval']:.1%}" for p in (50, 90, 95))
    return (
        f"{row['labelled']} labels, mean error {row[f'error{end}']:.4g}{unit} (median of the networks: "
        f"{row[f'median_error{end}']:.4g}{unit}); {shares}"
    )


def _parts(text: str) -> list[str]:
    return [part for part in text.split(";") if part.strip()]


def _numbers(option: str, text: str) -> list[str]:
    words = listed(text)
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
