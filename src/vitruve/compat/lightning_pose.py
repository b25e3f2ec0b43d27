"""The functions that scripts for Lightning Pose combine, under their names there.

A script changes its import line. ``cfg`` is what Hydra hands over, a mapping, or the path of a YAML file. A checkpoint
is a run directory: what ``trainer.checkpoint_callback.best_model_path`` names after training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitruve.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from vitruve.api import Run
    from vitruve.config.schema import Config
    from vitruve.data.augment import Augmentation
    from vitruve.training.module import PoseModule
    from vitruve.training.parts import PoseDataModule
    from vitruve.training.prepare import Prepared


def get_imgaug_transform(cfg: Any) -> Augmentation:
    """The augmentation of ``training.imgaug``.

    Args:
        cfg: The settings.

    Returns:
        Probabilities and strengths.
    """
    from vitruve.data.augment import augmentation

    training = _config(cfg).training
    return augmentation(training.imgaug, training.imgaug_hflip)


def get_dataset(cfg: Any, data_dir: str | Path | None = None, imgaug_transform: Augmentation | None = None) -> Prepared:
    """The labelled frames, checked and split.

    Args:
        cfg: The settings.
        data_dir: In place of ``data.data_dir``.
        imgaug_transform: Accepted for the script's sake: the settings say the same.

    Returns:
        Labels, task and algorithm.
    """
    from vitruve.training.prepare import prepare

    return prepare(_config(cfg, data={} if data_dir is None else {"data_dir": str(data_dir)}))


def get_data_module(cfg: Any, dataset: Prepared, video_dir: str | Path | None = None) -> PoseDataModule:
    """The batches of labelled frames and of unlabelled video.

    Args:
        cfg: The settings.
        dataset: Of :func:`get_dataset`.
        video_dir: In place of ``data.video_dir``.

    Returns:
        A Lightning data module.
    """
    from vitruve.training.parts import PoseDataModule

    return PoseDataModule(_config(cfg, data={} if video_dir is None else {"video_dir": str(video_dir)}), dataset)


def get_loss_factories(cfg: Any, data_module: PoseDataModule) -> dict[str, Any]:
    """The losses in use, for people to look at: the model has them already.

    Args:
        cfg: The settings.
        data_module: Of :func:`get_data_module`.

    Returns:
        ``supervised`` and ``unsupervised`` names.
    """
    config = _config(cfg)
    return {"supervised": [config.model.model_type], "unsupervised": list(config.model.losses_to_use)}


def get_model(cfg: Any, data_module: PoseDataModule, loss_factories: Mapping[str, Any] | None = None) -> PoseModule:
    """The network with its losses.

    Args:
        cfg: The settings.
        data_module: Of :func:`get_data_module`.
        loss_factories: Of :func:`get_loss_factories`.

    Returns:
        A Lightning module.
    """
    return data_module.parts.module


def get_callbacks(cfg: Any, **switches: bool) -> list[Any]:
    """The callback that keeps the best weights as a run.

    Args:
        cfg: The settings.
        **switches: Accepted for the script's sake: freezing, annealing and learning rates need no callback here.

    Returns:
        Lightning callbacks.
    """
    from vitruve.training.parts import RunCheckpoint

    return [RunCheckpoint()]


def calculate_train_batches(cfg: Any, dataset: Prepared | None = None) -> int | float | None:
    """What ``limit_train_batches`` of the trainer should be.

    Args:
        cfg: The settings.
        dataset: Of :func:`get_dataset`.

    Returns:
        Batches (a whole number) or a share; None for all of them.
    """
    return _config(cfg).training.limit_train_batches


def load_model_from_checkpoint(cfg: Any, ckpt_file: str | Path, eval: bool = False, **ignored: Any) -> Run:
    """A trained network.

    Args:
        cfg: The settings; the run has its own.
        ckpt_file: The run directory.
        eval: Accepted for the script's sake: a run only predicts.
        **ignored: Likewise.

    Returns:
        The run, ready to predict.
    """
    from vitruve import api

    return api.load_run(ckpt_file)


def predict_dataset(
    cfg: Any, data_module: PoseDataModule, preds_file: str | Path, ckpt_file: str | Path, **ignored: Any
) -> pd.DataFrame:
    """Predictions on all labelled frames, with their split.

    Args:
        cfg: The settings.
        data_module: Of :func:`get_data_module`.
        preds_file: The CSV file to write.
        ckpt_file: The run directory.
        **ignored: Accepted for the script's sake.

    Returns:
        The table.
    """
    from vitruve import api
    from vitruve.atomic import atomic_write
    from vitruve.formats.table import to_frame

    run, prepared = api.load_run(ckpt_file, frames_expected=0), data_module.prepared
    predictions = run.predictor.predict_labels(prepared.labels, prepared.cache)
    table = to_frame(replace(predictions, scorer=str(run.record["scorer"])), likelihood=True, split=True)
    atomic_write(Path(preds_file), table.to_csv(float_format="%.4f"))
    return table


def compute_metrics(cfg: Any, preds_file: str | Path, data_module: PoseDataModule | None = None) -> None:
    """The tables of errors beside predictions: pixel error where there are labels, motion and PCA errors.

    Args:
        cfg: The settings.
        preds_file: Predictions on labelled frames (with a column ``set``) or on a video.
        data_module: Of :func:`get_data_module`; with it, the distance from the labelled poses is measured too.
    """
    from vitruve.atomic import atomic_write
    from vitruve.evaluation.report import evaluate
    from vitruve.formats.hub import read_labels
    from vitruve.pipeline.diagnostics import write_for_labels, write_for_video
    from vitruve.run import RunFiles

    path = Path(preds_file)
    subspaces = {} if data_module is None else data_module.parts.subspaces
    with path.open(encoding="utf-8") as stream:
        labelled = stream.readline().rstrip().endswith("set")
    if not labelled:
        write_for_video([path], subspaces)
        return
    if data_module is None:
        raise InputError(f"{path}: pixel errors need the labels; give data_module")
    labels = data_module.prepared.labels
    found = replace(read_labels(path, "lightning_pose", labels.root), skeleton=labels.skeleton)
    errors = evaluate(labels, found).pixel_error_table(None)
    atomic_write(path.with_name(f"{path.stem}_pixel_error.csv"), errors.to_csv(float_format="%.4f"))
    write_for_labels(RunFiles(path.parent), found, subspaces, path.stem)


def predict_single_video(
    video_file: str | Path, ckpt_file: str | Path, preds_file: str | Path, **ignored: Any
) -> pd.DataFrame:
    """Predictions on a video.

    Args:
        video_file: The video.
        ckpt_file: The run directory.
        preds_file: The CSV file to write.
        **ignored: Accepted for the script's sake.

    Returns:
        The table.
    """
    from vitruve.formats.table import read_predictions

    _predict_to(Path(video_file), Path(ckpt_file), Path(preds_file), None)
    return read_predictions(Path(preds_file))


def export_predictions_and_labeled_video(
    video_file: str | Path,
    cfg: Any,
    prediction_csv_file: str | Path,
    ckpt_file: str | Path,
    labeled_mp4_file: str | Path | None = None,
    **ignored: Any,
) -> None:
    """Predictions on a video, and the video with them drawn in.

    Args:
        video_file: The video.
        cfg: The settings.
        prediction_csv_file: The CSV file to write.
        ckpt_file: The run directory.
        labeled_mp4_file: The video to write, or None.
        **ignored: Accepted for the script's sake.
    """
    drawn = None if labeled_mp4_file is None else Path(labeled_mp4_file)
    _predict_to(Path(video_file), Path(ckpt_file), Path(prediction_csv_file), drawn)


def train(cfg: Any) -> Path:
    """Train as ``vitruve train`` does.

    Args:
        cfg: The settings.

    Returns:
        The run directory.
    """
    from vitruve import api

    return api.train(_config(cfg))[0]


def predict_new_videos(arguments: Sequence[str]) -> list[Path]:
    """What ``scripts/predict_new_vids.py`` does: several models on the videos of a folder.

    Args:
        arguments: ``--config-path``, ``--config-name`` and overrides. ``eval.hydra_paths`` names the run directories,
            absolute, or below the current folder or its ``outputs``; ``eval.test_videos_directory`` the videos;
            ``eval.saved_vid_preds_dir`` the folder of the results, null for the one of the videos. With several models
            each has a folder of its own there, named after its run. ``format=h5`` writes HDF5 as well.

    Returns:
        The tables.

    Raises:
        ConfigError: A setting is missing or wrong.
    """
    from vitruve import api
    from vitruve.config.compose import compose

    named, overrides = script_options(arguments)
    formats = ["csv", "h5"] if "format=h5" in overrides else ["csv"]
    overrides = [item for item in overrides if not item.startswith("format=")]
    settings = compose(named.get("--config-path"), named.get("--config-name"), overrides, quiet=True).config.eval
    if not settings.hydra_paths or settings.test_videos_directory is None:
        missing = "eval.hydra_paths" if not settings.hydra_paths else "eval.test_videos_directory"
        raise ConfigError(f"{missing}: not set; give {missing}=... on the command line or in the settings file")
    runs = [run_directory(path) for path in settings.hydra_paths]
    folder = settings.saved_vid_preds_dir or settings.test_videos_directory
    done = []
    for run in runs:
        target = folder if len(runs) == 1 else folder / f"{run.parent.name}_{run.name}"
        done += api.predict(
            run,
            settings.test_videos_directory,
            output=target,
            formats=formats,
            labeled_video=settings.save_vids_after_training,
        )
    return [one.table for one in done]


def _predict_to(video: Path, run: Path, table: Path, drawn: Path | None) -> None:
    """Predict into a file of any name."""
    from vitruve.inference.drawing import Look, draw_video
    from vitruve.inference.files import predict_to_files
    from vitruve.inference.jobs import Job
    from vitruve.inference.open import open_run

    opened = open_run(run, frames_expected=0)
    job = Job(video, table)
    predict_to_files(opened.predictor, job, scorer=str(opened.record["scorer"]), identity=opened.identity)
    if drawn is not None:
        look = Look(opened.config.eval.confidence_thresh_for_vid, opened.config.eval.colormap)
        draw_video(video, table, drawn, opened.predictor.algorithm.task.skeleton, look)


def run_directory(named: str) -> Path:
    """The folder that an entry of ``eval.hydra_paths`` means.

    Args:
        named: An absolute path, or one below the current folder or its ``outputs``.

    Returns:
        The folder.

    Raises:
        ConfigError: There is no such folder.
    """
    places = [Path(named), Path("outputs", named)]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise ConfigError(f"eval.hydra_paths: no run directory {named}, neither here nor in outputs")
    return found.resolve()


def script_options(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options among a script's arguments, and all others.

    Args:
        arguments: ``--name=value``, ``--name value`` and overrides.

    Returns:
        Values by ``--name``, and the overrides.

    Raises:
        ConfigError: An option has no value.
    """
    options, overrides = {}, []
    left = iter(arguments)
    for item in left:
        if not item.startswith("--"):
            overrides.append(item)
            continue
        name, equals, value = item.partition("=")
        found = value if equals else next(left, None)
        if found is None:
            raise ConfigError(f"{name}: no value follows; give {name}=...")
        options[name] = found
    return options, overrides


def _config(cfg: Any, **changes: Mapping[str, Any]) -> Config:
    """Settings of whatever a script hands over, with some of them changed."""
    from vitruve.config.schema import Config

    if isinstance(cfg, (str, Path)):
        cfg = Config.load(cfg)
    values = cfg.model_dump(mode="json") if isinstance(cfg, Config) else _plain(cfg)
    for section, keys in changes.items():
        values[section] = {**values.get(section, {}), **keys}
    return Config.from_mapping(values)


def _plain(value: Any) -> Any:
    """Mappings and lists of any kind as dictionaries and lists."""
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
