"""The verbs of a project before training, as functions: which frames to label, and which settings to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitruve.pipeline.recommend import Recommendation
    from vitruve.pipeline.select_frames import SelectedFrames


def select_frames(
    videos: str | Path | Sequence[str | Path],
    n: int = 20,
    *,
    output: str | Path = ".",
    context: int = 2,
    seed: int = 0,
    run: str | Path | None = None,
    labels: str | Path | None = None,
) -> list[SelectedFrames]:
    """Choose different frames of videos to label next, and write them with their neighbours in time.

    Images go to ``labeled-data/<video>/img%08d.png``, named by the number of the frame in the video, and
    ``selected_frames.csv`` beside them names those to label. What is there already is kept, and frames that are
    labelled already, or look like them, are not chosen.

    Args:
        videos: One or several, or folders of them.
        n: Frames to choose of each video, at least 1.
        output: The project's folder.
        context: Neighbours in time written before and behind each frame.
        seed: The same seed gives the same frames.
        run: A run that has predicted the videos; frames that it is unsure of are preferred.
        labels: A label file (``.csv``) that gets rows without coordinates, or a queue (``.jsonl``).

    Returns:
        What became of each video.

    Raises:
        InputError: A video, its predictions or the label file are not as they should be.
    """
    from vitruve.pipeline.select_frames import select_frames as select

    listed = [videos] if isinstance(videos, (str, Path)) else list(videos)
    return select(
        [Path(item) for item in listed],
        n,
        Path(output),
        context=context,
        seed=seed,
        run=None if run is None else Path(run),
        labels=None if labels is None else Path(labels),
    )


def recommend(dataset: str | Path, output: str | Path | None = None) -> Recommendation:
    """Recommend settings for a labelled project, each with its reason, from what it holds and what this machine has.

    Args:
        dataset: A label file of any known format, or a project folder.
        output: The settings file to write; None writes none, and ``.yaml`` of the result is its text.

    Returns:
        The settings, their reasons, and what they follow from.

    Raises:
        InputError: There are no labels, or the file is there already.
    """
    from vitruve.pipeline.recommend import recommend as make

    return make(Path(dataset), None if output is None else Path(output))
