"""Settings of the section ``data``: where the labels are and what is tracked in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictFloat, StrictInt, model_validator

from vitruve.data.source_settings import DataSet, FilterSettings
from vitruve.data.tile_settings import TileSettings
from vitruve.settings import Section

_Name = Annotated[str, Field(coerce_numbers_to_str=True, min_length=1)]
_Index = Annotated[StrictInt, Field(ge=0)]


class ImageSize(Section):
    """Size of the images the network sees; both null for the size of the images themselves."""

    height: StrictInt | None = Field(default=None, ge=32, multiple_of=32, description="Height in pixels, or null.")
    width: StrictInt | None = Field(default=None, ge=32, multiple_of=32, description="Width in pixels, or null.")

    @model_validator(mode="after")
    def _both_or_none(self) -> ImageSize:
        if (self.height is None) != (self.width is None):
            given, missing = ("height", "width") if self.width is None else ("width", "height")
            raise ValueError(f"{given} is given but {missing} is null: give both, or neither")
        return self


class DataSettings(Section):
    """Where the labels, images and videos are, and what is tracked in them."""

    image_resize_dims: ImageSize = Field(
        default=ImageSize(),
        description="Size of the network's input, multiples of 32 pixels; null for the size of the "
        "images, rounded to a multiple of 32.",
    )
    data_dir: Path | None = Field(
        default=None, description="Folder the label file and its image paths are relative to."
    )
    video_dir: Path | None = Field(
        default=None,
        description="Folder of the unlabelled videos, relative to the settings file's folder or, if it is not there, "
        "to data_dir.",
    )
    target_dir: Path | None = Field(
        default=None,
        description="Folder of unlabelled images or videos of the domain that losses.domain adapts to, relative to the "
        "settings file's folder or, if it is not there, to data_dir.",
    )
    csv_file: str | tuple[str, ...] = Field(
        default="CollectedData.csv",
        description="Label file, relative to data_dir or absolute; with several cameras a list, one a view.",
    )
    label_format: str | None = Field(
        default=None,
        description="Name of the label file's format (`vitruve list formats`); null to recognise it.",
    )
    sets: tuple[DataSet, ...] = Field(
        default=(), description="Several data sets in place of csv_file, each with its own file, folder and format."
    )
    filter: FilterSettings = Field(
        default=FilterSettings(), description="What is left out; a text is the function that decides."
    )
    missing_images: Literal["error", "skip"] = Field(
        default="error", description="What happens when labels name images that are not there."
    )
    downsample_factor: Literal[1, 2, 3] = Field(
        default=2,
        description="Heatmaps are 2 to this power times smaller than the network's input; 1, 2 or 3.",
    )
    num_keypoints: StrictInt | None = Field(
        default=None, ge=1, description="Number of keypoints a view; null to take it from the label file."
    )
    keypoint_names: tuple[_Name, ...] | None = Field(
        default=None,
        description="Names of the keypoints, in the label file's order; null to take them from it.",
    )
    target: Literal["keypoints", "center"] = Field(
        default="keypoints",
        description="What is learned: the labelled keypoints, or the middle of the box around them alone, which is "
        "what a locator for crops needs.",
    )
    skeleton: str | dict[str, Any] | None = Field(
        default=None,
        description="Limbs to draw and left/right partners: a YAML file, or a mapping with edges and swaps "
        "as pairs of keypoint names; null to find the partners by name. Or the name of a known skeleton (coco17, "
        "openpose18, mpii16, ..) that labels are converted to.",
    )
    mirrored_column_matches: tuple[tuple[_Index, ...], ...] | tuple[_Index, ...] | None = Field(
        default=None,
        description="Keypoint indices that show the same body parts: one list of equal length a view for "
        "views in one image, one flat list for separate views.",
    )
    columns_for_singleview_pca: tuple[_Index, ...] | None = Field(
        default=None, description="Indices of the keypoints the pose PCA is fitted on."
    )
    view_names: tuple[_Name, ...] | None = Field(
        default=None, description="Names of the cameras, in the order of csv_file."
    )
    bbox_file: str | tuple[str, ...] | None = Field(
        default=None,
        description="Bounding boxes to crop to, relative to data_dir; a list of one file a view.",
    )
    camera_params_file: str | None = Field(
        default=None,
        description="Calibration of the cameras (Anipose, JARVIS, DANNCE, Panoptic), or a table from images to such "
        "files (CSV), relative to data_dir; null to find calibrations/<session>.toml or calibration.toml.",
    )
    image_delimiter: str | None = Field(
        default=None,
        description="Text in an image's file name before its frame number; null for the last run of digits.",
    )
    tiles: TileSettings | None = Field(
        default=None,
        description="Look at large images in overlapping tiles, in training and in prediction; detectors only.",
    )
    cache_gb: StrictFloat = Field(
        default=4.0,
        ge=0,
        description="Most memory for decoded images, in GB (10^9 bytes); 0 decodes them every epoch.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> DataSettings:
        if self.sets and self.csv_file != type(self).model_fields["csv_file"].default:
            raise ValueError(f"csv_file={self.csv_file} beside sets: list all label files in sets")
        if self.sets and self.label_format is not None:
            raise ValueError(f"label_format={self.label_format} beside sets: name the format of each set in sets")
        names, count = self.keypoint_names, self.num_keypoints
        if names is not None:
            doubled = next((name for name in names if names.count(name) > 1), None)
            if doubled is not None:
                raise ValueError(f"keypoint_names: '{doubled}' stands there twice; names must differ")
            if count is not None and count != len(names):
                raise ValueError(f"num_keypoints={count} but keypoint_names lists {len(names)}; make them agree")
            count = len(names)
        matches = self.mirrored_column_matches or ()
        lists = [item for item in matches if isinstance(item, tuple)]
        if len({len(item) for item in lists}) > 1:
            lengths = ", ".join(str(len(item)) for item in lists)
            raise ValueError(f"mirrored_column_matches: its lists have {lengths} entries; each view needs as many")
        if count is not None:
            self.check_columns(count)
        return self

    def check_columns(self, count: int) -> None:
        """Make sure that all keypoints that are meant by an index exist.

        Args:
            count: How many keypoints there are.

        Raises:
            ValueError: An index is too high; the message begins with the setting.
        """
        matches = self.mirrored_column_matches or ()
        flat = [index for item in matches for index in (item if isinstance(item, tuple) else (item,))]
        for key, indices in (
            ("mirrored_column_matches", flat),
            ("columns_for_singleview_pca", self.columns_for_singleview_pca or ()),
        ):
            if any(index >= count for index in indices):
                raise ValueError(f"{key}: index {max(indices)} for {count} keypoints; indices go to {count - 1}")

    def label_files(self) -> tuple[Path, ...]:
        """The label files with ``data_dir`` before them: one a view, or one a data set."""
        if self.sets:
            return tuple((each.data_dir or self.data_dir or Path()) / each.csv_file for each in self.sets)
        files = (self.csv_file,) if isinstance(self.csv_file, str) else self.csv_file
        return tuple((self.data_dir or Path()) / file for file in files)
