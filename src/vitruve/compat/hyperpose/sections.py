"""What ``Config.get_config()`` hands out: sections of values that do not change any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vitruve.compat.hyperpose.enums import BACKBONE, DATA, KUNGFU, MODEL, OPTIM, TRAIN

MILESTONES = (200_000, 300_000, 360_000, 420_000, 480_000, 540_000, 600_000, 700_000, 800_000, 900_000)
"""Steps after which HyperPose lowers the learning rate."""


class _Section:
    """HyperPose's own sections could be asked ``"name" in section``."""

    def __contains__(self, name: object) -> bool:
        return any(item.name == name for item in fields(self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class ModelSection(_Section):
    """The network.

    Attributes:
        hin: Height of the input, in pixels; None for the algorithm's own.
        win: Width of the input, in pixels; None for the algorithm's own.
        model_arch: A class, function or object in place of the algorithm's network, or None.
        custom_parts: Names of the keypoints as an enumeration, or None for the data set's.
        custom_limbs: Pairs of keypoint numbers, or None.
    """

    model_name: str = "default_name"
    model_type: MODEL = MODEL.Openpose
    model_backbone: BACKBONE | str = BACKBONE.Default
    data_format: str = "channels_first"
    hin: int | None = None
    win: int | None = None
    model_arch: Any = None
    custom_parts: Any = None
    custom_limbs: Any = None
    custom_augmentor: Any = None
    custom_preprocessor: Any = None
    custom_postprocessor: Any = None
    custom_visualizer: Any = None
    save_root: Path = Path("save_dir")

    @property
    def save_dir(self) -> Path:
        """``save_dir/<model_name>``."""
        return self.save_root / self.model_name

    @property
    def model_dir(self) -> Path:
        """Where the weights lie."""
        return self.save_dir / "model_dir"


@dataclass(frozen=True)
class TrainSection(_Section):
    """Training; None stands for the algorithm's own value."""

    batch_size: int | None = None
    n_step: int | None = None
    lr_init: float | None = None
    lr_decay_steps: tuple[int, ...] = MILESTONES
    lr_decay_factor: float | None = None
    weight_decay_factor: float = 2e-4
    optim_type: OPTIM = OPTIM.Adam
    train_type: TRAIN = TRAIN.Single_train
    kungfu_option: KUNGFU = KUNGFU.Sync_sgd
    processes: int | None = None
    save_interval: int | None = None
    vis_interval: int | None = None
    vis_dir: Path = Path()


@dataclass(frozen=True)
class EvalSection(_Section):
    """Evaluation."""

    batch_size: int = 8
    vis_dir: Path = Path()


@dataclass(frozen=True)
class TestSection(_Section):
    """Testing."""

    batch_size: int = 8
    vis_dir: Path = Path()


@dataclass(frozen=True)
class DataSection(_Section):
    """Data.

    Attributes:
        dataset_path: Folder of the official data set.
        official_flag: Whether the official data set is used at all.
        useradd_paths: Images of the user's own, beside the official ones.
        useradd_targets: As many mappings with ``kpt``, ``bbx`` (or ``bbxs``) and ``mask``.
        useradd_scale_rate: How often each of them is taken for one official image.
        userdef_dataset: A data set of the user's own, or None.
        multiple_configs: Configurations of several data sets.
        domainadapt_paths: Unlabelled images to adapt to.
    """

    dataset_type: DATA = DATA.MSCOCO
    dataset_version: str = "2017"
    dataset_path: Path = Path("data")
    dataset_filter: Callable[[Any], bool] | None = None
    official_flag: bool = True
    useradd_paths: tuple[Path, ...] = ()
    useradd_targets: tuple[Mapping[str, Any], ...] = ()
    useradd_scale_rate: int = 1
    userdef_dataset: Any = None
    multiple_configs: tuple[Any, ...] = ()
    domainadapt_paths: tuple[Path, ...] = ()
    domainadapt_scale_rate: int = 1
    vis_dir: Path = Path()


@dataclass(frozen=True)
class PretrainSection(_Section):
    """Pretraining of the backbone on folders of classes."""

    enable: bool = False
    dataset_path: Path = Path("data/imagenet")
    lr_init: float = 5e-4
    weight_decay_factor: float = 1e-5
    batch_size: int = 32
    total_step: int = 370_000
    val_interval: int = 5_000


@dataclass(frozen=True)
class LogSection(_Section):
    """Logging."""

    log_interval: int | None = None
    log_path: Path = Path()


@dataclass(frozen=True)
class Configuration(_Section):
    """One complete configuration; nothing that is set later changes it.

    Attributes:
        core: Settings of the core by their full names, which win over what the others come to.
    """

    model: ModelSection = field(default_factory=ModelSection)
    train: TrainSection = field(default_factory=TrainSection)
    eval: EvalSection = field(default_factory=EvalSection)
    test: TestSection = field(default_factory=TestSection)
    data: DataSection = field(default_factory=DataSection)
    pretrain: PretrainSection = field(default_factory=PretrainSection)
    log: LogSection = field(default_factory=LogSection)
    core: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
