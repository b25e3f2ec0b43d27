"""The sections that the settings of a run consist of."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SerializeAsAny, StrictInt

from vitruve.algorithms.settings import ModelSettings
from vitruve.data.crop_settings import CropSettings
from vitruve.data.dali_settings import DaliSettings
from vitruve.data.settings import DataSettings
from vitruve.inference.settings import EvalSettings, InferenceSettings
from vitruve.losses.settings import CallbackSettings, LossesSettings
from vitruve.settings import Section
from vitruve.training.settings import TrainingSettings
from vitruve.tuning.settings import TuneSettings


class Sections(Section):
    """All settings of a run, side by side; :class:`vitruve.config.schema.Config` reads and checks them together."""

    data: DataSettings = Field(default=DataSettings(), description="Labels, images and videos.")
    training: TrainingSettings = Field(
        default=TrainingSettings(), description="Batches, schedule, optimiser and split."
    )
    model: SerializeAsAny[ModelSettings] = Field(
        default=ModelSettings(), description="Algorithm, backbone and weights."
    )
    crop: CropSettings = Field(default=CropSettings(), description="Looking at the animal alone.")
    dali: DaliSettings = Field(default=DaliSettings(), description="Batches of unlabelled video.")
    losses: LossesSettings = Field(default=LossesSettings(), description="Terms on unlabelled video.")
    eval: EvalSettings = Field(default=EvalSettings(), description="What follows training.")
    callbacks: CallbackSettings = Field(default=CallbackSettings(), description="What happens between epochs.")
    inference: InferenceSettings = Field(default=InferenceSettings(), description="How the network is run.")
    tune: TuneSettings = Field(default=TuneSettings(), description="The search for the best settings.")
    ensemble: StrictInt = Field(
        default=1, ge=1, description="Networks that are trained, which differ in training.rng_seed_model_pt."
    )
    resume: Path | None = Field(default=None, description="Run that goes on; null to begin a new one.")

    @property
    def cropped(self) -> bool:
        """Whether the network looks at boxes instead of whole images."""
        return self.data.bbox_file is not None or self.crop.from_labels or self.crop.locator is not None
