"""Text in which Markdown finds nothing."""

from __future__ import annotations

import re

import pytest

from vitruve.app.parts.text import code, verbatim

TEXTS = (
    "a*b*",
    "_c_ __d__",
    "`e`",
    "[x](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "$x^2$ $$y$$",
    "<b>h</b> <script>alert(1)</script>",
    ":red[z] :smile: :blue-badge[b]",
    "~~q~~",
    "# heading",
    "- item",
    "+ item",
    "12. item",
    "12) item",
    "> quote",
    ">quote",
    "## two",
    "| a | b |",
    "&amp; &lt;",
    "\\",
    "a\\",
    "---",
    "- - -",
    "3.",
)


@pytest.mark.parametrize("text", TEXTS)
def test_every_mark_of_markdown_is_escaped(text: str) -> None:
    shown = verbatim(text)
    assert re.sub(r"\\(.)", r"\1", shown) == text
    # Without what is escaped, nothing is left that means something.
    left = re.sub(r"\\.", "x", shown)
    assert not re.search(r"[`*\[\]<$~]|:\w|&\w|(?<!\w)_|_(?!\w)|^\s*([-+>#]|\d+[.)])(\s|$)", left)


def test_ordinary_names_are_what_they_were() -> None:
    for text in (
        "mouse_2024",
        "first run, 3 of 12",
        "videos/mouse-01.mp4",
        "1.5 px",
        "3 frames",
        "a.csv: no | {x}",
        "a -> b",
    ):
        assert verbatim(text) == text


def test_lines_are_one_and_icons_are_none() -> None:
    assert verbatim("a\n# b") == "a # b"
    assert ":material/" not in verbatim(":material/home:")


@pytest.mark.parametrize("text", ["a", "a`b", "``a", "a`", "a ``` b", "$x$ *y*", "a\nb"])
def test_code_is_fenced_by_more_than_it_holds(text: str) -> None:
    shown = code(text)
    fence = re.match("`+", shown)
    assert fence is not None and shown.endswith(fence[0])
    inner = shown[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall("`+", inner) and inner.strip() == text.replace("\n", " ").strip()
