"""Smooth random functions of time and of place."""

from __future__ import annotations

import numpy as np


class Wobble:
    """A smooth random function of one variable: a few sinusoids of unrelated periods.

    Args:
        rng: Draws the periods and phases.
        period: The middle of the periods, in the unit of the variable.
    """

    _TERMS = 5

    def __init__(self, rng: np.random.Generator, period: float) -> None:
        self._rates = 2 * np.pi / (period * rng.uniform(0.5, 1.6, self._TERMS))
        self._phases = rng.uniform(0, 2 * np.pi, self._TERMS)

    def __call__(self, at: float | np.ndarray) -> np.ndarray:
        """The value, of mean 0 and standard deviation 1.

        Args:
            at: Where; a number or an array.

        Returns:
            One value each.
        """
        waves = np.sin(np.multiply.outer(at, self._rates) + self._phases)
        return np.asarray(waves.sum(-1) * np.sqrt(2 / self._TERMS))


def noise_texture(rng: np.random.Generator, shape: tuple[int, ...], grain: tuple[float, ...]) -> np.ndarray:
    """White noise blurred by a Gaussian; it repeats seamlessly at its edges.

    Args:
        rng: Draws the noise.
        shape: Of the texture: height and width in pixels, or three lengths of a block.
        grain: Standard deviations of the blur along each of them.

    Returns:
        Values of mean 0 and standard deviation 1.
    """
    blur: np.ndarray = np.zeros(())
    for axis, (length, width) in enumerate(zip(shape, grain, strict=True)):
        last = axis == len(shape) - 1
        rates = np.fft.rfftfreq(length) if last else np.fft.fftfreq(length)
        blur = blur + ((rates * width) ** 2).reshape(-1, *[1] * (len(shape) - 1 - axis))
    axes = tuple(range(len(shape)))
    waves = np.fft.rfftn(rng.standard_normal(shape), axes=axes) * np.exp(-2 * np.pi**2 * blur)
    noise = np.fft.irfftn(waves, s=shape, axes=axes)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def sampled(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The colour of a texture between its four nearest texels.

    Args:
        image: ``(H, W, C)``.
        place: ``(..., 2)`` as ``x y``, from 0 to one less than the last texel.

    Returns:
        ``(..., C)``.
    """
    whole = place.astype(np.int32)
    x, y = whole[..., 0], whole[..., 1]
    part = (place - whole).astype(np.float32)
    right, down = part[..., :1], part[..., 1:]
    upper = image[y, x] * (1 - right) + image[y, x + 1] * right
    lower = image[y + 1, x] * (1 - right) + image[y + 1, x + 1] * right
    return np.asarray(upper * (1 - down) + lower * down)
