"""Converted networks on disk: found by what they were made of, checked before use, made again when damaged."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from vitruve.atomic import atomic_json, atomic_path
from vitruve.errors import InputError

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
    if directory is None:
        yield from _for_now(stem, suffixes, build)
        return
    files = [directory / f"{stem}{suffix}" for suffix in suffixes]
    note = directory / f"{stem}.sha256.json"
    if not _whole(files, note):
        try:
            _make(files, note, build)
        except InputError:
            yield from _for_now(stem, suffixes, build)
            return
    yield files[0]


def _for_now(stem: str, suffixes: Sequence[str], build: Build) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / f"{stem}{suffixes[0]}"
        build(path)
        yield path


def _make(files: list[Path], note: Path, build: Build) -> None:
    """Write all files, then the note that makes them count."""
    with atomic_path(note) as probe:  # whether the folder can be written shows before the work is done
        probe.write_text("{}")
    with tempfile.TemporaryDirectory(dir=note.parent, prefix=".building_") as folder:
        built = [Path(folder) / file.name for file in files]
        build(built[0])
        for source, target in zip(built, files, strict=True):
            with atomic_path(target) as temporary:
                source.replace(temporary)
    atomic_json(note, {file.name: _digest(file) for file in files})


def _whole(files: list[Path], note: Path) -> bool:
    try:
        return bool(json.loads(note.read_text(encoding="utf-8")) == {file.name: _digest(file) for file in files})
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
