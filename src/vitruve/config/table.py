"""All settings in words: what ``vitruve list settings`` and the documentation show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vitruve.algorithms import registry
from vitruve.algorithms.settings import ModelSettings
from vitruve.config.explain import expectation
from vitruve.config.schema import Config


@dataclass(frozen=True)
class Row:
    """One setting.

    Attributes:
        key: Its full key.
        default: Its default as JSON, which is YAML too.
        expected: What it may be, in words.
        description: What it does.
    """

    key: str
    default: str
    expected: str
    description: str


@dataclass(frozen=True)
class Table:
    """Settings that belong together.

    Attributes:
        name: The section; empty for settings of no section.
        description: What it is about.
        algorithm: The algorithm that alone has them, or empty.
        rows: The settings, in their order.
    """

    name: str
    description: str
    algorithm: str
    rows: tuple[Row, ...]


def settings_table() -> list[Table]:
    """All settings: one table a section, one for the own keys of each algorithm, and one for those of no section."""
    tables = []
    for name, field in Config.model_fields.items():
        section = _section(field)
        if section is not None:
            tables.append(Table(name, field.description or "", "", tuple(_rows(section, f"{name}."))))
            if name == "model":
                tables += _of_algorithms()
    single = [_row(name, field) for name, field in Config.model_fields.items() if _section(field) is None]
    return [*tables, Table("", "", "", tuple(single))]


def _of_algorithms() -> Iterator[Table]:
    for name, algorithm in registry.available().items():
        fields = algorithm.Config.model_fields
        own = tuple(_row(f"model.{key}", fields[key]) for key in fields if key not in ModelSettings.model_fields)
        if own:
            yield Table("model", "", name, own)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _rows(section: type[BaseModel], prefix: str) -> Iterator[Row]:
    return (_row(key, field) for key, field in fields_of(section, prefix))


def fields_of(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All settings of a section and of those inside it.

    Args:
        section: Of settings.
        prefix: What keys begin with.

    Yields:
        Full keys with what pydantic knows of them.
    """
    for name, field in section.model_fields.items():
        inner = _section(field)
        if inner is None:
            yield prefix + name, field
        else:
            yield from fields_of(inner, f"{prefix}{name}.")


def _row(key: str, field: FieldInfo) -> Row:
    default = json.dumps(field.get_default(call_default_factory=True), default=str, ensure_ascii=False)
    return Row(key, default, expectation(field), field.description or "")
