"""What differs between what is drawn on a server and what is to be there, shape by shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from vitruve.errors import InputError
from vitruve.structures.annotation import AnnotationTask, Attributes, Shape, TaskFrame, Track

Drawn = Shape | Track

# Files of CVAT's own hold two decimals.
_PIXELS = 0.011
_SCORE = 1e-4


@dataclass(frozen=True)
class Difference:
    """What has to be done so that a server holds what is wanted.

    Attributes:
        add: What the server lacks; frames are those of the server's task.
        update: What it has otherwise, with its number.
        extra: What only the server has. Nothing is done about it unless it is named.
        lost: What was read from the server and is not there in that form any more: somebody has changed or removed
            it since. It is left alone.
        same: How many are as they should be.
    """

    add: tuple[Drawn, ...] = ()
    update: tuple[Drawn, ...] = ()
    extra: tuple[Drawn, ...] = ()
    lost: tuple[Drawn, ...] = ()
    same: int = 0

    def lines(self, frames: Sequence[TaskFrame], remove: Sequence[str] = ()) -> Iterator[str]:
        """The difference in words, a line each.

        Args:
            frames: Those of the server's task.
            remove: Names, as :func:`name_of` gives them, of what is to be removed.

        Yields:
            ``+`` added, ``~`` updated, ``-`` removed, ``!`` left alone though it differs, ``=`` only on the server.
        """
        for item in self.add:
            yield f"+ {described(item, frames)}"
        for item in self.update:
            yield f"~ {name_of(item)} {described(item, frames)}"
        for item in self.extra:
            sign = "-" if name_of(item) in remove else "="
            yield f"{sign} {name_of(item)} {described(item, frames)}" + (" (only on the server)" if sign == "=" else "")
        for item in self.lost:
            yield f"! {name_of(item)} {described(item, frames)} (changed or removed on the server since it was read)"

    def named(self, names: Sequence[str]) -> list[Drawn]:
        """What only the server has and is named.

        Args:
            names: As :func:`name_of` gives them.

        Returns:
            Those.

        Raises:
            InputError: A name is none of them.
        """
        known = {name_of(item): item for item in self.extra}
        for name in names:
            if name not in known:
                shown = ", ".join(list(known)[:8]) or "none"
                raise InputError(f"--remove {name}: not among what only the server has ({shown})")
        return [known[name] for name in dict.fromkeys(names)]


def difference(there: AnnotationTask, wanted: AnnotationTask) -> Difference:
    """Compare what is drawn on a server with what is wanted.

    What has a number is compared with that of the same number; everything else one to one with what is equal, so that
    what was sent once is not sent again.

    Args:
        there: The server's task.
        wanted: The same images, in any order; perhaps some of them.

    Returns:
        The difference.

    Raises:
        InputError: Something is drawn on an image that the server's task has not.
    """
    places = _places(there, wanted)
    items = [_moved(item, places, wanted) for item in _all(wanted)]
    present = {name_of(item): item for item in _all(there)}
    update: list[Drawn] = []
    rest: list[Drawn] = []
    same = 0
    for item in items:
        known = present.pop(name_of(item), None) if item.id is not None else None
        if known is None or not _same_kind(known, item):
            rest.append(item)
            if known is not None:
                present[name_of(known)] = known
        elif alike(known, item):
            same += 1
        else:
            update.append(item)
    left, extra = unmatched(rest, tuple(present.values()))
    fresh = tuple(item for item in left if item.id is None)
    lost = tuple(item for item in left if item.id is not None)
    return Difference(fresh, tuple(update), extra, lost, same + len(rest) - len(left))


def unmatched(wanted: Sequence[Drawn], there: Sequence[Drawn]) -> tuple[tuple[Drawn, ...], tuple[Drawn, ...]]:
    """Pair what is alike, one to one.

    Args:
        wanted: What should be there.
        there: What is there.

    Returns:
        Those of each side that have no partner.
    """
    free: dict[tuple[object, ...], list[Drawn]] = defaultdict(list)
    for item in there:
        free[_bucket(item)].append(item)
    left = []
    for item in wanted:
        candidates = free[_bucket(item)]
        partner = next((number for number, other in enumerate(candidates) if alike(other, item)), None)
        if partner is None:
            left.append(item)
        else:
            del candidates[partner]
    remaining = {id(item) for items in free.values() for item in items}
    return tuple(left), tuple(item for item in there if id(item) in remaining)


def alike(there: Drawn, wanted: Drawn) -> bool:
    """Whether a server has something as it is wanted.

    Numbers and who drew it do not count, and attributes that are not spoken of may have any value: a server fills in
    their defaults.

    Args:
        there: As the server has it.
        wanted: As it should be; coordinates may differ by the two decimals of CVAT's files.

    Returns:
        True where nothing has to be done.
    """
    if isinstance(there, Track) or isinstance(wanted, Track):
        return _tracks_alike(there, wanted)
    flags = [
        (s.kind, s.label, s.frame, s.occluded, s.outside, s.group, s.z_order, len(s.points)) for s in (there, wanted)
    ]
    if flags[0] != flags[1] or not _says(there.attributes, wanted.attributes):
        return False
    numbers = zip((*there.points, there.rotation), (*wanted.points, wanted.rotation % 360.0), strict=True)
    if any(abs(a - b) > _PIXELS for a, b in numbers) or abs(there.score - wanted.score) > _SCORE:
        return False
    parts = {part.label: part for part in there.parts}
    named = {part.label for part in wanted.parts}
    # A server has all parts of a skeleton: what is not spoken of is outside there.
    if not named <= parts.keys() or not all(part.outside for name, part in parts.items() if name not in named):
        return False
    # A part belongs to the image and the group of its skeleton, whatever its own entry says.
    return all(alike(replace(parts[p.label], frame=p.frame, group=p.group), p) for p in wanted.parts)


def name_of(item: Drawn) -> str:
    """How something on a server is named: shapes, tracks and tags are numbered apart."""
    kind = "track" if isinstance(item, Track) else "tag" if item.kind == "tag" else "shape"
    return f"{kind}-{item.id}"


def described(item: Drawn, frames: Sequence[TaskFrame]) -> str:
    """Something drawn, in words.

    Args:
        item: The shape or track.
        frames: Those of its task.

    Returns:
        Its image, kind, label and place.
    """
    if isinstance(item, Track):
        numbers = [shape.frame for shape in item.shapes]
        return f"track of {item.label}, frames {min(numbers)} to {max(numbers)}"
    name = frames[item.frame].name if item.frame < len(frames) else "?"
    corners = ", ".join(f"{value:.1f}" for value in item.points[:4]) + (", ..." if len(item.points) > 4 else "")
    place = f" ({corners})" if corners else f" of {len(item.parts)} parts" if item.parts else ""
    sure = f", score {item.score:.2f}" if item.score < 1 else ""
    return f"{name}: {item.kind} {item.label}{place}{sure}"


def without_numbers(task: AnnotationTask) -> AnnotationTask:
    """A task whose shapes are those of no server yet."""
    return replace(
        task,
        shapes=tuple(replace(shape, id=None) for shape in task.shapes),
        tracks=tuple(replace(track, id=None) for track in task.tracks),
    )


def same_image(one: TaskFrame, other: TaskFrame) -> bool:
    """Whether two names mean one image: servers may know it by the end of its path alone.

    A frame of a video and the file that it is as an image are one.
    """
    videos = one.index is not None and other.index is not None
    a, b = (PurePosixPath(each.name if videos else each.file).parts for each in (one, other))
    shorter = min(len(a), len(b))
    return a[-shorter:] == b[-shorter:] and (one.index == other.index or not videos)


def _all(task: AnnotationTask) -> list[Drawn]:
    return [*task.shapes, *task.tracks]


def _places(there: AnnotationTask, wanted: AnnotationTask) -> dict[int, int]:
    """For each image that something is drawn on, its index on the server."""
    exact = {(frame.name, frame.index): number for number, frame in enumerate(there.frames)}
    ends: dict[str, list[int]] = defaultdict(list)
    for number, frame in enumerate(there.frames):
        ends[PurePosixPath(frame.file).name].append(number)
    found, missing = {}, []
    for number in sorted({shape.frame for shape in wanted.drawn()}):
        frame = wanted.frames[number]
        place = exact.get((frame.name, frame.index))
        if place is None:
            close = [n for n in ends[PurePosixPath(frame.file).name] if same_image(there.frames[n], frame)]
            place = close[0] if len(close) == 1 else None
        if place is None:
            missing.append(frame.name)
        else:
            found[number] = place
    if missing:
        raise InputError(
            f"task {there.id} ({there.name}): {len(missing)} images drawn on are not in it, or several have its name "
            f"(first: {missing[0]}); it has {len(there.frames)} images (first: {there.frames[0].name})"
        )
    return found


def _moved(item: Drawn, places: dict[int, int], task: AnnotationTask) -> Drawn:
    if not isinstance(item, Track):
        return _at(item, places)
    numbers = [places[shape.frame] for shape in item.shapes]
    if numbers != sorted(set(numbers)):
        raise InputError(
            f"{task.name}: a track of {item.label} goes over images that stand in another order on the server; tracks "
            "need images in the same order, whose names sort as they follow one another"
        )
    return replace(item, shapes=tuple(replace(_at(shape, places), id=None) for shape in item.shapes))


def _at(shape: Shape, places: dict[int, int]) -> Shape:
    frame = places[shape.frame]
    return replace(shape, frame=frame, parts=tuple(replace(part, frame=frame) for part in shape.parts))


def _bucket(item: Drawn) -> tuple[object, ...]:
    if isinstance(item, Track):
        return ("track", item.label)
    return (item.kind, item.label, item.frame)


def _same_kind(there: Drawn, wanted: Drawn) -> bool:
    if isinstance(there, Track) or isinstance(wanted, Track):
        return isinstance(there, Track) and isinstance(wanted, Track)
    return (there.kind, there.frame) == (wanted.kind, wanted.frame)


def _says(there: Attributes, wanted: Attributes) -> bool:
    values = dict(there)
    return all(values.get(name) == value for name, value in wanted)


def _tracks_alike(there: Drawn, wanted: Drawn) -> bool:
    if not isinstance(there, Track) or not isinstance(wanted, Track):
        return False
    if (there.label, there.group) != (wanted.label, wanted.group) or not _says(there.attributes, wanted.attributes):
        return False
    own, others = ([_kept(shape) for shape in track.shapes if _is_key(shape)] for track in (there, wanted))
    return len(own) == len(others) and all(
        a.keyframe == b.keyframe and (alike(a, b) if a.keyframe else _parts_alike(a, b))
        for a, b in zip(own, others, strict=True)
    )


def _parts_alike(there: Shape, wanted: Shape) -> bool:
    """Compare shapes that stand only for the keyframes of their parts."""
    plain = replace(there, parts=())
    return alike(there, replace(plain, parts=wanted.parts, frame=wanted.frame)) and there.frame == wanted.frame


def _is_key(shape: Shape) -> bool:
    return shape.keyframe or any(part.keyframe for part in shape.parts)


def _kept(shape: Shape) -> Shape:
    """A shape of a track as a server keeps it: without interpolated parts, and without a score."""
    parts = tuple(replace(part, score=1.0, group=0, id=None) for part in shape.parts if part.keyframe)
    return replace(shape, parts=parts, score=1.0, group=0)
