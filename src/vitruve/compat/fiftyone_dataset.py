"""The script of Lightning Pose that makes a FiftyOne data set of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitruve.errors import ConfigError

if TYPE_CHECKING:
    from vitruve.viewer.create import CreatedDataset


def create_dataset(arguments: Sequence[str]) -> CreatedDataset:
    """What ``scripts/create_fiftyone_dataset.py`` does.

    Args:
        arguments: ``--config-path``, ``--config-name`` and overrides. ``eval.hydra_paths`` names the run directories,
            as for ``scripts/predict_new_vids.py``; ``eval.fiftyone.*`` the data set. With
            ``eval.fiftyone.dataset_to_create=videos`` it has the videos of ``eval.test_videos_directory``.

    Returns:
        What was made.

    Raises:
        ConfigError: A setting is missing or wrong.
        VitruveError: As for :func:`vitruve.api.create_fiftyone_dataset`.
    """
    from vitruve import api
    from vitruve.compat.lightning_pose import run_directory, script_options
    from vitruve.config.compose import compose

    named, overrides = script_options(arguments)
    config = compose(named.get("--config-path"), named.get("--config-name"), overrides, quiet=True).config
    settings, viewer = config.eval, config.eval.fiftyone
    of_videos = viewer.dataset_to_create == "videos"
    videos = settings.test_videos_directory if of_videos else None
    missing = "eval.test_videos_directory" if of_videos and videos is None else None
    missing = missing if settings.hydra_paths else "eval.hydra_paths"
    if missing is not None:
        raise ConfigError(f"{missing}: not set; give {missing}=... on the command line or in the settings file")
    runs = [run_directory(path) for path in settings.hydra_paths]
    names = viewer.model_display_names
    # The files of Lightning Pose name one model; with several runs that is no choice the user made.
    unnamed = len(names) != len(runs) and names == type(viewer).model_fields["model_display_names"].default
    return api.create_fiftyone_dataset(
        runs,
        viewer.dataset_name,
        model_names=None if unnamed else names,
        videos=() if videos is None else videos,
        predictions=settings.saved_vid_preds_dir or videos,
        images=config.data.data_dir,
        overwrite=viewer.overwrite,
        launch=viewer.launch_app_from_script,
        remote=viewer.remote,
        address=viewer.address,
        port=viewer.port,
    )
