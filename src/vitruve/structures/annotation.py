"""What people draw on images in an annotation server: shapes, tracks, labels and tasks, with all that they say.

:class:`~vitruve.structures.labels.Labels` hold what networks learn from. These hold what is drawn: polygons,
attributes, who drew a shape, how sure a network was. Nothing of it is lost on the way from a server and back, so that a
shape which was not changed is written as it was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

KINDS = ("rectangle", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton", "tag")
"""What a shape may be, in CVAT's words. A tag belongs to a whole image; a skeleton consists of parts."""

SOURCES = ("manual", "auto", "semi-auto", "file")
"""Who drew a shape, in CVAT's words."""

Attributes = tuple[tuple[str, str], ...]
"""Names and values of attributes, in the order of the label's specification."""


@dataclass(frozen=True)
class AttributeSpec:
    """An attribute that shapes of a label have.

    Attributes:
        name: Its name.
        input_type: ``select``, ``radio``, ``checkbox``, ``number`` or ``text``.
        values: What may be chosen, or minimum, maximum and step of a number.
        default: The value of new shapes.
        mutable: It may change along a track.
    """

    name: str
    input_type: str = "text"
    values: tuple[str, ...] = ()
    default: str = ""
    mutable: bool = False


@dataclass(frozen=True)
class LabelSpec:
    """A class of a task.

    Attributes:
        name: Its name.
        kind: What shapes of it must be, one of :data:`KINDS`, or ``any``.
        color: ``#rrggbb``, or empty.
        attributes: What its shapes say beside their place.
        parts: The keypoints of a skeleton, in the order of its drawing.
        edges: Pairs of names of parts that a skeleton joins.
        layout: Where parts lie in the drawing of a skeleton, as x and y from 0 to 100, one pair a part; empty for any.
    """

    name: str
    kind: str = "any"
    color: str = ""
    attributes: tuple[AttributeSpec, ...] = ()
    parts: tuple[LabelSpec, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    layout: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Shape:
    """Something drawn on one image.

    Attributes:
        kind: One of :data:`KINDS`.
        label: Name of its class; of a part, the name of the part.
        frame: Index of the image in the task.
        points: ``x1 y1 x2 y2 ...`` in pixels as the server counts them, where the top-left corner of the image is
            (0, 0); of a rectangle two corners, of a mask CVAT's run lengths and box; empty for skeletons and tags.
        parts: Of a skeleton, each with its own flags; they are told apart by label, never by place.
        occluded: Something hides it.
        outside: It is not there: a part that is not visible, or the end of a track.
        score: How sure a network was, 0 to 1; 1 for what a person drew.
        source: One of :data:`SOURCES`.
        attributes: See :data:`Attributes`.
        group: Shapes with the same number above 0 belong together.
        z_order: Greater ones lie on top.
        rotation: Of a rectangle or ellipse, degrees clockwise.
        keyframe: In a track: it was drawn, not interpolated.
        id: What the server numbers it by, or None.
    """

    kind: str
    label: str
    frame: int
    points: tuple[float, ...] = ()
    parts: tuple[Shape, ...] = ()
    occluded: bool = False
    outside: bool = False
    score: float = 1.0
    source: str = "manual"
    attributes: Attributes = ()
    group: int = 0
    z_order: int = 0
    rotation: float = 0.0
    keyframe: bool = True
    id: int | None = None


@dataclass(frozen=True)
class Track:
    """One object over time.

    Attributes:
        label: Name of its class.
        shapes: Where it is, ordered by frame; each holds until the next one.
        source: One of :data:`SOURCES`.
        attributes: Those that do not change along the track.
        group: Shapes and tracks with the same number above 0 belong together.
        id: What the server numbers it by, or None.
    """

    label: str
    shapes: tuple[Shape, ...]
    source: str = "manual"
    attributes: Attributes = ()
    group: int = 0
    id: int | None = None


@dataclass(frozen=True)
class TaskFrame:
    """An image of a task.

    Attributes:
        name: Its path as the server knows it.
        width: In pixels.
        height: In pixels.
        deleted: It was taken out of the task: it keeps its index, and nothing is drawn on it.
        index: The n-th frame the decoder gives, where :attr:`name` is a video; None for an image.
    """

    name: str
    width: int
    height: int
    deleted: bool = False
    index: int | None = None

    @property
    def file(self) -> str:
        """Its path as a file of its own: frame 12 of ``a/clip.mp4`` is ``a/clip/frame_000012.png``."""
        if self.index is None:
            return self.name
        return str(PurePosixPath(self.name).with_suffix("") / f"frame_{self.index:06d}.png")


@dataclass(frozen=True)
class AnnotationTask:
    """Images and everything drawn on them.

    Attributes:
        name: Its name; servers allow two of one name.
        labels: Its classes.
        frames: Its images; shapes name them by index.
        shapes: What is drawn on single images.
        tracks: What is followed over images.
        status: ``annotation``, ``validation`` or ``completed``.
        updated: When it last changed, in ISO 8601 as the server says it, or empty.
        created: When it was made, likewise.
        subset: What it is used for (``Train``, ``Validation``, ``Test``), or empty.
        id: What the server numbers it by, or None.
    """

    name: str
    labels: tuple[LabelSpec, ...]
    frames: tuple[TaskFrame, ...]
    shapes: tuple[Shape, ...] = ()
    tracks: tuple[Track, ...] = field(default=())
    status: str = "annotation"
    updated: str = ""
    created: str = ""
    subset: str = ""
    id: int | None = None

    def drawn(self) -> Iterator[Shape]:
        """All shapes, those of tracks too, as they stand in the files."""
        yield from self.shapes
        for track in self.tracks:
            yield from track.shapes
