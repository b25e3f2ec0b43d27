"""JSON files, with errors of one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vitruve.errors import InputError
from vitruve.formats.text_file import read_text


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds keys and values.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        InputError: It cannot be read or holds something else.
    """
    content = _loaded(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; expected keys with values")
    return content


def read_json_rows(path: Path, wanted: str) -> list[dict[str, Any]]:
    """A JSON file that holds a list of entries with keys.

    Args:
        path: The file.
        wanted: What it should be, for messages (``a list of people with image and joints``).

    Returns:
        The entries.

    Raises:
        InputError: It cannot be read or holds something else.
    """
    content = _loaded(path)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise InputError(f"{path}: must be {wanted}")
    return content


def _loaded(path: Path) -> Any:
    try:
        return json.loads(read_text(path, "a JSON file"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno}: not JSON ({error.msg})") from error
