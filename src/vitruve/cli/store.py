"""``vitruve store sync``, ``stats``, ``import``, ``export``, ``version``, ``diff`` and ``serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.connection import Connection, with_connection

group = typer.Typer(
    help="Labelled tasks in one place: a file of SQLite, or MongoDB.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="ADDRESS",
        help="A file, sqlite:///file or mongodb://host/annotations; by default VITRUVE_STORE, or annotations.sqlite.",
    ),
]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", metavar="TASK", help="Name or number of a task; all by default.")
]
Images = Annotated[Path, typer.Option("--images", metavar="DIR", help="Folder that names of images start from.")]


@group.command("sync")
@with_connection
def sync(
    tasks: Tasks = None,
    store: Store = None,
    *,
    connection: Connection,
) -> None:
    """Bring the completed tasks of a CVAT server here; broken off, it goes on where it stopped."""
    from vitruve import api
    from vitruve.errors import ServerError

    server = connection.open()
    done = api.store_sync(tuple(tasks or ()), store=store, server=server)
    for line in done.lines():
        typer.echo(line)
    if done.failed:
        raise ServerError(f"{server.url}: {len(done.failed)} tasks could not be read; the others are in the store")


@group.command("stats")
def stats(
    store: Store = None, as_json: Annotated[bool, typer.Option("--json", help="As JSON in place of tables.")] = False
) -> None:
    """Count shapes by class, kind and task."""
    import json

    from vitruve import api

    found = api.store_stats(store)
    typer.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False) if as_json else "\n".join(found.lines()))


@group.command("import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="Folder with tasks.json, meta.json and annotation_data.json; XML of CVAT; or labels."
        ),
    ],
    store: Store = None,
    format: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read; recognised when left out.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TASK", help="Name of the task.")] = None,
) -> None:
    """Put what files hold into the store; doing so again changes nothing."""
    from vitruve import api

    for line in api.store_import(source, store=store, format=format, name=name):
        typer.echo(line)


@group.command("export")
def export(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A folder, or a label file.")],
    tasks: Tasks = None,
    store: Store = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="documents (as mongoimport takes them), cvat_xml, coco or another label format.",
        ),
    ] = None,
) -> None:
    """Write tasks of the store to files."""
    from vitruve import api

    for file in api.store_export(target, tuple(tasks or ()), store=store, format=format):
        typer.echo(str(file))


@group.command("version")
def version(
    file: Annotated[Path, typer.Argument(metavar="VERSION.json", help="Where to; its name is that of the version.")],
    images: Images,
    tasks: Tasks = None,
    store: Store = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", metavar="FILE", help="split.csv, a list of images that validate, or a label file."),
    ] = None,
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="Leave out images that are not there.")] = False,
) -> None:
    """Write down the data set as it is now, as a label file that never changes."""
    from vitruve import api

    made = api.store_version(file, images, tuple(tasks or ()), store=store, split=split, skip_missing=skip_missing)
    counts = f"{len(made.content['images'])} images, {len(made.content['annotations'])} objects"
    typer.echo(f"{file}: {counts}, {len(made.classes)} classes, sha256 {made.sha256[:12]}")


@group.command("diff")
def diff(
    one: Annotated[Path, typer.Argument(metavar="A.json", help="The earlier version.")],
    other: Annotated[Path, typer.Argument(metavar="B.json", help="The later version.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON in place of lines.")] = False,
) -> None:
    """Compare two versions of a data set: tasks, classes, images, splits, objects."""
    import dataclasses
    import json

    from vitruve import api

    found = api.store_diff(one, other)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=1, ensure_ascii=False))
    else:
        typer.echo("\n".join(found.lines()) or "no difference")


@group.command("serve")
def serve(
    images: Images,
    store: Store = None,
    maps: Annotated[Path, typer.Option("--maps", metavar="DIR", help="Folder for the maps.")] = Path("tsne"),
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 for any that is free.")] = 5001,
    backbone: Annotated[
        str, typer.Option("--backbone", metavar="NAME", help="Network that makes points of crops.")
    ] = "resnet18",
    weights: Annotated[Path | None, typer.Option("--weights", metavar="FILE", help="Its weights.")] = None,
    run: Annotated[Path | None, typer.Option("--run", metavar="RUN", help="A run, whose network is taken.")] = None,
) -> None:
    """Serve counts and t-SNE maps at the addresses of OBDB's analytics service, until Ctrl-C."""
    from vitruve import api

    api.store_serve(images, store=store, maps=maps, host=host, port=port, backbone=backbone, weights=weights, run=run)
