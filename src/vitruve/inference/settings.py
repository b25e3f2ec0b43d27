"""Settings of the sections ``inference`` (how a network is run) and ``eval`` (what follows training)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt

from vitruve.data.tile_settings import TileSettings
from vitruve.settings import Section

Runtime = Literal[
    "auto", "torch", "torch_bf16", "torch_f16", "onnx", "onnx_int8", "openvino", "openvino_bf16", "openvino_int8"
]
"""What carries the network out, and in which precision."""


_Scale = Annotated[float, Field(ge=0.25, le=4)]


def _without_blanks(values: Any) -> Any:
    """The list without empty names: files of Lightning Pose hold one blank where nothing is named."""
    if not isinstance(values, (list, tuple)):
        return values
    return [value for value in values if not isinstance(value, str) or value.strip()]


class InferenceSettings(Section):
    """How a trained network is run."""

    runtime: Runtime = Field(
        default="auto",
        description="What carries the network out; auto takes the fastest within tolerance_px.",
    )
    tolerance_px: StrictFloat = Field(
        default=0.2,
        gt=0,
        description="Most that the 95th percentile of confident keypoints may differ from float32 torch, in "
        "original pixels, for a runtime to be taken.",
    )
    batch_size: StrictInt = Field(default=16, ge=1, description="Frames that pass through the network together.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="Where the network runs.")
    flip: StrictBool = Field(
        default=False,
        description="Also look at the mirror image of each image, and put together what both show; twice the time.",
    )
    scales: Annotated[tuple[_Scale, ...], Field(min_length=1)] = Field(
        default=(1.0,),
        description="Sizes in which each image is looked at, as factors of the network's input, such as [0.5, 1, 2]; "
        "what they show is put together. Others than [1] run in torch.",
    )
    tiles: TileSettings | None = Field(
        default=None,
        description="Look at large images in overlapping tiles and put together what these show; null as data.tiles "
        "says; detectors only.",
    )


class FiftyOneSettings(Section):
    """What the FiftyOne data set is called and where its page is shown."""

    dataset_name: str = Field(default="test", description="Name of the data set; _video is added for videos.")
    dataset_to_create: Literal["images", "videos"] = Field(
        default="images",
        description="Show predictions on the labelled images, or on the videos of test_videos_directory.",
    )
    overwrite: StrictBool = Field(default=False, description="Replace a data set of this name.")
    model_display_names: tuple[str, ...] = Field(default=("test_model",), description="Names shown for the runs.")
    launch_app_from_script: StrictBool = Field(default=False, description="Open the page at once.")
    remote: StrictBool = Field(default=True, description="The page is opened from another machine.")
    address: str = Field(default="127.0.0.1", description="Address the page is served at.")
    port: StrictInt = Field(default=5151, ge=1, le=65535, description="Port the page is served at.")


class EvalSettings(Section):
    """What is predicted and drawn when training has ended."""

    predict_vids_after_training: StrictBool = Field(
        default=True, description="Predict each video of test_videos_directory after training."
    )
    test_videos_directory: Path | None = Field(
        default=None,
        description="Folder of those videos; data.video_dir when the key is left out, none when it is null.",
    )
    save_vids_after_training: StrictBool = Field(
        default=False, description="Also draw the predictions into a copy of each video."
    )
    saved_vid_preds_dir: Path | None = Field(
        default=None, description="Folder for the predictions of videos; null for video_preds in the run."
    )
    colormap: str = Field(default="cool", min_length=1, description="Matplotlib colormap of the drawn keypoints.")
    confidence_thresh_for_vid: StrictFloat = Field(
        default=0.9, ge=0, le=1, description="Keypoints with a lower confidence are not drawn."
    )
    predict_vids_after_training_save_heatmaps: StrictBool = Field(
        default=False,
        description="Also write the heatmaps of each video, (frames, keypoints, height, width).",
    )
    hydra_paths: Annotated[tuple[str, ...], BeforeValidator(_without_blanks)] = Field(
        default=(), description="Runs to compare, for the viewer of predictions."
    )
    fiftyone: FiftyOneSettings = Field(default=FiftyOneSettings(), description="The FiftyOne data set of predictions.")
