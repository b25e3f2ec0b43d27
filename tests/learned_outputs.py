"""Outputs that the networks of algorithms give once they have learned their targets."""

from __future__ import annotations

import torch

from vitruve.algorithms.base import Outputs


def learned(name: str, targets: dict[str, torch.Tensor]) -> Outputs:
    """What an algorithm's network, of two stages where it has any, gives for images whose targets it has learned."""
    if name == "pose_proposal":
        sure = {"response": targets["response"], "iou": targets["response"], "limbs": targets["limbs"]}
        found = {key: (value * 0.98 + 0.01).logit() for key, value in sure.items()}
        found |= {key: targets[key].nan_to_num(0.5).clamp(0.01, 0.99).logit() for key in ("place", "size")}
        return {key: value.flatten(2, -3) for key, value in found.items()}
    if name == "pifpaf":
        joints, limbs = targets["joints"].nan_to_num(), targets["limbs"].nan_to_num()
        confident = [(each[:, :, :, :1] * 8 - 4) for each in (joints, limbs)]
        scales = [each.clamp_min(0.05).expm1().log() for each in (joints[:, :, :, 3:], limbs[:, :, :, 5:])]
        spread, both = torch.full_like(joints[:, :, :, :1], -2), torch.full_like(limbs[:, :, :, :2], -2)
        return {
            "joints": torch.cat([confident[0], joints[:, :, :, 1:3], spread, scales[0]], 3).flatten(2, 3),
            "limbs": torch.cat([confident[1], limbs[:, :, :, 1:5], both, scales[1]], 3).flatten(2, 3),
        }
    if name == "heatmap":
        return {"heatmaps": targets["heatmaps"].clamp_min(1e-9).log()}
    return {"conf_2": 0.8 * targets["conf"], "paf_2": targets["paf"]}
