"""Settings of the section ``dali``: how unlabelled video is cut into batches.

The section is named after the reader Lightning Pose uses; the key names are kept so that its files load.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, StrictInt, model_validator

from vitruve.media.readers import ReaderName
from vitruve.settings import Section


class GeneralDali(Section):
    """What holds for every kind of batch."""

    seed: StrictInt = Field(default=123456, ge=0, description="Seed of the order in which windows of video are drawn.")
    reader: ReaderName = Field(
        default="pyav", description="Library that decodes the videos; torchcodec needs the extra 'video' and FFmpeg."
    )


class TrainSequence(Section):
    """Unlabelled batches of models that see single frames."""

    sequence_length: StrictInt = Field(default=32, ge=2, description="Frames of video an unlabelled batch.")
    windows: StrictInt = Field(
        default=4,
        ge=1,
        description="Windows of consecutive frames, each from a random place, that they come from; fewer by default "
        "where sequence_length is below 8.",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_many_as_fit(cls, values: Any) -> Any:
        """Short batches of older files have fewer windows than the default; only who asks for windows gets an error."""
        if isinstance(values, dict) and "windows" not in values and isinstance(values.get("sequence_length"), int):
            fitting = max(1, values["sequence_length"] // 2)
            return {**values, "windows": min(cls.model_fields["windows"].default, fitting)}
        return values

    @model_validator(mode="after")
    def _long_enough(self) -> TrainSequence:
        if self.sequence_length < 2 * self.windows:
            raise ValueError(f"sequence_length={self.sequence_length}: windows={self.windows} need two frames each")
        return self


class PredictSequence(Section):
    """Batches of prediction."""

    sequence_length: StrictInt = Field(default=96, ge=1, description="Frames a batch when a video is predicted.")


class TrainContext(Section):
    """Unlabelled batches of models that see neighbouring frames."""

    batch_size: StrictInt = Field(
        default=16, ge=5, description="Consecutive frames of one window; the first and last two are context."
    )


class BaseDali(Section):
    """Batches for models that see single frames."""

    train: TrainSequence = Field(default=TrainSequence(), description="Unlabelled batches while training.")
    predict: PredictSequence = Field(default=PredictSequence(), description="Batches of prediction.")


class ContextDali(Section):
    """Batches for models that see neighbouring frames."""

    train: TrainContext = Field(default=TrainContext(), description="Unlabelled batches while training.")
    predict: PredictSequence = Field(default=PredictSequence(), description="Batches of prediction.")


class DaliSettings(Section):
    """How unlabelled video is cut into batches."""

    general: GeneralDali = Field(default=GeneralDali(), description="What holds for every kind of batch.")
    base: BaseDali = Field(default=BaseDali(), description="Models that see single frames.")
    context: ContextDali = Field(default=ContextDali(), description="Models that see neighbouring frames.")
