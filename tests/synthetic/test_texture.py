from __future__ import annotations

import numpy as np

from vitruve.synthetic.texture import Wobble, noise_texture


def test_wobble_is_standardised_and_smooth() -> None:
    wobble = Wobble(np.random.default_rng(1), period=2.0)
    at = np.linspace(0, 4000, 200_001)
    values = wobble(at)
    assert abs(values.mean()) < 0.02 and abs(values.std() - 1) < 0.05
    # No sinusoid is faster than half the period: 5 terms of amplitude sqrt(2/5) bound the slope.
    assert np.abs(np.diff(values) / np.diff(at)).max() <= 5 * np.sqrt(2 / 5) * 2 * np.pi / 1.0
    assert float(wobble(3.5)) == wobble(np.array([1.0, 3.5]))[1]


def test_noise_texture_has_the_grain_it_was_asked_for() -> None:
    texture = noise_texture(np.random.default_rng(0), (256, 256), (2.0, 6.0))
    assert texture.dtype == np.float32
    assert abs(texture.mean()) < 1e-5 and abs(texture.std() - 1) < 1e-5
    for axis, grain in ((0, 2.0), (1, 6.0)):
        # White noise blurred by a Gaussian of width s correlates over a distance d as exp(-d^2 / 4 s^2);
        # np.roll also sees that the texture repeats without a seam.
        along = (texture * np.roll(texture, int(grain), axis)).mean()
        assert abs(along - np.exp(-0.25)) < 0.06
