"""MATLAB's files, of the versions before 7.3."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitruve.errors import InputError

_MAGIC = b"MATLAB 5.0 MAT-file"


def is_matlab(path: Path) -> bool:
    """Whether a file begins as MATLAB's do that hold no HDF5."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def variable_names(path: Path) -> tuple[str, ...]:
    """The variables of a file; none where it cannot be read."""
    from scipy.io import whosmat
    from scipy.io.matlab import MatReadError

    try:
        return tuple(name for name, _, _ in whosmat(path))
    except (MatReadError, NotImplementedError, zlib.error, OSError, ValueError, TypeError, LookupError, EOFError):
        return ()


def read_mat(path: Path, variables: Sequence[str], wanted: str, *, records: bool = True) -> dict[str, Any]:
    """Some variables of a file.

    Args:
        path: The file.
        variables: Their names; those that are not there are left out.
        wanted: What it should be, for messages (``DANNCE's label3d file``).
        records: Give structs as numpy records; else as objects that have only the fields they were saved with.

    Returns:
        The variables by name.

    Raises:
        InputError: The file is missing, of version 7.3, or damaged.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise InputError(f"{path}: no such file; give {wanted}")
    try:
        content: dict[str, Any] = loadmat(path, variable_names=list(variables), struct_as_record=records)
    except NotImplementedError:
        raise InputError(f"{path}: is of MATLAB's version 7.3; save it with -v7") from None
    except (MatReadError, zlib.error, OSError, ValueError, TypeError, LookupError, EOFError) as error:
        raise InputError(f"{path}: not a MATLAB file ({error}); give {wanted}") from error
    return content
