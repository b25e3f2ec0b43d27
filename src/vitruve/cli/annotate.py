"""``vitruve annotate`` and its verbs: what labels lack, on the way to people and back; bulk changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.connection import Apply, Connection, tell, with_connection
from vitruve.cli.options import Locator

group = typer.Typer(
    help="Networks look through labels; what these lack goes to people, and from them back, with --apply.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of tables, pictures and the trail of proposals.")
]
Store = Annotated[
    str | None, typer.Option("--store", metavar="ADDRESS", help="Annotation store whose tasks are taken.")
]
Images = Annotated[Path | None, typer.Option("--images", metavar="DIR", help="Folder that names of images start from.")]
Share = Annotated[bool, typer.Option("--share", help="The server has the images on its share, under the same names.")]
Format = Annotated[
    str | None, typer.Option("--from", metavar="FORMAT", help="Format of label files; recognised when left out.")
]
Sources = Annotated[
    list[Path] | None, typer.Argument(metavar="[SOURCE]...", help="Label files, folders of images, images, videos.")
]
Named = Annotated[
    list[str] | None, typer.Option("--task", "-r", metavar="TASK", help="Number or name of a task; repeatable.")
]


@group.command("propose")
@with_connection
def propose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run of a detector or a pose network.")],
    sources: Sources = None,
    task: Named = None,
    store: Store = None,
    images: Images = None,
    output: Output = Path("auto_annotation"),
    threshold: Annotated[
        float, typer.Option("--threshold", "-t", min=0.0, max=1.0, help="Score of predictions that count.")
    ] = 0.5,
    keypoint_threshold: Annotated[
        float, typer.Option("--keypoint-threshold", min=0.0, max=1.0, help="Score of keypoints that count.")
    ] = 0.5,
    iou: Annotated[
        float | None,
        typer.Option(
            "--iou",
            "-i",
            min=0.0,
            max=1.0,
            help="In place of one-to-one matching, OBDB's rule: missing is what overlaps no label by more than this.",
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Which findings are proposed; missing objects by default."),
    ] = None,
    share: Share = False,
    every: Annotated[int, typer.Option("--every", metavar="N", min=1, help="Of a video, every N-th frame.")] = 1,
    pictures: Annotated[
        int, typer.Option("--pictures", metavar="N", min=0, help="How many findings of each kind are drawn.")
    ] = 48,
    name: Annotated[str, typer.Option("--name", help="Of the review task of a single source.")] = "",
    variant: Annotated[str, typer.Option("--variant", help="What the run is called in names of tasks.")] = "",
    locator: Locator = None,
    runtime: Annotated[str | None, typer.Option(metavar="NAME", help="What carries the network out.")] = None,
    format: Format = None,
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Find what labels lack or have wrong, as tables and pictures, and make a review task of each task of labels."""
    from vitruve import api

    asked = apply or (task and not store)
    tell(
        api.propose(
            run,
            list(sources or ()),
            tasks=tuple(task or ()),
            store=store,
            images=images,
            output=output,
            threshold=threshold,
            keypoint_threshold=keypoint_threshold,
            iou=iou,
            kinds=tuple(kind or ()),
            share=share,
            every=every,
            pictures=pictures,
            name=name,
            variant=variant,
            locator=locator,
            runtime=runtime,
            format=format,
            apply=apply,
            server=connection.open() if asked else None,
        )
    )


@group.command("send")
@with_connection
def send(
    folder: Annotated[
        Path, typer.Argument(metavar="REVIEW", help="Folder of proposals that were looked through in the web app.")
    ],
    share: Share = False,
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Make a review task of proposals that people have accepted; those they refused are not proposed again."""
    from vitruve import api

    tell(api.send_review(folder, share=share, apply=apply, server=connection.open() if apply else None))


@group.command("write")
def write(
    folder: Annotated[
        Path, typer.Argument(metavar="REVIEW", help="Folder of proposals that were looked through in the web app.")
    ],
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Label file that they are written into.")],
    format: Format = None,
    images: Images = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write this one instead; else a copy is kept as it was."),
    ] = None,
    apply: Apply = False,
) -> None:
    """Write proposals that people have accepted into a label file; all else in it stays as it is."""
    from vitruve import api

    tell(api.write_review(folder, labels, format=format, root=images, output=output, apply=apply))


@group.command("accept")
@with_connection
def accept(
    truth: Annotated[str, typer.Option("--match", "-m", metavar="TEXT", help="Names of tasks of labels hold this.")],
    reviewed: Annotated[
        str, typer.Option("--detected", "-d", metavar="TEXT", help="Names of completed review tasks hold this.")
    ],
    exact: Annotated[
        bool,
        typer.Option("--exact", help="OBDB's rule: all is added but what covers a label of any class exactly."),
    ] = False,
    output: Output = Path("auto_annotation"),
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Bring what people left of proposals to the labels; doing so again changes nothing."""
    from vitruve import api

    tell(api.accept_proposals(truth, reviewed, exact=exact, output=output, apply=apply, server=connection.open()))


@group.command("upload")
@with_connection
def upload(
    sources: Sources = None,
    task: Named = None,
    store: Store = None,
    images: Images = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="CLASS", help="Classes of the tasks, in their order.")
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Begins the names of the tasks.")] = "",
    share: Share = False,
    format: Format = None,
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Make a task of each task of labels, with all that is labelled; what is there already is left alone."""
    from vitruve import api

    tell(
        api.upload_labels(
            list(sources or ()),
            tasks=tuple(task or ()),
            store=store,
            images=images,
            classes=tuple(label or ()),
            prefix=prefix,
            share=share,
            format=format,
            apply=apply,
            server=connection.open(),
        )
    )


@group.command("upload-xml")
@with_connection
def upload_xml(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Its *.xml of CVAT 1.1 are taken.")],
    images: Images = None,
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Make a task of each XML file of CVAT; without --images, the images are on the server's share."""
    from vitruve import api

    tell(api.upload_xml(folder, images=images, apply=apply, server=connection.open()))


@group.command("change")
@with_connection
def change(
    hook: Annotated[
        str, typer.Argument(metavar="MODULE:FUNCTION", help="Takes a task and gives it back as it is to be.")
    ],
    task: Named = None,
    match: Annotated[
        str, typer.Option("--match", "-m", metavar="TEXT", help="All tasks whose name holds this; all by default.")
    ] = "",
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="NAME", help="Take away what the function leaves out, such as shape-12."),
    ] = None,
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Let a function of yours change tasks: what it would change is said first."""
    from vitruve import api

    tell(
        api.change_tasks(
            hook, tuple(task or ()), pattern=match, remove=tuple(remove or ()), apply=apply, server=connection.open()
        )
    )


@group.command("complete")
@with_connection
def complete(
    task: Named = None,
    match: Annotated[
        str | None, typer.Option("--match", "-m", metavar="TEXT", help="All tasks whose name holds this; '' for all.")
    ] = None,
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Bring tasks to the status completed, by their jobs."""
    from vitruve import api

    tell(api.complete_tasks(tuple(task or ()), pattern=match, apply=apply, server=connection.open()))


@group.command("crop")
def crop(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of images.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Takes the images, under the same paths.")],
    ext: Annotated[str, typer.Option("--ext", metavar="SUFFIX", help="Of the images; all by default.")] = "",
    height: Annotated[float, typer.Option("--height", help="Share of the height cut off at the top.")] = 0.5,
    side: Annotated[float, typer.Option("--side", help="Share of the width cut off on each side.")] = 0.25,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Cut again what is there already.")] = False,
) -> None:
    """Keep the lower part and the middle of large images, as from 4k to Full HD."""
    from vitruve import api

    written = api.crop_images(source, target, suffix=ext, height=height, side=side, overwrite=overwrite)
    typer.echo(f"{len(written)} images -> {target}")
