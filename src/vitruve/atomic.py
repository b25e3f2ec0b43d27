"""Files that are either whole or not there: temporary file, fsync, rename."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vitruve.errors import InputError

# What the system answers when the target itself is the trouble; any other OSError has its own cause and message.
_REFUSED = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
)

LOCK = ".vitruve-lock"
"""The file that :func:`alone` locks in each folder."""
# Tells temporary files from others that are hidden.
_MARK = ".writing-"
# safetensors writes into a temporary file of its own beside the one that it is given.
_OF_SAFETENSORS = ".tmp??????"


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block ends well.

    The temporary file lies in the same folder and keeps the suffix of ``path``, so that libraries which look at
    the suffix work. Whatever goes wrong, ``path`` is left as it was and the temporary file is removed.

    Args:
        path: The file to be written. Its folder is made when missing.

    Yields:
        The path to write to.

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}{_MARK}", suffix=target.suffix, dir=target.parent)
        os.close(handle)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        raise _write_error(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        _fsync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        # The block may have failed over another file: that is told as it is. Only what is written fills a disk, though.
        other = error.filename is not None and str(error.filename) not in (str(temporary), str(target))
        elsewhere = other and error.errno not in (errno.ENOSPC, errno.EDQUOT)
        if elsewhere or error.errno not in _REFUSED:
            raise
        raise _write_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write(path: str | Path, content: str | bytes) -> None:
    """Replace a file by new content in one step.

    Args:
        path: The file to be written.
        content: Text (written as UTF-8) or bytes.

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def atomic_files(folder: str | Path, contents: Mapping[str, str | bytes]) -> dict[str, Path]:
    """Replace several files of a folder, each in one step.

    Args:
        folder: Made when missing.
        contents: By the names of the files, which differ before their suffix.

    Returns:
        The files by their names without suffix.

    Raises:
        InputError: As for :func:`atomic_write`.
    """
    paths = {Path(name).stem: Path(folder) / name for name in contents}
    for path, content in zip(paths.values(), contents.values(), strict=True):
        atomic_write(path, content)
    return paths


def atomic_json(path: str | Path, value: Any) -> None:
    """Replace a file by a value as indented JSON.

    Args:
        path: The file to be written.
        value: Anything :mod:`json` can write. NaN is refused: readers of other languages cannot take it.

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    atomic_write(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


@contextmanager
def alone(path: str | Path) -> Iterator[None]:
    """Nobody else who asks replaces a file of this folder meanwhile: for what is read, compared and then written.

    Args:
        path: The file; its folder is there. A hidden file :data:`LOCK` is made in it, and stays.

    Yields:
        Nothing; threads and processes of this machine wait for one another.

    Raises:
        InputError: The folder cannot be written, or its file system locks no files.
    """
    # Windows has none.
    import fcntl

    # NFS locks only what is open for writing, which folders never are. The file stays: who has waited for one that is
    # removed, and who makes it anew, would not wait for one another.
    lock = Path(path).parent / LOCK
    try:
        handle = _opened_lock(lock)
    except OSError as error:
        raise _write_error(lock, error) from error
    try:
        try:
            # Of this opening of the file, so that threads of one process exclude one another, too.
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            raise InputError(f"{lock}: cannot be locked ({error.strerror}); use a file system that can") from error
        yield
    finally:
        os.close(handle)


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files that a killed process has left.

    Args:
        folder: Where to look, subfolders left out. No other process may be writing into it.
    """
    for pattern in (f".*{_MARK}*", _OF_SAFETENSORS):
        for path in Path(folder).glob(pattern):
            path.unlink(missing_ok=True)


def _opened_lock(path: Path) -> int:
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError:
        # Another user has made it; local file systems lock what is open for reading, too.
        return os.open(path, os.O_RDONLY | flags)


def _fsync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_error(path: Path, error: OSError) -> InputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"{path}: the disk is full; nothing was replaced: free some space and run again")
    return InputError(f"{path}: cannot be written ({error.strerror or error}); choose a folder you may write to")
