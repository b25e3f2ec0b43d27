"""Pictures of maps and people, as HyperPose leaves them in its folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vitruve.compat.hyperpose.custom import array
from vitruve.geometry.affine import letterbox, resize
from vitruve.geometry.warp import Warp
from vitruve.media.images import read_image, write_image
from vitruve.visualize.draw import contact_sheet

_MOST = 4
"""Kinds of maps that are drawn."""


def pixels(image: Any) -> UInt8[np.ndarray, "H W 3"]:
    """An image of any of HyperPose's kinds as one of 0 to 255 with its channels last; a copy."""
    values = array(image)
    values = values.transpose(1, 2, 0) if values.shape[0] == 3 and values.shape[-1] != 3 else values
    whole = np.asarray(image).dtype.kind in "iu" if isinstance(image, np.ndarray) else False
    return np.clip(np.rint(values * (1 if whole else 255)), 0, 255).astype(np.uint8)


class ImageProcessor:
    """Reads, fits and writes images of which a network is asked.

    Args:
        input_h: Height of the network's input in pixels.
        input_w: Width of the network's input in pixels.
    """

    def __init__(self, input_h: int, input_w: int) -> None:
        self.input_h, self.input_w = input_h, input_w

    def read_image_rgb_float(self, image_path: str | Path) -> np.ndarray:
        """An image file as ``(H, W, 3)`` from 0 to 1."""
        return read_image(image_path).astype(np.float32) / 255

    def write_image_rgb_float(self, image: Any, image_path: str | Path) -> None:
        """Write an image of numbers from 0 to 1."""
        write_image(image_path, pixels(image))

    def image_pad_and_scale(self, image: Any) -> tuple[np.ndarray, float, list[float]]:
        """An image as large as the input takes it, its proportions kept, with black around it.

        Args:
            image: ``(H, W, 3)`` from 0 to 1.

        Returns:
            The image, the scale, and ``[top, bottom, left, right]``: ``human.unpad(pad)`` and then
            ``human.unscale(scale)`` lead back to the image's own pixels. Because those are counted from the middle of
            the first one, the four are no whole numbers.
        """
        height, width = np.shape(image)[:2]
        size = (self.input_w, self.input_h)
        matrix = letterbox((width, height), size)
        scale, left, top = (float(matrix[place]) for place in ((0, 0), (0, 2), (1, 2)))
        pad = [top, self.input_h - scale * height - top, left, self.input_w - scale * width - left]
        return Warp(matrix, size).image(pixels(image)).astype(np.float32) / 255, scale, pad


def map_sheet(
    image: Any, rows: Sequence[Mapping[str, np.ndarray]], humans: Any
) -> tuple[list[UInt8[np.ndarray, "_ _ 3"]], int]:
    """What is drawn of one image.

    Args:
        image: In any of HyperPose's kinds.
        rows: Maps by name; those of the first row, then their targets.
        humans: People in pixels of the image, or None.

    Returns:
        Panels row by row, and how many stand in a row.
    """
    plain = pixels(image)
    drawn = plain.copy()
    for human in humans or ():
        drawn = human.draw(drawn)
    size = (plain.shape[1], plain.shape[0])
    names = [name for name in rows[0] if name in rows[-1]][:_MOST]
    panels = []
    for row in rows:
        panels += [plain if row is not rows[0] else drawn]
        panels += [_colored(_probable(name, row[name]), size, name == "conf_map") for name in names]
    return panels, 1 + len(names)


def save_sheet(panels: Sequence[UInt8[np.ndarray, "_ _ 3"]], columns: int, path: str | Path) -> None:
    """Write panels as one picture.

    Args:
        panels: RGB images.
        columns: How many stand side by side.
        path: The picture; its folder is made where there is none.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_image(path, contact_sheet(panels, columns))


def _probable(name: str, values: np.ndarray) -> np.ndarray:
    """PifPaf's confidences as probabilities; its network gives their log odds, its targets are 0 and 1."""
    if name.endswith("_conf") and np.nanmin(values, initial=0.0) < 0:
        return np.asarray(1 / (1 + np.exp(-values)))
    return values


def _colored(values: np.ndarray, size: tuple[int, int], background: bool) -> UInt8[np.ndarray, "H W 3"]:
    """The strongest of all channels in each cell, in the size of the image."""
    from matplotlib import colormaps

    channels = np.nan_to_num(np.abs(values.reshape(-1, *values.shape[-2:])))
    # The last of the confidence maps says where nothing is.
    strongest = (channels[:-1] if background and len(channels) > 1 else channels).max(0)
    shown = (255 * np.clip(strongest / max(1.0, float(strongest.max())), 0, 1)).astype(np.uint8)
    small = (shown.shape[1], shown.shape[0])
    large = Warp(resize(small, size), size).image(shown[..., None])[..., 0]
    return np.asarray(colormaps["viridis"](large, bytes=True)[..., :3])
