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
    views: Sequence[str] = (),
    shortest: bool = False,
) -> list[SelectedFrames]:
    """Choose different frames of videos to label next, and write them with their neighbours in time.

    Images go to ``labeled-data/<video>/img%08d.png``, named by the number of the frame in the video, and
    ``selected_frames.csv`` beside them names those to label. What is there already is kept, and frames that are
    labelled already, or look like them, are not chosen.

    Args:
        videos: One or several, or folders of them.
        n: Frames to choose of each video, or instants of each recording of several views, at least 1.
        output: The project's folder.
        context: Neighbours in time written before and behind each frame.
        seed: The same seed gives the same frames.
        run: A run that has predicted the videos; frames that it is unsure of are preferred.
        labels: A label file (``.csv``) that gets rows without coordinates, or a queue (``.jsonl``). With several views,
            each has its own: ``CollectedData_<view>.csv`` where ``CollectedData.csv`` is named.
        views: Names of synchronised views, whose videos are named ``SESSION_VIEW``: the same instants are chosen in
            all of them. By default those of the run or, without one, those that ``config.yaml`` of the project gives
            one label file each.
        shortest: Where the videos of two views differ in length, leave out the instants that not all have.

    Returns:
        What became of each video; the views of a recording one after the other.

    Raises:
        InputError: A video, its predictions or the label file are not as they should be, a view of a recording is
            missing, or its videos differ in length.
    """
    from vitruve.pipeline.select_frames import Selection
    from vitruve.pipeline.select_frames import select_frames as select

    listed = [videos] if isinstance(videos, (str, Path)) else list(videos)
    how = Selection(
        n,
        Path(output),
        context,
        seed,
        run=None if run is None else Path(run),
        labels=None if labels is None else Path(labels),
        views=tuple(views),
        shortest=shortest,
    )
    return select([Path(item) for item in listed], how)


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
