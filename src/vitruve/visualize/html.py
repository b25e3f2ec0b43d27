"""Pages that need no other file: one frame for all of them, and pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import BaseLoader, DictLoader, Environment, StrictUndefined

import vitruve

_FRAME = "page.html"


def render_page(
    template: str,
    title: str,
    about: Mapping[str, str],
    *,
    created: datetime | None = None,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **values: Any,
) -> str:
    """A page from a template that fills the blocks of ``templates/page.html``.

    Args:
        template: Text that begins with ``{% extends "page.html" %}``.
        title: In the window's title and, where the template says nothing else, above the page.
        about: What the page says first, by caption.
        created: The date on the page; None for now.
        filters: What the template calls filters, beside Jinja's own.
        **values: What the template names.

    Returns:
        HTML; values in it are escaped.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=_loader()
    )
    environment.filters |= filters or {}
    date = (created or datetime.now().astimezone()).strftime("%Y-%m-%d %H:%M %Z").strip()
    return environment.from_string(template).render(
        title=title, about=about, created=date, version=vitruve.__version__, **values
    )


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """A picture as an address that holds it.

    Args:
        content: Of its file.
        kind: Its MIME type.

    Returns:
        ``data:<kind>;base64,...``.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@cache
def _loader() -> BaseLoader:
    text = (files("vitruve.visualize") / "templates" / _FRAME).read_text(encoding="utf-8")
    return DictLoader({_FRAME: text})
