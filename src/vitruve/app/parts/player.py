"""A video as the browser plays it."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from vitruve.app.media import file_url
from vitruve.app.now import warnings_of
from vitruve.app.parts.jobs import jobs_of
from vitruve.app.parts.text import verbatim
from vitruve.app.place import Place


def player(place: Place, video: Path) -> None:
    """Show a video with the browser's own buttons, and a link to save it; above it what was warned of it.

    Args:
        place: Where.
        video: Below the folders of the workspace.
    """
    for line in _warned(place, video):
        st.warning(verbatim(line), icon=":material/warning:")
    address = escape(file_url(place.workspace, video))
    st.html(
        f'<video src="{address}" controls loop muted playsinline '
        'style="width:100%;max-height:60vh;background:#000;border-radius:0.5rem;display:block"></video>'
        f'<a href="{address}" download="{escape(video.name)}">Download {escape(video.name)}</a>'
    )


def _warned(place: Place, video: Path) -> list[str]:
    """What the job that wrote a video has warned of it, such as that it shows few keypoints."""
    begins = f"{video}: "
    for job in jobs_of(place):
        texts = [line.removeprefix(begins) for line in warnings_of(job) if line.startswith(begins)]
        said = [text[:1].upper() + text[1:] for text in texts]
        if said:
            # An earlier one has been written over, unless the video is older than this.
            return said if video.stat().st_mtime <= (job.ended or video.stat().st_mtime) else []
    return []
