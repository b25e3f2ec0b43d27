"""A project's ``config.yaml``: JARVIS' keys, read with one line for what is wrong and written with its comments."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field, StrictInt, ValidationError, ValidationInfo, field_validator, model_validator

from vitruve.atomic import atomic_write
from vitruve.config.explain import config_error
from vitruve.config.yaml_file import parse_yaml, read_yaml
from vitruve.errors import nearest
from vitruve.settings import Section

_log = logging.getLogger(__name__)

_STRIDE = 64
_SHRINKS = 4
_COMMENTS_FROM = 36

_SCALE = "COMPOUND_COEF"
"""How older versions say the size of a network: 0 for EfficientNet b0, and so on."""


def _multiple(value: int, of: int) -> int:
    if value % of or value < of:
        raise ValueError(f"{value} must be a multiple of {of}, such as {max(1, round(value / of)) * of}")
    return value


class DatasetSection(Section):
    """Where the training sets are."""

    DATASET_2D: str | None = Field(None, description="2D dataset path (usually same as DATASET_3D)")
    DATASET_3D: str | None = Field(None, description="3D dataset path")

    @model_validator(mode="after")
    def _one_at_least(self) -> DatasetSection:
        if self.DATASET_2D is None and self.DATASET_3D is None:
            raise ValueError("DATASET_2D and DATASET_3D are both null; name a TrainingSet")
        return self


class SizeSection(Section):
    """How large a network of images is."""

    MODEL_SIZE: Literal["small", "medium", "large"] = Field("small", description="Can be 'small', 'medium' or 'large'")


class TrainingSection(Section):
    """What the training of each network is told."""

    BATCH_SIZE: StrictInt = Field(8, ge=1, description="Images a batch; 4 for very small datasets (<500 frames)")
    MAX_LEARNING_RATE: float = Field(0.01, gt=0, description="Max learning rate in OneCycle schedule")
    NUM_EPOCHS: StrictInt = Field(50, ge=1, description="Twice as many for very small datasets (<500 frames)")
    CHECKPOINT_SAVE_INTERVAL: StrictInt = Field(10, ge=1, description="Keeps the weights of every n-th epoch")


class CenterSection(TrainingSection, SizeSection):
    """The network that finds the animal."""

    IMAGE_SIZE: StrictInt = Field(256, description="Frames get resized to NxN, a multiple of 64")

    @field_validator("IMAGE_SIZE")
    @classmethod
    def _strided(cls, value: int) -> int:
        return _multiple(value, _STRIDE)


class KeypointSection(TrainingSection, SizeSection):
    """The network that finds keypoints in crops."""

    NUM_EPOCHS: StrictInt = Field(100, ge=1, description="Twice as many for very small datasets (<500 frames)")
    BOUNDING_BOX_SIZE: StrictInt = Field(256, description="Size in pixels of the crop around the animal")
    NUM_JOINTS: StrictInt | None = Field(None, ge=1, description="Number of keypoints (don't change!)")

    @field_validator("BOUNDING_BOX_SIZE")
    @classmethod
    def _strided(cls, value: int) -> int:
        return _multiple(value, _STRIDE)


class HybridSection(TrainingSection):
    """The network in space."""

    BATCH_SIZE: StrictInt = Field(1, ge=1, description="Framesets a batch")
    MAX_LEARNING_RATE: float = Field(0.003, gt=0, description="Max learning rate in OneCycle schedule")
    NUM_EPOCHS: StrictInt = Field(30, ge=1, description="Twice as many for very small datasets (<500 frames)")
    NUM_CAMERAS: StrictInt | None = Field(None, ge=2, description="Number of cameras (don't change!)")
    ROI_CUBE_SIZE: float | None = Field(None, gt=0, description="Size of the 3D bounding box in mm")
    GRID_SPACING: float | None = Field(None, gt=0, description="Resolution of the 3D bounding box in mm")

    @model_validator(mode="after")
    def _divisible(self) -> HybridSection:
        edge, spacing = self.ROI_CUBE_SIZE, self.GRID_SPACING
        if edge is None or spacing is None:
            return self
        parts = edge / (_SHRINKS * spacing)
        if abs(parts - round(parts)) > 1e-6 or round(parts) < 1:
            right = max(1, round(parts)) * _SHRINKS * spacing
            raise ValueError(
                f"ROI_CUBE_SIZE={edge:g} must be a multiple of {_SHRINKS} times GRID_SPACING={spacing:g}, such as "
                f"{right:g}"
            )
        return self


class ProjectConfig(Section):
    """All settings of a project, under JARVIS' keys."""

    headings: ClassVar[Mapping[str, str]] = {
        "DATALOADER_NUM_WORKERS": "General Configuration",
        "DATASET": "Dataset Configuration",
        "CENTERDETECT": "EfficientTrack 2D Center Detector Configuration",
        "KEYPOINTDETECT": "EfficientTrack 2D Keypoint Detector Configuration",
        "HYBRIDNET": "hybridNet Configuration",
    }

    DATALOADER_NUM_WORKERS: StrictInt = Field(4, ge=0, description="Number of processes used for dataloading")
    DATASET: DatasetSection
    CENTERDETECT: CenterSection = CenterSection()
    KEYPOINTDETECT: KeypointSection = KeypointSection()
    HYBRIDNET: HybridSection = HybridSection()
    KEYPOINT_NAMES: tuple[str, ...] = Field((), description="List of all keypoint names (for visualization)")
    SKELETON: tuple[tuple[str, str], ...] = Field((), description="List of all joints (for visualization only)")

    @field_validator("KEYPOINT_NAMES")
    @classmethod
    def _counted(cls, names: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        section = others.data.get("KEYPOINTDETECT")
        count = None if section is None else section.NUM_JOINTS
        if names and count is not None and len(names) != count:
            raise ValueError(f"{len(names)} names, but KEYPOINTDETECT.NUM_JOINTS={count}; make them agree with the set")
        return names

    @field_validator("SKELETON")
    @classmethod
    def _known(cls, joints: tuple[tuple[str, str], ...], others: ValidationInfo) -> tuple[tuple[str, str], ...]:
        names = others.data.get("KEYPOINT_NAMES")
        strange = next((end for joint in joints for end in joint if end not in (names or ())), None)
        if names and strange is not None:
            raise ValueError(f"'{strange}' is not in KEYPOINT_NAMES; every joint connects two of them")
        return joints


def read_config(path: Path) -> ProjectConfig:
    """Read a project's settings, those of JARVIS' projects too.

    Args:
        path: The file. ``COMPOUND_COEF`` of older versions becomes ``MODEL_SIZE``; keys that mean nothing here, such as
            those of JARVIS' optimiser and augmentation, are named in a warning.

    Returns:
        The settings.

    Raises:
        ConfigError: The file is missing or broken, or a value is unknown, wrong, or contradicts another.
    """
    return _checked(read_yaml(path), path)


def parse_config(text: str, path: Path) -> ProjectConfig:
    """Settings before they are written to a file.

    Args:
        text: YAML, as the file would hold it.
        path: The file, for messages.

    Returns:
        The settings.

    Raises:
        ConfigError: As for :func:`read_config`.
    """
    return _checked(parse_yaml(text, path), path)


def _checked(read: Mapping[str, Any], path: Path) -> ProjectConfig:
    values, idle = _adopted(read, ProjectConfig)
    try:
        config = ProjectConfig.model_validate(values)
    except ValidationError as error:
        raise config_error(error.errors(), ProjectConfig, values, str(path)) from None
    if idle:
        _log.warning("%s: no effect here: %s", path, ", ".join(idle))
    return config


def write_config(config: ProjectConfig, path: Path) -> None:
    """Write settings with a comment on each.

    Args:
        config: The settings.
        path: The file.

    Raises:
        InputError: It cannot be written.
    """
    atomic_write(path, config_text(config))


def config_text(config: ProjectConfig) -> str:
    """Settings as YAML with a comment on each."""
    return "\n".join(_lines(config)) + "\n"


def _adopted(values: Mapping[str, Any], section: type[Section], place: str = "") -> tuple[dict[str, Any], list[str]]:
    """Values under the keys of today, and keys that mean nothing here; one that is nearly right is left to be wrong."""
    known = section.model_fields
    result: dict[str, Any] = {}
    idle: list[str] = []
    for key, value in values.items():
        inner = known[key].annotation if key in known else None
        if key == _SCALE and "MODEL_SIZE" in known:
            if isinstance(value, int):
                result.setdefault("MODEL_SIZE", "small" if value <= 0 else "medium" if value <= 2 else "large")
        elif isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, Section):
            result[key], hidden = _adopted(value, inner, f"{place}{key}.")
            idle += hidden
        elif key not in known and not nearest(str(key), known):
            idle.append(f"{place}{key}")
        # A project of images alone, and a list of no names, have nothing there.
        elif value is not None or key not in known or not isinstance(known[key].default, tuple):
            result[key] = value
    return result, idle


def _lines(config: ProjectConfig) -> Iterator[str]:
    for key, field in ProjectConfig.model_fields.items():
        value = getattr(config, key)
        if key in config.headings:
            yield f"{'' if key == 'DATALOADER_NUM_WORKERS' else chr(10)}#{config.headings[key]}"
        if isinstance(value, Section):
            yield f"{key}:"
            for name, inner in type(value).model_fields.items():
                yield _line(f"  {name}", getattr(value, name), inner.description)
        elif isinstance(value, tuple):
            empty = "" if value else " []"
            yield f"\n{f'{key}:{empty}':<{_COMMENTS_FROM}}#{field.description}"
            if value:
                plain = yaml.safe_dump([list(item) if isinstance(item, tuple) else item for item in value])
                yield plain.rstrip("\n")
        else:
            yield _line(key, value, field.description)


def _line(key: str, value: Any, comment: str | None) -> str:
    shown = yaml.safe_dump({"x": int(value) if isinstance(value, float) and value.is_integer() else value}, width=4096)
    return f"{f'{key}: {shown.strip()[3:]}':<{_COMMENTS_FROM - 1}} #{comment}"
