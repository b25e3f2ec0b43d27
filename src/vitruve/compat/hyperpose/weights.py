"""Weights of a model in one file, by HyperPose's names of formats."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vitruve.atomic import atomic_path
from vitruve.errors import InputError, RunError, nearest
from vitruve.networks.weights import load_exactly, read_weights

FORMATS = ("npz", "npz_dict", "safetensors")
"""``npz`` is a list of arrays in the network's order, ``npz_dict`` has their names."""

_PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".h5", ".hdf5")


def save(module: nn.Module | Mapping[str, torch.Tensor], path: str | Path, format: str | None = None) -> None:
    """Write all weights and statistics of a module, to the last bit.

    Args:
        module: Any, or its state.
        path: The file.
        format: One of :data:`FORMATS`; by default ``safetensors`` for such a file, else ``npz_dict``.

    Raises:
        InputError: There is no such format, or it would be a pickle.
    """
    file, kind = Path(path), _format(path, format)
    state = module.state_dict() if isinstance(module, nn.Module) else module
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "safetensors":
        from vitruve.training.checkpoint import save_tensors

        save_tensors(tensors, file)
        return
    arrays: dict[str, Any] = {name: value.numpy() for name, value in tensors.items()}
    with atomic_path(file) as draft, draft.open("wb") as stream:
        if kind == "npz":
            np.savez(stream, *arrays.values())
        else:
            np.savez(stream, **arrays)


def load(module: nn.Module, path: str | Path, format: str | None = None) -> None:
    """Read weights that :func:`save` wrote, of the same network.

    Args:
        module: Takes the weights.
        path: The file.
        format: One of :data:`FORMATS`; by default what the file is.

    Raises:
        InputError: There is no such format.
        RunError: The file is missing, no such file, a pickle, or of another network.
    """
    file, kind = Path(path), _format(path, format)
    if kind == "safetensors":
        load_exactly(module, read_weights(file), file)
        return
    arrays = read_arrays(file)
    own = module.state_dict()
    if kind == "npz" or (format is None and all(name.startswith("arr_") for name in arrays)):
        if len(arrays) != len(own):
            raise RunError(f"{file}: {len(arrays)} arrays, but this network has {len(own)}; give its own weights")
        arrays = {name: arrays[f"arr_{number}"] for number, name in enumerate(own)}
    # A number alone comes back as an array of no axes.
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    load_exactly(module, tensors, file)


def read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of an npz file.

    Args:
        path: The file.

    Returns:
        By name.

    Raises:
        RunError: The file is missing, no npz file, or holds Python objects, as those of TensorLayer's ``npz`` do.
    """
    if not path.is_file():
        raise RunError(f"{path}: no such weight file; train the model first, or give another file")
    if not zipfile.is_zipfile(path):
        raise RunError(f"{path}: no npz file, or not whole; give weights that save_weights wrote")
    try:
        with np.load(path, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        objects = "pickle" in str(error).lower()
        what = "holds Python objects, which can run any code when they are read" if objects else f"not whole ({error})"
        raise RunError(f"{path}: {what}; give weights that save_weights wrote") from error


def examine(path: str | Path) -> str:
    """One line for each array of a weight file: name, shape, mean.

    Args:
        path: An npz or safetensors file.

    Returns:
        The lines.
    """
    file = Path(path)
    if file.suffix == ".safetensors":
        arrays: Mapping[str, np.ndarray] = {name: value.float().numpy() for name, value in read_weights(file).items()}
    else:
        arrays = read_arrays(file)
    return "\n".join(f"{name} {tuple(value.shape)} mean {float(np.mean(value)):.6g}" for name, value in arrays.items())


def _format(path: str | Path, format: str | None) -> str:
    suffix = Path(path).suffix.lower()
    if suffix in _PICKLES:
        raise InputError(f"{path}: such files are Python pickles, which can run any code; take .npz or .safetensors")
    if format is not None and format not in FORMATS:
        raise InputError(f"format '{format}'{nearest(format, FORMATS)}: must be one of {', '.join(FORMATS)}")
    return format or ("safetensors" if suffix == ".safetensors" else "npz_dict")
