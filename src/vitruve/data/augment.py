"""Geometric augmentation: one random matrix (and, for elastic changes, one displacement) an image.

Everything here only draws numbers. The image is sampled once, by :class:`vitruve.geometry.warp.Warp`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from vitruve.errors import ConfigError, nearest
from vitruve.geometry.affine import Matrix, Size, about_center, crop, flip, rotation, scaling, translation
from vitruve.geometry.warp import Warp


@dataclass(frozen=True)
class Augmentation:
    """How strongly images are changed, each change with its own probability.

    The numbers of the presets are those that Lightning Pose documents for its ``dlc`` pipelines.

    Attributes:
        rotate: Probability of a rotation by up to ``rotate_degrees`` to either side.
        rotate_degrees: In degrees.
        crop_pad: Probability of moving each border by up to ``crop_pad_share`` of the side, in or out.
        crop_pad_share: A share of width and height.
        zoom: Probability of a change of scale about a random point of the image.
        zoom_factor: By up to this factor, larger or smaller; each ratio is as likely as its inverse.
        quarter_turns: The turns, in degrees, of which one is taken each time; empty for none.
        hflip: Probability of a mirror image with left and right keypoints exchanged.
        elastic: Probability of a smooth random displacement.
        elastic_alpha: Its strength is drawn from 0 to this many pixels.
        elastic_sigma: Its smoothness, in pixels.
        motion_blur: Probability of a blur of ``blur_size`` pixels in a random direction.
        blur_size: Side of the blur's kernel, in pixels.
        dropout: Probability of dropping coarse blocks.
        dropout_share: Share of the blocks.
        salt: Probability of white blocks.
        pepper: Probability of black blocks.
        salt_share: Share of white or black blocks.
        equalize: Probability of histogram equalisation.
        clahe: Probability of contrast-limited adaptive equalisation.
        emboss: Probability of an emboss filter.
    """

    rotate: float = 0.0
    rotate_degrees: float = 25.0
    crop_pad: float = 0.0
    crop_pad_share: float = 0.15
    zoom: float = 0.0
    zoom_factor: float = 2.0
    quarter_turns: tuple[int, ...] = ()
    hflip: float = 0.0
    elastic: float = 0.0
    elastic_alpha: float = 10.0
    elastic_sigma: float = 5.0
    motion_blur: float = 0.0
    blur_size: int = 5
    dropout: float = 0.0
    dropout_share: float = 0.02
    salt: float = 0.0
    pepper: float = 0.0
    salt_share: float = 0.01
    equalize: float = 0.0
    clahe: float = 0.0
    emboss: float = 0.0


_DLC = Augmentation(
    rotate=0.4,
    crop_pad=0.4,
    elastic=0.5,
    motion_blur=0.5,
    dropout=0.5,
    salt=0.5,
    pepper=0.5,
    equalize=0.1,
    clahe=0.1,
    emboss=0.1,
)


def without_geometry(settings: Augmentation) -> Augmentation:
    """The changes that leave every keypoint where it is.

    Args:
        settings: Probabilities and strengths.

    Returns:
        The same without rotation, crop, zoom, turns, mirror images and elastic changes.
    """
    return replace(settings, rotate=0.0, crop_pad=0.0, zoom=0.0, quarter_turns=(), hflip=0.0, elastic=0.0)


PRESETS: Mapping[str, Augmentation] = {
    "none": Augmentation(),
    "default": Augmentation(),
    "dlc": _DLC,
    "dlc-lr": replace(_DLC, quarter_turns=(0, 180)),
    "dlc-top-down": replace(_DLC, quarter_turns=(0, 90, 180, 270)),
    "dlc-mv": without_geometry(_DLC),
    "crowd": Augmentation(rotate=0.4, rotate_degrees=30.0, zoom=0.9, hflip=0.5, motion_blur=0.2, equalize=0.1),
}
"""What ``training.imgaug`` takes by name."""


def augmentation(setting: str | Mapping[str, Any], hflip: bool = False) -> Augmentation:
    """The augmentation that ``training.imgaug`` and ``training.imgaug_hflip`` ask for.

    Args:
        setting: A preset's name, or attributes of :class:`Augmentation` with, optionally, ``preset`` to start from.
        hflip: Also mirror half of the images.

    Returns:
        The augmentation.

    Raises:
        ConfigError: A preset or a key is unknown, or a value is out of its range.
    """
    values: dict[str, Any] = {"preset": setting} if isinstance(setting, str) else dict(setting)
    preset = values.pop("preset", "none")
    if preset not in PRESETS:
        raise ConfigError(
            f"training.imgaug={preset!r}: no such preset{nearest(str(preset), PRESETS)}; known are {', '.join(PRESETS)}"
        )
    for key, value in values.items():
        _check(key, value)
    if "quarter_turns" in values:
        values["quarter_turns"] = tuple(values["quarter_turns"])
    if hflip:
        values.setdefault("hflip", 0.5)
    return replace(PRESETS[preset], **values)


def _check(key: str, value: Any) -> None:
    known = Augmentation.__dataclass_fields__
    where = f"training.imgaug.{key}={value!r}"
    if key not in known:
        raise ConfigError(f"training.imgaug.{key}: unknown key{nearest(key, known)}; known are {', '.join(known)}")
    if key == "quarter_turns":
        if not isinstance(value, (list, tuple)) or any(turn not in (0, 90, 180, 270) for turn in value):
            raise ConfigError(f"{where}: must be a list of 0, 90, 180 and 270")
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ConfigError(f"{where}: must be a number of at least 0")
    elif key == "blur_size":
        if not isinstance(value, int) or value < 3 or value % 2 == 0:
            raise ConfigError(f"{where}: must be an odd whole number of at least 3")
    elif key == "crop_pad_share" and value >= 0.5:
        raise ConfigError(f"{where}: must be below 0.5, or nothing may be left between two borders")
    elif key == "elastic_sigma" and value == 0:
        raise ConfigError(f"{where}: must be above 0")
    elif key == "zoom_factor" and value < 1:
        raise ConfigError(f"{where}: must be at least 1; the inverse of the factor is drawn, too")
    elif (key.endswith("_share") or known[key].default == 0.0) and value > 1:
        raise ConfigError(f"{where}: must lie between 0 and 1")


@dataclass(frozen=True)
class Drawn:
    """One draw of the geometric changes.

    Attributes:
        warp: From the original image to the network's input.
        mirrored: The input is a mirror image, so left and right keypoints change places.
    """

    warp: Warp
    mirrored: bool


def draw(settings: Augmentation, base: Matrix, size: Size, rng: np.random.Generator) -> Drawn:
    """Draw the geometric changes of one image.

    Args:
        settings: Probabilities and strengths.
        base: ``(3, 3)`` from the original image to the input, without augmentation.
        size: Width and height of the input.
        rng: Where the chance comes from.

    Returns:
        The warp and whether it mirrors.
    """
    matrix = base
    # Every number is drawn whether it is used or not, so that one probability does not shift all later draws.
    chance = rng.random(5)
    turn, edges, choice = rng.uniform(-1, 1), rng.uniform(-1, 1, 4), rng.random()
    power, point = rng.uniform(-1, 1), rng.uniform(-0.5, 0.5, 2) * size
    if chance[0] < settings.rotate:
        matrix = about_center(rotation(turn * settings.rotate_degrees), size) @ matrix
    if settings.quarter_turns:
        turns = settings.quarter_turns
        matrix = _quarter_turn(turns[int(choice * len(turns))], size) @ matrix
    if chance[1] < settings.crop_pad:
        shift = edges * settings.crop_pad_share * np.array([size[0], size[1], size[0], size[1]])
        # The area of the pixels begins half a pixel before the centre of the first one.
        box = (shift[0] - 0.5, shift[1] - 0.5, size[0] - 0.5 + shift[2], size[1] - 0.5 + shift[3])
        matrix = crop(box, size) @ matrix
    if chance[4] < settings.zoom:
        scale = settings.zoom_factor**power
        about = translation(*point) @ scaling(scale, scale) @ translation(*-point)
        matrix = about_center(about, size) @ matrix
    mirrored = bool(chance[2] < settings.hflip)
    if mirrored:
        matrix = flip(size) @ matrix
    displacement = None
    if chance[3] < settings.elastic:
        displacement = _elastic(settings, size, rng)
    return Drawn(Warp(matrix, size, displacement), mirrored)


def _quarter_turn(degrees: int, size: Size) -> Matrix:
    """A quarter turn that still fills the input: other sides than a square's are stretched back."""
    turned = about_center(rotation(degrees), size)
    if degrees % 180 == 0 or size[0] == size[1]:
        return turned
    ratio = size[0] / size[1]
    return about_center(np.diag([ratio, 1 / ratio, 1.0]), size) @ turned


def _elastic(settings: Augmentation, size: Size, rng: np.random.Generator) -> np.ndarray:
    """Smoothed noise times a strength (Simard et al. 2003)."""
    alpha = rng.uniform(0, settings.elastic_alpha)
    # Noise this smooth is as well drawn on a coarser grid. Fewer numbers are averaged there: its spread grows by the
    # factor by which the grid is coarser.
    coarser = max(1, int(settings.elastic_sigma / 2.5))
    grid = (-(-size[1] // coarser), -(-size[0] // coarser), 2)
    noise = 2 * rng.random(grid, dtype=np.float32) - 1
    smooth = cv2.GaussianBlur(noise, (0, 0), settings.elastic_sigma / coarser)
    return np.asarray(alpha / coarser * cv2.resize(smooth, size, interpolation=cv2.INTER_CUBIC), np.float32)
