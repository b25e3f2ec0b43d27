"""What an evaluation hands back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitruve.evaluation.boxes_report import BoxReport
    from vitruve.evaluation.classes import ClassReport
    from vitruve.evaluation.report import Report


@dataclass(frozen=True)
class Evaluation:
    """What :func:`vitruve.evaluate` found.

    Attributes:
        report: All errors and tables; of a detector, how well objects were found; of a run that tells classes, how
            often it was right.
        files: The files written, by their kind.
    """

    report: Report | BoxReport | ClassReport
    files: dict[str, Path]

    @property
    def summary(self) -> Any:
        """One row a split, as a DataFrame."""
        return self.report.summary
