"""Maps of one picture, read several times, as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float


def enlarged(maps: Sequence[Float[torch.Tensor, "*lead _ _"]]) -> Float[torch.Tensor, "looks *lead h w"]:
    """Maps of the same picture in the size of the largest of them.

    Args:
        maps: With the same leading axes; each covers the whole picture.

    Returns:
        All of them, stacked.
    """
    size = max((each.shape[-2:] for each in maps), key=lambda shape: shape[0] * shape[1])

    def resized(one: torch.Tensor) -> torch.Tensor:
        if one.shape[-2:] == size:
            return one
        flat = one.reshape(-1, 1, *one.shape[-2:])
        return F.interpolate(flat, size, mode="bilinear", align_corners=False).reshape(*one.shape[:-2], *size)

    return torch.stack([resized(each) for each in maps])


def mirrored_limbs(limbs: Sequence[tuple[int, int]], partner: Sequence[int]) -> list[tuple[int, float]]:
    """What each limb is in a mirror image.

    Args:
        limbs: Keypoints at both ends.
        partner: For each keypoint the one it changes places with, or itself.

    Returns:
        The number of the limb that it changes places with, and 1, or -1 where that one points the other way; 0 where
        there is no such limb.
    """
    found = []
    for a, b in limbs:
        wanted = (partner[a], partner[b])
        if wanted in limbs:
            found.append((limbs.index(wanted), 1.0))
        elif wanted[::-1] in limbs:
            found.append((limbs.index(wanted[::-1]), -1.0))
        else:
            found.append((0, 0.0))
    return found
