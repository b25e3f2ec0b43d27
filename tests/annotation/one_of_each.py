"""A task with everything that can be drawn, and its images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from annotation.conftest import png
from vitruve.structures.annotation import AnnotationTask, AttributeSpec, LabelSpec, Shape, TaskFrame, Track

HEALTH = AttributeSpec("health", "select", ("good", "bad"), "good")
POSE = AttributeSpec("pose", "text", (), "", mutable=True)
MOUSE = LabelSpec(
    "mouse",
    "skeleton",
    "#00ff00",
    (HEALTH, POSE),
    (
        LabelSpec("nose", "points", "#000001"),
        LabelSpec("tail", "points", "#000002", (POSE,)),
        LabelSpec("ear", "points", "#000003"),
    ),
    (("nose", "tail"), ("nose", "ear")),
    ((10.0, 20.5), (30.0, 40.0), (50.0, 10.0)),
)
LABELS = (
    LabelSpec("Dock", "rectangle", "#ff0000", (HEALTH,)),
    LabelSpec("any", "any", "#0000ff"),
    MOUSE,
    LabelSpec("süß", "tag", "#ffffff"),
)
FRAMES = tuple(TaskFrame(name, 40, 30) for name in ("a.png", "b.png", "c.png", "d.png"))


def part(label: str, frame: int, x: float, y: float, **more: object) -> Shape:
    """A part of a skeleton."""
    return replace(Shape("points", label, frame, (x, y)), **more)


SHAPES = (
    Shape("tag", "süß", 0),
    Shape(
        "rectangle",
        "Dock",
        0,
        (1.0, 2.0, 33.333333333333336, 4.1),
        score=0.9,
        rotation=12.5,
        z_order=3,
        group=2,
        attributes=(("health", "bad"),),
    ),
    Shape("polygon", "any", 1, (1.0, 2.0, 3.0, 4.0, 5.0, 0.0), occluded=True, group=2),
    Shape("polyline", "any", 1, (1.0, 2.0, 3.0, 4.0), source="semi-auto"),
    Shape("points", "any", 1, (1.0, 2.0, 3.0, 4.0, 7.0, 7.0)),
    Shape("ellipse", "any", 1, (20.0, 10.0, 25.0, 5.0), rotation=45.0),
    Shape("mask", "any", 1, (2.0, 3.0, 1.0, 0.0, 0.0, 2.0, 1.0)),
    Shape("rectangle", "any", 2, (-4.0, -2.0, 60.0, 50.0)),
    Shape(
        "skeleton",
        "mouse",
        2,
        parts=(
            part("nose", 2, 1.5, 2.25, occluded=True, score=0.3),
            part("tail", 2, 0.0, 0.0, outside=True, attributes=(("pose", "x"),)),
            part("ear", 2, 3.0, 4.0),
        ),
        attributes=(("health", "bad"), ("pose", "up")),
        score=0.75,
        source="auto",
        z_order=-1,
    ),
)
TRACKS = (
    Track(
        "mouse",
        (
            Shape(
                "skeleton",
                "mouse",
                0,
                parts=(part("nose", 0, 1.0, 1.0), part("tail", 0, 2.0, 2.0, attributes=(("pose", "t"),))),
                attributes=(("pose", "b"),),
            ),
            Shape(
                "skeleton",
                "mouse",
                1,
                parts=(part("tail", 1, 3.0, 3.0, occluded=True, attributes=(("pose", "u"),)),),
                keyframe=False,
            ),
            Shape("skeleton", "mouse", 3, outside=True, attributes=(("pose", "c"),)),
        ),
        attributes=(("health", "good"),),
        group=1,
    ),
    Track(
        "Dock",
        (
            Shape("rectangle", "Dock", 1, (1.0, 1.0, 5.0, 5.0), z_order=2, rotation=3.0, source="file"),
            Shape("rectangle", "Dock", 2, (3.0, 1.0, 7.0, 5.0), occluded=True, source="file"),
            Shape("rectangle", "Dock", 3, (3.0, 1.0, 7.0, 5.0), outside=True, source="file"),
        ),
        source="file",
        attributes=(("health", "bad"),),
    ),
)
TASK = AnnotationTask("one of each", LABELS, FRAMES, SHAPES, TRACKS, subset="Train")


def write_images(folder: Path, task: AnnotationTask = TASK) -> Path:
    """The images of a task, as files."""
    for number, frame in enumerate(task.frames):
        place = folder / frame.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(frame.width, frame.height, 10 * number))
    return folder


def plain(task: AnnotationTask) -> AnnotationTask:
    """A task without what a server numbers and dates."""

    def bare(shape: Shape) -> Shape:
        return replace(shape, id=None, parts=tuple(replace(p, id=None) for p in shape.parts))

    shapes = tuple(sorted((bare(shape) for shape in task.shapes), key=repr))
    tracks = (replace(t, id=None, shapes=tuple(bare(s) for s in t.shapes)) for t in task.tracks)
    return replace(
        task, id=None, updated="", created="", status="", shapes=shapes, tracks=tuple(sorted(tracks, key=repr))
    )
