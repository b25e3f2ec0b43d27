"""Which images of a label file a run knows from its training: errors on them are smaller than on new ones."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitruve.structures.labels import Frame, Labels

_log = logging.getLogger(__name__)

_USES = {"train": "trained on", "validation": "chose its weights by"}


def with_splits_of(labels: Labels, record: Mapping[str, Any], data_dir: Path | None, source: str) -> Labels:
    """Labels in which images that a run was made with have the split they had then; a warning counts them.

    An image is known if it is the same file, or has the same name and the same content. Where the file that the run
    was made with is not there any more, the name alone counts.

    Args:
        labels: To be compared with predictions.
        record: The run's ``model.json``.
        data_dir: The folder that the run's image names start from.
        source: The label file, for the warning.

    Returns:
        The labels; frames that the run does not know keep the split they had.
    """
    splits: Mapping[str, str] = record.get("split") or {}
    home = data_dir or Path()
    files = {(home / name).resolve(): name for name in splits}
    found = [_known(frame, labels, splits, files, home) for frame in labels]
    counts = Counter(name for name in found if name is not None)
    said = [f"{counts[name]} that the run {use}" for name, use in _USES.items() if counts[name]]
    if said:
        _log.warning(
            "%s: of its %d images there are %s; they have rows of their own, judge by the others",
            source,
            len(labels),
            " and ".join(said),
        )
    return labels.with_splits([new or frame.split for frame, new in zip(labels, found, strict=True)])


def _known(
    frame: Frame, labels: Labels, splits: Mapping[str, str], files: Mapping[Path, str], home: Path
) -> str | None:
    file = labels.path(frame.first_image)
    if frame.first_image.index is None and file.resolve() in files:
        return splits[files[file.resolve()]]
    if frame.name not in splits:
        return None
    original = home / frame.name
    same = not original.is_file() or (file.is_file() and _same_content(file, original))
    return splits[frame.name] if same else None


def _same_content(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
