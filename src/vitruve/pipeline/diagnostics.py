"""The tables beside predictions that need no labels: motion, and distance from the labelled poses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from vitruve.atomic import atomic_path, atomic_write
from vitruve.errors import InputError
from vitruve.evaluation.diagnostics import TEMPORAL_NORM, error_table, label_free_errors
from vitruve.evaluation.subspace import Subspace
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels

# Rows that are in memory together: a recording of hours must not have to fit.
_ROWS = 20_000


def subspaces_of(record: Mapping[str, Any]) -> dict[str, Subspace]:
    """The subspaces a run was trained with.

    Args:
        record: Its ``model.json``.

    Returns:
        Subspaces by name; none for runs without.
    """
    return {name: Subspace.from_dict(values) for name, values in record.get("subspaces", {}).items()}


def write_for_labels(run: RunFiles, predictions: Labels, subspaces: Mapping[str, Subspace], stem: str) -> None:
    """``<stem>_pca_singleview_error.csv`` and its like for predictions on labelled frames; one of each a view.

    Args:
        run: Where they go.
        predictions: One instance a frame and view.
        subspaces: What poses are measured against.
        stem: Such as ``predictions``.
    """
    keypoints = predictions.keypoints()[:, :, 0]
    names = predictions.view_names if len(predictions[0].images) > 1 else ("",)
    splits = [frame.split or "" for frame in predictions]
    for kind, values in next(label_free_errors(iter([keypoints]), subspaces, motion=False)).items():
        for view, name in enumerate(names):
            index = [frame.images[view].name for frame in predictions]
            table = error_table(values[:, view], predictions.skeleton.names, index, splits if any(splits) else ())
            middle = f"_{name}" if name else ""
            atomic_write(run.path / f"{stem}{middle}_{kind}.csv", table.to_csv(float_format="%.4f"))


def write_for_video(tables: Sequence[Path], subspaces: Mapping[str, Subspace], start: int = 0) -> list[Path]:
    """``<table>_temporal_norm.csv`` and its like beside the predictions of a recording.

    Tables that are newer than the predictions are left as they are.

    Args:
        tables: The predictions, one file a view.
        subspaces: What poses are measured against.
        start: The frame that the first row is of.

    Returns:
        The files, those that were there already too.

    Raises:
        InputError: A table is damaged, or the tables have different lengths.
    """
    kinds = (TEMPORAL_NORM, *(f"{name}_error" for name in subspaces))
    targets = {kind: [path.with_name(f"{path.stem}_{kind}.csv") for path in tables] for kind in kinds}
    files = [path for paths in targets.values() for path in paths]
    newest = max(path.stat().st_mtime_ns for path in tables)
    if all(path.is_file() and path.stat().st_mtime_ns >= newest for path in files):
        return files
    with ExitStack() as stack:
        streams = {
            kind: [_opened(stack.enter_context(atomic_path(path)), stack) for path in paths]
            for kind, paths in targets.items()
        }
        names, parts = _keypoints(tables)
        begun = start
        for found in label_free_errors(parts, subspaces):
            for kind, values in found.items():
                for view, stream in enumerate(streams[kind]):
                    index = range(begun, begun + len(values))
                    table = error_table(values[:, view], names, index)
                    table.to_csv(stream, header=begun == start, float_format="%.4f")
            begun += len(next(iter(found.values())))
    return files


def _opened(path: Path, stack: ExitStack) -> TextIO:
    return stack.enter_context(path.open("w", encoding="utf-8", newline=""))


def _keypoints(tables: Sequence[Path]) -> tuple[list[str], Iterator[np.ndarray]]:
    """Names, and ``(F, V, K, 2)`` part by part."""
    header = pd.read_csv(tables[0], header=[0, 1, 2], index_col=0, nrows=0)
    names = list(dict.fromkeys(str(column[1]) for column in header.columns))

    def parts() -> Iterator[np.ndarray]:
        readers = [pd.read_csv(path, skiprows=3, header=None, index_col=0, chunksize=_ROWS) for path in tables]
        while True:
            chunks = [chunk for reader in readers if (chunk := next(reader, None)) is not None]
            if not chunks:
                return
            if len(chunks) < len(readers) or len({len(chunk) for chunk in chunks}) > 1:
                raise InputError(
                    f"{', '.join(map(str, tables))}: different numbers of rows, but the views of a recording show the "
                    "same instants; predict them again"
                )
            yield np.stack([chunk.to_numpy(float).reshape(len(chunk), len(names), -1)[..., :2] for chunk in chunks], 1)

    return names, parts()
