"""Training for those who write their own script: a data module and a callback for any Lightning trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint
from torch.utils.data import DataLoader

from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.inference.samples import save_samples
from vitruve.run import RunFiles
from vitruve.structures.batch import Batch, TrainingBatch
from vitruve.training.assemble import Assembled, assemble
from vitruve.training.callbacks import save_weights
from vitruve.training.fit import model_record
from vitruve.training.precision import validation_cost
from vitruve.training.prepare import Prepared


class PoseDataModule(pl.LightningDataModule):  # type: ignore[misc]
    """The batches of a training, with all that they were made from.

    Args:
        config: All settings.
        prepared: Labels, task and algorithm.

    Attributes:
        config: All settings.
        prepared: Labels, task and algorithm.
        parts: Network, terms and batches.
    """

    def __init__(self, config: Config, prepared: Prepared) -> None:
        super().__init__()
        self.config = config
        self.prepared = prepared
        self.parts: Assembled = assemble(config, prepared)

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """Augmented labelled frames, and windows of video where there are unsupervised losses."""
        return self.parts.train_loader()

    def val_dataloader(self) -> DataLoader[Batch]:
        """The validation frames."""
        return self.parts.validation_loader()


class RunCheckpoint(Checkpoint):  # type: ignore[misc]
    """Keeps the weights of the best validation as a run that can predict, without any pickle.

    Args:
        directory: The run directory; None for the folder of the trainer's logger.

    Attributes:
        best_model_path: The run directory, empty before the first validation.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._lowest = float("inf")
        self.best_model_path = ""

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Write the run when it is the best so far."""
        found = validation_cost(trainer.callback_metrics, module.algorithm)
        loss = float("inf") if found is None else found
        if trainer.sanity_checking or not (loss < self._lowest or not self.best_model_path):
            return
        self._lowest = loss
        run = RunFiles(self._directory or Path(trainer.log_dir or trainer.default_root_dir) / "run")
        data: PoseDataModule = trainer.datamodule
        prepared, parts = data.prepared, data.parts
        if not self.best_model_path:
            atomic_write(run.config, data.config.to_yaml())
            save_samples(run.samples, {"train": parts.frames_to_keep, "validation": parts.validation_set})
        save_weights(module.algorithm, run.weights)
        weights = parts.module.backbone_weights
        run.write_model(model_record(data.config, prepared.task, prepared.labels, parts.subspaces, weights))
        self.best_model_path = str(run.path)
