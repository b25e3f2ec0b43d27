"""What a project's networks have made: found by its name, or the newest of it."""

from __future__ import annotations

from pathlib import Path

from vitruve.errors import InputError, nearest
from vitruve.project.folder import LATEST


def find(folder: Path, which: str | Path, what: str, prefix: str, make: str) -> Path:
    """A prediction or an analysis.

    Args:
        folder: That of all of them.
        which: ``latest``, a name in the folder, or any path.
        what: ``prediction`` or ``analysis``.
        prefix: What the names of the newest ones begin with; the time follows.
        make: The command that makes one, for the message.

    Returns:
        Its folder, or the file that the path names.

    Raises:
        InputError: There is none.
    """
    if str(which) == LATEST:
        there = sorted(path for path in folder.glob(f"{prefix}_*") if path.is_dir())
        if not there:
            raise InputError(f"{folder}: holds no {what}; make one with: {make}")
        return there[-1]
    place = next((path for path in (folder / which, Path(which)) if path.exists()), None)
    if place is None:
        names = sorted(path.name for path in folder.glob("[!.]*/"))
        raise InputError(
            f"{which}: no such {what}{nearest(str(which), names)}; {folder} holds {', '.join(names) or 'none'}"
        )
    return place
