"""What was found as a table, in CSV and JSON, and as pictures."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.annotation.proposals.judge import SPURIOUS, Finding
from vitruve.annotation.proposals.sources import Source
from vitruve.atomic import atomic_json, atomic_write
from vitruve.data.images import ImageCache
from vitruve.evaluation.oks import instance_boxes
from vitruve.geometry.affine import crop
from vitruve.geometry.warp import Warp
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Labels
from vitruve.visualize.boxes import draw_boxes
from vitruve.visualize.draw import contact_sheet, draw_instances

COLUMNS = (
    *("source", "task", "image", "frame", "kind", "class", "score", "similar", "labelled_class", "labelled"),
    *("keypoints", "x1", "y1", "x2", "y2"),
)
"""Of the table. ``labelled`` is the number of the label in its file or on the server; boxes are edges in pixels."""

Color = tuple[int, int, int]

_AROUND, _LEAST, _TILE, _COLUMNS = 1.6, 24.0, 240, 6
_LABELLED, _PROPOSED = (60, 220, 90), (255, 190, 0)


@dataclass(frozen=True, eq=False)
class Looked:
    """A source that was looked through.

    Attributes:
        source: The source.
        findings: What was found.
    """

    source: Source
    findings: Sequence[Finding]


def rows_of(looked: Iterable[Looked]) -> list[dict[str, Any]]:
    """What was found, a row each.

    Args:
        looked: The sources.

    Returns:
        Values by :data:`COLUMNS`, the surest first.
    """
    rows = [_row(each.source, finding) for each in looked for finding in each.findings]
    return sorted(rows, key=lambda row: -row["score"])


def write_report(folder: Path, looked: Sequence[Looked], pictures: int) -> list[Path]:
    """Write ``findings.csv``, ``findings.json`` and pictures.

    Args:
        folder: The folder.
        looked: The sources.
        pictures: How many of each kind are drawn, the surest first.

    Returns:
        The files. Pictures are ``<kind>.png``: labels green, what is proposed orange.

    Raises:
        InputError: An image cannot be read or a file not be written.
    """
    rows = rows_of(looked)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files = [folder / "findings.csv", folder / "findings.json"]
    atomic_write(files[0], text.getvalue())
    atomic_json(files[1], {"format": 1, "findings": rows})
    by_kind: dict[str, list[tuple[Source, Finding]]] = defaultdict(list)
    for each in looked:
        for finding in each.findings:
            by_kind[finding.kind].append((each.source, finding))
    cache = ImageCache(0)
    for kind, items in by_kind.items() if pictures else ():
        best = sorted(items, key=lambda item: -item[1].score)[:pictures]
        tiles = [_tile(source.labels, finding, cache) for source, finding in best]
        files.append(folder / f"{kind.replace(' ', '_')}.png")
        write_image(files[-1], contact_sheet(tiles, _COLUMNS))
    return files


def write_crops(folder: Path, looked: Iterable[Looked], kind: str) -> list[Path]:
    """Write what was found as pictures of their own, under the names of their images.

    Args:
        folder: The folder.
        looked: The sources.
        kind: The kind that is written.

    Returns:
        The files, ``<image>_<n>_<class>.png``.
    """
    cache, files = ImageCache(0), list[Path]()
    for each in looked:
        counts: dict[int, int] = defaultdict(int)
        for finding in each.findings:
            image = each.source.labels[finding.frame].first_image
            name = image.path.with_suffix("").as_posix().lstrip("/")
            if finding.kind != kind:
                continue
            pixels = cache.read(each.source.labels, image)
            x1, y1, x2, y2 = _area(finding.instance, pixels.shape)
            at = "" if image.index is None else f"_{image.index:06d}"
            files.append(folder / f"{name}{at}_{counts[finding.frame]}_{_class(each.source.labels, finding)}.png")
            counts[finding.frame] += 1
            write_image(files[-1], np.ascontiguousarray(pixels[y1:y2, x1:x2]))
    return files


def _class(labels: Labels, finding: Finding) -> str:
    given = finding.instance.categories
    return labels.categories[0 if given is None else int(given[0])]


def _row(source: Source, finding: Finding) -> dict[str, Any]:
    labels = source.labels
    frame = labels[finding.frame]
    people, n = frame.instances[0], finding.labelled
    place = 0 if people.categories is None or n < 0 else int(people.categories[n])
    box = [round(float(value), 2) for value in instance_boxes(finding.instance)[0]]
    number = None if people.ids is None or n < 0 or people.ids[n] < 0 else int(people.ids[n])
    values = (
        *(source.name, source.task, frame.first_image.path.as_posix(), frame.first_image.index, finding.kind),
        *(_class(labels, finding), round(finding.score, 4), round(finding.similar, 4)),
        *(labels.categories[place] if n >= 0 else None, number),
        ", ".join(labels.skeleton.names[k] for k in finding.keypoints),
        *(value if math.isfinite(value) else None for value in box),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _area(instance: Instances, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The pixels of an instance, within the image."""
    box = np.nan_to_num(instance_boxes(instance)[0])
    low = np.clip(np.floor(box[:2] + 0.5), 0, np.array(shape[1::-1]) - 1).astype(int)
    high = np.clip(np.ceil(box[2:] + 0.5), low + 1, shape[1::-1]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _tile(labels: Labels, finding: Finding, cache: ImageCache) -> np.ndarray:
    """The surroundings of a finding: labels green, what is proposed orange with its score."""
    frame = labels[finding.frame]
    box = np.nan_to_num(instance_boxes(finding.instance)[0])
    middle, half = (box[:2] + box[2:]) / 2, max(float((box[2:] - box[:2]).max()) / 2 * _AROUND, _LEAST)
    x, y = middle.tolist()
    matrix = crop((x - half, y - half, x + half, y + half), (_TILE, _TILE))
    part = Warp(matrix, (_TILE, _TILE)).image(cache.read(labels, frame.first_image))
    people, one = frame.instances[0].numpy().transformed(matrix), finding.instance.transformed(matrix)
    part = _drawn(part, people, labels, None, _LABELLED)
    return part if finding.kind == SPURIOUS else _drawn(part, one, labels, finding.score, _PROPOSED)


def _drawn(part: np.ndarray, people: Instances, labels: Labels, score: float | None, color: Color) -> np.ndarray:
    if len(labels.skeleton):
        paint = np.tile(np.array(color, np.uint8), (len(labels.skeleton), 1))
        bare = replace(people, keypoint_scores=None)
        return draw_instances(part, bare, labels.skeleton, radius=3, colors=paint)
    count = len(people.keypoints)
    classes = np.zeros(count, np.int64) if people.categories is None else np.asarray(people.categories)
    sure = None if score is None else np.full(count, score)
    return draw_boxes(part, instance_boxes(people), classes, labels.categories, sure, 0.0, color=color)
