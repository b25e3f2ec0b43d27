"""``vitruve list``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

_PAGE = 20


class Kind(StrEnum):
    """What can be listed."""

    algorithms = "algorithms"
    backbones = "backbones"
    formats = "formats"
    losses = "losses"
    settings = "settings"


def command(
    kind: Annotated[Kind | None, typer.Argument(help="What to list; a page of each when left out.")] = None,
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Only names that match, such as 'resnet*', or contain it.")
    ] = None,
) -> None:
    """List algorithms, backbones, label formats, losses, or all settings with default, range and meaning."""
    from vitruve import api

    for one in [kind] if kind else list(Kind):
        entries = api.list_available(one.value, pattern=pattern)
        if not kind:
            typer.echo(f"{one.value} ({len(entries)})")
        # Hundreds of backbones would push everything else off the screen.
        shown = entries if kind else entries[:_PAGE]
        width = max((len(name) for name, _ in shown), default=0)
        for name, description in shown:
            typer.echo(f"{'' if kind else '  '}{name:<{width}}  {description}".rstrip())
        if len(shown) < len(entries):
            typer.echo(f"  ... all with: vitruve list {one.value}")
