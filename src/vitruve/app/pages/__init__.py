"""The pages of the web app, one a module with a function ``show(place)``, which is loaded when its page is opened."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vitruve.app.place import Place


@dataclass(frozen=True)
class Page:
    """What the navigation knows of a page without loading it.

    Attributes:
        name: Of its module in this package, and in its address.
        section: The part of the navigation that it stands in.
        title: What it is called.
        icon: Streamlit's name of one.
        needs_project: There is something to see only where a project is open.
    """

    name: str
    section: str
    title: str
    icon: str
    needs_project: bool = True

    def load(self) -> Callable[[Place], None]:
        """Import its module.

        Returns:
            What shows it.
        """
        show: Callable[[Place], None] = importlib.import_module(f"{__name__}.{self.name}").show
        return show


PAGES = (
    Page("overview", "Project", "Overview", ":material/home:", needs_project=False),
    Page("create_project", "Project", "New project", ":material/add_circle:", needs_project=False),
    Page("settings", "Project", "Settings", ":material/tune:"),
    Page("train", "Training", "Train", ":material/model_training:"),
    Page("compare_runs", "Training", "Compare runs", ":material/stacked_line_chart:"),
    Page("queue", "Training", "Queue", ":material/list_alt:", needs_project=False),
    Page("predict", "Prediction", "Predict", ":material/play_circle:"),
    Page("labels_2d", "Visualization", "Labels 2D", ":material/image_search:"),
    Page("labels_3d", "Visualization", "Labels 3D", ":material/3d_rotation:"),
    Page("create_video", "Visualization", "Create video", ":material/movie_edit:"),
    Page("playback_3d", "Visualization", "Playback 3D", ":material/motion_play:"),
    Page("video_traces", "Visualization", "Video and traces", ":material/timeline:"),
    Page("analyze_frames", "Analysis", "Labelled frames", ":material/analytics:"),
    Page("analyze_videos", "Analysis", "Videos compared", ":material/query_stats:"),
    Page("analyze_3d", "Analysis", "Points in space", ":material/deployed_code:"),
    Page("detectors", "Analysis", "Detectors", ":material/select_all:"),
    Page("study", "Data", "Search", ":material/manage_search:"),
    Page("map", "Data", "Map", ":material/scatter_plot:"),
    Page("statistics", "Data", "Statistics", ":material/bar_chart:"),
    Page("review", "Data", "Review proposals", ":material/rate_review:"),
)
"""In the order of the navigation; the first is the one that the app begins with."""


def load_all() -> threading.Thread:
    """Begin to load all pages, so that nobody waits for what they stand on, which takes seconds.

    Returns:
        What loads them; it need not be waited for.
    """

    def load() -> None:
        for page in PAGES:
            # A page that cannot be loaded says so when it is opened.
            with suppress(Exception):
                page.load()
        # Whoever collects garbage would look at all that was loaded each time: with everything that stands on torch
        # that takes a quarter of a second in which no page is drawn.
        gc.collect()
        gc.freeze()

    thread = threading.Thread(target=load, name="pages", daemon=True)
    thread.start()
    return thread
