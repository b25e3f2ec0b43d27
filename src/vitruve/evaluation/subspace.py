"""Where labelled poses lie among all poses: principal components of keypoints, fitted in original pixels.

Two questions are asked of a pose. Is it like the labelled ones (``pca_singleview``: all keypoints of a view are one
point of a space with two dimensions a keypoint)? Do its views agree (``pca_multiview``: one body part seen in V views
is one point of a space with two dimensions a view, of which a part moving in space fills three)? The distance of a
keypoint from its projection on the subspace is the error, in pixels. Both are Lightning Pose's (Biderman et al. 2024).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from vitruve.errors import ConfigError
from vitruve.structures.instances import OCCLUDED
from vitruve.structures.labels import Labels

Centering = Literal["mean", "median"]

_PERCENTILE = 99.0


@dataclass(frozen=True, eq=False)
class Subspace:
    """The principal components of some keypoints.

    Attributes:
        name: ``pca_singleview`` or ``pca_multiview``.
        columns: ``(R, G)`` which keypoints make up each point of the space, as ``view * K + keypoint``.
        mean: ``(2 G,)`` in original pixels.
        components: ``(C, 2 G)``, orthonormal rows.
        centering: What is subtracted from each pose first.
        explained: Share of the variance that the components hold together.
        epsilon: Error in pixels that is taken for the labels' own.
        own_errors: 50th, 90th and 99th percentile of the labels' own error, in pixels.
    """

    name: str
    columns: Int[np.ndarray, "R G"]
    mean: Float[np.ndarray, " D"]
    components: Float[np.ndarray, "C D"]
    centering: Centering | None = None
    explained: float = 1.0
    epsilon: float = 0.0
    own_errors: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def errors(self, keypoints: Float[np.ndarray, "F V K 2"]) -> Float[np.ndarray, "F V K"]:
        """Distance of each keypoint from the subspace.

        Args:
            keypoints: In original pixels.

        Returns:
            Pixels; NaN for keypoints that are not part of it, and for points of the space with a missing part.
        """
        frames, views, joints, _ = keypoints.shape
        rows = gathered(keypoints, self.columns).astype(np.float64)
        rows = rows - centers(rows, self.centering)
        away = rows - self.mean
        away = away - (away @ self.components.T) @ self.components
        distances = np.linalg.norm(away.reshape(*away.shape[:-1], -1, 2), axis=-1)
        result = np.full((frames, views * joints), np.nan)
        result[:, self.columns.ravel()] = distances.reshape(frames, -1)
        return result.reshape(frames, views, joints)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the inverse of :meth:`from_dict`."""
        return {
            "name": self.name,
            "columns": self.columns.tolist(),
            "mean": self.mean.tolist(),
            "components": self.components.tolist(),
            "centering": self.centering,
            "explained": self.explained,
            "epsilon": self.epsilon,
            "own_errors": list(self.own_errors),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Subspace:
        """The subspace that :meth:`to_dict` wrote."""
        arrays = {
            "columns": np.asarray(values["columns"], int),
            "mean": np.asarray(values["mean"], float),
            "components": np.asarray(values["components"], float),
            "own_errors": tuple(values["own_errors"]),
        }
        return cls(**{**values, **arrays})

    def describe(self) -> str:
        """One line for people: how many components, and the labels' own error."""
        kept, middle, high = len(self.components), self.own_errors[0], self.own_errors[2]
        return (
            f"{self.name}: {kept} of {len(self.mean)} components hold {100 * self.explained:.1f} % of the labels' "
            f"variance; the labels' own error is {middle:.1f} px (median), {high:.1f} px (99th percentile); "
            f"epsilon {self.epsilon:.1f} px"
        )


def singleview_columns(columns: tuple[int, ...], views: int, joints: int) -> Int[np.ndarray, "V G"]:
    """The keypoints of a pose, view by view.

    Args:
        columns: Indices of the keypoints (``data.columns_for_singleview_pca``).
        views: V.
        joints: K.

    Returns:
        See :attr:`Subspace.columns`.
    """
    return np.asarray(columns, int) + joints * np.arange(views)[:, None]


def multiview_columns(
    matches: tuple[tuple[int, ...], ...] | tuple[int, ...], views: int, joints: int
) -> Int[np.ndarray, "R G"]:
    """The keypoints that show one body part in several views.

    Args:
        matches: ``data.mirrored_column_matches``: one list a view for views within one image, or one flat list of
            keypoints for views that are images of their own.
        views: V, the number of images of an instant.
        joints: K.

    Returns:
        See :attr:`Subspace.columns`.

    Raises:
        ConfigError: The lists do not go with the number of views.
    """
    nested = [match for match in matches if isinstance(match, tuple)]
    if views == 1:
        if len(nested) < 2:
            raise ConfigError(
                "data.mirrored_column_matches: one image shows all views here, so it takes one list of keypoint "
                "indices a view, such as [[0, 1], [2, 3]]"
            )
        return np.asarray(nested, int).T
    if nested:
        raise ConfigError(
            f"data.mirrored_column_matches: the {views} views are images of their own, so it takes one flat list of "
            "keypoint indices, such as [0, 1, 2]"
        )
    return np.asarray(matches, int)[:, None] + joints * np.arange(views)


def fit_subspace(
    name: str,
    labels: Labels,
    columns: Int[np.ndarray, "R G"],
    keep: float,
    centering: Centering | None = None,
    percentile: float = _PERCENTILE,
    multiplier: float = 1.0,
) -> Subspace:
    """Fit principal components to labels.

    Missing keypoints are left out of means and covariances pair by pair, so partly labelled frames count too; the
    labels' own error is taken over points of which no part is missing.

    Args:
        name: ``pca_singleview`` or ``pca_multiview``.
        labels: One instance a frame. Occluded keypoints have no certain place and count as missing.
        columns: See :attr:`Subspace.columns`.
        keep: The number of components, or, below 1, the share of variance they must explain.
        centering: What is subtracted from each pose first.
        percentile: Of the labels' own error, for epsilon.
        multiplier: Factor on that percentile.

    Returns:
        The subspace.

    Raises:
        ConfigError: There are too few labels, or more components are asked for than there are dimensions.
    """
    keypoints = np.where((labels.visible() > OCCLUDED)[..., None], labels.keypoints(), np.nan)[:, :, 0]
    rows = gathered(keypoints, columns).reshape(-1, 2 * columns.shape[1])
    rows = rows - centers(rows, centering)
    usable = rows[~np.isnan(rows).all(-1)]
    size = rows.shape[-1]
    whole = ~np.isnan(rows).any(-1)
    if len(usable) < size:
        raise ConfigError(
            f"{name}: {len(usable)} labelled poses are too few for a space of {size} dimensions; label at least "
            f"{size}, or leave {name} out of model.losses_to_use"
        )
    if not whole.any():
        raise ConfigError(
            f"{name}: in no frame are all of its keypoints labelled, so the labels' own error is unknown; "
            "choose keypoints that are seen together"
        )
    if keep > size:
        raise ConfigError(
            f"losses.{name}.components_to_keep={keep:g}: the space has {size} dimensions; "
            f"give at most {size}, or a share below 1"
        )
    mean = np.nanmean(usable, 0)
    away = usable - mean
    known = np.isfinite(away).astype(float)
    filled = np.where(known > 0, away, 0.0)
    # Each covariance over the poses that have both of its coordinates; such a matrix may have small negative variances.
    covariance = filled.T @ filled / np.maximum(known.T @ known - 1, 1)
    variances, directions = np.linalg.eigh(covariance)
    variances, directions = np.clip(variances[::-1], 0, None), directions[:, ::-1]
    shares = np.cumsum(variances) / max(variances.sum(), np.finfo(float).tiny)
    count = int(keep) if keep >= 1 else min(size, int(np.searchsorted(shares, keep)) + 1)
    found = Subspace(name, columns, mean, directions[:, :count].T.copy(), centering, float(shares[count - 1]))
    own = found.errors(keypoints)
    own = own[np.isfinite(own)]
    middle, high, highest = (float(value) for value in np.percentile(own, (50, 90, 99)))
    epsilon = float(np.percentile(own, percentile)) * multiplier
    return replace(found, epsilon=epsilon, own_errors=(middle, high, highest))


def gathered(keypoints: Any, columns: Int[np.ndarray, "R G"]) -> Any:
    """Keypoints as points of a subspace's space.

    Args:
        keypoints: ``(..., V, K, 2)``, numpy or torch.
        columns: See :attr:`Subspace.columns`.

    Returns:
        ``(..., R, 2 G)``.
    """
    lead = keypoints.shape[:-3]
    flat = keypoints.reshape(*lead, keypoints.shape[-3] * keypoints.shape[-2], 2)
    return flat[..., columns, :].reshape(*lead, len(columns), 2 * columns.shape[1])


def centers(rows: Float[np.ndarray, "*lead D"], centering: Centering | None) -> np.ndarray:
    """What is subtracted from each point: the mean or median of its x and y, or nothing.

    Args:
        rows: Points of the space, x and y in turn.
        centering: Which.

    Returns:
        An array of the same shape, or zero.
    """
    if centering is None:
        return np.zeros(())
    pairs = rows.reshape(*rows.shape[:-1], -1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pose of which nothing is known has no centre
        function = np.nanmean if centering == "mean" else np.nanmedian
        middle = function(pairs, axis=-2, keepdims=True)
    return np.asarray(np.broadcast_to(middle, pairs.shape).reshape(rows.shape))
