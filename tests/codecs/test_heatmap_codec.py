"""The heatmap codec against float64 loops, and how exactly it gives back what it was given."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruve.codecs.heatmap import RADIUS, SIGMA, decode, encode, from_heatmap, to_heatmap

SIZE = (40, 28)
TOLERANCE = 0.05


def _encode(points: np.ndarray, size: tuple[int, int] = SIZE, sigma: float = SIGMA) -> torch.Tensor:
    tensor = torch.as_tensor(points, dtype=torch.float32)
    maps, _ = encode(tensor, torch.zeros(tensor.shape[:-1], dtype=torch.bool), size, sigma)
    return maps


def _slow_encode(x: float, y: float, size: tuple[int, int], sigma: float) -> np.ndarray:
    values = np.array(
        [[math.exp(-((i - x) ** 2 + (j - y) ** 2) / (2 * sigma**2)) for i in range(size[0])] for j in range(size[1])]
    )
    return values / values.sum()


def _slow_decode(logits: np.ndarray) -> tuple[np.ndarray, float]:
    """Newton's steps on a 7 x 7 window, pixel by pixel in float64: a mean against that of a target at the estimate."""
    height, width = logits.shape
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    probability = shifted / shifted.sum()
    row, column = divmod(int(logits.argmax()), width)
    window = [
        (i, j)
        for j in range(row - 3, row + 4)
        for i in range(column - 3, column + 4)
        if 0 <= i < width and 0 <= j < height
    ]
    place, start = np.array([column, row], float), np.array([column, row], float)
    for _ in range(4):
        near = [math.exp(-((i - place[0]) ** 2 + (j - place[1]) ** 2) / (2 * 1.25**2)) for i, j in window]
        seen = [n * probability[j, i] for n, (i, j) in zip(near, window, strict=True)]
        target = [n * n for n in near]  # a target at the estimate has the shape of the weights
        moved = place.copy()
        for axis in (0, 1):
            mean = sum(w * p[axis] for w, p in zip(seen, window, strict=True)) / sum(seen)
            wanted = sum(w * p[axis] for w, p in zip(target, window, strict=True)) / sum(target)
            spread = sum(w * (p[axis] - wanted) ** 2 for w, p in zip(target, window, strict=True)) / sum(target)
            moved[axis] += (mean - wanted) * 1.25**2 / max(spread, 0.1)
        place = np.clip(moved, start - 1, start + 1)
    return place, sum(probability[j, i] for i, j in window)


def _grid(size: tuple[int, int], margin: float, steps: int = 10) -> np.ndarray:
    fractions = np.linspace(0, 1, steps + 1)
    xs = np.concatenate([margin + fractions, size[0] // 2 + fractions, size[0] - 1 - margin - fractions])
    ys = np.concatenate([margin + fractions, size[1] // 2 + fractions, size[1] - 1 - margin - fractions])
    return np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)


def test_every_sub_pixel_position_comes_back(record_property: Callable[[str, object], None]) -> None:
    points = _grid(SIZE, 3.0, 20)
    found, _ = decode(_encode(points).log())
    error = np.abs(found.numpy() - points).max(-1)
    record_property("worst_heatmap_px", float(error.max()))
    print(f"encode then decode: worst {error.max():.5f}, mean {error.mean():.5f} heatmap px at {len(points)} places")
    assert error.max() <= 0.005  # ten times better than what is asked for


@settings(max_examples=200)
@given(st.floats(3, SIZE[0] - 4, width=32), st.floats(3, SIZE[1] - 4, width=32))
def test_any_position_comes_back(x: float, y: float) -> None:
    found, _ = decode(_encode(np.array([x, y])).log())
    assert np.abs(found.numpy() - (x, y)).max() <= TOLERANCE


def test_at_the_border_it_comes_back_as_exactly() -> None:
    fractions = np.linspace(-0.5, 3, 15)
    far = SIZE[1] - 1 - fractions
    for xs, ys in ((fractions, fractions), (fractions, far), (SIZE[0] - 1 - fractions, far)):
        points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
        found, _ = decode(_encode(points).log())
        assert np.abs(found.numpy() - points).max() <= 0.005


def test_targets_are_gaussians_that_add_up_to_one() -> None:
    for x, y, sigma in ((12.3, 8.9, SIGMA), (0.2, 27.4, SIGMA), (-0.5, 13.0, 2.5), (39.49, 0.0, 0.7)):
        found = _encode(np.array([x, y]), sigma=sigma)
        np.testing.assert_allclose(found, _slow_encode(x, y, SIZE, sigma), atol=1e-6)
    peak = _encode(np.array([32.0, 32.0]), (64, 64))
    assert float(peak.max()) == pytest.approx(0.1019, abs=5e-5)  # figures published for these targets
    assert float((peak**2).sum()) == pytest.approx(0.0509, abs=5e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["target", "noisy", "noise", "broad", "near the border", "scaled"])
def test_decoding_agrees_with_the_slow_reference(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = (-0.5, -0.5) if kind == "near the border" else (4, 4)
    high = (2.5, 2.5) if kind == "near the border" else (35, 23)
    logits = np.log(np.stack([_slow_encode(*rng.uniform(low, high), SIZE, SIGMA) for _ in range(6)]) + 1e-12)
    if kind == "noise":
        logits = rng.normal(size=logits.shape)
    elif kind == "noisy":
        logits = logits + rng.normal(size=logits.shape)
    elif kind == "broad":
        logits = np.log(np.stack([_slow_encode(*rng.uniform(8, 20, 2), SIZE, 3.0) for _ in range(6)]))
    elif kind == "scaled":
        logits = 0.7 * logits + 11
    found, scores = decode(torch.from_numpy(logits).float())
    for point, score, one in zip(found.numpy(), scores.numpy(), logits, strict=True):
        expected, mass = _slow_decode(one.astype(np.float32))
        np.testing.assert_allclose(point, expected, atol=2e-4)
        assert score == pytest.approx(mass, abs=1e-5)


def test_confidence_is_the_mass_around_the_highest_pixel() -> None:
    probability = np.zeros((28, 40))
    probability[10, 20], probability[13, 23], probability[10, 24], probability[0, 0] = 0.4, 0.2, 0.1, 0.3
    _, score = decode(torch.from_numpy(probability).log().float())
    assert float(score) == pytest.approx(0.6)  # the corner of the window counts, what lies 4 px away does not
    assert RADIUS == 3
    at_home = decode(_encode(_grid(SIZE, 3.0)).log())[1]
    assert 0.98 < float(at_home.min()) <= float(at_home.max()) <= 1


def test_a_map_that_knows_nothing_is_not_trusted() -> None:
    maps, learned = encode(torch.full((1, 2), torch.nan), torch.ones(1, dtype=torch.bool), (64, 64))
    assert bool(learned) and torch.allclose(maps, torch.tensor(1 / 4096))
    noise = 1e-3 * torch.randn(200, 64, 64, generator=torch.Generator().manual_seed(0))
    points, scores = decode(maps.log() + noise)
    inside = ((points > 3) & (points < 60)).all(-1)
    assert inside.sum() > 100
    assert torch.allclose(scores[inside], torch.tensor(49 / 4096), rtol=0.01)
    assert float(scores.max()) < 0.0121
    assert float(decode(maps.log())[1]) <= 49 / 4096  # a peak in the corner has a smaller window


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 50.0), (1.0, -300.0), (0.8, 0.0), (1.3, 7.0)])
def test_shifts_change_nothing_and_scales_little(scale: float, shift: float) -> None:
    points = _grid(SIZE, 5.0)[::3]
    logits = _encode(points).clamp_min(1e-30).log()
    plain, plain_score = decode(logits)
    found, score = decode(scale * logits + shift)
    if scale == 1:
        assert (found - plain).abs().max() < 1e-3
        assert (score - plain_score).abs().max() < 1e-3
    assert np.abs(found.numpy() - points).max() <= TOLERANCE


@pytest.mark.parametrize(("sigma", "tolerance"), [(0.8, 0.05), (2.0, 0.05), (3.0, 0.2), (4.0, 0.3)])
def test_other_widths_keep_their_peak(sigma: float, tolerance: float) -> None:
    points = _grid(SIZE, 10.0)[::3]
    found, score = decode(_encode(points, sigma=sigma).log())
    assert np.abs(found.numpy() - points).max() <= tolerance
    mass = math.erf((RADIUS + 0.5) / (sigma * math.sqrt(2))) ** 2
    assert float(score.median()) == pytest.approx(mass, rel=0.05)


def test_noise_moves_a_peak_by_no_more_than_a_pixel() -> None:
    points = _grid(SIZE, 6.0)[::3]
    generator = torch.Generator().manual_seed(0)
    logits = _encode(points).clamp_min(1e-9).log() + 0.3 * torch.randn(len(points), 28, 40, generator=generator)
    error = np.linalg.norm(decode(logits)[0].numpy() - points, axis=-1)
    assert error.max() < 1 and error.mean() < 0.25
    # A far second peak with less mass changes neither place nor side.
    other = _encode(np.array([[34.0, 22.0]] * len(points)))
    far = np.linalg.norm(points - (34, 22), axis=-1) > 10
    found, score = decode((0.7 * _encode(points) + 0.3 * other).log())
    assert np.abs(found.numpy() - points)[far].max() <= TOLERANCE
    np.testing.assert_allclose(score[torch.from_numpy(far)], 0.7, atol=0.02)


def test_each_map_is_decoded_on_its_own() -> None:
    logits = torch.randn(2, 3, 4, 28, 40, generator=torch.Generator().manual_seed(1))
    points, scores = decode(logits)
    assert points.shape == (2, 3, 4, 2) and scores.shape == (2, 3, 4)
    for index in np.ndindex(2, 3, 4):
        point, score = decode(logits[index])
        torch.testing.assert_close(points[index], point)
        torch.testing.assert_close(scores[index], score)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_maps_decode_in_full_precision(dtype: torch.dtype) -> None:
    points, scores = decode(_encode(_grid(SIZE, 6.0)[::3]).clamp_min(1e-4).log().to(dtype))
    assert points.dtype == scores.dtype == torch.float32
    assert bool(torch.isfinite(points).all())


def test_extreme_maps_stay_finite() -> None:
    spike = torch.full((28, 40), -torch.inf)
    spike[5, 7] = 0.0
    points, score = decode(spike)
    assert points.tolist() == [7, 5] and float(score) == 1
    hot = torch.zeros(28, 40)
    hot[5, 7] = 1e4
    assert decode(hot)[0].tolist() == [7, 5]
    tiny = decode(torch.randn(3, 3))  # a map smaller than the window
    assert bool(torch.isfinite(tiny[0]).all()) and float(tiny[1]) == pytest.approx(1)


def test_what_is_not_there_is_not_learned() -> None:
    nan = math.nan
    points = torch.tensor([[nan, nan], [5, nan], [-0.51, 5], [5, -0.51], [39.51, 5], [5, 27.51], [1e9, 5]])
    maps, learned = encode(points, torch.zeros(7, dtype=torch.bool), SIZE)
    assert not learned.any() and not maps.any()
    edge = torch.tensor([[-0.5, -0.5], [39.5, 27.5]])
    maps, learned = encode(edge, torch.zeros(2, dtype=torch.bool), SIZE)
    assert learned.all()
    torch.testing.assert_close(maps.sum((-2, -1)), torch.ones(2))


def test_an_occluded_keypoint_is_taught_as_uniform_wherever_it_is() -> None:
    points = torch.tensor([[math.nan, math.nan], [5.0, 5.0], [-80.0, 5.0], [5.0, 5.0]])
    maps, learned = encode(points, torch.tensor([True, True, True, False]), SIZE)
    assert learned.all()
    assert torch.equal(maps[:3], torch.full((3, 28, 40), 1 / (28 * 40)))
    assert float(maps[3].max()) > 0.1


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_heatmap_pixels_are_blocks_of_input_pixels(stride: int) -> None:
    first = to_heatmap(torch.tensor([[(stride - 1) / 2, -0.5]]), stride)
    assert first.tolist() == [[0.0, -0.5]]  # the middle of the first block; the edge stays the edge
    points = torch.randn(50, 2) * 100
    torch.testing.assert_close(from_heatmap(to_heatmap(points, stride), stride), points)
