"""``vitruve predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.options import (
    BatchSize,
    Flip,
    FrameStart,
    Locator,
    NumberFrames,
    Scales,
    listed,
    locator_among,
    numbers,
)


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained run.")],
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE", help="Videos, images, folders of them, or label files; or locator=RUN."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the predictions; the run's own by default."),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="csv|h5|coco",
            help="File format; repeat it or write csv,h5 for both. [default: csv]",
        ),
    ] = None,
    labeled_video: Annotated[
        bool,
        typer.Option("--labeled-video/--no-labeled-video", help="Also draw the keypoints into a copy of the video."),
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="CONFIDENCE",
            min=0.0,
            max=1.0,
            help="Draw keypoints of at least this confidence, 0 to 1; by default as the run's settings say.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Predict again what is there already.")] = False,
    runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="torch, torch_bf16, onnx, onnx_int8, openvino, openvino_bf16, openvino_int8 or auto; by "
            "default as the run's settings say.",
        ),
    ] = None,
    batch_size: BatchSize = None,
    flip: Flip = None,
    scales: Scales = None,
    locator: Locator = None,
    boxes: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Table of boxes to crop to, or a folder with <video>_bbox.csv files."),
    ] = None,
    smooth: Annotated[
        bool,
        typer.Option("--smooth", help="Of an ensemble, smooth the predictions of videos over time, with variances."),
    ] = False,
    frame_start: FrameStart = 0,
    number_frames: NumberFrames = -1,
) -> None:
    """Predict keypoints in videos and images."""
    from vitruve import api
    from vitruve.errors import Interrupted

    found, locator = locator_among(sources, locator)
    wanted = tuple(name for entry in formats or ["csv"] for name in listed(entry))
    try:
        results = api.predict(
            run,
            found,
            output=output,
            formats=wanted,
            labeled_video=labeled_video,
            threshold=threshold,
            overwrite=overwrite,
            runtime=runtime,
            batch_size=batch_size,
            flip=flip,
            scales=numbers(scales, "--scales"),
            smooth=smooth,
            locator=locator,
            boxes=boxes,
            frame_start=frame_start,
            number_frames=number_frames,
        )
    except KeyboardInterrupt:
        raise Interrupted("stopped; the same command goes on where it stopped") from None
    for result in results:
        if result.skipped:
            typer.echo(f"{result.table}: is there already (--overwrite predicts it again)")
        else:
            rate = result.frames / result.seconds if result.seconds else 0.0
            typer.echo(f"{result.table}: {result.frames} frames in {result.seconds:.1f} s, {rate:.1f} frames/s")
        if result.labeled_video:
            typer.echo(f"{result.labeled_video}: labelled video")
