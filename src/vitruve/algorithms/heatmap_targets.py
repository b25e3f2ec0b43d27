"""What algorithms share that teach and read one probability map a keypoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field

from vitruve.algorithms.base import Algorithm, Outputs, Targets, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import average, heatmap
from vitruve.losses.heatmap import HEATMAP_LOSSES
from vitruve.structures.batch import Batch
from vitruve.structures.instances import OCCLUDED, UNLABELLED, Instances


class HeatmapTargetSettings(ModelSettings):
    """Settings of every algorithm that learns one probability map a keypoint."""

    heatmap_loss_type: Literal["mse", "kl", "js"] = Field(
        "kl",
        description="Distance of predicted and target maps: squared error, Kullback-Leibler or Jensen-Shannon.",
    )


class HeatmapTargets(Algorithm):
    """The side of an algorithm that knows maps: targets, loss and decoding of :mod:`vitruve.codecs.heatmap`.

    Its output ``heatmaps`` is ``(B * P, V, K, H / stride, W / stride)`` before the softmax, one animal an image. What
    is left to a class below is the network and :meth:`forward`, which :class:`ImageAlgorithm` may bring. A class with
    several such outputs uses :meth:`map_distance`, :meth:`read_maps` and :meth:`instances` for each of them.

    Args:
        config: Says which distance of maps is learned.
        task: Says how much smaller than the input the maps are.
        pretrained: Start from published weights where there are some.
    """

    gives_heatmaps: ClassVar[bool] = True

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, HeatmapTargetSettings)
        self.stride = 2**task.downsample_factor
        self.kind = config.heatmap_loss_type

    @property
    def likelihood_reach(self) -> float | None:
        """Half the side of the window that :func:`vitruve.codecs.heatmap.decode` sums up, to its pixels' edges."""
        return (heatmap.RADIUS + 0.5) * self.stride

    def encode(self, batch: Batch) -> Targets:
        """``heatmaps`` ``(B, V, K, h, w)`` and ``learned`` ``(B, V, K)``, of the first instance."""
        maps, learned = self.target_maps(batch, self.stride)
        return {"heatmaps": maps, "learned": learned}

    def target_maps(
        self, batch: Batch, stride: int
    ) -> tuple[Float[torch.Tensor, "B V K h w"], Bool[torch.Tensor, "B V K"]]:
        """Maps of the first instance's truth.

        Args:
            batch: Labelled.
            stride: How much smaller than the input they are.

        Returns:
            The maps, and which of them are to be learned.
        """
        truth = batch.truth_in_input
        assert truth is not None
        points = heatmap.to_heatmap(truth.keypoints[:, :, 0], stride)
        visible = truth.visible[:, :, 0]
        uniform = visible == OCCLUDED
        points = torch.where((visible > OCCLUDED)[..., None], points, torch.nan)
        if self.task.missing_is_uniform:
            uniform = uniform | (visible == UNLABELLED)
        width, height = batch.input_size
        return heatmap.encode(points, uniform, (width // stride, height // stride))

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``heatmap_<kind>``, the distance of predicted and target maps."""
        return {f"heatmap_{self.kind}": self.map_distance(outputs["heatmaps"], targets)}

    def averaged(self, outputs: Sequence[Outputs], mirrored: Sequence[bool]) -> Outputs:
        """The logarithms of mean probabilities, of every output."""
        partner = self.task.skeleton.flip_permutation.tolist()

        def probabilities(logits: torch.Tensor, flipped: bool) -> torch.Tensor:
            maps = logits.float().flatten(-2).softmax(-1).reshape(logits.shape)
            return maps.flip(-1)[..., partner, :, :] if flipped else maps

        found = {}
        for name in outputs[0]:
            looks = [probabilities(each[name], flag) for each, flag in zip(outputs, mirrored, strict=True)]
            maps = average.enlarged(looks)
            found[name] = (maps / maps.sum((-2, -1), keepdim=True)).mean(0).clamp_min(1e-30).log()
        return found

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """One instance a view, in original pixels."""
        return self.instances(*self.read_maps(outputs["heatmaps"]), batch)

    def map_distance(self, logits: Float[torch.Tensor, "B V K h w"], targets: Targets) -> Float[torch.Tensor, ""]:
        """The distance of maps from what :meth:`encode` made.

        Args:
            logits: Before the softmax.
            targets: Of :meth:`encode`.

        Returns:
            The distance that the settings name.
        """
        return HEATMAP_LOSSES[self.kind](logits, targets["heatmaps"], targets["learned"])

    def read_maps(
        self, logits: Float[torch.Tensor, "*lead h w"]
    ) -> tuple[Float[torch.Tensor, "*lead 2"], Float[torch.Tensor, "*lead"]]:
        """The place of each keypoint and how likely it is, differentiable in the logits.

        Args:
            logits: Before the softmax.

        Returns:
            Places in pixels of the network's input, and likelihoods from 0 to 1.
        """
        points, likelihoods = heatmap.decode(logits)
        return heatmap.from_heatmap(points, self.stride), likelihoods

    def instances(
        self, points: Float[torch.Tensor, "F V K 2"], likelihoods: Float[torch.Tensor, "F V K"], batch: Batch
    ) -> Instances:
        """Keypoints as one instance a view.

        Args:
            points: In pixels of the network's input, of all ``F = B * P`` predicted frames.
            likelihoods: From 0 to 1.
            batch: Says how the input was made of the original images.

        Returns:
            ``(F, V, 1, K, 2)`` in original pixels; the score of an instance is the mean of its keypoints'.
        """
        found = Instances.from_keypoints(
            points[:, :, None], keypoint_scores=likelihoods[:, :, None], scores=likelihoods.mean(-1, keepdim=True)
        )
        return found.transformed(batch.to_image_of(len(points)))
