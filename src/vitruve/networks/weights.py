"""Weights from files, without ever reading a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from vitruve.errors import RunError


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Args:
        path: The file.

    Returns:
        Tensors by name, in main memory.

    Raises:
        RunError: The file is missing, damaged, or a pickle.
    """
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
            f"{len(other)} of another shape (first: {example}); the weights and model.json of one run belong together"
        )
    module.load_state_dict(dict(weights))


def load_matching(module: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> str:
    """Load those weights whose name and shape fit, whatever prefix the file gives its names.

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
        fitting = {
            name: weights[given[prefix + plain]]
            for plain, name in names.items()
            if prefix + plain in given and weights[given[prefix + plain]].shape == own[name].shape
        }
        chosen = max(chosen, fitting, key=len)
    if 2 * len(chosen) < len(own):
        raise RunError(
            f"{path}: only {len(chosen)} of {len(own)} tensors fit this network; give the weights of the same network"
        )
    module.load_state_dict({**own, **chosen})
    return f"{len(chosen)} of {len(own)} tensors taken, the others keep their initial values"


def _plain(name: str) -> str:
    # Cut open for its feature maps, a timm network is wrapped (model.blocks) or flattened (stages_0 for stages.0).
    return name.removeprefix("model.").replace("_", ".")
