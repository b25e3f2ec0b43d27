"""Frames to look through in the browser: pictures of every view with what is marked in them, and skeletons in space."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from vitruve.app.parts.component import component
from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.viewer_page import ShownFrame, viewer_data, viewer_part, viewer_script

_BYTES = 3_000_000
_A_NUMBER, _AN_ADDRESS = 8, 160


def show_frames(
    key: str,
    frames: Sequence[ShownFrame],
    skeleton: Skeleton,
    *,
    views: Sequence[str] = (),
    up: Sequence[float] = (0.0, 0.0, 1.0),
    fps: float = 0.0,
) -> None:
    """The viewer that ``vitruve visualize`` writes as a page: stepping and turning ask nothing of the server.

    Args:
        key: Unique on its page.
        frames: At least one, of one :func:`part`.
        skeleton: Gives names, edges and colours.
        views: Names of the views.
        up: Which way is up in space.
        fps: How fast frames are played, 1/s; 0 plays slowly.
    """
    html = f"<style>{viewer_part('viewer.css')}</style>{viewer_part('viewer_body.html')}"
    shown = component("viewer", viewer_script(), html=html)
    shown(key=key, data=viewer_data(frames, skeleton, views=views, up=up, fps=fps))


def part_length(keypoints: int, views: int, *, reprojected: bool = False, in_space: bool = False) -> int:
    """How many frames a browser is given at once.

    Args:
        keypoints: Of each frame.
        views: Whose pictures are shown.
        reprojected: Whether points in space are marked in them, too.
        in_space: Whether they are shown in space.

    Returns:
        At least 50: about 3 MB.
    """
    numbers = keypoints * (views * (4 if reprojected else 2) + (3 if in_space else 0))
    return max(50, _BYTES // (_A_NUMBER * numbers + _AN_ADDRESS * (views + 1)))


def choose_part(key: str, count: int, length: int, what: str) -> range:
    """A field for which of many frames are looked through, if they are too many for one go.

    Args:
        key: Of the field.
        count: How many frames there are.
        length: At most so many at once.
        what: What they are, such as ``Framesets``.

    Returns:
        Their numbers.
    """
    parts = [range(first, min(first + length, count)) for first in range(0, count, length)]
    if len(parts) == 1:
        return parts[0]
    names = {f"{part.start + 1} to {part.stop} of {count}": part for part in parts}
    chosen = st.selectbox(what, list(names), key=key)
    return names.get(chosen, parts[0])
