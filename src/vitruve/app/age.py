"""Whether a file is still the one that was read."""

from __future__ import annotations

from pathlib import Path


def age_of(file: Path) -> str:
    """Changes when a file does.

    Args:
        file: It need not be there.

    Returns:
        Text that says nothing but whether it is the same.
    """
    try:
        found = file.stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns:x}.{found.st_size:x}"
