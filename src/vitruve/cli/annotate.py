"""``vitruve annotate propose``, ``accept``, ``upload``, ``upload-xml``, ``change``, ``complete`` and ``crop``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitruve.cli.cvat import Apply, KeyFile, Organization, Server, Timeout, User, connected, tell
from vitruve.cli.options import Locator

if TYPE_CHECKING:
    from vitruve.annotation.cvat.server import CvatServer

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


def _server(
    wanted: bool, server: str | None, key_file: Path | None, user: str | None, organization: str | None, timeout: float
) -> CvatServer | None:
    return connected(server, key_file, user, organization, timeout) if wanted else None


@group.command("propose")
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
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Find what labels lack or have wrong, as tables and pictures, and make a review task of each task of labels."""
    from vitruve import api

    connection = _server(apply or bool(task and not store), server, key_file, user, organization, timeout)
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
            server=connection,
        )
    )


@group.command("accept")
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
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Bring what people left of proposals to the labels; doing so again changes nothing."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    tell(api.accept_proposals(truth, reviewed, exact=exact, output=output, apply=apply, server=connection))


@group.command("upload")
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
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Make a task of each task of labels, with all that is labelled; what is there already is left alone."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
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
            server=connection,
        )
    )


@group.command("upload-xml")
def upload_xml(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Its *.xml of CVAT 1.1 are taken.")],
    images: Images = None,
    apply: Apply = False,
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Make a task of each XML file of CVAT; without --images, the images are on the server's share."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    tell(api.upload_xml(folder, images=images, apply=apply, server=connection))


@group.command("change")
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
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Let a function of yours change tasks: what it would change is said first."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    tell(
        api.change_tasks(
            hook, tuple(task or ()), pattern=match, remove=tuple(remove or ()), apply=apply, server=connection
        )
    )


@group.command("complete")
def complete(
    task: Named = None,
    match: Annotated[
        str | None, typer.Option("--match", "-m", metavar="TEXT", help="All tasks whose name holds this; '' for all.")
    ] = None,
    apply: Apply = False,
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Bring tasks to the status completed, by their jobs."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    tell(api.complete_tasks(tuple(task or ()), pattern=match, apply=apply, server=connection))


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
