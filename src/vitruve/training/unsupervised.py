"""Learning from unlabelled video: which terms, on which windows, with what weight in which epoch."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from vitruve.algorithms.base import Algorithm
from vitruve.codecs import heatmap
from vitruve.config.schema import Config
from vitruve.data.augment import Augmentation
from vitruve.data.windows import VideoWindows
from vitruve.errors import ConfigError
from vitruve.evaluation.subspace import Subspace, fit_subspace, multiview_columns, singleview_columns
from vitruve.losses.pca import PcaLoss, PcaMultiviewLoss, PcaSingleviewLoss
from vitruve.losses.settings import AnnealWeight
from vitruve.losses.temporal import TemporalLoss
from vitruve.losses.temporal_heatmap import TemporalHeatmapKl, TemporalHeatmapMse
from vitruve.losses.unimodal import UnimodalJs, UnimodalKl, UnimodalMse
from vitruve.losses.unsupervised import UnsupervisedLoss, WindowPredictions
from vitruve.media.readers import reader_class
from vitruve.media.recordings import Recording, find_recordings
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances, apply_matrix
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.training.crops import Cropping
from vitruve.training.following import followed

_log = logging.getLogger(__name__)

_PCA: Mapping[str, type[PcaLoss]] = {kind.name: kind for kind in (PcaSingleviewLoss, PcaMultiviewLoss)}
_HEATMAPS = {k.name: k for k in (TemporalHeatmapMse, TemporalHeatmapKl, UnimodalMse, UnimodalKl, UnimodalJs)}

FEWEST_STEPS = 10
"""Steps an epoch has at least when it learns from video: with few labels an epoch would hardly see any of it."""


class UnsupervisedTerms(nn.Module):
    """The terms on unlabelled video, with their weights and the growth of their common one.

    Args:
        terms: At least one.
        anneal: How the common weight grows.
    """

    def __init__(self, terms: Sequence[UnsupervisedLoss], anneal: AnnealWeight) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self._each = tuple(terms)
        self._anneal = anneal
        self._needs_heatmaps = any(term.needs_heatmaps for term in terms)

    def importance(self, epoch: int) -> float:
        """The common weight in an epoch."""
        return self._anneal.importance(epoch)

    @property
    def first_epoch(self) -> int | None:
        """The first epoch in which the terms count; None when they never do."""
        if self._anneal.init_val > 0:
            return 0
        grows = self._anneal.increase_factor > 0 and self._anneal.final_val > 0
        return self._anneal.freeze_until_epoch + 1 if grows else None

    def forward(self, algorithm: Algorithm, windows: Batch) -> dict[str, tuple[torch.Tensor, float]]:
        """Each term's value and its weight, by name.

        Args:
            algorithm: Predicts.
            windows: Unlabelled windows.

        Returns:
            Scalars before their weight, and the weights, without the common one.
        """
        predictions = predict_windows(algorithm, windows, self._needs_heatmaps)
        with torch.autocast(windows.images.device.type, enabled=False):
            return {term.name: (term(predictions), term.weight) for term in self._each}


def predict_windows(algorithm: Algorithm, windows: Batch, heatmaps: bool) -> WindowPredictions:
    """What an algorithm sees in windows of video, with gradients.

    Args:
        algorithm: Whose decoded keypoints have gradients.
        windows: ``(S, V, T, ...)``.
        heatmaps: Also hand out the maps.

    Returns:
        Predictions of the P frames of each window that have their context. Where the algorithm finds several instances,
        a window and view for each that is found in two of the frames at least (:func:`followed`).
    """
    count = len(windows)
    outputs = algorithm(windows)
    found = algorithm.decode(outputs, windows)
    assert found.keypoint_scores is not None
    if algorithm.needs.instances:
        return _each_followed(found, count, algorithm.task.skeleton)
    keypoints, scores = found.keypoints[:, :, 0], found.keypoint_scores[:, :, 0].detach()
    if algorithm.gives_heatmaps:
        keypoints = _with_reach(keypoints, scores, outputs["heatmaps"], windows)
    keypoints, scores = keypoints.unflatten(0, (count, -1)), scores.unflatten(0, (count, -1))
    if not heatmaps:
        return WindowPredictions(keypoints.float(), scores)
    maps = outputs["heatmaps"]
    stride = windows.input_size[0] / maps.shape[-1]
    back = torch.linalg.inv(windows.to_image_of(len(found.keypoints)).double()).float()
    in_input = found.transformed(back).keypoints[:, :, 0]
    in_heatmap = (in_input + 0.5) / stride - 0.5
    return WindowPredictions(
        keypoints.float(), scores, maps.unflatten(0, (count, -1)), in_heatmap.unflatten(0, (count, -1))
    )


def _each_followed(found: Instances, windows: int, skeleton: Skeleton) -> WindowPredictions:
    """Each instance's way through its window. As with one animal, a keypoint gives way as far as it is unsure."""
    assert found.scores is not None and found.keypoint_scores is not None
    known = found.keypoints.isfinite().all(-1)
    scores = torch.where(known, found.keypoint_scores.detach().float(), torch.nan)
    still = found.keypoints.detach().float()
    # Missing keypoints are numbers, too: a term leaves them out, and not even a gradient of zero may meet NaN.
    moving = torch.where(known[..., None], found.keypoints.float() - still, 0.0)
    keypoints = still.nan_to_num() + (1 - scores.nan_to_num())[..., None] * moving
    shape = (windows, len(still) // windows, *still.shape[1:3])
    rows = followed(
        still.cpu().numpy().reshape(*shape, *still.shape[3:]),
        found.scores.detach().cpu().numpy().reshape(shape),
        skeleton,
    )
    places = torch.from_numpy(rows).to(still.device)
    there = (places >= 0)[..., None]
    keypoints = torch.where(there[..., None], keypoints.flatten(0, 2)[places], 0.0)
    scores = torch.where(there, scores.flatten(0, 2)[places], torch.nan)
    return WindowPredictions(keypoints[:, :, None], scores[:, :, None])


def _with_reach(
    keypoints: Float[torch.Tensor, "F V K 2"],
    scores: Float[torch.Tensor, "F V K"],
    maps: Float[torch.Tensor, "F V K h w"],
    windows: Batch,
) -> Float[torch.Tensor, "F V K 2"]:
    """The same keypoints, with gradients by which a wrong one can go to another place of its map.

    A decoded keypoint depends on a few pixels around the highest one: a term could only push a wrong peak about. The
    mean place of the whole map depends on all of it, so that probability goes over to other peaks on the side that the
    term asks for. And a keypoint gives way as far as it is unsure: where it is sure, the others are to come to it.
    """
    stride = windows.input_size[0] / maps.shape[-1]
    mean = (heatmap.expected(maps) + 0.5) * stride - 0.5
    moving = keypoints + apply_matrix(windows.to_image_of(len(maps)), mean[:, :, None])[:, :, 0]
    return keypoints.detach() + (1 - scores[..., None]) * (moving - moving.detach())


def fit_subspaces(config: Config, labels: Labels, several: bool = False) -> dict[str, Subspace]:
    """The subspaces of the training labels that losses and diagnostics are measured against.

    Args:
        config: ``data.columns_for_singleview_pca`` and ``data.mirrored_column_matches`` say which there are;
            ``pca_singleview`` in ``model.losses_to_use`` without columns takes all keypoints.
        labels: All frames; those of the split ``train`` count.
        several: Each instance of each view is a pose; otherwise there is one in all views of a frame.

    Returns:
        Subspaces by the name of their loss.

    Raises:
        ConfigError: A loss that is used cannot be fitted. A diagnostic that cannot is left out with a warning.
    """
    data, named = config.data, config.model.losses_to_use
    train = _one_by_one(labels.split("train")) if several else labels.split("train")
    views, joints = 1 if several else len(labels[0].images), len(labels.skeleton)
    single = data.columns_for_singleview_pca
    if single is None and "pca_singleview" in named:
        single = tuple(range(joints))
    if data.mirrored_column_matches is None and "pca_multiview" in named:
        raise ConfigError(
            "model.losses_to_use: pca_multiview needs data.mirrored_column_matches, the keypoints that show the same "
            "body parts in each view"
        )
    found = {}
    for name, asked in (("pca_singleview", single), ("pca_multiview", data.mirrored_column_matches)):
        if not asked:
            continue
        settings = getattr(config.losses, name)
        try:
            if name == "pca_singleview":
                columns = singleview_columns(tuple(asked), views, joints)  # type: ignore[arg-type]
            else:
                columns = multiview_columns(asked, views, joints)
            found[name] = fit_subspace(
                name,
                train,
                columns,
                settings.components_to_keep,
                getattr(settings, "centering_method", None),
                settings.empirical_epsilon_percentile,
                settings.empirical_epsilon_multiplier,
            )
        except ConfigError as error:
            if name in named:
                raise
            warnings.warn(f"no {name} error will be reported: {error}", stacklevel=2)
    return found


def _one_by_one(labels: Labels) -> Labels:
    """A frame for each instance of each view."""
    frames = tuple(
        replace(frame, images=frame.images[v : v + 1], instances=frame.instances[v : v + 1, n : n + 1], ignore=())
        for frame in labels
        for v, n in np.ndindex(frame.instances.keypoints.shape[:2])
    )
    return replace(labels, frames=frames, cameras={}, view_names=())


def build_terms(
    config: Config, labels: Labels, algorithm: Algorithm, subspaces: Mapping[str, Subspace]
) -> UnsupervisedTerms | None:
    """The terms that ``model.losses_to_use`` names.

    Args:
        config: All settings.
        labels: What is trained on.
        algorithm: What is trained.
        subspaces: See :func:`fit_subspaces`.

    Returns:
        The terms; None when there are none.

    Raises:
        ConfigError: A term asks for what the algorithm does not give, or its settings do not fit.
    """
    named = config.model.losses_to_use
    if not named:
        return None
    kind = config.model.model_type
    if algorithm.needs.truth_3d:
        raise ConfigError(
            f"model.losses_to_use={list(named)}: {kind} finds animals in space, not in the views; write [] or choose "
            "another model.model_type"
        )
    if algorithm.needs.instances and PcaMultiviewLoss.name in named:
        raise ConfigError(
            "model.losses_to_use: pca_multiview cannot tell which instances of two views are the same, and "
            f"{kind} finds several; leave it out"
        )
    terms: list[UnsupervisedLoss] = []
    for name in dict.fromkeys(named):
        settings = getattr(config.losses, name)
        if settings.log_weight is None:
            _log.warning("losses.%s.log_weight is null: the term is switched off", name)
        elif name in _PCA:
            _check_epsilon(name, settings.epsilon, subspaces[name])
            _log.info("%s", subspaces[name].describe())
            terms.append(_PCA[name](settings, subspaces[name]))
        elif name == TemporalLoss.name:
            terms.append(TemporalLoss(settings, len(labels.skeleton)))
        else:
            if not algorithm.gives_heatmaps:
                raise ConfigError(f"model.losses_to_use: {name} looks at heatmaps, and {kind} has none; leave it out")
            terms.append(_HEATMAPS[name](settings))
    if not terms:
        return None
    result = UnsupervisedTerms(terms, config.callbacks.anneal_weight)
    last = config.training.max_epochs
    if result.first_epoch is None or (last is not None and result.first_epoch >= last):
        _log.warning(
            "callbacks.anneal_weight: the unsupervised losses never count within %s epochs; lower freeze_until_epoch",
            last,
        )
    return result


def unlabelled_recordings(config: Config) -> list[Recording]:
    """The unlabelled video that ``data.video_dir`` names.

    Args:
        config: All settings.

    Returns:
        The recordings; none where no term of ``model.losses_to_use`` learns from them.

    Raises:
        ConfigError: There is no such folder.
        InputError: It holds no video, or a recording lacks a view.
    """
    named, folder = config.model.losses_to_use, config.data.video_dir
    if all(getattr(config.losses, name).log_weight is None for name in named):
        return []
    if folder is None:
        raise ConfigError(
            f"model.losses_to_use={list(named)}: learns from unlabelled video; set data.video_dir "
            "to the folder of the videos, or write losses_to_use: []"
        )
    if not folder.is_dir():
        raise ConfigError(
            f"data.video_dir={folder}: no such folder; give the folder of the videos, absolute or relative to the "
            "settings file's folder or to data.data_dir"
        )
    return find_recordings(folder, config.data.view_names or ())


def build_windows(
    config: Config,
    recordings: Sequence[Recording],
    task_size: tuple[int, int],
    algorithm: Algorithm,
    changes: Augmentation,
    cropping: Cropping,
) -> tuple[VideoWindows, int]:
    """Windows of unlabelled video.

    Args:
        config: All settings.
        recordings: See :func:`unlabelled_recordings`.
        task_size: Width and height of the network's input.
        algorithm: Says whether it needs neighbouring frames.
        changes: The augmentation of labelled frames, as far as it can be undone.
        cropping: Knows where to look in the videos.

    Returns:
        The windows, and how many of them a batch holds.

    Raises:
        ConfigError: There is no video long enough, or a reader that cannot be loaded.
        MissingExtraError: The reader is not installed.
        InputError: A video cannot be decoded.
    """
    if algorithm.needs.context:
        count, length = 1, config.dali.context.train.batch_size
    else:
        count = config.dali.base.train.windows
        length = config.dali.base.train.sequence_length // count
    general = config.dali.general
    reader = reader_class(general.reader)
    boxes = cropping.videos(recordings)
    kept = algorithm.needs.instances
    return VideoWindows(recordings, task_size, length, changes, general.seed, boxes, reader, kept), count


def _check_epsilon(name: str, epsilon: float | tuple[float, ...] | None, subspace: Subspace) -> None:
    """Warn of a tolerance within which even bad poses lie."""
    given = subspace.epsilon if epsilon is None else min(epsilon) if isinstance(epsilon, tuple) else epsilon
    if not math.isfinite(given):
        raise ConfigError(f"losses.{name}.epsilon={given}: must be a finite number of pixels")
    if epsilon is not None and given > subspace.own_errors[-1]:
        _log.warning(
            "losses.%s.epsilon=%g px is more than 99 %% of the labels' own errors (%.1f px): the term will hardly ever "
            "object; null takes it from the labels",
            name,
            given,
            subspace.own_errors[-1],
        )
