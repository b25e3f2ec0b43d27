"""The videos to be shown, and the tables of what runs predicted on them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitruve.errors import InputError
from vitruve.media.sources import expand_sources
from vitruve.media.video import is_video
from vitruve.viewer.comparison import Model

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictedVideo:
    """A video and what was predicted on it.

    Attributes:
        path: The video, absolute.
        tables: The table of each model that predicted it, by the model's field.
    """

    path: Path
    tables: dict[str, Path]


def predicted_videos(
    videos: Sequence[Path], models: Sequence[Model], predictions: Path | None = None
) -> list[PredictedVideo]:
    """Find the tables of videos.

    They are looked for in ``predictions``, then in ``video_preds`` of each run, then in the folder that its
    ``eval.saved_vid_preds_dir`` names.

    Args:
        videos: Video files, and folders of them. Of a folder, videos that no model predicted are left out.
        models: The runs.
        predictions: A folder of tables; with several models, of folders named after the last two of each run's path.

    Returns:
        At least one video, each predicted by at least one model; a warning names what is missing.

    Raises:
        InputError: A video is missing, was predicted by no model, or none is left.
    """
    shared = {model.field: [] if predictions is None else [_own_folder(predictions, model)] for model in models}
    if predictions is not None and len(models) == 1:
        shared[models[0].field].append(predictions)
    found = []
    for path in expand_sources(videos):
        if not is_video(path):
            raise InputError(f"{path}: not a video by its suffix; name videos, or folders of videos")
        places = {model.field: _table(path, model, shared[model.field]) for model in models}
        tables = {field: table for field, table in places.items() if table is not None}
        lacking = [model.title for model in models if model.field not in tables]
        if not tables and path in videos:
            raise InputError(f"{path}: not predicted yet; first: vitruve predict {models[0].run.path} {path}")
        if not tables:
            _log.warning("%s: left out, because no run predicted it", path)
            continue
        if lacking:
            _log.warning("%s: not predicted by %s", path, ", ".join(lacking))
        found.append(PredictedVideo(path.absolute(), tables))
    if not found:
        raise InputError(
            f"{videos[0]}: no video of it is predicted yet; first: vitruve predict {models[0].run.path} {videos[0]}"
        )
    return found


def _own_folder(predictions: Path, model: Model) -> Path:
    run = model.run.path.absolute()
    return predictions / f"{run.parent.name}_{run.name}"


def _table(video: Path, model: Model, shared: Sequence[Path]) -> Path | None:
    elsewhere = model.config.eval.saved_vid_preds_dir
    folders = [*shared, model.run.video_predictions, *([] if elsewhere is None else [elsewhere])]
    files = [folder / f"{video.stem}.csv" for folder in folders]
    return next((file for file in files if file.is_file()), None)
