"""Smooth random functions of time and of place."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


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


def noise_texture(
    rng: np.random.Generator, shape: tuple[int, int], grain: tuple[float, float]
) -> Float[np.ndarray, "H W"]:
    """White noise blurred by a Gaussian; it repeats seamlessly at its edges.

    Args:
        rng: Draws the noise.
        shape: Height and width in pixels.
        grain: Standard deviations of the blur along y and x, in pixels.

    Returns:
        Values of mean 0 and standard deviation 1.
    """
    rates_y = np.fft.fftfreq(shape[0])[:, None]
    rates_x = np.fft.rfftfreq(shape[1])[None, :]
    blur = np.exp(-2 * np.pi**2 * ((rates_y * grain[0]) ** 2 + (rates_x * grain[1]) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * blur, s=shape)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)
