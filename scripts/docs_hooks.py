"""What the documentation takes from the code itself while mkdocs builds it: the tables of all settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vitruve.algorithms import registry
from vitruve.algorithms.settings import ModelSettings
from vitruve.config.explain import expectation
from vitruve.config.schema import Config

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
    parts = []
    for name, field in Config.model_fields.items():
        section = _section(field)
        if section is not None:
            parts.append(f"## {name}\n\n{field.description}\n\n{_table(_rows(section, name + '.'))}")
            if name == "model":
                parts += _of_algorithms()
    single = [_row(name, field) for name, field in Config.model_fields.items() if _section(field) is None]
    return "\n\n".join([*parts, f"## Others\n\n{_table(iter(single))}"])


def _of_algorithms() -> Iterator[str]:
    for name, algorithm in registry.available().items():
        own = [key for key in algorithm.Config.model_fields if key not in ModelSettings.model_fields]
        if own:
            rows = [_row(f"model.{key}", algorithm.Config.model_fields[key]) for key in own]
            yield f"### With `model_type: {name}`\n\n{_table(iter(rows))}"


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _rows(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = _section(field)
        if inner is None:
            yield _row(prefix + name, field)
        else:
            yield from _rows(inner, f"{prefix}{name}.")


def _row(key: str, field: FieldInfo) -> str:
    default = json.dumps(field.get_default(call_default_factory=True), default=str, ensure_ascii=False)
    # Long keys may be broken where their words end.
    breakable = re.sub(r"([._])", r"\1<wbr>", key)
    cells = (f"<code>{breakable}</code>", f"`{default}`", expectation(field), field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(rows: Iterator[str]) -> str:
    return "\n".join(["| key | default | value | what it does |", "|---|---|---|---|", *rows])
