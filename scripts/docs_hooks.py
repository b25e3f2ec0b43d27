"""What the documentation takes from the code itself while mkdocs builds it: the tables of all settings."""

from __future__ import annotations

import re
from typing import Any

from vitruve.config.table import Row, Table, settings_table

_MARK = "<!-- table of settings -->"
_ROLE = re.compile(r":(?:func|class|meth|mod|data|attr):(<code>)~?")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where a page asks for them; called by mkdocs for each page."""
    return markdown.replace(_MARK, settings_tables()) if _MARK in markdown else markdown


def on_page_content(html: str, **_: Any) -> str:
    """Show cross-references of docstrings as plain code; called by mkdocs for each page."""
    return _ROLE.sub(r"\1", html)


def settings_tables() -> str:
    """One Markdown table a section of the settings, and one for the own keys of each algorithm."""
    return "\n\n".join(f"{_heading(table)}\n\n{_markdown(table)}" for table in settings_table())


def _heading(table: Table) -> str:
    if table.algorithm:
        return f"### With `model_type: {table.algorithm}`"
    return f"## {table.name}\n\n{table.description}" if table.name else "## Others"


def _markdown(table: Table) -> str:
    return "\n".join(["| key | default | value | what it does |", "|---|---|---|---|", *map(_line, table.rows)])


def _line(row: Row) -> str:
    # Long keys may be broken where their words end.
    breakable = re.sub(r"([._])", r"\1<wbr>", row.key)
    cells = (f"<code>{breakable}</code>", f"`{row.default}`", row.expected, row.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
