"""Pose Proposal Networks (Sekii 2018): persons and keypoints as boxes in the cells of a grid, joined by limbs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, StrictBool, field_validator
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs, Outputs, Targets, Task
from vitruve.algorithms.crowd import gathered, ignored_cells, labelled
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import grid
from vitruve.networks.stride_backbone import StrideBackbone
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

# The paper's weights of the terms.
_RESPONSE, _IOU, _PLACE, _SIZE, _LIMB = 0.25, 1.0, 5.0, 5.0, 0.5

_SIZE_AT_FIRST = 0.05
"""Of boxes, as a share of the input."""


class PoseProposalSettings(ModelSettings):
    """Settings of ``model.model_type: pose_proposal``."""

    backbone: str = Field("resnet18", min_length=1, description="Name of the backbone (`vitruve list backbones`).")
    stride: int = Field(32, ge=1, description="Side of a cell of the grid, in pixels of the network's input.")
    neighbourhood: int = Field(
        9, ge=1, description="A limb ends at most half this many cells from where it begins; an odd number."
    )
    head_channels: int = Field(512, ge=8, description="Channels of the head's convolutions.")
    spokes: StrictBool = Field(
        True,
        description="Limbs also lead from the person's box to every keypoint, so that one that is out of sight does "
        "not part others from the person; false for the paper's tree alone.",
    )
    threshold: float = Field(0.2, ge=0, le=1, description="Least score of a box: response times predicted IoU.")
    limb_threshold: float = Field(0.2, ge=0, le=1, description="Least score of a limb.")
    part_overlap: float = Field(0.3, ge=0, le=1, description="IoU above which two boxes of a keypoint are one.")
    person_overlap: float = Field(0.6, ge=0, le=1, description="IoU above which two boxes of persons are one.")
    min_keypoints: int = Field(3, ge=1, description="Persons with fewer keypoints are left out.")

    @field_validator("neighbourhood")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"must be odd, such as {value + 1}: as many cells on either side")
        return value


class ProposalNetwork(nn.Module):
    """Backbone and two convolutions.

    Args:
        config: Names the backbone.
        task: Size of the input.
        layout: What the maps are of.
        pretrained: Start the backbone from published weights.
    """

    def __init__(self, config: PoseProposalSettings, task: Task, layout: grid.Layout, pretrained: bool) -> None:
        super().__init__()
        weights = Path(config.backbone_checkpoint) if config.backbone_checkpoint else None
        self.backbone = StrideBackbone(
            config.backbone, task.input_size, layout.stride, pretrained=pretrained, weights_file=weights
        )
        kinds = layout.kinds
        channels = {"response": kinds, "iou": kinds, "place": 2 * kinds, "size": 2 * kinds}
        self.channels = {**channels, "limbs": len(layout.limbs) * layout.neighbourhood**2}
        layers: list[nn.Module] = []
        width = config.head_channels
        for before in (self.backbone.channels, width):
            layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.LeakyReLU(0.1)]
        last = nn.Conv2d(width, sum(self.channels.values()), 1)
        # From a half, the first steps would drive the sigmoids of small boxes so far down that gradients vanish.
        first = [
            _SIZE_AT_FIRST if name == "size" else 0.5 for name, count in self.channels.items() for _ in range(count)
        ]
        last.bias = nn.Parameter(torch.tensor(first).logit())
        self.head = nn.Sequential(*layers, last)

    def forward(self, images: torch.Tensor) -> Outputs:
        """The maps of :mod:`vitruve.codecs.grid` before the sigmoid: ``(N, channels, H / stride, W / stride)``."""
        maps = self.head(self.backbone(images))
        return dict(zip(self.channels, torch.split(maps, list(self.channels.values()), 1), strict=True))


class PoseProposal(ImageAlgorithm):
    """Boxes around persons and around their keypoints, joined along limbs from cell to cell."""

    Config: ClassVar[type[ModelSettings]] = PoseProposalSettings
    description = "several instances an image, as boxes in a coarse grid (Pose Proposal Networks)"
    needs = Needs(instances=True, limbs=True)

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, PoseProposalSettings)
        self.settings = config
        limbs = grid.root_limbs(task.skeleton, config.spokes)
        self.layout = grid.Layout(limbs, len(task.skeleton), config.stride, config.neighbourhood)
        self.network = ProposalNetwork(config, task, self.layout, pretrained)

    def encode(self, batch: Batch) -> Targets:
        """The targets of :func:`vitruve.codecs.grid.encode`, and ``known`` (B, V, h, w): cells to be learned."""
        points, boxes = labelled(batch)
        targets = grid.encode(points, grid.person_boxes(points, boxes, batch.input_size), self.layout, batch.input_size)
        ignored = ignored_cells(batch, self.layout.stride)
        response = targets["response"]
        targets["known"] = torch.ones_like(response[:, 0], dtype=torch.bool) if ignored is None else ~ignored
        lead = batch.images.shape[:2]
        return {name: value.reshape(*lead, *value.shape[1:]) for name, value in targets.items()}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``response``, ``iou``, ``place``, ``size`` and ``limbs``: squared errors as the paper weighs them.

        Each is the sum over an image, and the mean over images. The one of ``iou`` is the Kullback-Leibler divergence:
        at first no box fits, and a squared error would not bring its sigmoid back from 0.
        """
        raw = self._maps(outputs)
        found = {name: value.sigmoid() for name, value in raw.items()}
        truth = {name: value.flatten(0, 1) for name, value in targets.items()}
        known, here = truth["known"], truth["response"] > 0
        here = here & known[:, None]
        count = len(known)

        def squared(name: str, wanted: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
            return (found[name] - wanted)[where].square().sum() / count

        pairs = here[:, None].expand(-1, 2, -1, -1, -1).transpose(1, 2)
        fit = _iou(found["place"], found["size"], truth["place"], truth["size"], len(here[0, 0]), here.shape[-1])
        sizes = (found["size"][pairs].sqrt() - truth["size"][pairs].sqrt()).square().sum() / count
        return {
            "response": _RESPONSE * squared("response", truth["response"], known[:, None].expand_as(here)),
            "iou": _IOU * _divergence(raw["iou"][here], fit.detach()[here]) / count,
            "place": _PLACE * squared("place", truth["place"], pairs),
            "size": _SIZE * sizes,
            "limbs": _LIMB * squared("limbs", truth["limbs"], self._limbs_learned(here, known)),
        }

    def _limbs_learned(
        self, here: Float[torch.Tensor, "M kinds h w"] | torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Limbs that begin or end at a box, between cells that are known."""
        begin, end = (list(kinds) for kinds in zip(*self.layout.limbs, strict=True))
        side = self.layout.neighbourhood
        both = known[:, None, None, None] & grid.nearby(known[:, None], side, False)
        return (here[:, begin][:, :, None, None] | grid.nearby(here[:, end], side, False)) & both

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """Persons in original pixels with their boxes, the one with the best score first."""
        from vitruve.codecs import grid_decode  # compiles when it is imported

        maps = self._maps(outputs)
        config, layout = self.settings, self.layout
        arrays = {name: value.detach().float().cpu().numpy() for name, value in maps.items()}
        found = []
        for image in range(len(maps["response"])):
            persons = grid_decode.decode(
                arrays["response"][image],
                arrays["iou"][image],
                arrays["place"][image],
                arrays["size"][image],
                arrays["limbs"][image],
                layout,
                config.threshold,
                config.limb_threshold,
                config.part_overlap,
                config.person_overlap,
            )
            total = (persons.box_scores + persons.scores.sum(-1)) / layout.kinds
            enough = (persons.scores > 0).sum(-1) >= min(config.min_keypoints, layout.keypoints)
            order = np.flatnonzero(enough)[np.argsort(-total[enough], kind="stable")]
            place = maps["place"][image]
            points, scores, boxes, score, cells = (
                torch.from_numpy(each[order]).to(place.device)
                for each in (persons.points, persons.scores, persons.boxes, total, persons.cells)
            )
            points = self._attached(points.float(), cells, place)
            found.append(
                Instances.from_keypoints(
                    points, keypoint_scores=scores.float(), scores=score.float(), boxes=boxes.float()
                )
            )
        return gathered(found, batch)

    def _attached(
        self, points: Float[torch.Tensor, "N K 2"], cells: torch.Tensor, place: Float[torch.Tensor, "kinds 2 h w"]
    ) -> Float[torch.Tensor, "N K 2"]:
        """The same points, which move as the maps do that they were read from."""
        kinds = torch.arange(self.layout.keypoints, device=place.device)
        read = self.layout.stride * place.sigmoid().flatten(2)[kinds, :, cells.clamp_min(0)]
        return points + (read - read.detach())

    def _maps(self, outputs: Outputs) -> Outputs:
        """The raw outputs of all images and views, each axis of the maps apart."""
        side = self.layout.neighbourhood
        axes = {"place": (-1, 2), "size": (-1, 2), "limbs": (len(self.layout.limbs), side, side)}

        def apart(name: str, value: torch.Tensor) -> torch.Tensor:
            value = value.flatten(0, 1)
            return value.reshape(len(value), *axes.get(name, (-1,)), *value.shape[-2:])

        return {name: apart(name, value) for name, value in outputs.items()}


def _divergence(logits: Float[torch.Tensor, " n"], wanted: Float[torch.Tensor, " n"]) -> Float[torch.Tensor, ""]:
    """The sum of Kullback-Leibler divergences of one probability from another."""
    entropy = (torch.special.entr(wanted) + torch.special.entr(1 - wanted)).sum()
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") - entropy


def _iou(
    place: Float[torch.Tensor, "M kinds 2 h w"],
    size: Float[torch.Tensor, "M kinds 2 h w"],
    true_place: Float[torch.Tensor, "M kinds 2 h w"],
    true_size: Float[torch.Tensor, "M kinds 2 h w"],
    rows: int,
    columns: int,
) -> Float[torch.Tensor, "M kinds h w"]:
    """Intersection over union of boxes of the same cell."""
    cells = place.new_tensor([columns, rows])[:, None, None]
    size, true_size = size * cells, true_size * cells
    low = torch.maximum(place - size / 2, true_place - true_size / 2)
    high = torch.minimum(place + size / 2, true_place + true_size / 2)
    common = (high - low).clamp_min(0).prod(2)
    # Rounding may make equal boxes overlap by more than all of them.
    return (common / (size.prod(2) + true_size.prod(2) - common).clamp_min(1e-9)).clamp_max(1)
