"""A folder of large images cut to the part that counts, as OBDB cuts 4k to Full HD."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.errors import InputError
from vitruve.media.images import IMAGE_SUFFIXES, image_size, read_image, write_image

HEIGHT, SIDE = 0.5, 0.25
"""What is cut off at the top, and on each side, as shares of height and width."""


def crop_images(
    source: str | Path,
    target: str | Path,
    *,
    suffix: str = "",
    height: float = HEIGHT,
    side: float = SIDE,
    overwrite: bool = False,
) -> list[Path]:
    """Keep the lower part and the middle of each image of a folder, under the same path.

    Args:
        source: The folder; folders in it are looked through, too.
        target: Takes the images.
        suffix: Of the images that are cut, such as ``png``; all of them by default.
        height: Share of the height that is cut off at the top, 0 to below 1.
        side: Share of the width that is cut off on each side, 0 to below 0.5.
        overwrite: Cut again what is there already.

    Returns:
        The files written.

    Raises:
        InputError: The folder holds no such image, it would write over itself, or a share is out of its range.
    """
    begin, place = Path(source), Path(target)
    if not begin.is_dir():
        raise InputError(f"{begin}: no such folder")
    if begin.resolve() == place.resolve():
        raise InputError(f"{begin}: images would be written over; give another folder")
    if not (0 <= height < 1 and 0 <= side < 0.5):
        raise InputError(f"height {height}, side {side}: must be 0 to below 1 and 0 to below 0.5")
    wanted = {f".{suffix.lower().lstrip('.')}"} if suffix else IMAGE_SUFFIXES
    files = sorted(file for file in begin.rglob("*") if file.suffix.lower() in wanted & IMAGE_SUFFIXES)
    files = [file for file in files if place.resolve() not in file.resolve().parents]
    if not files:
        raise InputError(f"{begin}: holds no image that ends in {', '.join(sorted(wanted))}")
    written = []
    for file in files:
        goal = place / file.relative_to(begin)
        if goal.is_file() and not overwrite:
            continue
        wide, high = image_size(file)
        top, left = int(high * height), int(wide * side)
        write_image(goal, np.ascontiguousarray(read_image(file)[top:, left : wide - left]))
        written.append(goal)
    return written
