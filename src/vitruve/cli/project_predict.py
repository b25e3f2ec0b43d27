"""``vitruve project predict3d``, ``predict2d``, ``create-videos3d`` and ``create-videos2d``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vitruve.pipeline.predict_3d import Predicted

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The project, or its folder.")]
_Projects = Annotated[Path, typer.Option("--folder", metavar="DIR", help="Folder that projects are in.")]
_Center = Annotated[
    str,
    typer.Option("--weights-center-detect", metavar="RUN", help="Run that finds the animal: latest, name or folder."),
]
_Start = Annotated[int, typer.Option("--frame-start", metavar="N", min=0, help="The first frame, from 0.")]
_Count = Annotated[int, typer.Option("--number-frames", metavar="N", help="How many frames; -1 for all to the end.")]
_Column = Annotated[bool, typer.Option("--frame-column", help="Begin the rows with the number of the frame.")]
_Runtime = Annotated[
    str | None, typer.Option("--runtime", metavar="NAME", help="What carries the network out; as its settings say.")
]
_Batch = Annotated[
    int | None, typer.Option("--batch-size", metavar="N", min=1, help="Instants that go through the network together.")
]
_Cameras = Annotated[
    str | None, typer.Option("--cameras", metavar="A,B,...", help="Names of the cameras; all by default.")
]
_Threshold = Annotated[
    float, typer.Option("--threshold", metavar="CONFIDENCE", min=0.0, max=1.0, help="Draw keypoints from here on.")
]
_Colormap = Annotated[str, typer.Option("--colormap", metavar="NAME", help="Colours of the keypoints (matplotlib).")]
_Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Folder of the videos; in visualization by default."),
]
_Drawn = Annotated[
    int | None, typer.Option("--frame-start", metavar="N", min=0, help="The first frame; that of the prediction.")
]
_Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset-name", metavar="NAME|PATH", help="Dataset whose calibration counts, or a calibration of any kind."
    ),
]


def mount(app: typer.Typer) -> None:
    """Add these commands to those of ``vitruve project``.

    Args:
        app: The command ``project``.
    """
    app.command("predict3d")(predict_3d)
    app.command("predict2d")(predict_2d)
    app.command("create-videos3d")(create_videos_3d)
    app.command("create-videos2d")(create_videos_2d)


def predict_3d(
    name: _Name,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="Folder with one video a camera.")],
    weights_center_detect: _Center = "latest",
    weights_hybridnet: Annotated[
        str, typer.Option("--weights-hybridnet", metavar="RUN", help="Run that gives points: latest, name or folder.")
    ] = "latest",
    frame_start: _Start = 0,
    number_frames: _Count = -1,
    dataset_name: _Dataset = None,
    cameras: _Cameras = None,
    shortest: Annotated[
        bool, typer.Option("--shortest", help="Where videos differ in length, go on to the end of the shortest.")
    ] = False,
    frame_column: _Column = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="Also write the points smoothed over time.")] = False,
    runtime: _Runtime = None,
    batch_size: _Batch = None,
    folder: _Projects = Path("projects"),
) -> None:
    """Predict points in space in a recording of several cameras."""
    from vitruve.project import Project
    from vitruve.project import prediction as work

    made = work.predict_3d(
        Project.open(name, folder),
        recording,
        weights_center_detect=weights_center_detect,
        weights_hybridnet=weights_hybridnet,
        dataset_name=dataset_name,
        cameras=_listed(cameras),
        frame_start=frame_start,
        number_frames=number_frames,
        shortest=shortest,
        frame_column=frame_column,
        smooth=smooth,
        runtime=runtime,
        batch_size=batch_size,
    )
    _say(made)


def predict_2d(
    name: _Name,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="The video.")],
    weights_center_detect: _Center = "latest",
    weights_keypoint_detect: Annotated[
        str,
        typer.Option(
            "--weights-keypoint-detect", metavar="RUN", help="Run that finds keypoints: latest, name or folder."
        ),
    ] = "latest",
    frame_start: _Start = 0,
    number_frames: _Count = -1,
    frame_column: _Column = False,
    runtime: _Runtime = None,
    batch_size: _Batch = None,
    folder: _Projects = Path("projects"),
) -> None:
    """Predict keypoints in one video."""
    from vitruve.project import Project
    from vitruve.project import prediction as work

    made = work.predict_2d(
        Project.open(name, folder),
        video,
        weights_center_detect=weights_center_detect,
        weights_keypoint_detect=weights_keypoint_detect,
        frame_start=frame_start,
        number_frames=number_frames,
        frame_column=frame_column,
        runtime=runtime,
        batch_size=batch_size,
    )
    _say(made)


def create_videos_3d(
    name: _Name,
    prediction: Annotated[
        str, typer.Argument(metavar="[PREDICTION]", help="latest, a name, a folder or a table of points in it.")
    ] = "latest",
    cameras: _Cameras = None,
    threshold: _Threshold = 0.3,
    colormap: _Colormap = "jet",
    frame_start: _Drawn = None,
    number_frames: _Count = -1,
    recording: Annotated[
        Path | None, typer.Option("--recording", metavar="DIR", help="Folder of the videos, where they have moved.")
    ] = None,
    dataset_name: _Dataset = None,
    output: _Output = None,
    folder: _Projects = Path("projects"),
) -> None:
    """Draw points in space into the videos of chosen cameras."""
    from vitruve.project import Project
    from vitruve.project import prediction as work

    videos = work.create_videos_3d(
        Project.open(name, folder),
        prediction,
        cameras=_listed(cameras),
        dataset_name=dataset_name,
        output=output,
        threshold=threshold,
        colormap=colormap,
        frame_start=frame_start,
        number_frames=number_frames,
        recording=recording,
    )
    for video in videos:
        typer.echo(f"{video}")


def create_videos_2d(
    name: _Name,
    prediction: Annotated[
        str, typer.Argument(metavar="[PREDICTION]", help="latest, a name, a folder or its data2D.csv.")
    ] = "latest",
    threshold: _Threshold = 0.3,
    colormap: _Colormap = "jet",
    frame_start: _Drawn = None,
    number_frames: _Count = -1,
    video: Annotated[
        Path | None, typer.Option("--video", metavar="PATH", help="The video, where it has moved.")
    ] = None,
    output: _Output = None,
    folder: _Projects = Path("projects"),
) -> None:
    """Draw keypoints into a copy of their video."""
    from vitruve.project import Project
    from vitruve.project import prediction as work

    made = work.create_videos_2d(
        Project.open(name, folder),
        prediction,
        output=output,
        threshold=threshold,
        colormap=colormap,
        frame_start=frame_start,
        number_frames=number_frames,
        video=video,
    )
    typer.echo(f"{made}")


def _listed(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


def _say(made: Predicted) -> None:
    typer.echo(f"{made.folder}: {made.located} of {made.frames} frames located in {made.seconds:.1f} s")
    rates = (f"{stage} {rate:.1f}" for stage, rate in made.frames_per_second.items() if rate is not None)
    typer.echo(f"frames/s: {', '.join(rates)}")
