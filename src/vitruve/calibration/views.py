"""The corners found in a whole recording."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from vitruve.calibration.detection import find_corners, why_none
from vitruve.calibration.recordings import Frames, Source, matched_frames
from vitruve.errors import InputError
from vitruve.geometry.board import Board

_KEPT = 4
FEWEST_VIEWS = 4
"""Images with a board that a camera needs; a good calibration has twenty and more."""


@dataclass(frozen=True)
class Views:
    """Images that show the board.

    Attributes:
        board: What they show.
        names: Of the V cameras.
        sizes: ``(V, 2)`` width and height, px.
        camera: ``(M,)`` which camera, an image.
        instant: ``(M,)`` images of the same number were taken at the same instant.
        pixels: ``(M, N, 2)`` corners, NaN where not found.
        searched: ``(V,)`` how many images were looked at.
        notes: What the user should know of the recordings.
    """

    board: Board
    names: tuple[str, ...]
    sizes: Int[np.ndarray, "V 2"]
    camera: Int[np.ndarray, " M"]
    instant: Int[np.ndarray, " M"]
    pixels: Float[np.ndarray, "M N 2"]
    searched: Int[np.ndarray, " V"]
    notes: tuple[str, ...] = ()

    def where(self, chosen: Bool[np.ndarray, " M"]) -> Views:
        """Some of the images.

        Args:
            chosen: Which.

        Returns:
            The same with fewer images.
        """
        return replace(self, camera=self.camera[chosen], instant=self.instant[chosen], pixels=self.pixels[chosen])


@dataclass
class _Task:
    """One image to look at."""

    camera: int
    instant: int
    number: int
    corners: np.ndarray | None = None


def find_views(board: Board, sources: Sequence[Source], *, most: int = 100, shortest: bool = False) -> Views:
    """Look for the board in images spread over all recordings.

    Args:
        board: What to look for.
        sources: The recordings.
        most: Images of a recording at the most.
        shortest: Whether recordings of different lengths are used up to the end of the shortest.

    Returns:
        The corners.

    Raises:
        InputError: A recording cannot be read, or a camera shows the board too rarely; the message says why.
    """
    names = tuple(dict.fromkeys(source.camera for source in sources))
    opened = [source.frames() for source in sources]
    sizes = _sizes(names, sources, opened)
    tasks, notes = _tasks(names, sources, opened, most, shortest)
    unseen: dict[int, list[np.ndarray]] = {}

    def look(place: int) -> None:
        for task in tasks[place]:
            image = opened[place].read(task.number)
            task.corners = find_corners(board, image)
            kept = unseen.setdefault(task.camera, [])
            if task.corners is None and len(kept) < _KEPT:
                kept.append(image)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(look, range(len(opened))))
    every = [task for listed in tasks for task in listed]
    found = [task for task in every if task.corners is not None]
    views = Views(
        board,
        names,
        sizes,
        np.array([task.camera for task in found], int),
        np.array([task.instant for task in found], int),
        np.array([task.corners for task in found]).reshape(len(found), len(board.points), 2),
        np.bincount([task.camera for task in every], minlength=len(names)),
        tuple(notes),
    )
    _refuse_too_few(views, unseen)
    return views


def _sizes(names: Sequence[str], sources: Sequence[Source], opened: Sequence[Frames]) -> np.ndarray:
    sizes: dict[str, tuple[int, int]] = {}
    for source, frames in zip(sources, opened, strict=True):
        size = sizes.setdefault(source.camera, frames.size)
        if size != frames.size:
            raise InputError(
                f"{source.path}: {frames.size[0]}x{frames.size[1]} px, but another recording of camera "
                f"'{source.camera}' has {size[0]}x{size[1]}; calibrate at the resolution that is recorded with"
            )
    return np.array([sizes[name] for name in names])


def _tasks(
    names: Sequence[str], sources: Sequence[Source], opened: Sequence[Frames], most: int, shortest: bool
) -> tuple[list[list[_Task]], list[str]]:
    """The images to look at, a source, with their instants counted over all sessions."""
    tasks: list[list[_Task]] = [[] for _ in sources]
    notes, instants = [], 0
    groups: dict[str, list[int]] = {}
    for place, source in enumerate(sources):
        groups.setdefault(f"alone {place}" if source.session is None else f"session {source.session}", []).append(place)
    for places in groups.values():
        rows, note = matched_frames([opened[place] for place in places], most, shortest=shortest)
        notes += [note] if note else []
        for instant, row in enumerate(rows, instants):
            for place, number in zip(places, row, strict=True):
                if number is not None:
                    tasks[place].append(_Task(names.index(sources[place].camera), instant, number))
        instants += len(rows)
    return tasks, notes


def _refuse_too_few(views: Views, unseen: dict[int, list[np.ndarray]]) -> None:
    lacking = []
    for camera, name in enumerate(views.names):
        found, searched = int((views.camera == camera).sum()), int(views.searched[camera])
        if not found:
            reason = why_none(views.board, unseen.get(camera, []))
            lacking.append(f"camera '{name}': no board in {searched} images: {reason}")
        elif found < FEWEST_VIEWS:
            lacking.append(
                f"camera '{name}': the board is found in {found} of {searched} images; at least {FEWEST_VIEWS} are "
                "needed, better 20: show it longer, nearer and whole"
            )
    if lacking:
        raise InputError("; ".join(lacking))
