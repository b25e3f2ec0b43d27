"""Settings of the section ``training``: batches, schedule, optimiser, split and precision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, model_validator

from vitruve.settings import Section

_Count = Annotated[StrictInt, Field(ge=0)]
_ROUNDING = 1e-9


def _as_text(value: Any) -> Any:
    """A number as it is typed: YAML and Hydra take 32 for one."""
    return str(value) if type(value) is int else value


class EveryNth(Section):
    """Which frames are set aside when every n-th is."""

    validation: StrictInt = Field(default=10, ge=2, description="Every n-th frame validates.")
    test: StrictInt = Field(default=10, ge=0, description="Every n-th of the frames that are left tests; 0 for none.")
    offset: StrictInt | None = Field(
        default=None, ge=0, description="Which of each n frames validates, from 0; null for the last. OBDB's is 0."
    )

    @model_validator(mode="after")
    def _within(self) -> EveryNth:
        if self.offset is not None and self.offset >= self.validation:
            raise ValueError(f"offset={self.offset}: must be below validation={self.validation}")
        return self


class SplitSettings(Section):
    """How labelled frames are shared between training, validation and test."""

    method: Literal["lightning_pose", "random", "every_nth", "group", "given", "file"] = Field(
        default="lightning_pose",
        description="lightning_pose draws the frames Lightning Pose draws with the same seed; random draws "
        "by share; every_nth counts; group keeps frames of one group together; given takes the label file's own; file "
        "reads split.file.",
    )
    file: str | None = Field(
        default=None,
        description="What method: file reads: split.csv of `vitruve split`, or a list of the images that validate "
        "(.txt, or OBDB's .npy); relative to data_dir.",
    )
    every_nth: EveryNth = Field(default=EveryNth(), description="Intervals of the method every_nth.")
    group_pattern: str | None = Field(
        default=None,
        description="Regular expression on the image path whose first group (or whole match) names the "
        "frame's group; null for the folder of the image.",
    )

    @model_validator(mode="after")
    def _file_of_method(self) -> SplitSettings:
        if (self.file is not None) != (self.method == "file"):
            raise ValueError(f"method={self.method} with file={self.file}: give both method: file and file, or neither")
        return self


class OptimizerParams(Section):
    """Numbers of the optimiser."""

    learning_rate: StrictFloat = Field(
        default=1e-3, gt=0, description="Learning rate of the head; the highest of a schedule."
    )
    weight_decay: StrictFloat | None = Field(
        default=None, ge=0, description="Weight decay; null for 0.01 with AdamW and 0 with the others."
    )
    momentum: StrictFloat = Field(default=0.9, ge=0, lt=1, description="Momentum of SGD.")
    nesterov: StrictBool = Field(default=True, description="Nesterov's momentum with SGD; it needs some momentum.")


class MultiStep(Section):
    """The learning rate falls at given times."""

    milestones: tuple[_Count, ...] = Field(default=(150, 200, 250), description="Epochs at which it falls.")
    milestone_steps: tuple[_Count, ...] | None = Field(
        default=None, description="Optimiser steps at which it falls, in place of milestones."
    )
    gamma: StrictFloat = Field(default=0.5, gt=0, le=1, description="Factor by which it falls.")


class Step(Section):
    """The learning rate falls every few epochs."""

    step_size: StrictInt = Field(default=30, ge=1, description="Epochs between two falls.")
    gamma: StrictFloat = Field(default=0.1, gt=0, le=1, description="Factor by which it falls.")


class Cosine(Section):
    """The learning rate rises in a straight line, then falls along half a cosine."""

    warmup_epochs: StrictFloat = Field(default=5.0, ge=0, description="Epochs of the rise.")
    final_factor: StrictFloat = Field(
        default=0.01, ge=0, le=1, description="Last learning rate as a share of the highest."
    )


class OneCycle(Section):
    """The learning rate rises and falls once, step by step (Smith and Topin 2019)."""

    pct_start: StrictFloat = Field(default=0.3, gt=0, lt=1, description="Share of the steps in which it rises.")
    div_factor: StrictFloat = Field(default=25.0, ge=1, description="Highest over first learning rate.")
    final_div_factor: StrictFloat = Field(default=1e4, ge=1, description="First over last learning rate.")


class Plateau(Section):
    """The learning rate falls when the validation loss does not."""

    factor: StrictFloat = Field(default=0.5, gt=0, lt=1, description="Factor by which it falls.")
    patience: StrictInt = Field(default=5, ge=0, description="Validations without improvement before it falls.")
    min_lr: StrictFloat = Field(default=1e-6, ge=0, description="Learning rate below which it does not fall.")


class SchedulerParams(Section):
    """Numbers of each learning rate schedule; those of ``lr_scheduler`` count."""

    multisteplr: MultiStep = Field(default=MultiStep(), description="Numbers of multisteplr.")
    step: Step = Field(default=Step(), description="Numbers of step.")
    cosine: Cosine = Field(default=Cosine(), description="Numbers of cosine.")
    onecycle: OneCycle = Field(default=OneCycle(), description="Numbers of onecycle.")
    plateau: Plateau = Field(default=Plateau(), description="Numbers of plateau.")


class PatchMask(Section):
    """Squares of the image that are blanked, more of them as training goes on; several cameras only."""

    init_epoch: StrictInt = Field(default=40, ge=0, description="Epoch at which masking begins.")
    final_epoch: StrictInt = Field(default=300, ge=0, description="Epoch at which the share stays.")
    init_ratio: StrictFloat = Field(default=0.0, ge=0, le=1, description="Share of the image masked at first.")
    final_ratio: StrictFloat = Field(default=0.5, ge=0, le=1, description="Share of the image masked at last.")

    def share(self, epoch: int) -> float:
        """The share of the image masked in an epoch: none before the first, then in a straight line."""
        if epoch < self.init_epoch:
            return 0.0
        length = self.final_epoch - self.init_epoch
        done = min(1.0, (epoch - self.init_epoch) / length) if length else 1.0
        return self.init_ratio + done * (self.final_ratio - self.init_ratio)


class Parallel(Section):
    """Several processes that train one network together."""

    processes: StrictInt | None = Field(
        default=None,
        ge=1,
        description="Processes that train together, each on images of its own; null for one an accelerator that "
        "num_gpus allows, or as many as torchrun starts.",
    )
    strategy: Literal["sync_sgd", "sync_avg", "pair_avg"] = Field(
        default="sync_sgd",
        description="sync_sgd averages gradients; sync_avg averages all weights before each step, pair_avg those of "
        "random pairs, and both apply a process's own gradient then.",
    )


class TrainingSettings(Section):
    """Batches, schedule, optimiser, split and precision."""

    imgaug: str | dict[str, Any] = Field(
        default="dlc",
        description="Augmentation: a preset of vitruve.data.augment, or a mapping with, optionally, the "
        "preset to start from and the attributes that differ.",
    )
    imgaug_hflip: StrictBool = Field(
        default=False, description="Also mirror half of the images, swapping left and right."
    )
    imgaug_3d: StrictBool = Field(
        default=True,
        description="Move what calibrated cameras see in space, in place of geometric changes of single views; "
        "several cameras only.",
    )
    train_batch_size: StrictInt = Field(
        default=16, ge=1, description="Labelled images a training batch, in each process where there are several."
    )
    val_batch_size: StrictInt = Field(default=32, ge=1, description="Labelled images a validation batch.")
    test_batch_size: StrictInt = Field(default=32, ge=1, description="Labelled images a batch of the final prediction.")
    train_prob: StrictFloat = Field(default=0.95, gt=0, le=1, description="Share of labelled frames for training.")
    val_prob: StrictFloat = Field(
        default=0.05, ge=0, lt=1, description="Share for validation; what is left is for test."
    )
    train_frames: StrictInt | StrictFloat = Field(
        default=1, gt=0, description="Training frames in use: a share up to 1, a number above 1."
    )
    split: SplitSettings = Field(default=SplitSettings(), description="How the labelled frames are shared.")
    num_gpus: StrictInt = Field(default=1, ge=0, description="Accelerators in use, at most, where device finds any.")
    num_workers: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Processes that prepare images; null to choose by the processor's cores.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="Where the network is trained.")
    precision: Annotated[Literal["auto", "32", "bf16", "16"], BeforeValidator(_as_text)] = Field(
        default="auto",
        description="Number format of the forward pass; auto takes bf16 or 16 where the device gains by it.",
    )
    channels_last: StrictBool | None = Field(
        default=None, description="Memory layout with the channels innermost; null to choose by the device."
    )
    backbone_pretrained: StrictBool = Field(default=True, description="Start the backbone from published weights.")
    unfreezing_epoch: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Epoch at which the backbone begins to learn; null for 20 if pretrained, else and in detectors 0.",
    )
    unfreezing_step: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Optimiser step at which the backbone begins to learn, in place of unfreezing_epoch.",
    )
    min_epochs: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Epochs before early stopping may end training; null for no bound. A smaller max_epochs "
        "on the command line lowers it.",
    )
    max_epochs: StrictInt | None = Field(
        default=300,
        ge=1,
        description="Epochs to train; null for no bound, which it also is when only max_steps is given.",
    )
    min_steps: StrictInt | None = Field(
        default=None, ge=0, description="Optimiser steps before early stopping may end training."
    )
    max_steps: StrictInt | None = Field(
        default=None, ge=1, description="Optimiser steps to train; with max_epochs, whichever comes first."
    )
    log_every_n_steps: StrictInt = Field(
        default=10, ge=1, description="Optimiser steps between logged training losses."
    )
    check_val_every_n_epoch: StrictInt = Field(default=5, ge=1, description="Epochs between validations.")
    val_check_interval: StrictInt | StrictFloat | None = Field(
        default=None,
        gt=0,
        description="Batches (whole number) or share of an epoch between validations, in place of epochs.",
    )
    ckpt_every_n_epochs: StrictInt | None = Field(
        default=None,
        ge=1,
        description="Also keep the weights of every n-th epoch; null for best and last alone.",
    )
    early_stopping: StrictBool = Field(default=False, description="End when validation gets no better.")
    early_stop_patience: StrictInt = Field(default=3, ge=1, description="Validations without improvement before that.")
    rng_seed_data_pt: StrictInt = Field(
        default=0, ge=0, description="Seed of the split, the order and the augmentation."
    )
    rng_seed_model_pt: StrictInt = Field(default=0, ge=0, description="Seed of the weights that are not pretrained.")
    optimizer: Literal["Adam", "AdamW", "RMSprop", "SGD"] = Field(default="AdamW", description="Optimiser.")
    optimizer_params: OptimizerParams = Field(default=OptimizerParams(), description="Numbers of the optimiser.")
    lr_scheduler: Literal["multisteplr", "step", "cosine", "onecycle", "plateau", "none"] = Field(
        default="onecycle", description="Course of the learning rate."
    )
    lr_scheduler_params: SchedulerParams = Field(default=SchedulerParams(), description="Numbers of each course.")
    uniform_heatmaps_for_nan_keypoints: StrictBool = Field(
        default=False,
        description="Unlabelled keypoints have a uniform target heatmap; otherwise they are left out.",
    )
    patch_mask: PatchMask = Field(default=PatchMask(), description="Masked squares; several cameras only.")
    accumulate_grad_batches: StrictInt = Field(default=1, ge=1, description="Batches an optimiser step.")
    limit_train_batches: StrictInt | StrictFloat | None = Field(
        default=None,
        gt=0,
        description="Batches (whole number) or share of an epoch's batches to train on; null for all.",
    )
    parallel: Parallel = Field(default=Parallel(), description="Several processes that train together.")
    profiler: Literal["simple", "advanced", "pytorch"] | None = Field(
        default=None, description="Lightning profiler whose report is printed at the end."
    )

    @model_validator(mode="before")
    @classmethod
    def _steps_replace_epochs(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("max_steps") is not None and "max_epochs" not in values:
            return {**values, "max_epochs": None}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> TrainingSettings:
        total = self.train_prob + self.val_prob
        if total > 1 + _ROUNDING:
            raise ValueError(
                f"train_prob={self.train_prob} and val_prob={self.val_prob} add up to {total:g}, more than 1"
            )
        if self.max_epochs is None and self.max_steps is None:
            raise ValueError("max_epochs and max_steps are both null; give one, or training never ends")
        for low, high in (("min_epochs", "max_epochs"), ("min_steps", "max_steps")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise ValueError(f"{low}={least} is more than {high}={most}; it must be at most as large")
        mask = self.patch_mask
        if mask.init_epoch > mask.final_epoch:
            raise ValueError(f"patch_mask.init_epoch={mask.init_epoch} is more than final_epoch={mask.final_epoch}")
        return self

    @property
    def weight_decay(self) -> float:
        """The weight decay in use, whatever the optimiser."""
        given = self.optimizer_params.weight_decay
        if given is not None:
            return given
        return 0.01 if self.optimizer == "AdamW" else 0.0
