"""What the terminal shows while a network is trained."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from vitruve.training.optim import Plan


class Display:
    """A bar with losses, validation error, speed and time left; plain lines where output is no terminal.

    Args:
        plan: How long training takes.
        unit: Of the validation error.
    """

    def __init__(self, plan: Plan, unit: str = "px") -> None:
        self._plan = plan
        self._unit = unit
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._printed = -1

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(),
                TextColumn("{task.fields[text]}"),
                console=self._console,
            )
            self._task = self._progress.add_task("", total=self._plan.steps, epoch=self._epoch(0), text="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, numbers: dict[str, float]) -> None:
        """Show the latest numbers.

        Args:
            numbers: Those of :class:`vitruve.training.callbacks.Reporter`.
        """
        epoch = int(numbers["epoch"])
        if self._progress is not None:
            self._progress.update(
                self._task, completed=numbers["step"], epoch=self._epoch(epoch), text=self._text(numbers)
            )
        elif epoch != self._printed and (
            epoch % max(1, self._plan.epochs // 12) == 0 or epoch + 1 == self._plan.epochs
        ):
            self._printed = epoch
            print(f"epoch {self._epoch(epoch)}  {self._text(numbers)}", file=sys.stderr, flush=True)

    def _epoch(self, epoch: int) -> str:
        return f"{epoch + 1}/{self._plan.epochs}"

    def _text(self, numbers: dict[str, float]) -> str:
        parts = []
        for key, form in (
            ("train_supervised_loss", "loss {:.4f}"),
            ("val_supervised_loss", "validation loss {:.4f}"),
            ("val_pixel_error", f"error {{:.2f}} {self._unit}"),
            ("images_per_second", "{:.1f} images/s"),
        ):
            value = numbers.get(key, float("nan"))
            if value == value:
                parts.append(form.format(value))
        left = numbers.get("seconds_left", float("nan"))
        if left == left:
            parts.append(f"{int(left // 60)}:{int(left % 60):02d} left")
        return "  ".join(parts)
