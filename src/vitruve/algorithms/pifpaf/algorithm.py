"""PifPaf (Kreiss, Bertoni, Alahi 2019): fields whose cells point at keypoints and at both ends of limbs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, StrictBool
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs, Outputs, Targets, Task
from vitruve.algorithms.crowd import gathered, ignored_cells, labelled
from vitruve.algorithms.pifpaf import loss
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import fields, limb_graph
from vitruve.codecs.fields import JOINT_CHANNELS, LIMB_CHANNELS
from vitruve.networks.stride_backbone import StrideBackbone
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

_LEAST_ERROR = 0.1
"""Pixels of the input."""
_SURE_AT_FIRST = 0.01
"""The confidence of every cell before training."""


class PifPafSettings(ModelSettings):
    """Settings of ``model.model_type: pifpaf``."""

    stride: Literal[4, 8, 16] = Field(8, description="Side of a cell of the fields, in pixels of the network's input.")
    pixel_shuffle: StrictBool = Field(
        True,
        description="The backbone works at twice the stride, and the last layer gives four cells for each of its own; "
        "false for a backbone of the stride itself, which takes four times the work.",
    )
    bridges: StrictBool = Field(
        True,
        description="Fields also join keypoints that have one other between them, so that one that is out of sight "
        "does not part an instance; false for the skeleton's limbs alone.",
    )
    seed_threshold: float = Field(
        0.2, ge=0, le=1, description="Least score of a keypoint that an instance begins with."
    )
    keypoint_threshold: float = Field(0.15, ge=0, le=1, description="Least score of a keypoint.")
    instance_threshold: float = Field(
        0.1, ge=0, le=1, description="Least score of an instance: the mean over its keypoints, 0 for missing ones."
    )
    min_keypoints: int = Field(3, ge=1, description="Instances with fewer keypoints are left out.")


class FieldNetwork(nn.Module):
    """Backbone and one layer.

    Args:
        config: Names the backbone and the stride.
        task: Size of the input.
        joints: Channels of all part intensity fields.
        limbs: Channels of all part association fields.
        pretrained: Start the backbone from published weights.
    """

    def __init__(self, config: PifPafSettings, task: Task, joints: int, limbs: int, pretrained: bool) -> None:
        super().__init__()
        weights = Path(config.backbone_checkpoint) if config.backbone_checkpoint else None
        enlarge = 2 if config.pixel_shuffle else 1
        self.backbone = StrideBackbone(
            config.backbone, task.input_size, enlarge * config.stride, pretrained=pretrained, weights_file=weights
        )
        self.channels = [joints, limbs]
        self.head = nn.Conv2d(self.backbone.channels, enlarge**2 * (joints + limbs), 1)
        self.shuffle = nn.PixelShuffle(enlarge)
        # Most cells lie near nothing: beginning there spares the first steps (Lin et al. 2017, focal loss).
        first = torch.zeros(joints + limbs)
        first[:joints:JOINT_CHANNELS] = first[joints::LIMB_CHANNELS] = -math.log(1 / _SURE_AT_FIRST - 1)
        self.head.bias = nn.Parameter(first.repeat_interleave(enlarge**2))

    def forward(self, images: torch.Tensor) -> Outputs:
        """``joints`` (N, 5 K, h, w) and ``limbs`` (N, 9 L, h, w), raw."""
        joints, limbs = torch.split(self.shuffle(self.head(self.backbone(images))), self.channels, 1)
        return {"joints": joints, "limbs": limbs}


class PifPaf(ImageAlgorithm):
    """Fields whose cells point at keypoints and at both ends of limbs; instances grow from keypoint to keypoint."""

    Config: ClassVar[type[ModelSettings]] = PifPafSettings
    description = "several instances an image, grown along fields that point at keypoints (PifPaf)"
    needs = Needs(instances=True, limbs=True)

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, PifPafSettings)
        self.settings = config
        skeleton = task.skeleton
        self.edges = limb_graph.connected(len(skeleton), skeleton.edges)
        self.bridges = limb_graph.bridges(len(skeleton), self.edges) if config.bridges else ()
        limbs = self.edges + self.bridges
        sigmas = skeleton.sigmas or (fields.SIGMA,) * len(skeleton)
        self.register_buffer("sigmas", torch.tensor(sigmas), persistent=False)
        self.register_buffer("ends", torch.tensor(limbs, dtype=torch.long).reshape(-1, 2), persistent=False)
        joints = JOINT_CHANNELS * len(skeleton)
        self.network = FieldNetwork(config, task, joints, LIMB_CHANNELS * len(limbs), pretrained)

    sigmas: torch.Tensor
    ends: torch.Tensor

    def encode(self, batch: Batch) -> Targets:
        """``joints`` (B, V, K, 4, h, w) and ``limbs`` (B, V, L, 7, h, w) of :mod:`vitruve.codecs.fields`."""
        points, boxes = labelled(batch)
        stride = self.settings.stride
        scales = fields.instance_sizes(points, boxes)[..., None] * self.sigmas / stride
        cells = fields.to_cells(points, stride)
        width, height = batch.input_size
        size, ignored = (width // stride, height // stride), ignored_cells(batch, stride)
        found = {
            "joints": fields.encode_joints(cells, scales, size),
            "limbs": fields.encode_limbs(cells, scales, self.ends, size),
        }
        lead = batch.images.shape[:2]
        return {name: fields.without(value, ignored).reshape(*lead, *value.shape[1:]) for name, value in found.items()}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """Confidence, place and scale of both kinds of fields: sums over an image, means over images."""
        joints, limbs = self._fields(outputs)
        true_joints, true_limbs = targets["joints"].flatten(0, 1), targets["limbs"].flatten(0, 1)
        least, count = _LEAST_ERROR / self.settings.stride, len(joints)
        first = loss.place(limbs[:, :, 1:3], limbs[:, :, 5], true_limbs[:, :, 1:3], least)
        last = loss.place(limbs[:, :, 3:5], limbs[:, :, 6], true_limbs[:, :, 3:5], least)
        terms = {
            "pif_confidence": loss.confidence(joints[:, :, 0], true_joints[:, :, 0]),
            "pif_place": loss.place(joints[:, :, 1:3], joints[:, :, 3], true_joints[:, :, 1:3], least),
            "pif_scale": loss.scale(joints[:, :, 4], true_joints[:, :, 3]),
            "paf_confidence": loss.confidence(limbs[:, :, 0], true_limbs[:, :, 0]),
            "paf_place": first + last,
            "paf_scale": loss.scale(limbs[:, :, 7:], true_limbs[:, :, 5:]),
        }
        return {name: value / count for name, value in terms.items()}

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """Instances in original pixels, the one with the best score first."""
        from vitruve.codecs import fields_decode  # compiles when it is imported

        config = self.settings
        joints, limbs = self._fields(outputs)
        graph = fields_decode.graph(len(self.task.skeleton), self.edges, self.bridges)
        arrays = [value.detach().float().cpu().numpy() for value in (joints, limbs)]
        found = []
        for image, field in enumerate(joints):
            decoded = fields_decode.decode(
                arrays[0][image],
                arrays[1][image],
                graph,
                config.stride,
                config.seed_threshold,
                config.keypoint_threshold,
                config.instance_threshold,
                config.min_keypoints,
            )
            points, scores, total = (torch.from_numpy(each).to(field.device).float() for each in decoded)
            points = self._attached(points, field)
            found.append(Instances.from_keypoints(points, keypoint_scores=scores, scores=total))
        return gathered(found, batch)

    def _attached(
        self, points: Float[torch.Tensor, "N K 2"], field: Float[torch.Tensor, "K 5 h w"]
    ) -> Float[torch.Tensor, "N K 2"]:
        """The same points, which move as the cells do that point at them from where they are."""
        stride = self.settings.stride
        limits = torch.tensor([field.shape[-1] - 1, field.shape[-2] - 1], device=field.device)
        cells = fields.to_cells(points.nan_to_num(), stride).round().clamp_min(0).minimum(limits).long()
        kinds = torch.arange(len(field), device=field.device)
        read = stride * field[kinds, 1:3, cells[..., 1], cells[..., 0]]
        return points + (read - read.detach())

    def _fields(self, outputs: Outputs) -> tuple[Float[torch.Tensor, "M K 5 h w"], Float[torch.Tensor, "M L 9 h w"]]:
        joints, limbs = (outputs[name].flatten(0, 1) for name in ("joints", "limbs"))
        size = joints.shape[-2:]
        return (
            joints.reshape(len(joints), len(self.task.skeleton), JOINT_CHANNELS, *size),
            limbs.reshape(len(limbs), len(self.ends), LIMB_CHANNELS, *size),
        )
