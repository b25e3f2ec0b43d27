"""Parts of images with marks on them, as pages show them: the browser loads the image and draws the marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.app.analysis.labelled import Measured
from vitruve.app.media import frame_url, picture_size
from vitruve.app.workspace import Workspace
from vitruve.evaluation.matching import labelled_keypoints
from vitruve.structures.labels import ImageRef, Labels

LABEL = "#d55e00"
"""Colour of what is labelled."""

RING, DOT, LINE, BOX = "ring", "dot", "line", "box"
"""Kinds of marks."""

_MARGIN = 0.2
_LEAST = 12.0
_SHOWN_WIDTH = 900
_DECIMALS = 2


@dataclass(frozen=True)
class Mark:
    """A mark on an image.

    Attributes:
        kind: :data:`RING`, :data:`DOT`, :data:`LINE` or :data:`BOX`.
        x: Pixels of the original image: middle of a ring or dot, one end of a line, left edge of a box.
        y: The same downwards.
        color: As CSS has it.
        name: What it marks, such as a keypoint; marks of one name belong together.
        text: What is said of it under the pointer; the name by default.
        x2: The other end of a line, or right edge of a box.
        y2: The same downwards.
        dashed: Draw a box with a dashed line.
    """

    kind: str
    x: float
    y: float
    color: str
    name: str = ""
    text: str = ""
    x2: float = 0.0
    y2: float = 0.0
    dashed: bool = False


@dataclass(frozen=True)
class Picture:
    """A part of an image with marks.

    Attributes:
        url: Where the browser finds the image.
        width: Of the original image, in pixels.
        height: Of the original image, in pixels.
        box: Edges ``x1 y1 x2 y2`` of the part that is shown, in pixels of the original image.
        marks: What is drawn, the first below the others.
        title: Below it.
        lines: Below the title.
    """

    url: str
    width: int
    height: int
    box: tuple[float, float, float, float]
    marks: tuple[Mark, ...] = ()
    title: str = ""
    lines: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """All of it as plain values, without more digits than can be seen."""
        values = asdict(self)
        values["box"] = [round(float(each), _DECIMALS) for each in self.box]
        for mark in values["marks"]:
            mark |= {key: round(float(mark[key]), _DECIMALS) for key in ("x", "y", "x2", "y2")}
        return values


def image_part(
    workspace: Workspace,
    labels: Labels,
    image: ImageRef,
    points: Float[np.ndarray, "_ 2"],
    marks: Sequence[Mark] = (),
    title: str = "",
    lines: Sequence[str] = (),
    margin: float = _MARGIN,
) -> Picture | None:
    """The part of an image that some points are in.

    Args:
        workspace: What may be shown.
        labels: Whose image it is.
        image: Which one.
        points: In pixels, NaN where missing; without any, the whole image is shown.
        marks: See :class:`Picture`.
        title: See :class:`Picture`.
        lines: See :class:`Picture`.
        margin: What is shown around the points, as a share of the longer side of the box around them.

    Returns:
        The picture; None where the image is not there, or lies outside the workspace.
    """
    path = labels.path(image)
    if image.missing or not path.is_file() or not workspace.holds(path):
        return None
    width, height = image.size or picture_size(path)
    box = _around(points, (width, height), margin)
    # No more pixels than are seen: a small part of a large image needs all of them, the whole does not.
    wanted = round(width * _SHOWN_WIDTH / max(box[2] - box[0], 1.0))
    url = frame_url(workspace, path.resolve(), image.index or 0, wanted if wanted < width else 0)
    return Picture(url, width, height, box, tuple(marks), title, tuple(lines))


def pose_marks(
    measured: Mapping[str, Measured], colors: Mapping[str, str], image: str, view: str
) -> tuple[list[Mark], Float[np.ndarray, "_ 2"]]:
    """Labels as rings, predictions of runs as dots, and lines from the ones to the others.

    Args:
        measured: By the name of the run.
        colors: Of the runs.
        image: Name of the image.
        view: Name of the view.

    Returns:
        The marks, and all points that are marked, in pixels.
    """
    lines, dots, rings, points = [], [], [], []
    for run, each in measured.items():
        number = each.places.get((image, view))
        if number is None:
            continue
        frame, place = number
        names = each.report.truth.skeleton.names
        truth = labelled_keypoints(each.report.truth[frame].instances.numpy())[place]
        found = np.asarray(each.report.predictions[frame].instances.keypoints)[place]
        for n, k in np.argwhere(np.isfinite(truth).all(-1)).tolist():
            (x, y), (x2, y2) = truth[n, k].tolist(), found[n, k].tolist()
            points.append((x, y))
            ring = Mark(RING, x, y, LABEL, names[k], f"{names[k]}: label")
            if ring not in rings:
                rings.append(ring)
            if np.isfinite((x2, y2)).all():
                points.append((x2, y2))
                away = float(np.hypot(x2 - x, y2 - y))
                lines.append(Mark(LINE, x, y, colors[run], names[k], x2=x2, y2=y2))
                dots.append(Mark(DOT, x2, y2, colors[run], names[k], f"{names[k]}: {run}, {away:.1f} px away"))
    return [*lines, *rings, *dots], np.array(points, np.float64).reshape(-1, 2)


def _around(
    points: Float[np.ndarray, "_ 2"], size: tuple[int, int], margin: float
) -> tuple[float, float, float, float]:
    """Edges of a part of an image, three quarters as high as wide where the image is large enough."""
    last = np.array(size) - 0.5
    known = points[np.isfinite(points).all(-1)].clip((-0.5, -0.5), last)
    if not len(known):
        return (-0.5, -0.5, float(last[0]), float(last[1]))
    low, high = known.min(0), known.max(0)
    half = np.maximum((high - low) / 2, 0) + max(margin * float((high - low).max()), _LEAST)
    wide = max(half[0], half[1] * 4 / 3)
    half, middle = np.minimum(np.array([wide, wide * 3 / 4]), (last + 0.5) / 2), (low + high) / 2
    middle = np.clip(middle, half - 0.5, last - half)
    x1, y1, x2, y2 = np.concatenate([middle - half, middle + half]).tolist()
    return (x1, y1, x2, y2)
