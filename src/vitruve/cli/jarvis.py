"""``vitruve jarvis``: JARVIS' own commands and options, done by the verbs of ``vitruve project``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from vitruve.cli import project, project_predict
from vitruve.cli.options import Cameras, ProjectName, listed
from vitruve.errors import InputError

# What JARVIS calls options of the commands that are those of projects as they are.
_OURS = {"video_cam_list": "cameras", "output_dir": "output"}


def _our_name(word: str) -> str:
    return _OURS.get(word, word).replace("_", "-")


def _group(text: str, **more: Any) -> typer.Typer:
    return typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None, **more)


group = _group(
    "JARVIS' own commands, for who knows them. Names of options may have underscores, as there.",
    context_settings={"token_normalize_func": _our_name},
)
_train = _group("Train the networks of a project.")
_predict = _group("Predict recordings.")
_visualize = _group("Draw predictions into videos.")
_analyze = _group("Measure errors of a project.")
group.add_typer(_train, name="train")
group.add_typer(_predict, name="predict")
group.add_typer(_visualize, name="visualize")
group.add_typer(_analyze, name="analyze")

_Analysis = Annotated[
    str, typer.Option("--analysis_path", metavar="DIR", help="Name or folder of an analysis; latest by default.")
]
_Cutoff = Annotated[
    float, typer.Option(metavar="MM", help="Larger errors are in the last bin; -1 ends where nearly all errors are.")
]


def _epochs(network: str) -> Any:
    return typer.Option(f"--num_epochs{network and '_'}{network}", metavar="N", min=1, help="In place of NUM_EPOCHS.")


@group.command("launch")
@group.command("launch-cli")
def launch() -> None:
    """Say what stands for JARVIS' pages in the browser and its menus in the terminal."""
    raise InputError(
        "vitruve jarvis: there are no pages in the browser and no menus yet; everything they do is a verb: vitruve "
        "project --help"
    )


group.command("create-project")(project.create)


def _trainer(what: str) -> Callable[..., None]:
    def train(
        name: ProjectName,
        num_epochs: Annotated[int | None, _epochs("")] = None,
        weights_path: Annotated[
            str | None, typer.Option("--weights_path", metavar="RUN", help="Run or weights to start from.")
        ] = None,
        pretrained_weights: Annotated[
            str | None,
            typer.Option("--pretrained_weights", metavar="NAME", help="Start from networks in pretrained/NAME."),
        ] = None,
    ) -> None:
        project.train(name, what, epochs=num_epochs, weights=_run(weights_path), pretrained=_run(pretrained_weights))

    return train


_train.command("centerDetect", help="Train the network that finds the animal.")(_trainer("center"))
_train.command("keypointDetect", help="Train the network that finds keypoints in crops.")(_trainer("keypoint"))


@_train.command("hybridNet")
def train_hybridnet(
    name: ProjectName,
    num_epochs: Annotated[int | None, _epochs("")] = None,
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
    name: ProjectName,
    num_epochs_center: Annotated[int | None, _epochs("center")] = None,
    num_epochs_keypoint: Annotated[int | None, _epochs("keypoint")] = None,
    num_epochs_hybridnet: Annotated[int | None, _epochs("hybridnet")] = None,
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


_predict.command("predict2d")(project_predict.predict_2d)
_predict.command("predict3d")(project_predict.predict_3d)
_visualize.command("create-videos2d")(project_predict.create_videos_2d)
_visualize.command("create-videos3d")(project_predict.create_videos_3d)


@_analyze.command("analyze-validation-data")
def analyze_validation_data(
    name: ProjectName,
    weights_center_detect: Annotated[
        str, typer.Option("--weights_center_detect", metavar="RUN", help="Run that finds the animal.")
    ] = "latest",
    weights_hybridnet: Annotated[
        str, typer.Option("--weights_hybridnet", metavar="RUN", help="Run that gives points in space.")
    ] = "latest",
    cameras: Cameras = "",
) -> None:
    """Predict the validation framesets and measure the errors in space."""
    from vitruve.project import Project
    from vitruve.project.analysis import analyze_validation

    made = analyze_validation(
        Project.open(name),
        weights_center_detect=weights_center_detect,
        weights_hybridnet=weights_hybridnet,
        cameras=listed(cameras),
    )
    typer.echo(f"report: {made.files['report']}")


def _plotter(each_keypoint: bool) -> Callable[..., None]:
    def plot(name: ProjectName, analysis_path: _Analysis = "latest", cutoff: _Cutoff = -1.0) -> None:
        from vitruve import api

        made = api.plot_error_histogram(
            _analysis(name, analysis_path), cutoff=cutoff if cutoff > 0 else None, each_keypoint=each_keypoint
        )
        typer.echo(f"picture: {made}")

    return plot


_analyze.command("plot-error-histogram", help="Draw the histogram of an analysis.")(_plotter(each_keypoint=False))
_analyze.command("plot-error-histogram-per-keypoint", help="Draw the histogram of each keypoint.")(
    _plotter(each_keypoint=True)
)


@_analyze.command("plot-error-per-keypoint")
def plot_error_per_keypoint(name: ProjectName, analysis_path: _Analysis = "latest") -> None:
    """Draw the mean error of each keypoint."""
    from vitruve import api

    typer.echo(f"picture: {api.plot_error_per_keypoint(_analysis(name, analysis_path))}")


def _analysis(name: str, which: str) -> Path:
    from vitruve.project import Project
    from vitruve.project.analysis import analysis

    return analysis(Project.open(name), which)


def _run(given: str | None) -> str | None:
    """A run as JARVIS' options name it: the word None stands for none."""
    return None if given is None or given.lower() == "none" else given
