"""FiftyOne data sets of runs, as one function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VIDEO_ENDING = "_video"
"""What the names of data sets of videos end in, as Lightning Pose has it."""


@dataclass(frozen=True)
class CreatedDataset:
    """A FiftyOne data set that was made.

    Attributes:
        name: What it is called.
        samples: How many images or videos it has.
        models: Names of the runs by the first part of their fields: ``a`` for ``a_preds`` and so on.
    """

    name: str
    samples: int
    models: dict[str, str]


def create_fiftyone_dataset(
    runs: str | Path | Sequence[str | Path],
    name: str | None = None,
    *,
    model_names: Sequence[str] | None = None,
    videos: str | Path | Sequence[str | Path] = (),
    predictions: str | Path | None = None,
    images: str | Path | None = None,
    overwrite: bool = False,
    launch: bool = False,
    remote: bool = True,
    address: str = "127.0.0.1",
    port: int = 5151,
) -> CreatedDataset:
    """Put labels and the predictions of runs into a data set of the viewer FiftyOne.

    Args:
        runs: Run directories.
        name: What the data set is called; by default after the first run.
        model_names: What the runs are called, one name each; by default after their folders.
        videos: Show what the runs predicted on these videos (or folders of them) instead of on labelled images;
            ``_video`` is added to the name.
        predictions: Folder of the tables of videos, if not in the runs; with several runs, of a folder for each.
        images: The folder that names of labelled images start from; by default each run's ``data.data_dir``.
        overwrite: Replace a data set of this name that was made by this function.
        launch: Serve the page of the viewer, until Ctrl-C.
        remote: Open no browser on this machine.
        address: Address the page is served at.
        port: Port the page is served at.

    Returns:
        What was made. It is there as a whole or, after an error, not at all.

    Raises:
        MissingExtraError: FiftyOne is not installed.
        VitruveError: In one line, what is wrong with a run, an image, a video, the name or the database.
    """
    from vitruve.viewer.app import show
    from vitruve.viewer.comparison import compare, models_of
    from vitruve.viewer.database import load_fiftyone, new_dataset
    from vitruve.viewer.samples import fill_with_images, fill_with_videos
    from vitruve.viewer.tables import predicted_videos

    load_fiftyone()
    folders = [Path(runs)] if isinstance(runs, (str, Path)) else [Path(run) for run in runs]
    sources = [Path(videos)] if isinstance(videos, (str, Path)) else [Path(video) for video in videos]
    models = models_of(folders, model_names)
    called = name or "_".join(folders[0].absolute().parts[-2:])
    if sources:
        called += VIDEO_ENDING
        found = predicted_videos(sources, models, None if predictions is None else Path(predictions))
        with new_dataset(called, overwrite) as dataset:
            count = fill_with_videos(dataset, found, models)
    else:
        comparison = compare(models, None if images is None else Path(images))
        with new_dataset(called, overwrite) as dataset:
            count = fill_with_images(dataset, comparison, models)
    if launch:
        show(called, address=address, port=port, remote=remote)
    return CreatedDataset(called, count, {model.field: model.title for model in models})
