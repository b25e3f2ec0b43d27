"""What views that are seen together can learn from their cameras: the terms beside an algorithm's own loss."""

from __future__ import annotations

import logging
import math

from vitruve.algorithms.base import Algorithm
from vitruve.config.schema import Config
from vitruve.data.augment import augmentation
from vitruve.errors import ConfigError
from vitruve.formats.anipose import FILE_NAME
from vitruve.formats.session_cameras import FOLDER
from vitruve.losses.settings import DOMAIN
from vitruve.structures.labels import Labels

_log = logging.getLogger(__name__)


def term_weights(config: Config, algorithm: Algorithm, epoch: int) -> dict[str, float]:
    """The weights of the supervised terms of an algorithm in an epoch.

    They grow as ``callbacks.anneal_weight`` says: points in space from a network that knows nothing yet are far away.

    Args:
        config: ``losses.<term>.log_weight`` is null where a term is switched off.
        algorithm: Names its terms.
        epoch: From 0 on.

    Returns:
        ``1 / (2 exp(log_weight))`` times the common weight of the epoch, for each term that is switched on.
    """
    common = config.callbacks.anneal_weight.importance(epoch)
    chosen = {name: getattr(config.losses, name).log_weight for name in algorithm.terms}
    return {name: common / (2 * math.exp(value)) for name, value in chosen.items() if value is not None}


def check_views(config: Config, labels: Labels, kind: type[Algorithm]) -> None:
    """Compare what settings ask of several views with what the labels have, before the first batch does.

    Args:
        config: All settings.
        labels: All frames, with their cameras.
        kind: The algorithm's class.

    Raises:
        ConfigError: There is one view, views would be mirrored, a session lacks its cameras, or a term needs cameras
            and there are none.
    """
    if not kind.needs.views:
        return
    name, views = config.model.model_type, len(labels[0].images)
    if views < 2:
        raise ConfigError(
            f"model.model_type={name}: works on several views of one instant, but the labels have one; give "
            "data.csv_file as a list with one file a view, or choose an algorithm for single views"
        )
    if augmentation(config.training.imgaug, config.training.imgaug_hflip).hflip > 0:
        raise ConfigError(
            f"training.imgaug_hflip: model.model_type={name} sees several views together, and a mirror image is no "
            "view of the same scene; set it to false"
        )
    if set(config.model.losses_to_use) - {DOMAIN} and not config.data.view_names:
        raise ConfigError(
            "data.view_names: unlabelled videos of several views are found by them (SESSION_VIEW); list them in the "
            "order of data.csv_file"
        )
    terms = [term for term in kind.terms if getattr(config.losses, term).log_weight is not None]
    if labels.cameras:
        _check_cameras(labels, views)
        _check_growth(config, terms)
        return
    where = f"no calibration was found ({FOLDER}/<session>.toml or {FILE_NAME} in {labels.root})"
    if config.losses.supervised_pairwise_projections.log_weight is not None and terms:
        raise ConfigError(
            f"losses.supervised_pairwise_projections.log_weight: needs calibrated cameras, and {where}; add it, name "
            "it in data.camera_params_file, or set log_weight to null"
        )
    without = [f"losses.{term}" for term in terms] + ["training.imgaug_3d"] * config.training.imgaug_3d
    if without:
        _log.warning("%s: without effect: %s", where, ", ".join(without))


def _check_cameras(labels: Labels, views: int) -> None:
    for frame in labels:
        count = len(labels.cameras.get(frame.session, ()))
        if count != views:
            raise ConfigError(
                f"session '{frame.session}' ({frame.name}): {count} calibrated cameras for {views} views, but other "
                "sessions have them; give each session its calibration, or none"
            )


def _check_growth(config: Config, terms: list[str]) -> None:
    last = config.training.max_epochs
    anneal = config.callbacks.anneal_weight
    if terms and last is not None and anneal.importance(last - 1) == 0:
        _log.warning(
            "callbacks.anneal_weight: losses.%s never counts within %d epochs; lower freeze_until_epoch",
            terms[0],
            last,
        )
