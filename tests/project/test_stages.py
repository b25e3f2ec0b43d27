"""What each network of a project is trained with."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.config.schema import Config
from vitruve.project.config_file import (
    CenterSection,
    DatasetSection,
    HybridSection,
    KeypointSection,
    ProjectConfig,
)
from vitruve.project.folder import Stage
from vitruve.project.stages import stage_settings

CONFIG = ProjectConfig(
    DATASET=DatasetSection(DATASET_3D="set"),
    CENTERDETECT=CenterSection(IMAGE_SIZE=320, MODEL_SIZE="medium", NUM_EPOCHS=7),
    KEYPOINTDETECT=KeypointSection(BOUNDING_BOX_SIZE=192, MODEL_SIZE="large", NUM_JOINTS=5, BATCH_SIZE=12),
    HYBRIDNET=HybridSection(BATCH_SIZE=2, ROI_CUBE_SIZE=144, GRID_SPACING=2, MAX_LEARNING_RATE=0.004),
)


def settings(stage: Stage, **more: object) -> Config:
    return Config.from_mapping(stage_settings(stage, CONFIG, Path("set"), **more))  # type: ignore[arg-type]


def test_centers_are_learned_on_whole_images() -> None:
    config = settings(Stage.CENTER, views=3)
    assert config.model.model_type == "efficienttrack" and config.data.target == "center"
    assert (config.data.image_resize_dims.width, config.data.image_resize_dims.height) == (320, 320)
    assert not config.cropped and config.data.downsample_factor == 1
    assert config.training.max_epochs == 7 and config.training.split.method == "given"
    assert config.training.train_batch_size == 3  # 8 images are about 3 framesets of 3 views
    assert config.model.model_size == "medium"  # type: ignore[attr-defined]


def test_keypoints_are_learned_on_crops_around_the_labels_and_found_on_crops_around_centers() -> None:
    config = settings(Stage.KEYPOINT, center=Path("center_run"), weights=Path("before"))
    assert config.data.target == "keypoints" and config.data.num_keypoints == 5
    assert config.crop.from_labels and config.crop.size == 192.0 and config.crop.locator == Path("center_run")
    assert config.data.image_resize_dims.width == 192  # native pixels
    assert config.training.train_batch_size == 12 and config.model.checkpoint == Path("before")
    assert config.training.max_epochs == 100
    assert settings(Stage.KEYPOINT, epochs=3).training.max_epochs == 3


@pytest.mark.parametrize("mode", ["3D_only", "last_layers", "bifpn", "all"])
def test_hybridnet_takes_the_network_of_keypoints_into_space(mode: str) -> None:
    config = settings(Stage.HYBRID, views=12, center=Path("c"), weights=Path("k"), mode=mode)
    model = config.model.model_dump()
    assert (model["model_type"], model["mode"], model["model_size"]) == ("hybridnet", mode, "large")
    assert (model["roi_cube_size"], model["grid_spacing"], model["checkpoint"]) == (144.0, 2.0, Path("k"))
    assert config.crop.size == 192.0
    assert config.training.train_batch_size == 2  # framesets, however many views they have
    assert config.training.optimizer_params.learning_rate == 0.004


def test_finetuning_has_a_tenth_of_the_learning_rate() -> None:
    config = settings(Stage.HYBRID, finetune=True, mode="all")
    assert config.training.optimizer_params.learning_rate == pytest.approx(0.0004)
