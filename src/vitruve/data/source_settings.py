"""Settings of ``data`` for several data sets at once, and for leaving parts of them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, StrictFloat, StrictInt, model_validator

from vitruve.settings import Section


class DataSet(Section):
    """One of several data sets that are learned together."""

    csv_file: str = Field(description="Label file or folder of labels, relative to data_dir or absolute.")
    data_dir: Path | None = Field(
        default=None,
        description="Folder that the label file and its image paths are relative to; null for data.data_dir.",
    )
    label_format: str | None = Field(default=None, description="Name of the format; null to recognise it.")
    share: StrictFloat | StrictInt = Field(
        default=1.0, gt=0, le=1, description="How much of it is used: a part of its images, the same ones every time."
    )
    split: Literal["train", "validation", "test"] | None = Field(
        default=None, description="What all of it is for, with training.split.method=given; null as the labels say."
    )


class FilterSettings(Section):
    """What of the labels is left out, in training, validation and testing alike."""

    function: str | None = Field(
        default=None,
        description="A function that is given a Frame and says whether to keep it: package.module:function, or "
        "file.py:function.",
    )
    min_keypoints: StrictInt = Field(
        default=0, ge=0, description="Instances with fewer labelled keypoints are not learned; their boxes are ignored."
    )
    min_area: StrictFloat | StrictInt = Field(
        default=0, ge=0, description="Instances that are smaller, in square pixels, are not learned either."
    )
    min_instances: StrictInt = Field(
        default=0, ge=0, description="Images with fewer instances to be learned are left out."
    )
    crowds: bool = Field(default=True, description="Whether images with a crowd are kept.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A text is the function."""
        return {"function": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _callable(self) -> FilterSettings:
        if self.function is not None and not all(self.function.rpartition(":")[::2]):
            raise ValueError(f"function: '{self.function}' must be package.module:function, or file.py:function")
        return self
