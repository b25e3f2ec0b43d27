"""Annotated frames: what people label, and what networks predict."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.mask import Mask
from vitruve.structures.skeleton import Skeleton


@dataclass(frozen=True)
class ImageRef:
    """Where the pixels of one view of one frame lie.

    Attributes:
        path: An image or video file, absolute or relative to :attr:`Labels.root`.
        index: The n-th frame the decoder gives, for a video; None for an image.
        size: ``(width, height)`` in pixels where known.
        box: Edges ``x1 y1 x2 y2`` of the area to look at, in pixels; None for the whole image.
    """

    path: Path
    index: int | None = None
    size: tuple[int, int] | None = None
    box: tuple[float, float, float, float] | None = None

    @property
    def name(self) -> str:
        """How tables name this image: its path, or its frame number in a video."""
        return self.path.as_posix() if self.index is None else str(self.index)

    @property
    def missing(self) -> bool:
        """True for ``ImageRef(Path())``: the view does not exist at this instant, or is left out."""
        return self.index is None and self.path == Path()

    @property
    def shown_size(self) -> tuple[float, float] | None:
        """Width and height of what is to be looked at, in pixels: of the box or else the image; None if not known."""
        return self.size if self.box is None else (self.box[2] - self.box[0], self.box[3] - self.box[1])


@dataclass(frozen=True, eq=False)
class Frame:
    """One instant, seen in V views.

    Attributes:
        images: One reference a view; ``ImageRef(Path())`` where there is none.
        instances: ``(V, N, ...)`` what is there, in original pixels.
        session: Frames of one recording share it; cameras are looked up by it.
        split: ``train``, ``validation``, ``test``, ``unused``, or None when not yet drawn.
        instances_3d: ``(N, ...)`` the same in millimetres, where known.
        ignore: One mask a view of what nothing is known about, such as people without keypoints; None for no such
            part, and empty where no view has any.
        id: The number by which its file knows the image, or None.
    """

    images: tuple[ImageRef, ...]
    instances: Instances
    session: str = ""
    split: str | None = None
    instances_3d: Instances | None = None
    ignore: tuple[Mask | None, ...] = ()
    id: int | None = None

    @property
    def first_image(self) -> ImageRef:
        """The reference of the first view that is there."""
        return next((image for image in self.images if not image.missing), self.images[0])

    @property
    def name(self) -> str:
        """The name of the first image that is there."""
        return self.first_image.name


@dataclass(frozen=True, eq=False)
class Labels:
    """Frames that share one skeleton.

    Attributes:
        skeleton: The keypoints.
        frames: The frames, in the order of the file they came from.
        root: The folder that relative image paths start from.
        categories: Names of the classes, for detectors; a pose-only set has one.
        cameras: For each session, one camera a view.
        scorer: Who labelled, or which network predicted.
        view_names: Names of the V views, or empty when there is one nameless view.
    """

    skeleton: Skeleton
    frames: tuple[Frame, ...]
    root: Path = field(default_factory=Path)
    categories: tuple[str, ...] = ("object",)
    cameras: Mapping[str, tuple[Camera, ...]] = field(default_factory=dict)
    scorer: str = "vitruve"
    view_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> Labels: ...
    def __getitem__(self, index: int | slice | Sequence[int] | np.ndarray) -> Frame | Labels:
        """One frame by its number, or the labels of several by a slice, a list of numbers or a mask."""
        if isinstance(index, (int, np.integer)):
            return self.frames[int(index)]
        if isinstance(index, slice):
            return replace(self, frames=self.frames[index])
        if isinstance(index, np.ndarray) and index.dtype == bool:
            if len(index) != len(self):
                raise IndexError(f"a mask of {len(index)} for {len(self)} frames")
            index = np.flatnonzero(index)
        return replace(self, frames=tuple(self.frames[int(i)] for i in index))

    def path(self, image: ImageRef) -> Path:
        """The file of an image reference, resolved against :attr:`root`."""
        return self.root / image.path

    def views(self, numbers: Sequence[int]) -> Labels:
        """The same frames seen by some of the cameras only, in a new order.

        Args:
            numbers: Which views, counted from 0.

        Returns:
            Labels of these views; frames stay also where none of the views is there.
        """
        frames = tuple(
            replace(
                frame,
                images=tuple(frame.images[i] for i in numbers),
                instances=frame.instances[list(numbers)],
                ignore=tuple(frame.ignore[i] for i in numbers) if frame.ignore else (),
            )
            for frame in self.frames
        )
        cameras = {session: tuple(rig[i] for i in numbers) for session, rig in self.cameras.items()}
        names = tuple(self.view_names[i] for i in numbers) if self.view_names else ()
        return replace(self, frames=frames, cameras=cameras, view_names=names)

    def split(self, name: str) -> Labels:
        """The frames of one split.

        Args:
            name: ``train``, ``validation`` (``val``), ``test`` or ``unused``.

        Returns:
            Those frames; possibly none.
        """
        wanted = "validation" if name == "val" else name
        return replace(self, frames=tuple(frame for frame in self.frames if frame.split == wanted))

    def with_splits(self, names: Sequence[str | None]) -> Labels:
        """The same frames, each assigned to a split.

        Args:
            names: One name a frame.

        Returns:
            The assigned labels.
        """
        frames = tuple(replace(f, split=name) for f, name in zip(self.frames, names, strict=True))
        return replace(self, frames=frames)

    def with_categories(self, names: Sequence[str]) -> Labels:
        """The same frames, with their classes numbered as in another list.

        Args:
            names: Of the classes; all of these labels' are among them. Instances without a class are of the first.

        Returns:
            Labels with these classes.

        Raises:
            InputError: A class is not in the list.
        """
        lost = next((name for name in self.categories if name not in names), None)
        if lost is not None:
            raise InputError(f"labels of '{self.scorer}': class '{lost}' is none of {', '.join(names)}")
        places = np.array([*(list(names).index(name) for name in self.categories), -1], np.int64)
        frames = []
        for frame in self.frames:
            given = frame.instances.categories
            known = np.zeros(frame.instances.keypoints.shape[:-2], np.int64) if given is None else given
            frames.append(replace(frame, instances=replace(frame.instances, categories=places[known])))
        return replace(self, frames=tuple(frames), categories=tuple(names))

    def keypoints(self) -> Float[np.ndarray, "F V N K D"]:
        """All keypoints as one array, filled up with NaN to the largest number of instances."""
        return self._stacked("keypoints", trailing=2)

    def keypoint_scores(self) -> Float[np.ndarray, "F V N K"]:
        """All keypoint confidences as one array, NaN where there is none."""
        return self._stacked("keypoint_scores", trailing=1)

    def visible(self) -> Float[np.ndarray, "F V N K"]:
        """All visibilities as one array of floats, NaN where an instance only fills up the axis."""
        return self._stacked("visible", trailing=1)

    def _stacked(self, name: str, trailing: int) -> np.ndarray:
        if not self.frames:
            raise InputError("these labels hold no frame; at least one is needed here")
        most = max(f.instances.keypoints.shape[-3] for f in self.frames)
        views, _, joints, dims = self.frames[0].instances.keypoints.shape
        result = np.full((len(self.frames), views, most, *(joints, dims)[:trailing]), np.nan)
        for row, frame in zip(result, self.frames, strict=True):
            values = getattr(frame.instances, name)
            if values is not None:
                row[:, : values.shape[1]] = values
        return result

    def centers(self) -> Float[np.ndarray, "F V N 2"]:
        """The middle of the box around each instance's labelled keypoints, in pixels; NaN where none is."""
        keypoints = self.keypoints()[..., :2]
        with warnings.catch_warnings():
            # An instance without any keypoint has a NaN centre, and that is what is meant.
            warnings.simplefilter("ignore", RuntimeWarning)
            return (np.nanmin(keypoints, -2) + np.nanmax(keypoints, -2)) / 2

    @staticmethod
    def merge(parts: Iterable[Labels]) -> Labels:
        """All frames of several sets with the same skeleton.

        Args:
            parts: At least one set. Image paths of a set with another root become absolute.

        Returns:
            One set, with the first one's root and scorer.

        Raises:
            InputError: The keypoints, the views or the cameras of a session differ, or an image is labelled twice.
        """
        sets = list(parts)
        if not sets:
            raise InputError("nothing to merge: give at least one set of labels")
        first = sets[0]
        frames: list[Frame] = []
        for part in sets:
            if part.skeleton.names != first.skeleton.names:
                raise InputError(
                    f"labels of '{part.scorer}' have keypoints {', '.join(part.skeleton.names)}; "
                    f"the first set has {', '.join(first.skeleton.names)}: merge sets with the same keypoints"
                )
            for frame in part.frames:
                images = frame.images
                if frames and len(images) != len(frames[0].images):
                    raise InputError(
                        f"{frame.name}: {len(images)} views, but {frames[0].name} has {len(frames[0].images)}; "
                        "merge sets with the same views"
                    )
                if part.root != first.root:
                    images = tuple(replace(i, path=(part.root / i.path).resolve()) for i in images)
                frames.append(replace(frame, images=images))
        count = Counter(((first.root / f.first_image.path).resolve(), f.first_image.index) for f in frames)
        twice = next((key for key, number in count.items() if number > 1), None)
        if twice is not None:
            raise InputError(f"{twice[0]}: labelled in more than one of the merged sets; keep one of them")
        cameras: dict[str, tuple[Camera, ...]] = {}
        for part in sets:
            for session, views in part.cameras.items():
                if not same_cameras(cameras.setdefault(session, views), views):
                    raise InputError(
                        f"session '{session}': the merged sets have different cameras of it; give one session another "
                        "name, or both the same calibration"
                    )
        return replace(first, frames=tuple(frames), cameras=cameras)


def same_cameras(some: tuple[Camera, ...], others: tuple[Camera, ...]) -> bool:
    """Whether two rigs are the same, camera by camera; unknown sizes are equal."""
    return len(some) == len(others) and all(
        _same(getattr(a, item.name), getattr(b, item.name))
        for a, b in zip(some, others, strict=True)
        for item in fields(Camera)
    )


def _same(some: np.ndarray | None, other: np.ndarray | None) -> bool:
    if some is None or other is None:
        return some is other
    return np.array_equal(some, other, equal_nan=True)
