"""What algorithms share that teach and read confidence maps and part affinity fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field

from vitruve.algorithms.base import ImageAlgorithm, Needs, Outputs, Targets, Task
from vitruve.algorithms.crowd import gathered, ignored_cells, labelled
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import average, paf
from vitruve.codecs.heatmap import from_heatmap
from vitruve.codecs.limb_graph import connected
from vitruve.codecs.local_mean import local_mean
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances


class PafSettings(ModelSettings):
    """Settings of every algorithm that learns confidence maps and part affinity fields."""

    num_stages: int = Field(6, ge=1, description="Stages of the head; each but the first corrects the one before.")
    head_channels: int = Field(128, ge=8, description="Channels of the head's convolutions.")
    output_stride: Literal[4, 8, 16] = Field(8, description="Input pixels in one cell of the maps; 4, 8 or 16.")
    sigma: float = Field(7.0, gt=0, description="Standard deviation of a keypoint's confidence, in input pixels.")
    limb_width: float = Field(
        8.0, gt=0, description="How far from a limb's line its field reaches to either side, in input pixels."
    )
    peak_threshold: float = Field(
        0.1, ge=0, le=1, description="Least confidence of a keypoint for it to be found, from 0 to 1."
    )
    limb_threshold: float = Field(
        0.05, ge=0, le=1, description="How far a field must point along a limb at a point to speak for it, from 0 to 1."
    )
    limb_share: float = Field(
        0.8, ge=0, le=1, description="Share of the points on a limb at which its field must speak for it."
    )
    min_keypoints: int = Field(
        3, ge=1, description="Instances with fewer keypoints are not given (or with fewer than there are at all)."
    )
    min_score: float = Field(
        0.2, ge=0, le=1, description="Instances whose keypoints have a lower mean confidence are not given."
    )


class NormSettings(PafSettings):
    """Settings of those whose paper has convolutions without normalisation."""

    batch_norm: bool = Field(
        True, description="Batch norm after all hidden convolutions: learns far quicker. False is the paper's network."
    )


class PafTargets(ImageAlgorithm):
    """The side of such an algorithm that knows maps: targets, loss, decoding.

    Its network has the outputs ``conf_<stage>`` ``(N, K + 1, h, w)``, the last map being the background, and
    ``paf_<stage>`` ``(N, 2 L, h, w)``; in training those of all stages from 1, otherwise of the last alone. Limbs are
    the skeleton's edges, and what connects them where they fall apart.

    Args:
        config: Says how targets are made and maps are read.
        task: Has the skeleton.
        pretrained: Start from published weights where there are some.
    """

    Config: ClassVar[type[ModelSettings]] = PafSettings
    needs = Needs(instances=True, limbs=True)

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, PafSettings)
        self.reading = config
        self.stride = config.output_stride
        self.limbs = connected(len(task.skeleton), task.skeleton.edges)

    def encode(self, batch: Batch) -> Targets:
        """``conf`` ``(B, V, K + 1, h, w)``, ``paf`` ``(B, V, 2 L, h, w)`` and ``learned`` ``(B, V, h, w)``."""
        points, _ = labelled(batch)
        width, height = (side // self.stride for side in batch.input_size)
        ignored = ignored_cells(batch, self.stride)
        if ignored is None:
            ignored = torch.zeros(len(points), height, width, dtype=torch.bool, device=points.device)
        reading = self.reading
        targets = {
            "conf": paf.encode_parts(points, (width, height), self.stride, reading.sigma),
            "paf": paf.encode_limbs(points, self.limbs, (width, height), self.stride, reading.limb_width),
            "learned": ~ignored,
        }
        return {name: value.reshape(*batch.images.shape[:2], *value.shape[1:]) for name, value in targets.items()}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``conf_<stage>`` and ``paf_<stage>``: half the squared distance, summed over maps, a mean over cells."""
        learned = targets["learned"]
        return {name: _distance(maps, targets[name.split("_")[0]], learned) for name, maps in outputs.items()}

    def averaged(self, outputs: Sequence[Outputs], mirrored: Sequence[bool]) -> Outputs:
        """Mean maps and fields. A field without a counterpart in the mirror image is that of the other looks alone."""
        last = max(int(name.split("_")[1]) for name in outputs[0])
        partner = self.task.skeleton.flip_permutation.tolist()
        limbs = average.mirrored_limbs(self.limbs, partner)
        conf, paf, known = [], [], []
        for each, flipped in zip(outputs, mirrored, strict=True):
            maps, fields = each[f"conf_{last}"].float(), each[f"paf_{last}"].float()
            fields = fields.reshape(*fields.shape[:2], len(limbs), 2, *fields.shape[3:])
            if flipped:
                maps = maps.flip(-1)[:, :, [*partner, len(partner)]]
                signs = fields.new_tensor([(-sign, sign) for _, sign in limbs])[..., None, None]
                fields = signs * fields.flip(-1)[:, :, [limb for limb, _ in limbs]]
            conf.append(maps)
            paf.append(fields)
            known.append([not flipped or sign != 0 for _, sign in limbs])
        weights = paf[0].new_tensor(known)
        weights = (weights / weights.sum(0))[:, None, None, :, None, None, None]
        return {
            f"conf_{last}": average.enlarged(conf).mean(0),
            f"paf_{last}": (weights * average.enlarged(paf)).sum(0).flatten(2, 3),
        }

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """The people of each view, in original pixels, the surest first; they move as their confidence maps do."""
        # Compiled code takes a moment to load, and training needs none of it before the first validation.
        from vitruve.codecs.assembly import assemble, gaps
        from vitruve.codecs.peaks import find_peaks

        last = max(int(name.split("_")[1]) for name in outputs)
        count, reading, device = len(self.task.skeleton), self.reading, batch.to_image.device
        maps = outputs[f"conf_{last}"][:, :, :count].flatten(0, 1).float()
        conf = maps.detach().cpu().numpy()
        fields = outputs[f"paf_{last}"].flatten(0, 1).float().detach().cpu().numpy()
        limbs, around = np.array(self.limbs, np.int64).reshape(-1, 2), gaps(count, self.limbs)
        found = []
        for parts, directions, read in zip(conf, fields, maps, strict=True):
            people = assemble(
                find_peaks(parts, reading.peak_threshold, reading.sigma / self.stride),
                directions,
                limbs,
                around,
                limb_threshold=reading.limb_threshold,
                limb_share=reading.limb_share,
                min_keypoints=reading.min_keypoints,
                min_score=reading.min_score,
            )
            keypoints, keypoint_scores, scores = (torch.from_numpy(a).float().to(device) for a in people)
            if read.requires_grad:
                near = local_mean(read, keypoints)
                keypoints = keypoints + (near - near.detach())
            points = from_heatmap(keypoints, self.stride)
            found.append(Instances.from_keypoints(points, keypoint_scores=keypoint_scores, scores=scores))
        return gathered(found, batch)


def _distance(
    maps: Float[torch.Tensor, "B V C h w"],
    target: Float[torch.Tensor, "B V C h w"],
    learned: Bool[torch.Tensor, "B V h w"],
) -> Float[torch.Tensor, ""]:
    # A where, not a product: in a cell that is not learned not even infinity has a gradient.
    away = torch.where(learned[:, :, None], maps - target, 0.0)
    return away.square().sum(2).mean() / 2
