"""``config.yaml``: there and back, JARVIS' own files, and one line for each contradiction."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from vitruve.errors import ConfigError
from vitruve.project.config_file import DatasetSection, ProjectConfig, read_config, write_config

MANUAL = """
#General Configuration
DATALOADER_NUM_WORKERS: 4       #Number of threads used for dataloading

#Dataset Configuration
DATASET:
  DATASET_2D: Example_Dataset   #2D dataset path (usually same as DATASET_3D)
  DATASET_3D: Example_Dataset   #3D dataset path

CENTERDETECT:
  MODEL_SIZE: 'small'           #Can be 'small', 'medium' or 'large'
  BATCH_SIZE: 8
  MAX_LEARNING_RATE: 0.01
  NUM_EPOCHS: 50
  CHECKPOINT_SAVE_INTERVAL: 10
  IMAGE_SIZE: 256

KEYPOINTDETECT:
  MODEL_SIZE: 'small'
  BATCH_SIZE: 8
  MAX_LEARNING_RATE: 0.01
  NUM_EPOCHS: 100
  CHECKPOINT_SAVE_INTERVAL: 10
  BOUNDING_BOX_SIZE: 256
  NUM_JOINTS: 3

HYBRIDNET:
  BATCH_SIZE: 1
  MAX_LEARNING_RATE: 0.003
  NUM_EPOCHS: 30
  CHECKPOINT_SAVE_INTERVAL: 10
  NUM_CAMERAS: 12
  ROI_CUBE_SIZE: 144
  GRID_SPACING: 2

KEYPOINT_NAMES:
- Pinky_T
- Pinky_D
- Pinky_M

SKELETON:
- - Pinky_T
  - Pinky_D
- - Pinky_D
  - Pinky_M
"""


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = MANUAL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "config.yaml"
    file.write_text(text)
    return file


def test_the_file_of_the_manual_is_read_as_it_stands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = read_config(written(tmp_path))
    assert config.DATASET.DATASET_3D == "Example_Dataset"
    assert config.CENTERDETECT.IMAGE_SIZE == 256 and config.KEYPOINTDETECT.NUM_EPOCHS == 100
    assert (config.HYBRIDNET.ROI_CUBE_SIZE, config.HYBRIDNET.GRID_SPACING) == (144, 2)
    assert config.SKELETON == (("Pinky_T", "Pinky_D"), ("Pinky_D", "Pinky_M"))
    assert not caplog.records


def test_what_is_written_has_the_manuals_keys_in_its_order_with_a_comment_each(tmp_path: Path) -> None:
    config = read_config(written(tmp_path))
    write_config(config, tmp_path / "again.yaml")
    text = (tmp_path / "again.yaml").read_text()
    ours, theirs = yaml.safe_load(text), yaml.safe_load(MANUAL)
    assert ours == theirs
    assert list(ours) == list(theirs)
    assert all(list(ours[key]) == list(theirs[key]) for key in theirs if isinstance(theirs[key], dict))
    fields = [line for line in text.splitlines() if ":" in line and not line.rstrip().endswith(":")]
    assert all("#" in line for line in fields)
    assert read_config(tmp_path / "again.yaml") == config


def test_a_project_of_images_alone_comes_back(tmp_path: Path) -> None:
    long = "../" * 30 + "a folder # with signs: and spaces"
    config = ProjectConfig(DATASET=DatasetSection(DATASET_2D=long))
    write_config(config, tmp_path / "config.yaml")
    assert read_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(("scale", "size"), [(0, "small"), (1, "medium"), (2, "medium"), (3, "large"), (8, "large")])
def test_older_files_say_how_the_network_is_scaled(tmp_path: Path, scale: int, size: str) -> None:
    config = read_config(written(tmp_path, ("MODEL_SIZE: 'small' ", f"COMPOUND_COEF: {scale} ")))
    assert size == config.CENTERDETECT.MODEL_SIZE
    assert config.KEYPOINTDETECT.MODEL_SIZE == "small"


def test_hidden_keys_of_jarvis_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = written(
        tmp_path,
        ("HYBRIDNET:", "AUGMENTATION:\n  ROTATION: 45\nHYBRIDNET:\n  OPTIMIZER: adamw\n  USE_ONECYLCLE: true"),
    )
    with caplog.at_level(logging.WARNING):
        read_config(file)
    assert "no effect here: AUGMENTATION, HYBRIDNET.OPTIMIZER, HYBRIDNET.USE_ONECYLCLE" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "BOUNDING_BOX_SIZE: 256",
            "BOUNDING_BOX_SIZE: 300",
            "KEYPOINTDETECT.BOUNDING_BOX_SIZE: 300 must be a multiple of 64, such as 320",
        ),
        ("IMAGE_SIZE: 256", "IMAGE_SIZE: 20", "CENTERDETECT.IMAGE_SIZE: 20 must be a multiple of 64, such as 64"),
        (
            "ROI_CUBE_SIZE: 144",
            "ROI_CUBE_SIZE: 150",
            "HYBRIDNET: ROI_CUBE_SIZE=150 must be a multiple of 4 times GRID_SPACING=2, such as 152",
        ),
        ("NUM_JOINTS: 3", "NUM_JOINTS: 23", "KEYPOINT_NAMES: 3 names, but KEYPOINTDETECT.NUM_JOINTS=23"),
        ("  - Pinky_M", "  - Thumb", "SKELETON: 'Thumb' is not in KEYPOINT_NAMES"),
        ("MODEL_SIZE: 'small' ", "MODEL_SIZE: 'tiny' ", "CENTERDETECT.MODEL_SIZE='tiny': must be one of small, medium"),
        ("BATCH_SIZE: 8", "BATCH_SIZE: 0", "CENTERDETECT.BATCH_SIZE=0: must be an integer, at least 1"),
        ("NUM_EPOCHS: 30", "NUM_EPOCH: 30", "NUM_EPOCH: unknown key (did you mean 'NUM_EPOCHS'?)"),
        ("DATASET_3D: Example_Dataset", "DATASET_3D: [1]", "DATASET.DATASET_3D=[1]: must be text or null"),
    ],
)
def test_each_contradiction_is_one_line_that_says_what_is_right(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = written(tmp_path, (old, new))
    with pytest.raises(ConfigError) as told:
        read_config(file)
    text = str(told.value)
    assert text.startswith(f"{file}: ") and message in text and "\n" not in text


def test_a_project_without_any_set_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, ("DATASET_2D: Example_Dataset", "DATASET_2D:"), ("DATASET_3D: Example_Dataset", ""))
    with pytest.raises(ConfigError, match="DATASET_2D and DATASET_3D are both null"):
        read_config(file)
