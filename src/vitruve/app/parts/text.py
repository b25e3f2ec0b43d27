"""Names and messages as Streamlit shows them: what looks like Markdown, HTML or LaTeX in them stays what it is."""

from __future__ import annotations

import re

import streamlit as st

# It is one line: nothing makes a table, and lists, headings and quotes begin at its front alone.
_MEANS = re.compile(r"[\\`*\[\]<$~]|:(?=[\w+-])|&(?=[\w#])|(?<![^\W_])_|_(?![^\W_])")
_BEGINS = re.compile(r"^(\s*\d*)([-+.)#](?=[\s#-]|$)|>)")
# Icons are looked for after escapes are gone: something that takes no room parts their name.
_ICON = re.compile(r"\\:(?=material/)")
_JOINER = "\u2060"


def verbatim(text: object) -> str:
    """Text that was not written for a page, for everything that Streamlit reads as Markdown, labels of widgets too.

    Args:
        text: A name of a project, a run, a file or a keypoint, a message, or whatever else comes from a disk or a
            person.

    Returns:
        Markdown that is shown as the very text, in one paragraph.
    """
    escaped = _MEANS.sub(r"\\\g<0>", " ".join(str(text).split("\n")))
    escaped = _BEGINS.sub(r"\1\\\2", escaped)
    return _ICON.sub(rf"\\:{_JOINER}", escaped)


def code(text: object) -> str:
    """The same as :func:`verbatim`, set as code: for paths.

    Args:
        text: As for :func:`verbatim`.

    Returns:
        Markdown that is shown as the very text.
    """
    said = " ".join(str(text).split("\n"))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", said)), default=0))
    space = " " if said.startswith("`") or said.endswith("`") else ""
    return f"{fence}{space}{said}{space}{fence}"


def show_error(error: object) -> None:
    """What went wrong, in one line.

    Args:
        error: An exception of Vitruve, or its message.
    """
    st.error(verbatim(error), icon=":material/error:")
