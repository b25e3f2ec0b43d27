"""A video as the browser plays it."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from vitruve.app.media import file_url
from vitruve.app.place import Place


def player(place: Place, video: Path) -> None:
    """Show a video with the browser's own buttons, and a link to save it.

    Args:
        place: Where.
        video: Below the folders of the workspace.
    """
    address = escape(file_url(place.workspace, video))
    st.html(
        f'<video src="{address}" controls loop muted playsinline '
        'style="width:100%;max-height:60vh;background:#000;border-radius:0.5rem;display:block"></video>'
        f'<a href="{address}" download="{escape(video.name)}" style="color:inherit">Download {escape(video.name)}</a>'
    )
