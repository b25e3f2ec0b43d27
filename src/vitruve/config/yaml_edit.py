"""Change single settings in the text of a YAML file: its comments, order and layout stay as somebody wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from vitruve.config.yaml_file import parse_yaml
from vitruve.errors import ConfigError

_INDENT = 2


def with_values(text: str, changes: Mapping[str, Any]) -> str:
    """Set values in a YAML text.

    Args:
        text: A mapping of settings, possibly empty.
        changes: Plain values by their full keys, such as ``training.max_epochs``. Sections that
            are not there are added.

    Returns:
        The text, which reads back to the same settings but for these.

    Raises:
        ConfigError: The text is not YAML, or is written in a way that a single value cannot be set in, as with anchors.
    """
    for key, value in changes.items():
        text = _with_value(text, key, value)
    return text


def value_at(values: Any, key: str, default: Any = None) -> Any:
    """A value in nested mappings.

    Args:
        values: The mappings.
        key: Its full key.
        default: What stands for one that is not there.

    Returns:
        The value.
    """
    for name in key.split("."):
        if not isinstance(values, Mapping) or name not in values:
            return default
        values = values[name]
    return values


def flow(value: Any) -> str:
    """A value as it stands in one line of YAML.

    Args:
        value: Plain.

    Returns:
        Such as ``[a, b]`` or ``null``.
    """
    plain = yaml.safe_dump([value], default_flow_style=True, width=1 << 20, sort_keys=False, allow_unicode=True)
    return plain.strip()[1:-1]


def _with_value(text: str, key: str, value: Any) -> str:
    wanted = _nested(parse_yaml(text), key.split("."), value)
    changed = _edited(text, key.split("."), value)
    if parse_yaml(changed) != wanted:
        raise ConfigError(f"{key}: cannot be set in this file without rewriting it; change it in its text")
    return changed


def _nested(values: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    inner = dict(values) if isinstance(values, Mapping) else {}
    return inner | {path[0]: _nested(inner.get(path[0]), path[1:], value)}


def _edited(text: str, path: list[str], value: Any) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return f"{text.rstrip()}\n{_block(path, value, 0)}".lstrip()
    while True:
        found = next((pair for pair in node.value if pair[0].value == path[0]), None)
        if found is None:
            return _inserted(text, node, path, value)
        name, inner = found
        if len(path) > 1 and isinstance(inner, yaml.MappingNode):
            node, path = inner, path[1:]
            continue
        new = value if len(path) == 1 else _nested(None, path[1:], value)
        return _replaced(text, name, inner, new)


def _replaced(text: str, name: yaml.Node, old: yaml.Node, value: Any) -> str:
    """The text with another value of a key; one of several lines becomes one line."""
    start, end = old.start_mark.index, _end(text, old)
    if start == end or not text[start:end].strip():
        # Nothing is written after the key: an empty scalar may be marked lines further down.
        start = end = text.index(":", name.end_mark.index) + 1
    elif old.start_mark.line != name.end_mark.line:
        start = text.index(":", name.end_mark.index) + 1
    before = "" if text[start - 1].isspace() else " "
    return text[:start] + before + flow(value) + text[end:]


def _inserted(text: str, node: yaml.MappingNode, path: list[str], value: Any) -> str:
    """The text with a key that the mapping does not have yet, after those that it has."""
    if node.flow_style or not node.value:
        at = node.end_mark.index - 1
        entry = f"{path[0]}: {flow(value if len(path) == 1 else _nested(None, path[1:], value))}"
        comma = ", " if node.value and not text[:at].rstrip().endswith(",") else ""
        return text[:at].rstrip() + comma + entry + text[at:]
    end = _end(text, node)
    line = text.find("\n", end)
    at = len(text) if line < 0 else line + 1
    head = text[:at] if text[:at].endswith("\n") else text[:at] + "\n"
    return head + _block(path, value, node.value[0][0].start_mark.column) + text[at:]


def _block(path: Sequence[str], value: Any, column: int) -> str:
    names = [f"{' ' * (column + _INDENT * depth)}{name}:" for depth, name in enumerate(path)]
    return "\n".join(names) + f" {flow(value)}\n"


def _end(text: str, node: yaml.Node) -> int:
    """Where the last character of a value is; a block's own mark is where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        if isinstance(last, tuple):
            # A key without a value ends with its colon.
            return max(_end(text, last[1]), text.index(":", last[0].end_mark.index) + 1)
        return _end(text, last)
    start, end = node.start_mark.index, node.end_mark.index
    return start + len(text[start:end].rstrip())
