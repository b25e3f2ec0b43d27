"""``vitruve project predict3d``, ``predict2d``, ``create-videos3d`` and ``create-videos2d``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitruve.cli.options import BatchSize, Cameras, FrameStart, NumberFrames, ProjectName, ProjectsFolder, listed

if TYPE_CHECKING:
    from vitruve.pipeline.predict_3d import Predicted

_Center = Annotated[
    str,
    typer.Option("--weights-center-detect", metavar="RUN", help="Run that finds the animal: latest, name or folder."),
]
_Column = Annotated[bool, typer.Option("--frame-column", help="Begin the rows with the number of the frame.")]
_Runtime = Annotated[
    str | None, typer.Option("--runtime", metavar="NAME", help="What carries the network out; as its settings say.")
]
_Prediction = Annotated[
    str, typer.Argument(metavar="[PREDICTION]", help="latest, a name, a folder, or a table of points in it.")
]
_Path = Annotated[
    str | None,
    typer.Option("--prediction-path", metavar="PATH", hidden=True, help="PREDICTION, as JARVIS has it."),
]
_Table = Annotated[
    str | None, typer.Option("--data-csv", metavar="FILE", help="The table of points in the folder of the prediction.")
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
    name: ProjectName,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="Folder with one video a camera.")],
    weights_center_detect: _Center = "latest",
    weights_hybridnet: Annotated[
        str, typer.Option("--weights-hybridnet", metavar="RUN", help="Run that gives points: latest, name or folder.")
    ] = "latest",
    frame_start: FrameStart = 0,
    number_frames: NumberFrames = -1,
    dataset_name: _Dataset = None,
    cameras: Cameras = "",
    shortest: Annotated[
        bool, typer.Option("--shortest", help="Where videos differ in length, go on to the end of the shortest.")
    ] = False,
    frame_column: _Column = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="Also write the points smoothed over time.")] = False,
    runtime: _Runtime = None,
    batch_size: BatchSize = None,
    folder: ProjectsFolder = Path("projects"),
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
        cameras=listed(cameras) or None,
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
    name: ProjectName,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="The video.")],
    weights_center_detect: _Center = "latest",
    weights_keypoint_detect: Annotated[
        str,
        typer.Option(
            "--weights-keypoint-detect", metavar="RUN", help="Run that finds keypoints: latest, name or folder."
        ),
    ] = "latest",
    frame_start: FrameStart = 0,
    number_frames: NumberFrames = -1,
    frame_column: _Column = False,
    runtime: _Runtime = None,
    batch_size: BatchSize = None,
    folder: ProjectsFolder = Path("projects"),
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
    name: ProjectName,
    prediction: _Prediction = "latest",
    prediction_path: _Path = None,
    data_csv: _Table = None,
    cameras: Cameras = "",
    threshold: _Threshold = 0.3,
    colormap: _Colormap = "jet",
    frame_start: _Drawn = None,
    number_frames: NumberFrames = -1,
    recording: Annotated[
        Path | None, typer.Option("--recording", metavar="DIR", help="Folder of the videos, where they have moved.")
    ] = None,
    dataset_name: _Dataset = None,
    output: _Output = None,
    folder: ProjectsFolder = Path("projects"),
) -> None:
    """Draw points in space into the videos of chosen cameras."""
    from vitruve.project import Project
    from vitruve.project import prediction as work

    videos = work.create_videos_3d(
        Project.open(name, folder),
        prediction_path or prediction,
        table=data_csv,
        cameras=listed(cameras) or None,
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
    name: ProjectName,
    prediction: _Prediction = "latest",
    prediction_path: _Path = None,
    data_csv: _Table = None,
    threshold: _Threshold = 0.3,
    colormap: _Colormap = "jet",
    frame_start: _Drawn = None,
    number_frames: NumberFrames = -1,
    video: Annotated[
        Path | None, typer.Option("--video", metavar="PATH", help="The video, where it has moved.")
    ] = None,
    output: _Output = None,
    folder: ProjectsFolder = Path("projects"),
) -> None:
    """Draw keypoints into a copy of their video."""
    from vitruve.project import Project
    from vitruve.project import prediction as work

    made = work.create_videos_2d(
        Project.open(name, folder),
        prediction_path or prediction,
        table=data_csv,
        output=output,
        threshold=threshold,
        colormap=colormap,
        frame_start=frame_start,
        number_frames=number_frames,
        video=video,
    )
    typer.echo(f"{made}")


def _say(made: Predicted) -> None:
    typer.echo(f"{made.folder}: {made.located} of {made.frames} frames located in {made.seconds:.1f} s")
    rates = (f"{stage} {rate:.1f}" for stage, rate in made.frames_per_second.items() if rate is not None)
    typer.echo(f"frames/s: {', '.join(rates)}")
