"""Checkpoints as safetensors: everything training needs to go on, and no pickle."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vitruve.atomic import atomic_path
from vitruve.errors import RunError

_STRUCTURE = "structure"


class SafetensorsCheckpoints(CheckpointIO):  # type: ignore[misc]
    """Writes Lightning's nested checkpoint as one safetensors file, atomically.

    Tensors are stored as they are; everything around them as JSON in the file's metadata. A checkpoint that holds
    anything but tensors, numbers, texts, lists, tuples and dictionaries is refused rather than pickled.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint."""
        save_checkpoint(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint into main memory."""
        return load_checkpoint(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def save_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a nested structure of tensors and plain values.

    Args:
        checkpoint: The structure.
        path: The file, replaced in one step.

    Raises:
        TypeError: Something in it is neither a tensor nor plain.
        InputError: The disk is full.
    """
    tensors: dict[str, torch.Tensor] = {}
    structure = _flatten(checkpoint, tensors)
    save_tensors(tensors, path, {_STRUCTURE: json.dumps(structure)})


def save_tensors(tensors: Mapping[str, torch.Tensor], path: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, replacing the file in one step.

    Args:
        tensors: Contiguous tensors by name, in main memory.
        path: The file.
        metadata: Texts by name, stored with them.

    Raises:
        InputError: The disk is full.
    """
    with atomic_path(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata)
        except SafetensorError as error:
            # The library wraps what the system says; unwrapped, a full disk is reported like everywhere else.
            code = re.search(r"(?:code: |os error )(\d+)", str(error))
            raise OSError(int(code[1]) if code else errno.EIO, str(error)) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what :func:`save_checkpoint` wrote.

    Args:
        path: The file.

    Returns:
        The structure.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            structure = json.loads((file.metadata() or {})[_STRUCTURE])
            result = _unflatten(structure, file.get_tensor)
    except Exception as error:  # the reader of safetensors raises its own kind, JSON and dictionaries theirs
        raise RunError(f"{path}: not a checkpoint to go on from ({error}); start training again") from error
    assert isinstance(result, dict)
    return result


def _flatten(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Plain JSON in which each container and tensor is a small tagged list."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        # A copy: safetensors refuses tensors that share memory, and layouts that are not contiguous.
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return ["tensor", name]
    if value is None or isinstance(value, (bool, int, float, str)):
        return ["value", _plain(value)]
    if isinstance(value, dict):
        return ["dict", [[_flatten(key, tensors), _flatten(item, tensors)] for key, item in value.items()]]
    if isinstance(value, (list, tuple)):
        return ["tuple" if isinstance(value, tuple) else "list", [_flatten(item, tensors) for item in value]]
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__} {value!r}")


def _plain(value: Any) -> Any:
    # Subclasses (enumerations, numpy numbers) would come back as something else than they were: make that plain now.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return None


def _unflatten(value: Any, tensor: Callable[[str], torch.Tensor]) -> Any:
    kind, content = value
    if kind == "tensor":
        return tensor(content)
    if kind == "value":
        return content
    if kind == "dict":
        return {_unflatten(key, tensor): _unflatten(item, tensor) for key, item in content}
    items = [_unflatten(item, tensor) for item in content]
    return tuple(items) if kind == "tuple" else items
