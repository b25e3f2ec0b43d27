"""Which library an array belongs to, so that geometry is written once for labels on disk and batches on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitruve.structures.instances import Array


def library(array: Array) -> Any:
    """The library of an array: numpy, or torch for a tensor; both name their functions alike where geometry needs them.

    Args:
        array: A numpy array or a torch tensor.

    Returns:
        The module.
    """
    if isinstance(array, np.ndarray | np.generic):
        return np
    import torch

    return torch
