"""Images that could not be read, told from the empty rows of the table of their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from vitruve.errors import InputError
from vitruve.media.images import read_image


def unreadable_images(source: Path | Sequence[Path], table: Path) -> tuple[str, ...]:
    """What is wrong with images that have an empty row because they cannot be read.

    The table is asked, and not whoever wrote it: that may have been another process, which was killed.

    Args:
        source: The images of the table, in its order; a video has none.
        table: The CSV file, with all its rows.

    Returns:
        One message an image. Rows that are empty because nothing was found in their image have none.
    """
    if isinstance(source, Path):
        return ()
    lines = table.read_text(encoding="utf-8").splitlines()
    empty = "," * lines[0].count(",")
    found = []
    # A detector's table has as many rows of an image as it has detections.
    firsts = [next(rows) for _, rows in groupby(lines, lambda line: line.split(",", 1)[0])]
    for path, line in zip(source, firsts[-len(source) :], strict=True):
        if line.endswith(empty):
            try:
                read_image(path)
            except InputError as error:
                found.append(str(error))
    return tuple(found)
