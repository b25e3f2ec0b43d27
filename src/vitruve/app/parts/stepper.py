"""Choosing a frame: a slider, buttons, a number, and the keys left, right, with shift, home and end."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from vitruve.app.parts.component import asset, component


def stepper(
    key: str,
    count: int,
    *,
    label: str = "Frame",
    start: int = 0,
    first: int = 0,
    fps: float = 0.0,
    keys: bool = True,
) -> int:
    """Let people choose one of several frames. Within a fragment, only that is run anew with each step.

    The choice is ``st.session_state[key]`` and outlives a change of the page. While frames are played or dragged
    through, the next one is asked for when the one before is there.

    Args:
        key: Of this choice; name the project and the video in it.
        count: How many frames there are, at least 1.
        label: What they are.
        start: Which one is shown first, counted from 0.
        first: What the first one is called, such as 1.
        fps: How fast they are played, 1/s; 0 for no such button.
        keys: Whether the keyboard steps; for one stepper of a page.

    Returns:
        The number of the frame, counted from 0.
    """
    chosen = min(max(_whole(st.session_state.get(key), start), 0), count - 1)
    st.session_state[key] = chosen
    inner = _inner(key)
    component("stepper", asset("frame_controls.js"), styles=("frame_controls.css",))(
        key=inner,
        data={
            "frame": chosen,
            "count": count,
            "label": label,
            "first": first,
            "fps": fps,
            "keys": keys,
            "jumps": st.session_state.get(_jumps(key), 0),
        },
        on_step_change=partial(_stepped, key, inner),
    )
    return chosen


def jump(key: str, frame: int) -> None:
    """Choose a frame from elsewhere, such as by a click into a plot; call it before :func:`stepper` in a run.

    Args:
        key: Of the choice.
        frame: Counted from 0.
    """
    st.session_state[key] = int(frame)
    st.session_state[_jumps(key)] = st.session_state.get(_jumps(key), 0) + 1


def _inner(key: str) -> str:
    return f"{key}/stepper"


def _jumps(key: str) -> str:
    return f"{key}/jumps"


def _stepped(key: str, inner: str) -> None:
    # The browser says [frame, a number that never repeats]: after a jump the same frame may be chosen again.
    said: Any = st.session_state[inner].get("step")
    if isinstance(said, list) and said:
        st.session_state[key] = _whole(said[0], st.session_state.get(key, 0))


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
