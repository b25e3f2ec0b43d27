"""What data set filters look at: one object an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.formats import mpii
from vitruve.formats.coco_masks import write_segmentation
from vitruve.structures.labels import Frame, Labels


@dataclass(frozen=True, eq=False)
class CocoMeta:
    """One image of COCO.

    Attributes:
        image_id: COCO's number.
        img_url: Path of the image.
        height: In pixels.
        width: In pixels.
        masks: Run lengths of what is to be ignored: crowds and people without keypoints.
        bbx_list: Boxes ``x y w h`` of all annotations.
        is_crowd: Whether the image has a crowd.
        joint_list: For each person with keypoints 51 numbers: x, y and visibility of each.
    """

    image_id: int
    img_url: str
    height: int
    width: int
    masks: list[dict[str, Any]]
    bbx_list: list[list[float]]
    is_crowd: bool
    joint_list: list[np.ndarray]

    @classmethod
    def of(cls, labels: Labels, frame: Frame) -> CocoMeta:
        """The object of one frame."""
        image, people = frame.first_image, frame.instances[0]
        width, height = image.size or (0, 0)
        boxes = np.zeros((0, 4)) if people.boxes is None else people.boxes[np.isfinite(people.boxes).all(-1)]
        sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        mask = frame.ignore[0] if frame.ignore else None
        return cls(
            -1 if frame.id is None else frame.id,
            str(labels.path(image)),
            height,
            width,
            [] if mask is None else [write_segmentation(mask)],
            sides.tolist(),
            people.crowds is not None and bool(people.crowds.any()),
            _joints(frame),
        )


@dataclass(frozen=True, eq=False)
class MPIIMeta:
    """One image of MPII.

    Attributes:
        image_id: The number that its file is named by.
        image_path: Path of the image.
        headbbx_list: Centre, width and height of each person's head, -1 where unknown.
        scale_list: Height of each person in pixels, -1 where unknown.
        center_list: Roughly the middle of each person, -1 where unknown.
        joint_list: For each person 48 numbers: x, y and visibility (0 missing, 1 occluded, 2 visible).
        is_crowd: MPII has no crowds; so one filter does for both data sets.
    """

    image_id: int
    image_path: str
    headbbx_list: list[np.ndarray]
    scale_list: list[float]
    center_list: list[np.ndarray]
    joint_list: list[np.ndarray]
    is_crowd: bool = False

    @classmethod
    def of(cls, path: Path, image: mpii.Image) -> MPIIMeta:
        """The object of one image.

        Args:
            path: Of the image.
            image: As the file has it.

        Returns:
            The object.
        """
        heads, scales, centers, joints = [], [], [], []
        for person in image.people:
            head = np.full(4, -1.0)
            if person.head is not None:
                low, high = person.head[:2], person.head[2:]
                head = np.concatenate([(low + high) / 2, high - low])
            heads.append(head)
            scales.append(-1.0 if person.scale is None else 200 * person.scale)
            centers.append(np.full(2, -1.0) if person.center is None else person.center)
            values = np.concatenate([np.nan_to_num(person.joints), person.visible[:, None]], 1)
            joints.append(values.ravel())
        return cls(image_number(path), str(path), heads, scales, centers, joints)

    def to_anns_list(self) -> list[dict[str, Any]]:
        """One dictionary a person, as HyperPose's evaluation has them."""
        lists = zip(self.headbbx_list, self.scale_list, self.center_list, self.joint_list, strict=True)
        return [
            {"headbbxs": head, "scales": scale, "centers": center, "keypoints": joints, "vis": joints[2::3]}
            for head, scale, center, joints in lists
        ]


def image_number(path: Path) -> int:
    """The number that an image's file is named by; 0 where it has none."""
    digits = "".join(each for each in path.stem if each.isdigit())
    return int(digits) if digits else 0


def _joints(frame: Frame) -> list[np.ndarray]:
    people = frame.instances[0]
    found = []
    for points, seen in zip(people.keypoints, people.visible, strict=True):
        if (seen > 0).any():
            found.append(np.concatenate([np.nan_to_num(points), seen[:, None]], 1).ravel())
    return found
