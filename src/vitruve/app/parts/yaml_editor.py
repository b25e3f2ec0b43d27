"""Settings as the text of their file, with what is wrong beside its line."""

from __future__ import annotations

import re
from collections.abc import Callable

import streamlit as st

_HEIGHT = 560
_AROUND = 2
_LINE = re.compile(r":(\d+): not valid YAML")
_STYLE = """<style>
.st-key-{name} textarea {{
    font-family: "Source Code Pro", monospace; font-size: 0.85rem; line-height: 1.45; white-space: pre;
}}
</style>"""


def yaml_editor(text: str, key: str, changed: Callable[[str], None], error: str = "") -> None:
    """A field for the text of a settings file.

    Args:
        text: What it holds.
        key: Of the field, unique on the page.
        changed: Is told the new text.
        error: What is wrong with the text; where it names a line, that line is shown.
    """
    name = re.sub(r"[^a-zA-Z0-9]+", "-", key)
    st.session_state[key] = text

    def told() -> None:
        changed(st.session_state[key])

    st.html(_STYLE.format(name=name))
    with st.container(key=name):
        st.text_area(
            "Settings file (checked when you leave the field, or with Ctrl+Enter)",
            key=key,
            height=_HEIGHT,
            on_change=told,
        )
    excerpt = lines_around(text, error)
    if excerpt:
        st.code(excerpt, language="yaml")


def lines_around(text: str, error: str) -> str:
    """The lines that an error speaks of.

    Args:
        text: The whole.
        error: What was said; empty if nothing was.

    Returns:
        The line and its neighbours, numbered; empty where no line is named.
    """
    named = _LINE.search(error)
    if named is None:
        return ""
    wrong, lines = int(named.group(1)), text.splitlines()
    first, last = max(1, wrong - _AROUND), min(len(lines), wrong + _AROUND)
    return "\n".join(f"{'>' if n == wrong else ' '} {n:4d}  {lines[n - 1]}" for n in range(first, last + 1))
