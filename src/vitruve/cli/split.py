"""``vitruve split``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Label file or folder of any known format.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for split.csv, the map and what leaks.")
    ] = Path("split"),
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            metavar="METHOD",
            help="clusters: every cluster and class in its share, with whole groups; group: whole groups at random; "
            "random; every-nth; list.",
        ),
    ] = "clusters",
    group: Annotated[
        str,
        typer.Option(
            "--group",
            metavar="GROUP",
            help="What is never parted: session (clip, task), folder, day (the date in the path), or a regular "
            "expression on the path.",
        ),
    ] = "session",
    validation: Annotated[float, typer.Option(metavar="SHARE", help="Share of the frames that validates.")] = 0.1,
    test: Annotated[float, typer.Option(metavar="SHARE", help="Share of the frames that tests.")] = 0.0,
    nth: Annotated[
        int, typer.Option(metavar="N", help="With every-nth: the first of each N frames validates, as in OBDB.")
    ] = 10,
    validation_list: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Images that validate: text, OBDB's .npy, or a split.csv."),
    ] = None,
    test_list: Annotated[
        Path | None, typer.Option("--test-list", metavar="FILE", help="Images that test: text, or OBDB's .npy.")
    ] = None,
    near: Annotated[
        bool, typer.Option("--near/--no-near", help="Frames that are nearly the same are one group.")
    ] = True,
    clusters: Annotated[
        int | None, typer.Option(metavar="N", help="Number of clusters; by default as many as show themselves.")
    ] = None,
    cluster_method: Annotated[str, typer.Option(metavar="METHOD", help="kmeans or hdbscan.")] = "kmeans",
    backbone: Annotated[
        str, typer.Option(metavar="NAME", help="Network of timm that makes points of images.")
    ] = "resnet18",
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its weights; by default published ones, or random ones.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run whose own network makes points of images instead.")
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained/--random", help="Published weights where there is no file, or random ones.")
    ] = True,
    most: Annotated[int, typer.Option(metavar="N", min=1, help="Crops on the map at most.")] = 3000,
    save_labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="Also write the labels with their splits (COCO).")
    ] = None,
    format: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read; recognised when left out.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the images; by default that of the label file.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed gives the same split.")] = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Share labelled frames between training and validation by what they show, and say what leaks."""
    from vitruve import api

    done = api.split(
        labels,
        output,
        method=method,
        group=group,
        validation=validation,
        test=test,
        nth=nth,
        validation_list=validation_list,
        test_list=test_list,
        near=near,
        clusters=clusters,
        cluster_method=cluster_method,
        backbone=backbone,
        weights=weights,
        run=run,
        pretrained=pretrained,
        most=most,
        save_labels=save_labels,
        label_format=format,
        root=root,
        seed=seed,
        device=device,
    )
    for line in done.lines:
        typer.echo(line)
    typer.echo(f"train with: training.split.method=file training.split.file={done.files['split'].resolve()}")
    typer.echo(str(done.files["page"]))
