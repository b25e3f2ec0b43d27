"""HDF5 files of keypoints as pandas writes them, read with h5py alone.

pandas and PyTables would load the pickles in a file; here none is ever loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.formats.keypoint_table import Column, KeypointTable, build_table
from vitruve.formats.plain_literal import plain_literal

KEY = "df_with_missing"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_KINDS = ("frame", "frame_table")


def is_hdf5(path: Path) -> bool:
    """Whether a file starts as HDF5 does.

    Args:
        path: Any path.

    Returns:
        True for HDF5.
    """
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


def holds_pandas_table(path: Path) -> bool:
    """Whether a file is HDF5 and holds a table that pandas wrote.

    Args:
        path: Any path.

    Returns:
        True where it does.
    """
    if not is_hdf5(path):
        return False
    import h5py

    try:
        with h5py.File(path) as file:
            return any(_kind(node) in _KINDS for node in file.values())
    except OSError:
        return False


def read_hdf5_table(path: Path) -> KeypointTable:
    """A table of keypoints that pandas wrote, in its fixed or its table layout.

    Nothing pickled in the file is loaded: data stored as Python objects are refused, and the column names of
    the table layout, which pandas pickles, are taken apart as plain text and refused where they are anything
    else.

    Args:
        path: The file; the table is ``df_with_missing``, or else the first.

    Returns:
        The checked table.

    Raises:
        InputError: The file is no HDF5, damaged, has no such table, or holds Python objects.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an HDF5 file of keypoints")
    if not is_hdf5(path):
        raise InputError(f"{path}: not an HDF5 file; expected a table of keypoints as DeepLabCut writes it")
    import h5py

    try:
        with h5py.File(path) as file:
            tables = {name: node for name, node in file.items() if _kind(node) in _KINDS}
            if not tables:
                raise InputError(f"{path}: no pandas table inside; expected one under the key '{KEY}'")
            node = tables.get(KEY, next(iter(tables.values())))
            read = _fixed if _kind(node) == "frame" else _table
            columns, index, values, splits = read(path, node)
    except OSError as error:
        raise InputError(f"{path}: damaged HDF5 file ({str(error).splitlines()[0]}); write it again") from error
    except (LookupError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: the pandas table inside is damaged ({reason}); write it again") from error
    places = [f"row {number}" for number in range(1, len(index) + 1)]
    headers = [_column(path, column) for column in columns]
    return build_table(str(path), headers, index, places, values, splits)


_Parts = tuple[list[tuple[str, ...]], list[str], Float[np.ndarray, "F C"], list[str] | None]


def _fixed(path: Path, node: Any) -> _Parts:
    columns = _axis(path, node, "axis0")
    index = ["/".join(part for part in names if part) for names in _axis(path, node, "axis1")]
    values = np.full((len(index), len(columns)), np.nan)
    place = {column: number for number, column in enumerate(columns)}
    if len(place) != len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise InputError(f"{path}: column '{'/'.join(twice)}' appears twice; names must differ")
    for block in range(int(node.attrs["nblocks"])):
        items = _axis(path, node, f"block{block}_items")
        data = _array(path, node, f"block{block}_values")
        if data.dtype.kind not in "fiub":
            raise InputError(f"{path}: column '{'/'.join(items[0])}' holds no numbers; coordinates must be numbers")
        if not index:
            continue
        values[:, [place[item] for item in items]] = data if _transposed(node, block) else data.T
    return columns, index, values, None


def _transposed(node: Any, block: int) -> bool:
    return bool(node[f"block{block}_values"].attrs.get("transposed", True))


def _axis(path: Path, node: Any, name: str) -> list[tuple[str, ...]]:
    if _text(node.attrs.get(f"{name}_variety")) != "multi":
        return [(value,) for value in _strings(path, node, name)]
    levels = []
    for level in range(int(node.attrs[f"{name}_nlevels"])):
        values = [
            *_strings(path, node, f"{name}_level{level}"),
            "",
        ]  # code -1, the last entry, is a missing name
        levels.append([values[code] for code in _array(path, node, f"{name}_label{level}")])
    return list(zip(*levels, strict=True))


def _table(path: Path, node: Any) -> _Parts:
    data = node["table"]
    records = data[:]
    columns: list[tuple[str, ...]] = []
    blocks = []
    splits = None
    for field in records.dtype.names:
        if field == "index":
            continue
        try:
            names = _column_names(data.attrs[f"{field}_kind"])
        except ValueError as error:
            raise _pickled(path, f"{field}_kind", str(error)) from error
        values = records[field].reshape(len(records), -1)
        if values.dtype.kind == "S":
            if [name[0] for name in names] != ["set"]:
                raise InputError(f"{path}: column '{'/'.join(names[0])}' holds text; coordinates must be numbers")
            splits = [_text(value) for value in values[:, 0]]
            continue
        columns += names
        blocks.append(values.astype(np.float64))
    index = [_text(value) for value in records["index"]]
    return columns, index, np.concatenate(blocks, 1), splits


def _column_names(attribute: Any) -> list[tuple[str, ...]]:
    names = plain_literal(attribute.encode() if isinstance(attribute, str) else bytes(attribute))
    if not isinstance(names, list) or not names:
        raise ValueError("the attribute is no list of column names")
    return [tuple(map(str, name)) if isinstance(name, tuple) and name else (str(name),) for name in names]


def _column(path: Path, names: tuple[str, ...]) -> Column:
    if len(names) == 3:
        return Column(names[0], "", names[1], names[2])
    if len(names) == 4:
        return Column(*names)
    raise InputError(
        f"{path}: columns have {len(names)} header levels; expected scorer, bodyparts, coords, "
        "with individuals before bodyparts for several animals"
    )


def _strings(path: Path, node: Any, name: str) -> list[str]:
    if "shape" in node[name].attrs:  # how pandas marks an empty array, which HDF5 cannot hold
        return []
    return [_text(value) for value in _array(path, node, name)]


def _array(path: Path, node: Any, name: str) -> np.ndarray:
    dataset = node[name]
    if dataset.dtype.kind == "O" or "PSEUDOATOM" in dataset.attrs:
        raise _pickled(path, name, "it holds Python objects")
    return np.asarray(dataset[:])


def _kind(node: Any) -> str:
    return _text(node.attrs.get("pandas_type"))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value) if isinstance(value, (str, int, np.integer)) else ""


def _pickled(path: Path, name: str, why: str) -> InputError:
    return InputError(
        f"{path}: '{name}' is stored as a pickle, which is never loaded ({why}); "
        "give the CSV file that lies beside it, or save the table again as CSV"
    )
