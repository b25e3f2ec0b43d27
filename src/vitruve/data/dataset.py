"""The one dataset: labelled frames in, samples of images with their truth out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from vitruve.algorithms.base import Needs
from vitruve.data.augment import Augmentation, draw, without_geometry
from vitruve.data.context import window
from vitruve.data.images import ImageCache
from vitruve.data.scenes import Scenes
from vitruve.errors import InputError
from vitruve.geometry.affine import Matrix, Size, area
from vitruve.geometry.warp import Warp
from vitruve.media.images import image_size
from vitruve.media.video import VideoReader
from vitruve.structures.batch import Batch
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels


@dataclass(frozen=True, eq=False)
class Sample:
    """One entry of a batch, as numpy arrays: the axes of :class:`Batch` without B."""

    images: UInt8[np.ndarray, "V T 3 H W"]
    to_image: Float[np.ndarray, "V 3 3"]
    truth: Instances | None = None
    truth_3d: Instances | None = None
    cameras: Camera | None = None
    ignore: Bool[np.ndarray, "V H W"] | None = None


@dataclass(frozen=True)
class Pick:
    """Which frame to take, and when: together they decide the augmentation, whatever came before.

    Attributes:
        epoch: The epoch.
        index: Number of the frame.
        turn: How often the frame was taken before in this epoch.
    """

    epoch: int
    index: int
    turn: int = 0


@dataclass(frozen=True, eq=False)
class _View:
    """What a sample shows of one view: the axes of :class:`Sample` without V."""

    images: UInt8[np.ndarray, "T 3 H W"]
    to_image: Float[np.ndarray, "3 3"]
    truth: Instances
    ignore: Bool[np.ndarray, "H W"]


class PoseDataset(torch.utils.data.Dataset[Sample]):
    """Frames of labels as samples.

    Args:
        labels: The frames; see :func:`checked` for what they must have gone through.
        size: Width and height of the network's input.
        needs: What the algorithm asks for.
        cache: Where pixels come from.
        augmentation: Changes at random; None for validation and testing.
        seed: Together with epoch and index the seed of every draw.
        move_scenes: Where there is augmentation and cameras are calibrated, move what is labelled in space, in place of
            geometric changes of single views.

    Attributes:
        labels: The frames.
        needs: What the algorithm asks for.
        augmentation: How single views are changed: without geometry where scenes are moved.
    """

    def __init__(
        self,
        labels: Labels,
        size: Size,
        needs: Needs,
        cache: ImageCache,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        move_scenes: bool = False,
    ) -> None:
        self.labels = labels
        self._size = size
        self.needs = needs
        self._cache = cache
        self.augmentation = augmentation
        self._seed = seed
        self._permutation = labels.skeleton.flip_permutation
        sees = needs.views or needs.cameras
        calibrated = sees and bool(labels.cameras) and all(frame.session in labels.cameras for frame in labels)
        self._scenes = Scenes(labels) if calibrated else None
        # One that finds a single animal has nothing to lose to others, and the masks are not free to move.
        self._ignores = needs.instances and any(frame.ignore for frame in labels)
        self._moves = move_scenes and calibrated and augmentation not in (None, Augmentation())
        if self._moves and augmentation is not None:
            self.augmentation = without_geometry(augmentation)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, pick: Pick | int) -> Sample:
        """The sample of a frame; a plain number means epoch 0."""
        pick = pick if isinstance(pick, Pick) else Pick(0, pick)
        frame = self.labels[pick.index]
        turn = [pick.turn] if pick.turn else []
        rng = np.random.default_rng([self._seed, pick.epoch, pick.index, *turn])
        scenes = self._scenes
        moves = scenes.moved(pick.index, rng) if self._moves and scenes else [None] * len(frame.images)
        views = [self._view(frame, view, rng, moves[view]) for view in range(len(frame.images))]
        truth = Instances(
            np.stack([view.truth.keypoints for view in views]),
            np.stack([view.truth.visible for view in views]),
            **{
                name: np.stack([getattr(view.truth, name) for view in views])
                for name in ("boxes", "categories", "tracks", "areas", "head_boxes", "crowds")
                if getattr(frame.instances, name) is not None
            },
        )
        return Sample(
            np.stack([view.images for view in views]),
            np.stack([view.to_image for view in views]).astype(np.float32),
            truth,
            # Only training learns in space.
            frame.instances_3d if scenes is None or self.augmentation is None else scenes.truth(pick.index),
            None if scenes is None else scenes.cameras(pick.index),
            np.stack([view.ignore for view in views]) if self._ignores else None,
        )

    def _view(self, frame: Frame, view: int, rng: np.random.Generator, move: Matrix | None) -> _View:
        image, truth = frame.images[view], frame.instances[view]
        pixels = self._cache.read(self.labels, image)
        shape = (pixels.shape[1], pixels.shape[0])
        base = area(shape, self._size, image.box, keep_proportions=self.needs.instances)
        if move is not None:
            base = base @ move
        if self.augmentation is None:
            warp, mirrored = Warp(base, self._size), False
        else:
            drawn = draw(self.augmentation, base, self._size, rng)
            warp, mirrored = drawn.warp, drawn.mirrored
        images = np.stack([warp.image(each).transpose(2, 0, 1) for each in self._window(image, pixels)])
        truth = replace(truth, keypoints=warp.displaced(truth.keypoints), boxes=warp.displaced_boxes(truth.boxes))
        if mirrored:
            truth = replace(
                truth,
                keypoints=truth.keypoints[:, self._permutation],
                visible=truth.visible[:, self._permutation],
            )
        mask = frame.ignore[view] if frame.ignore else None
        ignore = np.zeros(self._size[::-1], bool)
        if self._ignores and mask is not None:
            ignore = warp.image(255 * mask.array().astype(np.uint8)[..., None])[..., 0] > 127
        return _View(images, warp.to_image, truth, ignore)

    def _window(self, image: ImageRef, pixels: UInt8[np.ndarray, "H W 3"]) -> list[UInt8[np.ndarray, "H W 3"]]:
        """The image with its neighbours in time; one of another size is not of this recording."""
        if self.needs.context == 0 or image.missing:
            return [pixels] * (2 * self.needs.context + 1)
        refs = window(image, self.needs.context, lambda each: self._cache.holds(self.labels, each))
        read = [pixels if each == image else self._cache.read(self.labels, each) for each in refs]
        return [each if each.shape == pixels.shape else pixels for each in read]


def checked(labels: Labels, *, without_images: bool = False) -> Labels:
    """Labels whose images are all there, with sizes filled in and keypoints outside their image unlabelled.

    Args:
        labels: As read from a file.
        without_images: An image whose size is known need not be there.

    Returns:
        The same frames. Keypoints beyond the image's edge are counted in a warning.

    Raises:
        InputError: An image is missing, empty or not an image; a video does not decode.
    """
    outside, example, frames = 0, "", []
    videos: dict[Path, Size] = {}
    for frame in labels.frames:
        sizes = _sizes(labels, frame, videos, without_images)
        limits = np.array(sizes, np.float64)[:, None, None, :] - 0.5
        points = frame.instances.keypoints
        with np.errstate(invalid="ignore"):
            beyond = ((points < -0.5) | (points > limits)).any(-1)
        images = tuple(replace(i, size=size) for i, size in zip(frame.images, sizes, strict=True))
        frame = replace(frame, images=images)
        if beyond.any():
            outside += int(beyond.sum())
            example = example or f"{frame.name}: {labels.skeleton.names[int(np.argwhere(beyond)[0][-1])]}"
            frame = replace(frame, instances=_without(frame.instances, beyond))
        frames.append(frame)
    if outside:
        warnings.warn(
            f"{outside} keypoints lie outside their image (first: {example}) and are treated as unlabelled",
            stacklevel=2,
        )
    return replace(labels, frames=tuple(frames))


def _without(instances: Instances, gone: np.ndarray) -> Instances:
    return replace(
        instances,
        keypoints=np.where(gone[..., None], np.nan, instances.keypoints),
        visible=np.where(gone, UNLABELLED, instances.visible).astype(instances.visible.dtype),
    )


def _sizes(labels: Labels, frame: Frame, videos: dict[Path, Size], without_images: bool) -> list[Size]:
    """The size of each view; one that is missing is as large as the first that is there."""
    if frame.first_image.missing:
        raise InputError(f"session '{frame.session}': a frame has no image in any view; leave it out")
    usual = _size(labels, frame.first_image, videos, without_images)
    return [usual if image.missing else _size(labels, image, videos, without_images) for image in frame.images]


def _size(labels: Labels, image: ImageRef, videos: dict[Path, Size], without_images: bool) -> Size:
    path = labels.path(image)
    if without_images and image.size is not None:
        return image.size
    if not path.is_file():
        kind = "image" if image.index is None else "video"
        raise InputError(f"{path}: no such {kind}, but the labels name it; copy it there or remove its row")
    if image.size is not None:
        return image.size
    if image.index is None:
        return image_size(path)
    if path not in videos:
        with VideoReader(path) as video:
            videos[path] = (video.width, video.height)
    return videos[path]


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples as one batch; the instance axis is filled up with missing ones.

    Boxes, categories and so on are left out where not all samples have them.

    Args:
        samples: At least one, all from one dataset.

    Returns:
        The batch, in main memory.
    """

    def tensor(arrays: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.stack(arrays)))

    def stacked(parts: list[Instances | None], axis: int) -> Instances | None:
        present = [part for part in parts if part is not None]
        if len(present) < len(parts):
            return None
        most = max(1, max(part.keypoints.shape[axis] for part in present))
        padded = [_padded(part, most, axis) for part in present]
        names = [name for name in Instances.__dataclass_fields__ if all(getattr(p, name) is not None for p in padded)]
        return Instances(**{name: tensor([getattr(part, name) for part in padded]) for name in names})

    cameras = [sample.cameras for sample in samples if sample.cameras is not None]
    return Batch(
        images=tensor([sample.images for sample in samples]),
        to_image=tensor([sample.to_image for sample in samples]),
        truth=stacked([sample.truth for sample in samples], 1),
        truth_3d=stacked([sample.truth_3d for sample in samples], 0),
        cameras=stack_cameras(tuple(cameras)).map(lambda a: torch.from_numpy(a).float())
        if len(cameras) == len(samples)
        else None,
        ignore=tensor([sample.ignore for sample in samples if sample.ignore is not None])
        if samples[0].ignore is not None
        else None,
    )


def _padded(instances: Instances, count: int, axis: int) -> Instances:
    """Fill the instance axis up to ``count``: NaN, unlabelled, no category."""
    missing = count - instances.keypoints.shape[axis]

    def fill(array: np.ndarray, value: float) -> np.ndarray:
        widths = [(0, 0)] * array.ndim
        widths[axis] = (0, missing)
        return np.pad(array, widths, constant_values=value)

    values = {"visible": 0, "categories": -1, "tracks": -1, "crowds": False, "ids": -1}
    arrays = {name: getattr(instances, name) for name in Instances.__dataclass_fields__}
    filled = {name: fill(a, values.get(name, np.nan)) for name, a in arrays.items() if a is not None}
    filled["keypoints"] = filled["keypoints"].astype(np.float32)
    return Instances(**filled)
