"""What methods that find points in space are worth beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vitruve.evaluation import metrics_3d
from vitruve.structures.skeleton import Skeleton

CAMERAS = "cameras"


@dataclass(frozen=True, eq=False)
class Report3D:
    """Points in space of one or several methods on the same T framesets, and their truth.

    Attributes:
        skeleton: The K keypoints, and the bones.
        names: T names of framesets.
        truth: In millimetres, NaN where not known.
        methods: Points by method, in millimetres, NaN where missing.
        seen_by: In how many of the cameras that were used each keypoint is labelled.
        reprojection: By method, how far from the label each of the V views shows each point, in pixels.
        views: The V names.
        used: The views that the methods saw.
        dropped: Names of the framesets in which nothing was located; they are in no other attribute.
        by_cameras: By number of cameras, what the methods find with these alone, NaN where missing.
    """

    skeleton: Skeleton
    names: tuple[str, ...]
    truth: Float[np.ndarray, "T K 3"]
    methods: Mapping[str, Float[np.ndarray, "T K 3"]]
    seen_by: Int[np.ndarray, "T K"]
    reprojection: Mapping[str, Float[np.ndarray, "T V K"]] = field(default_factory=dict)
    views: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    by_cameras: Mapping[int, Mapping[str, Float[np.ndarray, "T K 3"]]] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, Float[np.ndarray, "T K"]]:
        """By method, see :func:`vitruve.evaluation.metrics_3d.errors_3d`."""
        return {name: metrics_3d.errors_3d(points, self.truth) for name, points in self.methods.items()}

    @property
    def summary(self) -> pd.DataFrame:
        """One row a method: ``method``, and the columns of :func:`vitruve.evaluation.metrics_3d.figures_3d`."""
        return _stacked({name: pd.DataFrame([metrics_3d.figures_3d(e)]) for name, e in self.errors.items()})

    @property
    def per_keypoint(self) -> pd.DataFrame:
        """One row a method and keypoint."""
        names = self.skeleton.names
        return _stacked({name: metrics_3d.per_keypoint_3d(e, names) for name, e in self.errors.items()})

    @property
    def per_camera_count(self) -> pd.DataFrame:
        """One row a method and number of cameras in which a keypoint is labelled."""
        return _stacked({name: metrics_3d.per_camera_count(e, self.seen_by) for name, e in self.errors.items()})

    @property
    def with_fewer_cameras(self) -> pd.DataFrame:
        """One row a method and number of cameras that it was given; empty where it was given all of them only."""
        rows = []
        for count, methods in sorted(self.by_cameras.items()):
            for name, points in methods.items():
                figures = metrics_3d.figures_3d(metrics_3d.errors_3d(points, self.truth))
                rows.append({"method": name, CAMERAS: count, **figures})
        return pd.DataFrame(rows)

    @property
    def reprojection_errors(self) -> pd.DataFrame:
        """One row a method and view."""
        tables = {m: metrics_3d.reprojection_figures(e, self.views) for m, e in self.reprojection.items()}
        return _stacked(tables)

    @property
    def bones(self) -> pd.DataFrame:
        """One row a method, the truth first, and bone."""
        points = {"GroundTruth": self.truth, **self.methods}
        edges, names = self.skeleton.edges, self.skeleton.names
        return _stacked({name: metrics_3d.bone_variation(p, edges, names) for name, p in points.items()})

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values for JSON; NaN is None."""
        return {
            "framesets": len(self.names),
            "not_located": {"count": len(self.dropped), "names": list(self.dropped)},
            "cameras": list(self.used),
            "keypoint_names": list(self.skeleton.names),
            "skeleton": [[self.skeleton.names[a], self.skeleton.names[b]] for a, b in self.skeleton.edges],
            **{
                name: _plain(getattr(self, name))
                for name in (
                    "summary",
                    "per_keypoint",
                    "per_camera_count",
                    "with_fewer_cameras",
                    "reprojection_errors",
                    "bones",
                )
            },
        }


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for name, table in tables.items():
        table.insert(0, "method", name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _plain(table: pd.DataFrame) -> Sequence[Mapping[str, Any]]:
    rows = table.to_dict("records")
    return [
        {str(k): None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()} for row in rows
    ]
