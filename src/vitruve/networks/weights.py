"""Weights from files, without ever reading a pickle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed, resample_abs_pos_embed_nhwc
from torch import nn

from vitruve.errors import RunError


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Args:
        path: The file, or a run, whose network is meant.

    Returns:
        Tensors by name, in main memory.

    Raises:
        RunError: The file is missing, damaged, or a pickle.
    """
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        raise RunError(f"{path}: no such weight file; a safetensors file is needed here")
    with path.open("rb") as stream:
        head = stream.read(8)
    if head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise RunError(
            f"{path}: this is a Python pickle, which can run any code when it is read; "
            "convert it to safetensors where you trust it"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path}: not a whole safetensors file ({error}); copy or train it again") from error


def load_exactly(module: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Load weights that must fit a module name by name and shape by shape.

    Args:
        module: Takes the weights.
        weights: Tensors by name.
        path: Where they came from, for the message.

    Raises:
        RunError: A tensor is missing, left over, or of another shape.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in weights]
    extra = [name for name in weights if name not in own]
    other = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    if missing or extra or other:
        example = (missing or extra or other)[0]
        raise RunError(
            f"{path}: weights of another network: {len(missing)} tensors missing, {len(extra)} unknown, "
            f"{len(other)} of another shape (first: {example}); the form of this network has changed since they were "
            "learned: train it again. If it has not, the file was copied from another run"
        )
    module.load_state_dict(dict(weights))


def load_matching(module: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> str:
    """Load those weights whose name and shape fit, whatever prefix the file gives its names.

    A transformer's learned positions are resampled where the file was learned on images of another size.

    Args:
        module: Takes the weights.
        weights: Tensors by name.
        path: Where they came from, for the message.

    Returns:
        A sentence on how many fitted.

    Raises:
        RunError: Fewer than half of the module's tensors are in the file.
    """
    own = module.state_dict()
    names = {_plain(name): name for name in own}
    given = {_plain(key): key for key in weights}
    prefixes = {""} | {key.removesuffix(name) for key in given for name in names if key.endswith(f".{name}")}
    chosen: dict[str, torch.Tensor] = {}
    # One prefix for all: 'layer1.0.bn1.weight' ends like 'bn1.weight' and is another tensor.
    for prefix in sorted(prefixes):
        there = {name: weights[given[prefix + plain]] for plain, name in names.items() if prefix + plain in given}
        fitting = {name: tensor for name, tensor in there.items() if _has_place(tensor, name, own[name])}
        chosen = max(chosen, fitting, key=len)
    chosen = {name: _resampled(tensor, module, name, own[name]) for name, tensor in chosen.items()}
    chosen = {name: tensor for name, tensor in chosen.items() if tensor.shape == own[name].shape}
    if 2 * len(chosen) < len(own):
        raise RunError(
            f"{path}: only {len(chosen)} of {len(own)} tensors fit this network; give the weights of the same network"
        )
    module.load_state_dict({**own, **chosen})
    left = next((f" (first: {name})" for name in own if name not in chosen), "")
    return f"{len(chosen)} of {len(own)} tensors taken, the others{left} keep their initial values"


def _has_place(tensor: torch.Tensor, name: str, own: torch.Tensor) -> bool:
    """Whether a tensor has the shape of its namesake, or can be brought to it."""
    if _kind(name) is None:
        return tensor.shape == own.shape
    return tensor.ndim == own.ndim and tensor.shape[-1] == own.shape[-1]


def _kind(name: str) -> str | None:
    """What depends on the size of images: positions of patches in the image, or relative to one another."""
    last = name.rpartition(".")[2]
    return {"pos_embed": "absolute", "rel_pos_h": "relative", "rel_pos_w": "relative"}.get(last)


def _resampled(tensor: torch.Tensor, module: nn.Module, name: str, own: torch.Tensor) -> torch.Tensor:
    """Learned positions for images of another size; what is none of those, or cannot be, stays as it is."""
    kind = _kind(name)
    if tensor.shape == own.shape or kind is None:
        return tensor
    if kind == "relative":  # as Segment Anything's encoder does it (Kirillov et al. 2023)
        rows = F.interpolate(tensor.float().T[None], size=len(own), mode="linear")
        return rows[0].T.to(tensor)
    if tensor.ndim == 4:
        return resample_abs_pos_embed_nhwc(tensor, list(own.shape[1:3]))
    patches = getattr(module.get_submodule(name.rpartition(".")[0]), "patch_embed", None)
    size = list(getattr(patches, "grid_size", ()))
    if tensor.ndim != 3 or not size:
        return tensor
    # Class and register tokens stand before the grid; that of published networks is square.
    lead = own.shape[1] - math.prod(size)
    square = tensor.shape[1] - lead
    if square < 1 or math.isqrt(square) ** 2 != square:
        return tensor
    return resample_abs_pos_embed(tensor, size, num_prefix_tokens=lead)


def _plain(name: str) -> str:
    # Cut open for its feature maps, a timm network is wrapped (model.blocks) or flattened (stages_0 for stages.0).
    return name.removeprefix("model.").replace("_", ".")
