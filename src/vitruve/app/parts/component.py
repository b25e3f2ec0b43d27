"""Components of our own: one JavaScript and one style file of ``assets`` each, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer


@cache
def component(
    name: str, *scripts: str, styles: tuple[str, ...] | None = None, html: str | None = None
) -> ComponentRenderer:
    """A component whose files are ``assets/<name>.js`` and ``assets/<name>.css``, after ``assets/shared.css``.

    Args:
        name: Of its files.
        scripts: Further JavaScript that comes before that of the file.
        styles: Names of its style files, where they are others.
        html: What it begins with.

    Returns:
        What shows it: ``component(name)(key=..., data=..., on_<state>_change=...)``.
    """
    js = "\n".join([*scripts, asset(f"{name}.js")])
    css = "\n".join(map(asset, ("shared.css", *((f"{name}.css",) if styles is None else styles))))
    return st.components.v2.component(f"vitruve_{name}", html=html, css=css, js=js)


def asset(name: str) -> str:
    """The text of a file of ``assets``."""
    return (files("vitruve.app") / "assets" / name).read_text(encoding="utf-8")
