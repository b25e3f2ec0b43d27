"""Principal components of labels: known subspaces, and the printed figures of a real data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import ConfigError
from vitruve.evaluation.diagnostics import label_free_errors, temporal_norm
from vitruve.evaluation.subspace import Subspace, fit_subspace, multiview_columns, singleview_columns
from vitruve.formats.hub import read_labels
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

TOP = (0, 1, 2, 3, 4, 5, 6)
BOTTOM = (8, 9, 10, 11, 12, 13, 14)


def _labels(keypoints: np.ndarray) -> Labels:
    """From ``(F, V, K, 2)``."""
    names = tuple(f"k{n}" for n in range(keypoints.shape[2]))
    frames = tuple(
        Frame(tuple(ImageRef(Path(f"{v}/img{i}.png")) for v in range(len(row))), Instances.from_keypoints(row[:, None]))
        for i, row in enumerate(keypoints)
    )
    return Labels(Skeleton(names), frames)


def _on_a_plane(count: int = 80, noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(2, 8))
    return (100 + rng.normal(size=(count, 2)) @ basis * 9 + rng.normal(size=(count, 8)) * noise).reshape(count, 1, 4, 2)


def test_a_plane_is_found_and_what_lies_off_it_is_measured() -> None:
    points = _on_a_plane()
    found = fit_subspace("pca_singleview", _labels(points), singleview_columns((0, 1, 2, 3), 1, 4), 0.99)
    assert len(found.components) == 2 and found.explained == pytest.approx(1)
    assert found.errors(points).max() < 1e-9
    away = np.linalg.svd(found.components)[2][-1] * 7  # at a right angle to the plane
    errors = found.errors(points + away.reshape(1, 1, 4, 2))
    np.testing.assert_allclose(np.sqrt((errors**2).sum(-1)), 7, rtol=1e-9)


def test_missing_keypoints_are_left_out_of_the_fit_and_have_no_error() -> None:
    points = _on_a_plane(noise=0.1)
    holes = points.copy()
    holes[::5, :, 1] = np.nan
    whole = fit_subspace("pca_singleview", _labels(points), singleview_columns((0, 1, 2, 3), 1, 4), 2)
    found = fit_subspace("pca_singleview", _labels(holes), singleview_columns((0, 1, 2, 3), 1, 4), 2)
    errors = found.errors(holes)
    assert np.isnan(errors[::5]).all() and np.isfinite(np.delete(errors, np.s_[::5], 0)).all()
    # Both planes are the same but for noise: each holds the other's axes.
    assert np.linalg.svd(whole.components @ found.components.T)[1].min() > 0.95


def test_views_of_points_in_space_fill_three_dimensions() -> None:
    rng = np.random.default_rng(1)
    space = rng.normal(size=(60, 3, 3)) * 20
    cameras = rng.normal(size=(2, 2, 3))
    seen = np.einsum("vij,fkj->fvki", cameras, space)
    columns = multiview_columns((0, 1, 2), 2, 3)
    found = fit_subspace("pca_multiview", _labels(seen), columns, 3)
    assert found.errors(seen).max() < 1e-9
    wrong = seen.copy()
    wrong[7, 1, 2] += 30
    errors = found.errors(wrong)
    assert errors[7, :, 2].min() > 1 and np.delete(errors, 7, 0).max() < 1e-9


def test_what_a_run_stores_is_what_it_was() -> None:
    found = fit_subspace(
        "pca_singleview", _labels(_on_a_plane(noise=1)), singleview_columns((0, 2), 1, 4), 0.9, "median"
    )
    again = Subspace.from_dict(found.to_dict())
    points = _on_a_plane()
    np.testing.assert_array_equal(found.errors(points), again.errors(points))
    assert again.epsilon == found.epsilon and again.own_errors == found.own_errors and again.centering == "median"


def test_centred_poses_may_lie_anywhere() -> None:
    points = _on_a_plane(noise=0.01)
    found = fit_subspace("pca_singleview", _labels(points), singleview_columns((0, 1, 2, 3), 1, 4), 2, "mean")
    np.testing.assert_allclose(found.errors(points + np.array([300, -50])), found.errors(points), atol=1e-9)


@pytest.mark.parametrize(
    ("points", "keep", "message"),
    [
        (_on_a_plane(5), 0.99, "5 labelled poses are too few for a space of 8 dimensions"),
        (_on_a_plane(), 9, r"components_to_keep=9: the space has 8 dimensions"),
        (
            np.where(np.arange(4)[:, None] == np.arange(80)[:, None, None, None] % 4, np.nan, _on_a_plane()),
            2,
            "in no frame",
        ),
    ],
)
def test_a_fit_that_cannot_work_says_why(points: np.ndarray, keep: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit_subspace("pca_singleview", _labels(points), singleview_columns((0, 1, 2, 3), 1, 4), keep)


def test_matches_go_with_the_number_of_views() -> None:
    np.testing.assert_array_equal(multiview_columns(((0, 1), (2, 3)), 1, 4), [[0, 2], [1, 3]])
    np.testing.assert_array_equal(multiview_columns((0, 3), 2, 4), [[0, 4], [3, 7]])
    with pytest.raises(ConfigError, match="one list of keypoint indices a view"):
        multiview_columns((0, 1), 1, 4)
    with pytest.raises(ConfigError, match="one flat list"):
        multiview_columns(((0, 1), (2, 3)), 2, 4)


def test_the_figures_of_the_example_recordings(data_dir: Path) -> None:
    labels = read_labels(data_dir / "mirror_mouse" / "CollectedData.csv")
    joints = len(labels.skeleton)
    pose = fit_subspace("pca_singleview", labels, singleview_columns(TOP + BOTTOM, 1, joints), 0.99)
    assert len(pose.components) == 14
    # Fitted and measured in original pixels: with the fit in the network's pixels the median would be 19.7.
    assert round(pose.own_errors[0], 1) == 2.6 and round(pose.own_errors[2], 1) == 11.8
    assert pose.epsilon == pose.own_errors[2]
    views = multiview_columns((TOP, BOTTOM), 1, joints)
    shares = [fit_subspace("pca_multiview", labels, views, kept).explained for kept in (1, 2, 3, 4)]
    assert [round(share, 4) for share in shares] == [0.8979, 0.9592, 0.9970, 1.0]
    assert round(fit_subspace("pca_multiview", labels, views, 3).own_errors[2], 1) == 10.9


def test_errors_come_in_parts_as_they_would_at_once() -> None:
    points = _on_a_plane(noise=2)
    subspace = fit_subspace("pca_singleview", _labels(points), singleview_columns((0, 1, 2, 3), 1, 4), 2)
    whole = next(label_free_errors(iter([points]), {"pca_singleview": subspace}))
    parts = list(label_free_errors(iter([points[:3], points[3:4], points[4:]]), {"pca_singleview": subspace}))
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), values)


def test_the_first_frame_has_no_motion() -> None:
    points = np.zeros((3, 1, 2, 2))
    points[1, 0, 1] = (3, 4)
    np.testing.assert_array_equal(temporal_norm(points)[:, 0], [[np.nan, np.nan], [0, 5], [0, 5]])
