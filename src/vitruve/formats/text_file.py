"""Whole text files, with errors of one line."""

from __future__ import annotations

from pathlib import Path

from vitruve.errors import InputError


def read_text(path: Path, wanted: str) -> str:
    """The text of a file.

    Args:
        path: The file.
        wanted: What it should be, for messages (``a YAML file``).

    Returns:
        The text.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give {wanted}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; give {wanted}") from error
