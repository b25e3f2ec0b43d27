"""What watches training: files that say how it goes, checkpoints, interruption."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lightning.pytorch as pl
import torch

from vitruve.data.loaders import EpochBatches
from vitruve.errors import Interrupted, VitruveError
from vitruve.run import RunFiles
from vitruve.training.checkpoint import save_tensors
from vitruve.training.optim import Plan
from vitruve.training.precision import validation_cost

# Often enough for people who watch; each is one small file, written to the disk.
_STATUS_SECONDS = 2.0


class Keeper(pl.Callback):  # type: ignore[misc]
    """Keeps the best weights, and now and then everything that training needs to go on.

    Args:
        run: Where they are kept.
        every: Also keep the weights of every n-th epoch, or None.
        seconds: Time between two checkpoints to go on from; the first follows the first epoch.
        steps: Training steps in all. Ending after them is not remembered: more may be asked for later.
    """

    def __init__(self, run: RunFiles, every: int | None, seconds: float, steps: int) -> None:
        self._run = run
        self._steps = steps
        self._every = every
        self._seconds = seconds
        self._best = math.inf
        self._stop = False
        self._saved = -math.inf

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Remember that training was to end, which Lightning's own checkpoint does not."""
        trainer.should_stop = trainer.should_stop or self._stop

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Keep the weights if validation has never been better."""
        cost = validation_cost(trainer.callback_metrics, module.algorithm)
        if cost is not None and cost < self._best:
            self._best = cost
            self._keep(trainer, module, self._run.best)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Keep numbered weights where asked, and, when it is time, everything."""
        epoch = trainer.current_epoch + 1
        if self._every and epoch % self._every == 0:
            self._keep(trainer, module, self._run.best.with_name(f"epoch={epoch}.safetensors"))
        # All processes take part in a checkpoint, and their clocks differ: the first one decides.
        if trainer.strategy.broadcast(time.monotonic() - self._saved >= self._seconds):
            self._save(trainer)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Keep everything as it was at the end."""
        self._save(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The lowest cost so far, and whether training is to end."""
        return {"best": self._best, "stop": self._stop}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._best, self._stop = state_dict["best"], state_dict["stop"]

    def _keep(self, trainer: pl.Trainer, module: pl.LightningModule, path: Path) -> None:
        if trainer.is_global_zero:
            save_weights(module.algorithm, path)

    def _save(self, trainer: pl.Trainer) -> None:
        self._stop = bool(trainer.should_stop) and trainer.global_step < self._steps
        trainer.save_checkpoint(self._run.last)
        self._saved = time.monotonic()


def save_weights(module: torch.nn.Module, path: Any) -> None:
    """Write a module's weights as safetensors, atomically.

    Args:
        module: Any module without shared tensors.
        path: The file.

    Raises:
        InputError: The disk is full.
    """
    save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}, path)


class Order(pl.Callback):  # type: ignore[misc]
    """Has the batches begin with the epoch that a checkpoint goes on with.

    Lightning names each epoch to them as well, but this first one only after it has drawn the first batch.

    Args:
        batches: The training batches.
    """

    def __init__(self, batches: EpochBatches) -> None:
        self._batches = batches

    def on_load_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Name the epoch."""
        self._batches.set_epoch(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])


class Ending(pl.Callback):  # type: ignore[misc]
    """Ends training after the planned steps, and has its end validated whatever the interval.

    Lightning's own ``max_steps`` is left alone: with it, a checkpoint at the end of an epoch does not go on exactly.

    Args:
        plan: How long training takes.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begin nothing where a checkpoint has all steps behind it."""
        trainer.should_stop = trainer.should_stop or trainer.global_step >= self._plan.steps

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Ask for a validation in the last epoch."""
        if trainer.check_val_every_n_epoch is not None and trainer.current_epoch + 1 >= self._plan.epochs:
            trainer.check_val_every_n_epoch = 1

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End when all steps are done; the least number of epochs gives way to them."""
        if trainer.global_step >= self._plan.steps:
            trainer.fit_loop.min_epochs = 0
            trainer.should_stop = True


class Reporter(pl.Callback):  # type: ignore[misc]
    """Says how training goes: ``status.json``, ``metrics.csv``, and a display.

    The status is written after each epoch, and within longer ones every few seconds.

    Of several processes the first one writes; the others are needed for numbers over all.

    Args:
        run: Where the files are.
        plan: How long training takes.
        show: Called after each epoch, and now and then within one, with the latest numbers.
    """

    def __init__(self, run: RunFiles, plan: Plan, show: Callable[[dict[str, float]], None]) -> None:
        self._run = run
        self._plan = plan
        self._show = show
        self._rows: list[dict[str, Any]] = []
        self._images = 0
        self._began = self._mark = time.monotonic()
        self._first_step = 0
        self._rate = math.nan
        self._shown = self._told = 0.0
        self._validated = False

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take up the rows of an earlier part of the same training."""
        self._rows = [r for r in self._run.read_metrics() if int(r["epoch"]) < trainer.current_epoch]
        self._first_step = trainer.global_step
        self._began = time.monotonic()
        self._write(trainer, "TRAINING")

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of an epoch."""
        self._images, self._mark, self._validated = 0, time.monotonic(), False

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count images, and refresh the display a few times a second at the most."""
        self._images += len(batch) * trainer.world_size
        now = time.monotonic()
        self._rate = self._images / max(1e-9, now - self._mark)
        if now - self._shown > 0.25:
            self._shown = now
            self._show(self._numbers(trainer))
        if now - self._told > _STATUS_SECONDS:
            self._write(trainer, "TRAINING", share=(batch_idx + 1) / trainer.num_training_batches)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Note that this epoch has validation numbers of its own."""
        self._validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Write a row and the status."""
        numbers = self._numbers(trainer)
        row = {key: value for key, value in numbers.items() if self._validated or not key.startswith("val_")}
        row["epoch"] = trainer.current_epoch
        self._rows.append({key: _short(value) for key, value in row.items() if value == value})
        if trainer.is_global_zero:
            self._run.write_metrics(self._rows)
        self._write(trainer, "TRAINING", done=trainer.current_epoch + 1)
        self._show(numbers)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say that the labelled frames come next."""
        self._write(trainer, "EVALUATING")

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Say that training ended early, and why."""
        asked = isinstance(exception, (Interrupted, KeyboardInterrupt, SystemExit))
        status = "INTERRUPTED" if asked else "FAILED"
        if not trainer.is_global_zero:
            return
        # On a full disk this fails as well; what is to be reported is the first error.
        with suppress(VitruveError):
            self._run.write_status(status, trainer.current_epoch, self._plan.epochs, message=str(exception))

    def _numbers(self, trainer: pl.Trainer) -> dict[str, float]:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        done = trainer.global_step
        steps = done - self._first_step
        # Nobody knows before the first step.
        pace = (time.monotonic() - self._began) / steps if steps > 0 else math.nan
        return {
            "epoch": float(trainer.current_epoch),
            "step": float(done),
            **metrics,
            "images_per_second": self._rate,
            "seconds_left": pace * (self._plan.steps - done),
        }

    def _write(self, trainer: pl.Trainer, status: str, done: int | None = None, share: float = 0.0) -> None:
        self._told = time.monotonic()
        numbers = {k: v for k, v in self._numbers(trainer).items() if math.isfinite(v)}
        completed = trainer.current_epoch if done is None else done
        if trainer.is_global_zero:
            self._run.write_status(status, completed, self._plan.epochs, metrics=numbers, epoch_share=share)


class Interruption(pl.Callback):  # type: ignore[misc]
    """Turns Ctrl-C into a clean end after the batch at hand; a second Ctrl-C ends at once.

    A context manager as well: it listens while its block runs. Lightning's own hooks would not do to give the signal
    back, because Lightning restores its handlers after them.

    Of several processes all end after the same batch, whichever was asked.

    Args:
        run: What the message says can be gone on with.
        writes: Whether this process is the one that writes the run's files.

    Attributes:
        asked: Whether Ctrl-C was pressed.
    """

    def __init__(self, run: RunFiles, writes: bool = True) -> None:
        self._run = run
        self._writes = writes
        self.asked = False
        self._epoch = 0
        self._before: Any = None

    def __enter__(self) -> Self:
        # Signals can be listened to in the main thread only.
        with suppress(ValueError):
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
        # A signal to the whole process group ends the loader's workers too, which breaks off the batch at hand.
        if self.asked and error is not None and not isinstance(error, VitruveError):
            if self._writes:
                status = self._run.read_status()
                self._run.write_status("INTERRUPTED", status.completed, status.total)
            self._stop()

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            self._stop()
        self.asked = True

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End here if asked to."""
        self._epoch = trainer.current_epoch
        self.asked = trainer.strategy.reduce_boolean_decision(self.asked, all=False)
        if self.asked:
            self._stop()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """End here if asked to; several processes, which may validate different numbers of batches, go on."""
        if self.asked and trainer.world_size == 1:
            self._stop()

    def _stop(self) -> None:
        raise Interrupted(
            f"stopped in epoch {self._epoch}; it goes on with: vitruve train resume={self._run.path}"
        ) from None


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
