"""Converted networks on disk: found by what they were made of, checked before use, made again when damaged."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from torch import nn

from vitruve.atomic import atomic_json, atomic_path

Build = Callable[[Path], None]
"""Writes a file, and others of the same stem beside it."""

# Raised when a change of this package makes exports of older ones wrong.
_FORMAT = 1


def fingerprint(
    network: nn.Module, example: torch.Tensor | None = None, calibration: torch.Tensor | None = None
) -> str:
    """Sixteen hexadecimal digits that change when the network's weights or structure do.

    Args:
        network: The network.
        example: An input whose shape, but for the first axis, the result depends on as well.
        calibration: Inputs whose values the result depends on as well.

    Returns:
        The first digits of a SHA-256.
    """
    # Functions within modules print their address, which differs from process to process.
    structure = re.sub(r" at 0x[0-9a-f]+", "", repr(network))
    digest = hashlib.sha256(f"{_FORMAT}\n{type(network).__qualname__}\n{structure}".encode())
    if example is not None:
        digest.update(f"{tuple(example.shape[1:])} {example.dtype}".encode())
    tensors = network.state_dict() | ({} if calibration is None else {"<calibration>": calibration})
    for name, tensor in tensors.items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


@contextmanager
def kept(directory: Path | None, stem: str, suffixes: Sequence[str], build: Build) -> Iterator[Path]:
    """Files that are made once and used from then on.

    Args:
        directory: Where they are kept. None, or a folder that cannot be written, makes them for this block only.
        stem: Their name without suffix.
        suffixes: Their suffixes, such as ``(".xml", ".bin")``.
        build: Makes them; given the path of the first.

    Yields:
        The path of the first file; all of them are whole.
    """
    if directory is not None and _whole(directory, stem, suffixes):
        yield directory / f"{stem}{suffixes[0]}"
        return
    with _workshop(directory) as folder:
        first = folder / f"{stem}{suffixes[0]}"
        build(first)
        if directory is None or folder.parent != directory:
            yield first
            return
        _move(folder, directory, stem, suffixes)
    yield directory / first.name


def _workshop(directory: Path | None) -> AbstractContextManager[Path]:
    """A temporary folder, in the given one where that can be written, so that files move in one step."""
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            return _temporary(tempfile.TemporaryDirectory(dir=directory, prefix=".building_"))
        except OSError:
            pass
    # Windows cannot remove a file that a library still maps; the system clears its temporary folder later.
    return _temporary(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))


@contextmanager
def _temporary(folder: tempfile.TemporaryDirectory[str]) -> Iterator[Path]:
    with folder as name:
        yield Path(name)


def _move(folder: Path, directory: Path, stem: str, suffixes: Sequence[str]) -> None:
    """Put all files in their place, then the note that makes them count."""
    names = [f"{stem}{suffix}" for suffix in suffixes]
    for name in names:
        with atomic_path(directory / name) as temporary:
            (folder / name).replace(temporary)
    atomic_json(_note(directory, stem), {name: _digest(directory / name) for name in names})


def _note(directory: Path, stem: str) -> Path:
    return directory / f"{stem}.sha256.json"


def _whole(directory: Path, stem: str, suffixes: Sequence[str]) -> bool:
    try:
        noted = json.loads(_note(directory, stem).read_text(encoding="utf-8"))
        return bool(noted == {f"{stem}{suffix}": _digest(directory / f"{stem}{suffix}") for suffix in suffixes})
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
