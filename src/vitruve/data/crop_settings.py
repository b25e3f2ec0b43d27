"""Settings of the section ``crop``: looking at the animal alone instead of at the whole image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, model_validator

from vitruve.geometry.boxes import BoxRule
from vitruve.settings import Section

_Name = Annotated[str, Field(coerce_numbers_to_str=True, min_length=1)]


class CropSettings(Section):
    """Where the boxes come from that the network looks at, and how large they are."""

    locator: Path | None = Field(
        default=None,
        description="Run of a detector, or a first run on whole images, whose predictions say where the animal is; a "
        "copy of it is kept in the new run.",
    )
    from_labels: StrictBool = Field(
        default=False, description="Train on boxes around the labels, whatever finds the animal in prediction."
    )
    ratio: StrictFloat = Field(
        default=2.0, ge=1, description="Size of a box: this many times the extent of the anchors."
    )
    size: StrictFloat | None = Field(
        default=None, ge=8, description="Longer side of all boxes in pixels, instead of the ratio."
    )
    anchors: tuple[_Name, ...] | None = Field(
        default=None, description="Keypoints that a box is put around; null for all."
    )
    threshold: StrictFloat = Field(
        default=0.3, ge=0, le=1, description="Predicted keypoints or boxes of lower likelihood do not count."
    )
    min_size: StrictFloat = Field(
        default=32.0, ge=8, description="Shorter side of a box in pixels, at least: anchors may coincide."
    )
    smooth_window: StrictInt = Field(
        default=5, ge=1, description="In a video, a box is the median over this many frames; an odd number, 1 for none."
    )
    instances: Literal["auto", "best", "all"] = Field(
        default="auto",
        description="Whom a network for one animal looks at: the instance that the locator is surest of, or all, one "
        "after the other; auto takes all where a detector is given to predict with, else the best.",
    )
    jitter: StrictFloat = Field(
        default=0.1,
        ge=0,
        lt=0.5,
        description="With from_labels: each border of a training box is moved at random by up to this share of the "
        "side, so that the network learns to bear with a locator's errors.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> CropSettings:
        if self.smooth_window % 2 == 0:
            raise ValueError(f"smooth_window={self.smooth_window}: must be an odd number of frames")
        if self.size is None and self.anchors is not None and len(self.anchors) == 1:
            raise ValueError("anchors: a single keypoint has no extent; name two or more, or set size")
        return self

    def rule(self, aspect: float) -> BoxRule:
        """How boxes are made.

        Args:
            aspect: Width over height of the network's input.

        Returns:
            The rule.
        """
        return BoxRule(self.ratio, self.size, self.threshold, self.min_size, aspect)
