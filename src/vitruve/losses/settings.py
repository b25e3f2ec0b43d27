"""Settings of the sections ``losses`` and ``callbacks``: terms on unlabelled video, weights, annealing.

A term counts ``1 / (2 exp(log_weight))``: a larger ``log_weight`` is a weaker term.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt

from vitruve.settings import Section

DOMAIN = "domain"
"""The unsupervised term that learns from single images of another domain; the others learn from windows of video."""

UNSUPERVISED: tuple[str, ...] = (
    "temporal",
    "pca_singleview",
    "pca_multiview",
    "temporal_heatmap_mse",
    "temporal_heatmap_kl",
    "unimodal_mse",
    "unimodal_kl",
    "unimodal_js",
    DOMAIN,
)
"""The unsupervised terms that ``model.losses_to_use`` may name."""

_Pixels = Annotated[StrictFloat, Field(ge=0)]
_LOG_WEIGHT = "Natural logarithm of the weight's inverse: the term counts 1 / (2 exp(log_weight))."


class WeightedLoss(Section):
    """A term with a weight."""

    log_weight: StrictFloat | None = Field(default=11.0, description=_LOG_WEIGHT + " null switches the term off.")


class PcaLoss(WeightedLoss):
    """A term on the distance from the subspace that the labels span."""

    epsilon: _Pixels | tuple[_Pixels, ...] | None = Field(
        default=None,
        description="Error in original pixels that costs nothing; null to take it from the labels.",
    )
    empirical_epsilon_percentile: StrictFloat = Field(
        default=99.0,
        ge=0,
        le=100,
        description="Percentile of the labels' own error that is taken as epsilon.",
    )
    empirical_epsilon_multiplier: StrictFloat = Field(default=1.0, gt=0, description="Factor on that percentile.")


class PcaMultiview(PcaLoss):
    """Views of one body part must be views of one point in space."""

    components_to_keep: StrictInt | StrictFloat = Field(
        default=3, gt=0, description="Number of components, or, below 1, the share of variance they explain."
    )


class PcaSingleview(PcaLoss):
    """Poses must be like the labelled poses."""

    components_to_keep: StrictInt | StrictFloat = Field(
        default=0.99,
        gt=0,
        description="Number of components, or, below 1, the share of variance they explain.",
    )
    centering_method: Literal["mean", "median"] | None = Field(
        default=None, description="What is subtracted from each pose before the fit; null for nothing."
    )


class Temporal(WeightedLoss):
    """Keypoints must not jump from one frame to the next."""

    epsilon: _Pixels | tuple[_Pixels, ...] = Field(
        default=20.0,
        description="Motion in original pixels a frame that costs nothing; one number, or one a keypoint.",
    )
    prob_threshold: StrictFloat = Field(
        default=0.05, ge=0, le=1, description="Frames in which the confidence is lower are left out."
    )


class TemporalHeatmap(WeightedLoss):
    """Heatmaps must not change abruptly from one frame to the next."""

    epsilon: StrictFloat = Field(default=0.0, ge=0, description="Change that costs nothing.")
    prob_threshold: StrictFloat = Field(
        default=0.05, ge=0, le=1, description="Frames in which the confidence is lower are left out."
    )


class Unimodal(WeightedLoss):
    """A heatmap must have one peak."""

    prob_threshold: StrictFloat = Field(
        default=0.05, ge=0, le=1, description="Heatmaps in which the confidence is lower are left out."
    )


class Domain(WeightedLoss):
    """Features must not tell labelled images from unlabelled ones of another domain (``data.target_dir``)."""

    log_weight: StrictFloat | None = Field(default=1.6, description=_LOG_WEIGHT + " null switches the term off.")


class SupervisedReprojection(Section):
    """Labelled heatmaps against keypoints that were triangulated and projected back; several cameras only."""

    log_weight: StrictFloat | None = Field(default=3.0, description=_LOG_WEIGHT + " null switches the term off.")


class SupervisedPairwiseProjections(Section):
    """Keypoints triangulated from each pair of cameras against the labelled ones; several cameras only."""

    log_weight: StrictFloat | None = Field(default=None, description=_LOG_WEIGHT + " null switches the term off.")


class LossesSettings(Section):
    """Settings of each term; they count when ``model.losses_to_use`` names the term."""

    pca_multiview: PcaMultiview = Field(default=PcaMultiview(), description="Consistency between views.")
    pca_singleview: PcaSingleview = Field(default=PcaSingleview(), description="Plausible poses.")
    temporal: Temporal = Field(default=Temporal(), description="Smooth motion.")
    temporal_heatmap_mse: TemporalHeatmap = Field(
        default=TemporalHeatmap(), description="Smooth heatmaps, squared error."
    )
    temporal_heatmap_kl: TemporalHeatmap = Field(default=TemporalHeatmap(), description="Smooth heatmaps, divergence.")
    unimodal_mse: Unimodal = Field(default=Unimodal(), description="One peak, squared error.")
    unimodal_kl: Unimodal = Field(default=Unimodal(), description="One peak, Kullback-Leibler divergence.")
    unimodal_js: Unimodal = Field(default=Unimodal(), description="One peak, Jensen-Shannon divergence.")
    domain: Domain = Field(default=Domain(), description="Features that another domain shares.")
    supervised_reprojection_heatmap_mse: SupervisedReprojection = Field(
        default=SupervisedReprojection(), description="Labelled heatmaps after triangulation."
    )
    supervised_pairwise_projections: SupervisedPairwiseProjections = Field(
        default=SupervisedPairwiseProjections(), description="Labelled points in space, pair by pair."
    )


class AnnealWeight(Section):
    """How the common weight grows of the unsupervised terms, and of the supervised ones in space."""

    attr_name: Literal["total_unsupervised_importance"] = Field(
        default="total_unsupervised_importance", description="Name of the weight; there is one."
    )
    init_val: StrictFloat = Field(default=0.0, ge=0, description="Weight at the start.")
    increase_factor: StrictFloat = Field(default=0.01, ge=0, description="What is added each epoch.")
    final_val: StrictFloat = Field(default=1.0, ge=0, description="Weight at which it stays.")
    freeze_until_epoch: StrictInt = Field(default=60, ge=0, description="Epoch at which the weight begins to grow.")

    def importance(self, epoch: int) -> float:
        """The common weight in an epoch."""
        grown = max(0, epoch - self.freeze_until_epoch) * self.increase_factor
        return max(self.init_val, min(self.init_val + grown, self.final_val))


class CallbackSettings(Section):
    """What happens between epochs."""

    anneal_weight: AnnealWeight = Field(default=AnnealWeight(), description="Growth of the unsupervised terms' weight.")
