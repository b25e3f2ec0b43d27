"""The contract of an algorithm: what the data layer, the trainer and the predictor know about it, and no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs.anchors import Shapes
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

Outputs = dict[str, torch.Tensor]
Targets = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Needs:
    """What an algorithm asks of the data.

    Attributes:
        views: It works on the views of one instant together; otherwise each view is an image of its own.
        cameras: It needs calibrated cameras; one that works on several views is given them wherever there are some.
        truth_3d: It learns from points in millimetres.
        context: Frames before and after each one to be predicted.
        instances: It finds any number of instances; otherwise exactly one a view. It is shown images in their own
            proportions, and the parts in which nothing is known (:attr:`Batch.ignore`).
        limbs: It learns what connects keypoints: a skeleton whose edges do not reach all of them is given more.
        masking: It learns from images in which ``training.patch_mask`` blanks squares.
        classes: It tells what an image shows, and learns from categories; there are no keypoints.
        boxes: It finds boxes with classes and no keypoints; :attr:`instances` as well.
    """

    views: bool = False
    cameras: bool = False
    truth_3d: bool = False
    context: int = 0
    instances: bool = False
    limbs: bool = False
    masking: bool = False
    classes: bool = False
    boxes: bool = False


@dataclass(frozen=True)
class Task:
    """What a network is built for. Stored with the weights: together they are all that prediction needs.

    Attributes:
        skeleton: The keypoints.
        input_size: Width and height of the network's input, in pixels.
        views: How many views an instant has.
        categories: Names of the classes.
        downsample_factor: Heatmaps have the input's size divided by two this many times.
        missing_is_uniform: Unlabelled keypoints are taught as uniform maps instead of being left out.
        anchors: Widths and heights of a detector's anchors, in pixels of the input, level by level; empty for those
            that it has without data.
    """

    skeleton: Skeleton
    input_size: tuple[int, int]
    views: int = 1
    categories: tuple[str, ...] = ("object",)
    downsample_factor: int = 2
    missing_is_uniform: bool = False
    anchors: Shapes = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the inverse of :meth:`from_dict`."""
        return {
            "skeleton": self.skeleton.to_dict(),
            "input_size": list(self.input_size),
            "views": self.views,
            "categories": list(self.categories),
            "downsample_factor": self.downsample_factor,
            "missing_is_uniform": self.missing_is_uniform,
            "anchors": [[list(shape) for shape in level] for level in self.anchors],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Task:
        """The task that :meth:`to_dict` wrote."""
        width, height = values["input_size"]
        return cls(
            **{
                **values,
                # One of classes alone has no keypoints, which written by hand would be a slip.
                "skeleton": Skeleton.from_dict(values["skeleton"]) if values["skeleton"]["names"] else Skeleton(()),
                "input_size": (int(width), int(height)),
                "categories": tuple(values["categories"]),
                "anchors": tuple(tuple((w, h) for w, h in level) for level in values.get("anchors", ())),
            }
        )


class Algorithm(nn.Module, ABC):
    """A network with its targets, its loss and the way its outputs become keypoints.

    Subclasses set :attr:`network`: the part that turns an image tensor into named maps. Runtimes exchange it for a
    compiled one; nothing else of an algorithm may work on whole images. :attr:`gives_heatmaps` says that the outputs
    hold ``heatmaps`` ``(B * P, V, K, h, w)`` before the softmax, one map a keypoint. :attr:`terms` names sections of
    ``losses`` that it can learn with beside its own loss; the trainer sets :attr:`term_weights` before each epoch.

    Args:
        config: The settings of this algorithm.
        task: What it is built for.
        pretrained: Start from published weights where there are some.
    """

    Config: ClassVar[type[ModelSettings]] = ModelSettings
    description: ClassVar[str] = ""
    needs: Needs = Needs()
    gives_heatmaps: ClassVar[bool] = False
    terms: ClassVar[tuple[str, ...]] = ()
    network: nn.Module

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        self.task = task
        self.term_weights: Mapping[str, float] = {}

    @abstractmethod
    def forward(self, batch: Batch) -> Outputs:
        """Outputs of the network, by name.

        Every tensor starts with ``B * P``: from each entry of the batch the P frames that have their context within
        its T frames, in order. A labelled frame comes with its context alone, so there P is 1.
        """

    @abstractmethod
    def encode(self, batch: Batch) -> Targets:
        """What the outputs should be, made from the batch's truth on the batch's device."""

    @abstractmethod
    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """Named scalars; their sum is minimised."""

    @abstractmethod
    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """Predictions with scores, of the frames that :meth:`forward` gives outputs for.

        Returns:
            ``(B * P, V, N, K, 2)`` in original pixels, or ``(B * P, N, K, 3)`` in millimetres.
        """

    def decode_views(self, outputs: Outputs, batch: Batch) -> Instances | None:
        """What each view alone shows, where :meth:`decode` gives points in space: evidence apart from them.

        Returns:
            ``(B * P, V, N, K, 2)`` in original pixels; None takes the points in space as the cameras see them.
        """
        return None

    @abstractmethod
    def example_input(self, count: int) -> torch.Tensor:
        """A uint8 tensor of zeros such as :attr:`network` takes, for ``count`` inputs; used for export."""

    @classmethod
    def fitted(cls, config: ModelSettings, sizes: Float[np.ndarray, "n 2"]) -> Shapes:
        """Anchors for objects of these widths and heights, in pixels of the input, as :attr:`Task.anchors` has them."""
        return ()

    def averaged(self, outputs: Sequence[Outputs], mirrored: Sequence[bool]) -> Outputs | None:
        """Outputs of several looks at the same frames as those of one; see ``inference.flip`` and ``inference.scales``.

        Args:
            outputs: Of each look; of looks in other sizes, their maps have other sizes.
            mirrored: Which looks were at mirror images. The first is at none.

        Returns:
            Outputs in the size of the largest; None where they cannot be averaged, and what is decoded is to be.
        """
        return None

    def training_losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Named losses of a batch. Algorithms whose targets depend on their outputs override this."""
        return self.loss(self(batch), self.encode(batch))

    def figures(self, outputs: Outputs, batch: Batch) -> dict[str, torch.Tensor]:
        """What is worth watching in validation beside losses and distances: named means over a batch."""
        return {}

    @property
    def likelihood_reach(self) -> float | None:
        """What a keypoint's score is the probability of: lying this near in x and in y, in input pixels.

        None where scores are no such probability; evaluations then compare them with a distance of their own.
        """
        return None

    @property
    def backbone(self) -> nn.Module | None:
        """The part that may start pretrained, is frozen at first and learns slower; None when there is none."""
        part = getattr(self.network, "backbone", None)
        return part if isinstance(part, nn.Module) else None


class ImageAlgorithm(Algorithm):
    """An algorithm that looks at one image at a time: views and time are folded into the batch here, and only here.

    :attr:`network` takes ``(N, 3, H, W)`` and gives maps that start with N. Where the algorithm has a context, the
    frames of a window follow one another, and what the network gives for the first and the last of them is not used;
    the network's attribute ``reach`` is the number of neighbours on either side, so that no runtime parts them.
    """

    def forward(self, batch: Batch) -> Outputs:
        """Outputs with the axes ``(B * P, V, ...)``."""
        count, views, length = batch.images.shape[:3]
        reach = self.needs.context
        outputs: Outputs = self.network(batch.images.flatten(0, 2))

        def inner(value: torch.Tensor) -> torch.Tensor:
            windows = value.reshape(count, views, length, *value.shape[1:])[:, :, reach : length - reach]
            return windows.transpose(1, 2).flatten(0, 1)

        return {name: inner(value) for name, value in outputs.items()}

    def example_input(self, count: int) -> UInt8[torch.Tensor, "{count} 3 H W"]:
        """Black images."""
        width, height = self.task.input_size
        return torch.zeros(count, 3, height, width, dtype=torch.uint8)
