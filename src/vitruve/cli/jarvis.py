"""``vitruve jarvis``: JARVIS' own commands and options, done by the verbs of ``vitruve project``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli import project, project_predict
from vitruve.errors import InputError

group = typer.Typer(help="JARVIS' own commands, for who knows them.", no_args_is_help=True, rich_markup_mode=None)
_train = typer.Typer(help="Train the networks of a project.", no_args_is_help=True, rich_markup_mode=None)
_predict = typer.Typer(help="Predict recordings.", no_args_is_help=True, rich_markup_mode=None)
_visualize = typer.Typer(help="Draw predictions into videos.", no_args_is_help=True, rich_markup_mode=None)
_analyze = typer.Typer(help="Measure errors of a project.", no_args_is_help=True, rich_markup_mode=None)
group.add_typer(_train, name="train")
group.add_typer(_predict, name="predict")
group.add_typer(_visualize, name="visualize")
group.add_typer(_analyze, name="analyze")

_Project = Annotated[str, typer.Argument(metavar="PROJECT", help="The project, or its folder.")]
_Epochs = Annotated[int | None, typer.Option("--num_epochs", metavar="N", min=1, help="In place of NUM_EPOCHS.")]
_Weights = Annotated[str | None, typer.Option("--weights_path", metavar="RUN", help="Run or weights to start from.")]
_Pretrained = Annotated[
    str | None, typer.Option("--pretrained_weights", metavar="NAME", help="Start from networks in pretrained/NAME.")
]
_Center = Annotated[
    str, typer.Option("--weights_center_detect", metavar="RUN", help="Run that finds the animal; latest by default.")
]
_Start = Annotated[int, typer.Option("--frame_start", metavar="N", min=0, help="The first frame, from 0.")]
_Count = Annotated[int, typer.Option("--number_frames", metavar="N", help="How many frames; -1 for all to the end.")]
_Dataset = Annotated[
    str | None, typer.Option("--dataset_name", metavar="NAME|DIR", help="Dataset whose calibration counts.")
]

_Analysis = Annotated[
    str, typer.Option("--analysis_path", metavar="DIR", help="Folder of an analysis; latest by default.")
]


@group.command("launch")
def launch() -> None:
    """Say what stands for JARVIS' pages in the browser."""
    raise InputError(
        "vitruve jarvis launch: there are no pages in the browser yet; everything they do is a verb: vitruve project "
        "--help"
    )


@group.command("create-project")
def create_project(
    name: _Project,
    dataset2d: Annotated[Path | None, typer.Option(metavar="DIR", help="TrainingSet of images.")] = None,
    dataset3d: Annotated[Path | None, typer.Option(metavar="DIR", help="TrainingSet of framesets.")] = None,
) -> None:
    """Make a project from a training set."""
    project.create(name, dataset3d=dataset3d, dataset2d=dataset2d)


@_train.command("centerDetect")
def train_center(
    name: _Project, num_epochs: _Epochs = None, weights_path: _Weights = None, pretrained_weights: _Pretrained = None
) -> None:
    """Train the network that finds the animal."""
    project.train(name, "center", epochs=num_epochs, weights=_run(weights_path), pretrained=_run(pretrained_weights))


@_train.command("keypointDetect")
def train_keypoint(
    name: _Project, num_epochs: _Epochs = None, weights_path: _Weights = None, pretrained_weights: _Pretrained = None
) -> None:
    """Train the network that finds keypoints in crops."""
    project.train(name, "keypoint", epochs=num_epochs, weights=_run(weights_path), pretrained=_run(pretrained_weights))


@_train.command("hybridNet")
def train_hybridnet(
    name: _Project,
    num_epochs: _Epochs = None,
    weights_keypoint_detect: Annotated[
        str, typer.Option("--weights_keypoint_detect", metavar="RUN", help="Run of KeypointDetect, latest, or None.")
    ] = "latest",
    weights_hybridnet: Annotated[
        str | None, typer.Option("--weights_hybridnet", metavar="RUN", help="Run of HybridNet, latest, or None.")
    ] = None,
    mode: Annotated[
        str, typer.Option(metavar="MODE", help="What is learned: 3D_only, last_layers, bifpn or all.")
    ] = "3D_only",
) -> None:
    """Train the network in space."""
    project.train(
        name,
        "hybridnet",
        epochs=num_epochs,
        weights=_run(weights_hybridnet),
        weights_keypoint=weights_keypoint_detect,
        mode=mode,
    )


@_train.command("all")
def train_all(
    name: _Project,
    num_epochs_center: Annotated[
        int | None, typer.Option("--num_epochs_center", metavar="N", min=1, help="Epochs of CenterDetect.")
    ] = None,
    num_epochs_keypoint: Annotated[
        int | None, typer.Option("--num_epochs_keypoint", metavar="N", min=1, help="Epochs of KeypointDetect.")
    ] = None,
    num_epochs_hybridnet: Annotated[
        int | None, typer.Option("--num_epochs_hybridnet", metavar="N", min=1, help="Epochs of HybridNet.")
    ] = None,
    pretrain: Annotated[
        str | None, typer.Option(metavar="NAME", help="Start from networks in pretrained/NAME.")
    ] = None,
) -> None:
    """Train all networks in order."""
    project.train(
        name,
        "all",
        epochs_center=num_epochs_center,
        epochs_keypoint=num_epochs_keypoint,
        epochs_hybridnet=num_epochs_hybridnet,
        pretrained=_run(pretrain),
    )


@_predict.command("predict2d")
def predict_2d(
    name: _Project,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="The video.")],
    weights_center_detect: _Center = "latest",
    weights_keypoint_detect: Annotated[
        str, typer.Option("--weights_keypoint_detect", metavar="RUN", help="Run that finds keypoints.")
    ] = "latest",
    frame_start: _Start = 0,
    number_frames: _Count = -1,
) -> None:
    """Predict keypoints in one video."""
    project_predict.predict_2d(
        name,
        video,
        weights_center_detect=weights_center_detect,
        weights_keypoint_detect=weights_keypoint_detect,
        frame_start=frame_start,
        number_frames=number_frames,
    )


@_predict.command("predict3d")
def predict_3d(
    name: _Project,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="Folder with one video a camera.")],
    weights_center_detect: _Center = "latest",
    weights_hybridnet: Annotated[
        str, typer.Option("--weights_hybridnet", metavar="RUN", help="Run that gives points in space.")
    ] = "latest",
    frame_start: _Start = 0,
    number_frames: _Count = -1,
    dataset_name: _Dataset = None,
) -> None:
    """Predict points in space in a recording of several cameras."""
    project_predict.predict_3d(
        name,
        recording,
        weights_center_detect=weights_center_detect,
        weights_hybridnet=weights_hybridnet,
        frame_start=frame_start,
        number_frames=number_frames,
        dataset_name=dataset_name,
    )


_visualize.command("create-videos3d")(project_predict.create_videos_3d)
_visualize.command("create-videos2d")(project_predict.create_videos_2d)


@_analyze.command("analyze-validation-data")
def analyze_validation_data(name: _Project) -> None:
    """Predict the validation framesets and measure the errors in space."""
    from vitruve import api
    from vitruve.project.folder import timestamp

    opened = api.Project.open(name)
    made = api.analyze_validation(
        opened.run("hybridnet"), opened.dataset("3D"), output=opened.analysis / f"Validation_Predictions_{timestamp()}"
    )
    typer.echo(f"report: {made.files['report']}")


@_analyze.command("plot-error-histogram")
def plot_error_histogram(
    name: _Project,
    analysis_path: _Analysis = "latest",
    cutoff: Annotated[
        float, typer.Option(metavar="MM", help="Larger errors are in the last bin; -1 for all in their own.")
    ] = -1.0,
) -> None:
    """Draw the histogram of an analysis."""
    from vitruve import api

    folder = _analysed(name, analysis_path)
    typer.echo(f"picture: {api.plot_error_histogram(folder, cutoff=cutoff if cutoff > 0 else None)}")


@_analyze.command("plot-error-per-keypoint")
def plot_error_per_keypoint(name: _Project, analysis_path: _Analysis = "latest") -> None:
    """Draw the mean error of each keypoint."""
    from vitruve import api

    typer.echo(f"picture: {api.plot_error_per_keypoint(_analysed(name, analysis_path))}")


def _analysed(name: str, given: str) -> Path:
    from vitruve import api

    if given != "latest":
        return Path(given)
    folder = api.Project.open(name).analysis
    found = sorted(folder.glob("Validation_Predictions_*/"))
    if not found:
        raise InputError(
            f"{folder}: holds no analysis; make one with: vitruve jarvis analyze analyze-validation-data {name}"
        )
    return found[-1]


def _run(given: str | None) -> str | None:
    """A run as JARVIS' options name it: the word None stands for none."""
    return None if given is None or given.lower() == "none" else given
