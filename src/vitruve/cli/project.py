"""``vitruve project create``, ``list``, ``show`` and ``train``; what is done with recordings stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli import project_predict
from vitruve.cli.options import ProjectName, ProjectsFolder

group = typer.Typer(
    help="Projects: from a training set of several cameras to points in space.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Epochs = typer.Option(metavar="N", min=1, help="Epochs of this network when all are trained.")


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its folder.")],
    dataset3d: Annotated[
        Path | None, typer.Option(metavar="DIR", help="TrainingSet of framesets of calibrated cameras.")
    ] = None,
    dataset2d: Annotated[
        Path | None, typer.Option(metavar="DIR", help="TrainingSet of images; the other one by default.")
    ] = None,
    folder: ProjectsFolder = Path("projects"),
) -> None:
    """Make a project; its settings are derived from the training set and written to config.yaml with comments."""
    from vitruve import api

    made = api.create_project(name, dataset3d, dataset2d, folder=folder)
    for reason in made.reasons:
        typer.echo(reason)
    typer.echo(f"project: {made.project.path} (settings: {made.project.config_file})")


@group.command("list")
def list_all(folder: ProjectsFolder = Path("projects")) -> None:
    """List the projects in a folder, with how many finished runs each network has."""
    from vitruve import api
    from vitruve.project.summary import run_counts

    for project in api.list_projects(folder):
        typer.echo(f"{project.name}  {run_counts(project)}")


@group.command("show")
def show(name: ProjectName, folder: ProjectsFolder = Path("projects")) -> None:
    """Show a project: its training sets, sizes, runs with their errors, and predictions."""
    from vitruve import api
    from vitruve.project.summary import summary

    for line in summary(api.Project.open(name, folder)):
        typer.echo(line)


@group.command("train")
def train(
    name: ProjectName,
    what: Annotated[str, typer.Argument(metavar="all|center|keypoint|hybridnet", help="Which network.")] = "all",
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]", help="Settings of Vitruve that differ, such as training.precision=32."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Epochs, of each network, in place of NUM_EPOCHS.")
    ] = None,
    epochs_center: Annotated[int | None, _Epochs] = None,
    epochs_keypoint: Annotated[int | None, _Epochs] = None,
    epochs_hybridnet: Annotated[int | None, _Epochs] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="What one network starts from: latest, a run, a weight file, or none."),
    ] = None,
    weights_keypoint: Annotated[
        str, typer.Option(metavar="RUN", help="Run of KeypointDetect that HybridNet is built on.")
    ] = "latest",
    weights_center: Annotated[
        str, typer.Option(metavar="RUN", help="Run of CenterDetect that finds the animal for the others.")
    ] = "latest",
    pretrained: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Start from networks in pretrained/NAME, or in another project's models."),
    ] = None,
    mode: Annotated[
        str, typer.Option(metavar="MODE", help="What HybridNet learns: 3D_only, last_layers, bifpn or all.")
    ] = "3D_only",
    finetune: Annotated[
        bool, typer.Option("--finetune", help="At last train all of HybridNet with a tenth of the learning rate.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest training, or with the one that --run names.")
    ] = False,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the runs are called: Run_..., by default with the time.")
    ] = None,
    folder: ProjectsFolder = Path("projects"),
) -> None:
    """Train the networks of a project in order, or one of them; TensorBoard finds the logs in logs/."""
    from vitruve import api
    from vitruve.pipeline.report import outcome

    each = {"center": epochs_center, "keypoint": epochs_keypoint, "hybridnet": epochs_hybridnet}
    chosen = {stage: number or epochs for stage, number in each.items()}
    runs = api.train_project(
        name,
        what,
        epochs={stage: number for stage, number in chosen.items() if number},
        weights=weights,
        weights_keypoint=weights_keypoint,
        weights_center=weights_center,
        pretrained=pretrained,
        mode=mode,  # type: ignore[arg-type]
        finetune=finetune,
        resume=resume,
        overrides=tuple(overrides or ()),
        folder=folder,
        run=run,
    )
    for path in runs:
        typer.echo(f"run: {path}")
        for line in outcome(path):
            typer.echo(line)


project_predict.mount(group)
