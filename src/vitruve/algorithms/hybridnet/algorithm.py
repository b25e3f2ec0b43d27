"""JARVIS' HybridNet: maps of every view, brought together in a cube around the animal, read by a network in space.

What one view does not show, or takes for something else, the others and the usual shape of the body correct. Unlike
JARVIS, a view counts for a keypoint as much as it is sure of it, the maps are looked up between pixels, the cube is
placed by the keypoints themselves, coordinates are learned beside the volume, and what is not labelled is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import Field, PositiveFloat
from torch import nn

from vitruve.algorithms.base import Needs, Outputs, Targets, Task
from vitruve.algorithms.efficienttrack_network import EfficientTrackSettings, EfficientTrackTargets
from vitruve.algorithms.hybridnet.space import body_middle, jittered_middle
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import heatmap, volume
from vitruve.errors import ConfigError
from vitruve.losses.masked import masked_mean
from vitruve.networks.v2v import V2V
from vitruve.networks.voxels import sample_views
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

# V2V halves the cube twice.
_SHRINKS = 4
# Added to the likelihoods that views are weighed by: where no view is sure, all of them count.
_LEAST_WEIGHT = 0.01
# A map's value that a view which sees nothing may have anywhere: no view alone rules out what the others agree on.
_LEAST_SEEN = 0.01


class HybridNetSettings(EfficientTrackSettings):
    """Settings of ``model.model_type: hybridnet``."""

    roi_cube_size: PositiveFloat | None = Field(
        None,
        description="Edge of the cube around the animal, in mm; `vitruve project create` finds it from the labels.",
    )
    grid_spacing: PositiveFloat | None = Field(
        None, description="Distance of the voxels in mm; the cube has a multiple of four of them along each edge."
    )
    mode: Literal["3D_only", "last_layers", "bifpn", "all"] = Field(
        "all",
        description="What learns: the network in space alone (the network of images must come trained, with "
        "model.checkpoint), also the last layers of the network of images, also its BiFPN, or everything.",
    )
    camera_dropout: float = Field(
        0.2, ge=0, lt=1, description="In training, each camera is left out this often; two remain at least."
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the channels in space left out in training.")


class HybridNet(EfficientTrackTargets):
    """Points in space from calibrated views."""

    Config: ClassVar[type[ModelSettings]] = HybridNetSettings
    description = "points in space from the maps of several calibrated cameras and a network of voxels (JARVIS)"
    needs = Needs(views=True, cameras=True, truth_3d=True)

    def __init__(self, config: HybridNetSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        self.mode, self.camera_dropout = config.mode, config.camera_dropout
        self.spacing, self.side = _grid_of(config)
        self.space = V2V(len(task.skeleton), config.dropout)
        for part in self._held():
            part.requires_grad_(False).eval()

    @property
    def backbone(self) -> nn.Module | None:
        """The backbone of the network of images, where it learns."""
        return self.network.backbone if self.mode == "all" else None

    @property
    def likelihood_reach(self) -> float | None:
        """Likelihoods are of a distance in space."""
        return None

    def train(self, mode: bool = True) -> HybridNet:
        """Parts that do not learn keep their statistics, too."""
        super().train(mode)
        # In use the network may be a compiled one, which has no parts.
        for part in self._held() if mode else ():
            part.eval()
        return self

    def forward(self, batch: Batch) -> Outputs:
        """Maps of each view, and the cube.

        Returns:
            ``heatmaps`` and ``coarse`` ``(B, V, K, ...)``; ``volume`` ``(B, K, g, g, g)`` before the softmax; and
            ``middle`` ``(B, 3)`` of the cube in mm, NaN where no keypoint is seen by two cameras.
        """
        count, views = batch.images.shape[:2]
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.mode != "3D_only"):
            found = self.network(batch.images[:, :, 0].flatten(0, 1))
        maps: Outputs = {name: value.float().reshape(count, views, *value.shape[1:]) for name, value in found.items()}
        with torch.autocast(batch.images.device.type, enabled=False):
            seen, agreed, middle = self._volumes(maps["heatmaps"], batch)
        return {**maps, "volume": self.space(seen, agreed).float(), "middle": middle}

    def _volumes(
        self, maps: Float[torch.Tensor, "B V K H W"], batch: Batch
    ) -> tuple[Float[torch.Tensor, "B K g g g"], Float[torch.Tensor, "B K h h h"], Float[torch.Tensor, "B 3"]]:
        """What the views say of each voxel, and where the cube is.

        Returns:
            The mean of the maps, from 0 to about 1: high where some views see the keypoint. At half the resolution, the
            mean of their logarithms above the least: high where all views may. And the middle of the cube.
        """
        assert batch.cameras is not None
        with torch.no_grad():
            points, likelihoods = self.read_maps(maps)
            # A view that is missing has a camera without numbers.
            looked = batch.cameras.intrinsics.isfinite().all(-1).all(-1)
            if self.training:
                looked = _kept(looked, self.camera_dropout)
            likelihoods = likelihoods * looked[..., None]
            weights = (likelihoods + _LEAST_WEIGHT) * looked[..., None]
            if self.training and batch.truth_3d is not None:
                middle = jittered_middle(batch.truth_3d.keypoints[:, 0], self._edge)
            else:
                pixels = self.instances(points, likelihoods, batch).keypoints[:, :, 0]
                middle = body_middle(batch.cameras, pixels, likelihoods, self._edge)
            center, to_map = torch.nan_to_num(middle)[:, None], self._to_map(batch)
        scaled = maps.flatten(-2).softmax(-1).reshape(maps.shape) / heatmap.PEAK
        volumes = []
        for each, halved in ((scaled, 1), (torch.log(scaled / _LEAST_SEEN + 1), 2)):
            side = self.side // halved
            voxels = volume.grid(side, halved * self.spacing, maps.device) + center
            found = sample_views(each, weights, batch.cameras, to_map, voxels)
            volumes.append(found.reshape(*found.shape[:2], side, side, side))
        return volumes[0], volumes[1], middle

    def encode(self, batch: Batch) -> Targets:
        """Maps of each view, and ``points`` ``(B, K, 3)`` in mm, NaN where a keypoint has none."""
        assert batch.truth_3d is not None
        truth = batch.truth_3d
        points = torch.where((truth.visible[:, 0] > 0)[..., None], truth.keypoints[:, 0], torch.nan)
        return {**(super().encode(batch) if self.mode != "3D_only" else {}), "points": points}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``volume`` (Kullback-Leibler, nats), ``coordinates`` (voxels) and, where they learn, those of the maps.

        What a misplaced cube does not hold cannot be learned. When the network is judged it costs what it is off: an
        epoch whose cubes miss the animal must not seem the best.
        """
        logits, spacing = outputs["volume"], 2 * self.spacing
        wanted = targets["points"] - torch.nan_to_num(outputs["middle"])[:, None]
        reach = torch.inf if self.training else logits.shape[-1] * spacing / 2
        target, learned = volume.encode(wanted.clamp(-reach, reach), logits.shape[-1], spacing)
        flat = target.flatten(-3)
        against = logits.flatten(-3).log_softmax(-1)
        divergence = (torch.xlogy(flat, flat) - flat * against).sum(-1)
        found, _ = volume.decode(logits, spacing)
        away = (found - torch.where(learned[..., None], wanted, found.detach())) / spacing
        # Rounded off below a voxel: the root has no slope at zero.
        distance = (away.square().sum(-1) + 1).sqrt() - 1
        losses = {"volume": masked_mean(divergence, learned), "coordinates": masked_mean(distance, learned)}
        return {**losses, **(super().loss(outputs, targets) if self.mode != "3D_only" else {})}

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """One animal in space: ``(B, 1, K, 3)`` in mm."""
        points, likelihoods = volume.decode(outputs["volume"], 2 * self.spacing)
        points = points + outputs["middle"][:, None]
        likelihoods = torch.where(points.isnan().any(-1), torch.nan, likelihoods)
        return Instances.from_keypoints(
            points[:, None], keypoint_scores=likelihoods[:, None], scores=likelihoods.mean(-1, keepdim=True)
        )

    def decode_views(self, outputs: Outputs, batch: Batch) -> Instances:
        """What each view alone shows."""
        return self.instances(*self.read_maps(outputs["heatmaps"]), batch)

    def example_input(self, count: int) -> UInt8[torch.Tensor, "{count} 3 H W"]:
        """Black images."""
        width, height = self.task.input_size
        return torch.zeros(count, 3, height, width, dtype=torch.uint8)

    @property
    def _edge(self) -> float:
        return self.side * self.spacing

    def _to_map(self, batch: Batch) -> Float[torch.Tensor, "B V 3 3"]:
        shrink = torch.tensor(
            [[1 / self.stride, 0, 0.5 / self.stride - 0.5], [0, 1 / self.stride, 0.5 / self.stride - 0.5], [0, 0, 1]],
            dtype=torch.float64,
            device=batch.to_image.device,
        )
        return (shrink @ torch.linalg.inv(batch.to_image.double())).float()

    def _held(self) -> Iterator[nn.Module]:
        """The parts that do not learn."""
        if self.mode != "all":
            yield self.network.backbone
        if self.mode in ("3D_only", "last_layers"):
            yield self.network.bifpn
        if self.mode == "3D_only":
            yield from self.network.heads()


def _grid_of(config: HybridNetSettings) -> tuple[float, int]:
    for name in ("roi_cube_size", "grid_spacing"):
        if getattr(config, name) is None:
            raise ConfigError(
                f"model.{name}: not set; 'vitruve project create' finds it from the labels, or give it in millimetres"
            )
    assert config.roi_cube_size is not None and config.grid_spacing is not None
    side = round(config.roi_cube_size / config.grid_spacing)
    if side < _SHRINKS or side % _SHRINKS or abs(side * config.grid_spacing - config.roi_cube_size) > 1e-6 * side:
        near = max(1, round(config.roi_cube_size / config.grid_spacing / _SHRINKS)) * _SHRINKS * config.grid_spacing
        raise ConfigError(
            f"model.roi_cube_size={config.roi_cube_size:g}: the cube must have a multiple of {_SHRINKS} voxels of "
            f"model.grid_spacing={config.grid_spacing:g} mm along its edge, such as {near:g} mm"
        )
    return config.grid_spacing, side


def _kept(there: Bool[torch.Tensor, "B V"], dropout: float) -> Bool[torch.Tensor, "B V"]:
    """Which of the cameras that are there are looked at: each is left out at random, two remain at least."""
    draws, chance = torch.rand(2, *there.shape).to(there.device)
    certain = torch.where(there, draws, 2.0).argsort(1).argsort(1) < 2
    return there & ((chance >= dropout) | certain)
