"""What a JSON file holds, at a glance: enough for formats to recognise it, without each of them keeping it whole."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any


def json_outline(path: Path) -> Any:
    """The top of a JSON file.

    Args:
        path: Any path.

    Returns:
        The file's keys with their values, or its list, where lists hold no more than their first entry; None where it
        is no JSON.
    """
    if path.suffix.lower() != ".json" or not path.is_file():
        return None
    state = path.stat()
    return _outline(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _outline(path: Path, changed: int, size: int) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(content, dict):
        return {key: value[:1] if isinstance(value, list) else value for key, value in content.items()}
    return content[:1] if isinstance(content, list) else None
