"""Where what is followed over images is in each of them: straight lines between keyframes, as CVAT draws them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from vitruve.structures.annotation import AnnotationTask, Shape, Track


def shapes_by_frame(task: AnnotationTask) -> dict[int, list[tuple[Shape, int]]]:
    """All that is to be seen in each image.

    Args:
        task: The task.

    Returns:
        For each index the shapes, with the place of their track among the tracks, or -1.
    """
    found: dict[int, list[tuple[Shape, int]]] = defaultdict(list)
    for shape in task.shapes:
        if not shape.outside:
            found[shape.frame].append((shape, -1))
    for number, track in enumerate(task.tracks):
        for seen in followed(track, len(task.frames)):
            found[seen.frame].append((seen, number))
    return found


def followed(track: Track, count: int) -> list[Shape]:
    """A track's shape in each image in which it is to be seen.

    Args:
        track: The track.
        count: How many images the task has; a track that does not end stays to the last one.

    Returns:
        Shapes in the order of images. Between two that are drawn, points move on straight lines; flags and attributes
        are those of the one before.
    """
    drawn = [shape for shape in track.shapes if shape.parts or shape.points or shape.keyframe]
    whole = [shape for shape in drawn if shape.keyframe] or drawn
    parts: dict[str, list[Shape]] = defaultdict(list)
    for shape in track.shapes:
        for part in shape.parts:
            parts[part.label].append(replace(part, frame=shape.frame))
    found = []
    for frame in range(track.shapes[0].frame, count):
        now = _between(whole if track.shapes[0].kind == "skeleton" else drawn, frame)
        if now is None or now.outside:
            continue
        there = (_between(series, frame) for series in parts.values())
        inner = tuple(part for part in there if part is not None)
        found.append(replace(now, frame=frame, parts=inner, group=track.group))
    return found


def _between(series: Sequence[Shape], frame: int) -> Shape | None:
    """A shape at an image, from those that are drawn; None before the first one."""
    after = bisect_right(series, frame, key=lambda shape: shape.frame)
    if after == 0:
        return None
    before = series[after - 1]
    if before.frame == frame or after == len(series):
        return replace(before, frame=frame)
    following = series[after]
    if following.outside or len(following.points) != len(before.points) or before.kind == "mask":
        return replace(before, frame=frame)
    share = (frame - before.frame) / (following.frame - before.frame)
    points = tuple(a + share * (b - a) for a, b in zip(before.points, following.points, strict=True))
    turn = before.rotation + share * ((following.rotation - before.rotation + 180.0) % 360.0 - 180.0)
    return replace(before, frame=frame, points=points, rotation=turn % 360.0)
