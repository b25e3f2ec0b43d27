"""The one LightningModule: any algorithm, any data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from vitruve.algorithms.base import Algorithm
from vitruve.data.augment import Augmentation
from vitruve.data.patch_mask import mask_patches
from vitruve.data.photometric import augment_batch
from vitruve.errors import RunError, TrainingError
from vitruve.evaluation.matching import match_instances
from vitruve.networks.backbone import Backbone
from vitruve.structures.batch import Batch, TrainingBatch
from vitruve.structures.instances import OCCLUDED, Instances
from vitruve.training.domain import DomainTerm
from vitruve.training.optim import Plan, PlateauFactor, align_state, build_optimizer, freeze, learning_rate_factor
from vitruve.training.precision import Pair, figures, pairs, validation_cost
from vitruve.training.settings import TrainingSettings
from vitruve.training.team import Team
from vitruve.training.unsupervised import UnsupervisedTerms

_ALONE = Team()


class PoseModule(pl.LightningModule):  # type: ignore[misc]
    """Trains an algorithm.

    Every random number depends on seed, epoch, step and process alone, never on what happened before: an interrupted
    training that goes on ends with the same weights as one that was not.

    Args:
        algorithm: What is trained.
        settings: The section ``training``.
        plan: Steps in all and when the backbone joins.
        augmentation: Photometric changes, applied on the device.
        describe: Names the images of a training batch, for messages: ``(epoch, batch) -> names``.
        terms: What is learned from unlabelled video, or None.
        term_weights: The weights in an epoch of the supervised terms that the algorithm may add to its own loss.
        backbone_weights: What the backbone started from, as ``Backbone.origin`` says.
        team: The processes that train together.
        domain: What is learned from images of another domain, or None.

    Attributes:
        plan: The plan in use.
        backbone_weights: What the backbone started from, also where training goes on.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        settings: TrainingSettings,
        plan: Plan,
        augmentation: Augmentation,
        describe: Callable[[int, int], Sequence[str]],
        terms: UnsupervisedTerms | None = None,
        term_weights: Callable[[int], Mapping[str, float]] = lambda epoch: {},
        backbone_weights: str = "random",
        team: Team = _ALONE,
        domain: DomainTerm | None = None,
    ) -> None:
        super().__init__()
        self.algorithm = algorithm
        self._settings = settings
        self.plan = plan
        self._begin_with(backbone_weights)
        self._augmentation = augmentation
        self._describe = describe
        self._terms = terms
        self._term_weights = term_weights
        self._team = team
        self._domain = domain
        self._errors: list[np.ndarray] = []
        self._seen: list[Pair] = []
        self._plateau: PlateauFactor | None = None
        if settings.lr_scheduler == "plateau":
            rate = settings.optimizer_params.learning_rate
            self._plateau = PlateauFactor(settings.lr_scheduler_params.plateau, rate)

    def transfer_batch_to_device(
        self, batch: Batch | TrainingBatch, device: torch.device, dataloader_idx: int
    ) -> Batch | TrainingBatch:
        """Move a batch."""
        return batch.to(device, non_blocking=True)

    def on_train_start(self) -> None:
        """Bring what a checkpoint brought into the parameters' layout."""
        align_state(self.trainer.optimizers[0])

    def on_train_epoch_start(self) -> None:
        """Log the learning rates that the epoch begins with, and set its weights."""
        self.algorithm.term_weights = self._term_weights(self.current_epoch)
        for group in self.trainer.optimizers[0].param_groups:
            self.log("learning_rate" if group["part"] == "head" else "learning_rate_backbone", float(group["lr"]))

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        """Decide whether the backbone learns, and seed whatever layers draw at random."""
        step = self.trainer.global_step
        if self.algorithm.backbone is not None:
            freeze(self.algorithm.backbone, step < self.plan.unfreeze)
        torch.manual_seed(self._settings.rng_seed_model_pt * 1_000_003 + self._draw(batch_idx))

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> torch.Tensor:
        """The sum of the algorithm's losses, and of the terms on unlabelled video in their weights."""
        generator = torch.Generator().manual_seed(self._settings.rng_seed_data_pt * 1_000_003 + self._draw(batch_idx))
        labelled = self._changed(batch.labelled, generator)
        if self.algorithm.needs.masking:
            share = self._settings.patch_mask.share(self.current_epoch)
            labelled = labelled.with_images(mask_patches(labelled.images, share, generator))
        backbone = self.algorithm.backbone
        seen: list[torch.Tensor] = []
        watching = nullcontext(seen) if self._domain is None or backbone is None else self._domain.watching(backbone)
        with watching as seen:
            losses = self.algorithm.training_losses(labelled)
        total = torch.stack(list(losses.values())).sum()
        self._log_mean({f"train_{name}_loss": value for name, value in losses.items()}, len(batch))
        self._log_mean({"train_supervised_loss": total}, len(batch))
        if self._terms is not None and batch.unlabelled is not None:
            importance = self._terms.importance(self.current_epoch)
            parts = self._terms(self.algorithm, self._changed(batch.unlabelled, generator))
            for name, (value, weight) in parts.items():
                weighted = weight * importance * value
                total = total + weighted
                losses[name] = value
                shown = {f"train_{name}_loss": value, f"train_{name}_loss_weighted": weighted}
                self._log_mean({**shown, f"{name}_weight": weight}, len(batch))
            self._log_mean({"total_unsupervised_importance": importance}, len(batch))
        if self._domain is not None and backbone is not None and batch.target is not None:
            importance = self._domain.importance(self.current_epoch)
            target = self._changed(batch.target, generator)
            losses["domain"], right = self._domain(backbone, seen, labelled, target, importance)
            total = total + losses["domain"]
            shown = {"train_domain_loss": losses["domain"], "train_domain_accuracy": right}
            self._log_mean({**shown, "domain_weight": self._domain.weight}, len(batch))
            self._log_mean({"total_unsupervised_importance": importance}, len(batch))
        if not bool(torch.isfinite(total)):
            names = ", ".join(self._describe(self.current_epoch, batch_idx))
            each = ", ".join(f"{name} {float(value.detach()):.4g}" for name, value in losses.items())
            raise TrainingError(
                f"epoch {self.current_epoch}, batch {batch_idx}: the loss is not a number ({each}; images {names}); "
                "the last good checkpoint is kept: lower training.optimizer_params.learning_rate, "
                "or training.precision=32, or look at those images"
            )
        self.log("total_loss", total.detach(), on_step=True, on_epoch=False, batch_size=len(batch))
        return total

    def _changed(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Change the look of images; pictures are not the network's numbers: they stay in full precision."""
        with torch.autocast(self.device.type, enabled=False):
            return batch.with_images(augment_batch(batch.images, self._augmentation, generator))

    def _log_mean(self, values: Mapping[str, torch.Tensor | float], batch_size: int) -> None:
        # Times the number of processes: Lightning averages their batch sizes, and drops what is left of a half.
        size, several = batch_size * self._team.size, self._team.size > 1
        for name, value in values.items():
            shown = value.detach() if isinstance(value, torch.Tensor) else value
            self.log(name, shown, on_step=False, on_epoch=True, batch_size=size, sync_dist=several)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses and distance in original pixels (or millimetres) on validation frames."""
        outputs = self.algorithm(batch)
        losses = self.algorithm.loss(outputs, self.algorithm.encode(batch))
        total = torch.stack(list(losses.values())).sum().float()
        shown = {f"val_{name}_loss": value.float() for name, value in losses.items()}
        figures = {f"val_{name}": value for name, value in self.algorithm.figures(outputs, batch).items()}
        self._log_mean({**shown, **figures, "val_supervised_loss": total}, len(batch))
        found = self.algorithm.decode(outputs, batch)
        self._errors.append(distances(found, batch))
        if self.algorithm.needs.instances:
            self._seen += pairs(found, batch)

    def on_validation_epoch_end(self) -> None:
        """Log the mean distance, and Lightning Pose's RMSE a coordinate (the distance over the square root of two).

        Of algorithms that find several instances, log the average precision.
        """
        errors = np.concatenate([np.zeros(0), *(error.ravel() for error in self._errors)])
        errors = np.concatenate(self._team.gather(errors))
        self._errors.clear()
        known = errors[np.isfinite(errors)]
        if len(known):
            self.log("val_pixel_error", float(known.mean()))
            self.log("val_supervised_rmse", float(np.sqrt((known**2).mean() / 2)))
        seen = [pair for part in self._team.gather(self._seen) for pair in part]
        for name, value in figures(seen, self.algorithm).items():
            self.log(f"val_{name}", value)
        self._seen.clear()
        if self._plateau is not None:
            cost = validation_cost(self.trainer.callback_metrics, self.algorithm)
            self._plateau.step(1.0 if cost is None else cost)

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser, and its course step by step."""
        optimizer = build_optimizer(self.algorithm, self._settings, self._domain)
        curves = [self._curve(group["part"] == "backbone") for group in optimizer.param_groups]
        schedule = {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, curves), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the settings alone do not tell: how the backbone began and joins, how long the loss has stalled."""
        checkpoint["processes"] = self._team.size
        checkpoint["unfreeze"] = self.plan.unfreeze
        checkpoint["backbone_weights"] = self.backbone_weights
        if self._plateau is not None:
            checkpoint["plateau"] = self._plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what :meth:`on_save_checkpoint` kept.

        Raises:
            RunError: Another number of processes wrote it: steps of its schedule were shares of other epochs.
        """
        before = checkpoint.get("processes", 1)
        if before != self._team.size:
            raise RunError(
                f"this run was trained by {before} processes together, and its learning rate follows their steps; go "
                f"on with as many (training.parallel.processes={before}), not with {self._team.size}"
            )
        self.plan = replace(self.plan, unfreeze=checkpoint["unfreeze"])
        self._begin_with(checkpoint.get("backbone_weights", self.backbone_weights))
        if self._plateau is not None:
            self._plateau.load_state_dict(checkpoint["plateau"])

    def _begin_with(self, weights: str) -> None:
        """Tell the backbone what it began with: a training that goes on fetches no published weights again."""
        self.backbone_weights = weights
        if isinstance(self.algorithm.backbone, Backbone):
            self.algorithm.backbone.pretrained = weights != "random"

    def _curve(self, backbone: bool) -> Callable[[int], float]:
        def factor(step: int) -> float:
            share = self.plan.backbone_share(step) if backbone else 1.0
            stalled = 1.0 if self._plateau is None else self._plateau.factor
            return share * stalled * learning_rate_factor(self._settings, self.plan, step)

        return factor

    def _draw(self, batch: int) -> int:
        """A number that no other batch of this training has, of this process or of another."""
        before = self.current_epoch * int(self.trainer.num_training_batches)
        return (before + batch) * self._team.size + self._team.rank


def distances(decoded: Instances, batch: Batch) -> np.ndarray:
    """Distance of each decoded keypoint to its truth.

    Args:
        decoded: ``(B, V, N, K, 2)`` in pixels or ``(B, N, K, 3)`` in millimetres.
        batch: With truth in the same unit.

    Returns:
        One distance for each labelled keypoint that has a counterpart, NaN for the others. Several instances are
        matched first, each view on its own.
    """
    truth = batch.truth_3d if decoded.keypoints.shape[-1] == 3 else batch.truth
    assert truth is not None
    found, wanted = decoded.numpy(), truth.numpy()
    # Leading axes become one; an instance axis stays. (A product, because -1 is undefined where N is 0.)
    count = int(np.prod(found.keypoints.shape[:-3]))
    predicted = found.keypoints.reshape(count, *found.keypoints.shape[-3:])
    labelled = np.where((wanted.visible > OCCLUDED)[..., None], wanted.keypoints, np.nan)
    labelled = labelled.reshape(count, *labelled.shape[-3:])
    errors = []
    for one, other in zip(predicted, labelled, strict=True):
        there = other[~np.isnan(other).all((-2, -1))]
        chosen = match_instances(there, one)
        errors += [np.linalg.norm(one[i] - item, axis=-1) for i, item in zip(chosen, there, strict=True) if i >= 0]
    return np.concatenate(errors) if errors else np.zeros(0)
