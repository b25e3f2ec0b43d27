"""``vitruve visualize dataset2d``, ``dataset3d``, ``animation3d`` and ``videos``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(help="Look at labels and at points in space.", no_args_is_help=True, rich_markup_mode=None)


def _viewer(in_space: bool) -> Callable[..., None]:
    def view(
        labels: Annotated[Path, typer.Argument(metavar="LABELS", help="A TrainingSet, or labels of any other format.")],
        output: Annotated[
            Path | None,
            typer.Option("--output", "-o", metavar="FILE", help="HTML file to write, in the current folder."),
        ] = None,
        frames: Annotated[int, typer.Option(metavar="N", min=1, help="Frames in the page, at the most.")] = 50,
        split: Annotated[str | None, typer.Option(metavar="NAME", help="Only frames of this split.")] = None,
        worst: Annotated[
            bool, typer.Option("--worst", help="Frames whose views contradict one another most, first.")
        ] = False,
        side: Annotated[int, typer.Option(metavar="PX", min=64, help="Longer side of the images in the page.")] = 640,
    ) -> None:
        from vitruve import api

        made = api.view_dataset(labels, output, in_space=in_space, frames=frames, split=split, worst=worst, side=side)
        for kind, file in made.items():
            typer.echo(f"{kind}: {file}")

    return view


group.command("dataset2d", help="Show the labels in every image.")(_viewer(in_space=False))
group.command(
    "dataset3d",
    help="Show labels, their points in space as every camera sees them, and the skeleton from all sides.",
)(_viewer(in_space=True))


@group.command("animation3d")
def animation3d(
    prediction: Annotated[Path, typer.Argument(metavar="PREDICTION", help="data3D.csv, or the folder that holds it.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A video (.mp4) or a page (.html); animation3D.mp4 by default."
        ),
    ] = None,
    skeleton: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="What joins keypoints: skeleton.yaml, a project's config.yaml, a label set."),
    ] = None,
    up: Annotated[str, typer.Option(metavar="AXIS", help="Axis of the world that points up, such as +z or -y.")] = "+z",
    fps: Annotated[float | None, typer.Option(metavar="RATE", help="Frames a second; as recorded by default.")] = None,
    frames: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N frames.")] = None,
    turn: Annotated[bool, typer.Option(help="Go around the animal slowly.")] = True,
) -> None:
    """Draw the points of a prediction in space, as a video or a page."""
    from vitruve import api

    made = api.animate_3d(prediction, output, skeleton=skeleton, up=up, fps=fps, frames=frames, turn=turn)
    typer.echo(f"animation: {made}")


@group.command("videos")
def videos(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE", help="Predictions of videos: CSV or HDF5.")],
    video: Annotated[
        list[Path], typer.Option("--video", metavar="FILE", help="The video of each table; repeat it, in their order.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the videos; labeled_videos beside each table."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="CONFIDENCE",
            min=0.0,
            max=1.0,
            help="Draw keypoints of at least this confidence, 0 to 1; by default as the settings of the run say that "
            "the table lies in, 0.3 without one.",
        ),
    ] = None,
    colormap: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Colours of the keypoints (matplotlib); by default as the run's settings say."
        ),
    ] = None,
    skeleton: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="What joins keypoints: skeleton.yaml, a project's config.yaml, a run, a label set; by default the "
            "nearest of the first three.",
        ),
    ] = None,
    frame_start: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The first frame; that of the table.")
    ] = None,
    number_frames: Annotated[int, typer.Option(metavar="N", help="How many frames; -1 for all of the table.")] = -1,
) -> None:
    """Draw predicted keypoints into copies of their videos."""
    from vitruve import api

    made = api.draw_videos(
        tables,
        video,
        output,
        threshold=threshold,
        colormap=colormap,
        skeleton=skeleton,
        frame_start=frame_start,
        number_frames=number_frames,
    )
    for file in made:
        typer.echo(f"video: {file}")
