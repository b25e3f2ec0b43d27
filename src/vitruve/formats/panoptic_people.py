"""CMU Panoptic Studio's people in space, ``hdPose3d_stage1_coco19/body3DScene_<frame>.json``, seen by its cameras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.errors import InputError, nearest
from vitruve.formats.json_file import read_json
from vitruve.formats.panoptic import MILLIMETRES, read_calibration
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

_SIDES = ("left", "right")
_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
NAMES = (
    "neck",
    "nose",
    "mid_hip",
    *(f"left_{joint}" for joint in _JOINTS),
    *(f"right_{joint}" for joint in _JOINTS),
    "left_eye",
    "left_ear",
    "right_eye",
    "right_ear",
)
"""The 19 joints, in the order of the files."""
_LIMBS = (("neck", "nose"), ("neck", "mid_hip"))
_SIDE_LIMBS = (
    *(("neck", "{}_shoulder"), ("{}_shoulder", "{}_elbow"), ("{}_elbow", "{}_wrist"), ("mid_hip", "{}_hip")),
    *(("{}_hip", "{}_knee"), ("{}_knee", "{}_ankle"), ("nose", "{}_eye"), ("{}_eye", "{}_ear")),
)
_FOLDER = "hdPose3d_stage1_coco19"
_FILES = "body3DScene_*.json"


def read_people(folder: Path, views: Sequence[str]) -> Labels:
    """The people of a sequence, in space and in the pictures of some HD cameras.

    Nobody labelled the pictures: keypoints in them are the projected joints, where they lie inside the picture.

    Args:
        folder: Holds ``calibration_<sequence>.json`` and the folder of people.
        views: Names of the cameras, such as ``00_03``.

    Returns:
        One frame a file, with the people of that instant, tracks as the file numbers them, and millimetres in space.
        Images are frames of ``hdVideos/hd_<camera>.mp4``.

    Raises:
        InputError: A file is missing or not as it should be, or there is no such camera.
    """
    calibration = folder / f"calibration_{folder.resolve().name}.json"
    cameras = read_calibration(calibration)
    for view in views:
        if view not in cameras:
            raise InputError(f"{calibration}: holds no camera '{view}'{nearest(view, cameras)}")
    if not views:
        raise InputError(f"{folder}: no view is named; name some of the {len(cameras)} cameras")
    rig = tuple(cameras[view] for view in views)
    session = folder.resolve().name
    frames = [_frame(file, views, stack_cameras(rig), session) for file in sorted((folder / _FOLDER).glob(_FILES))]
    if not frames:
        raise InputError(f"{folder / _FOLDER}: holds no {_FILES}; give the folder of a Panoptic sequence")
    return Labels(_skeleton(), tuple(frames), folder, ("person",), {session: rig}, "panoptic", tuple(views))


def _skeleton() -> Skeleton:
    sided = [(a.format(side), b.format(side)) for side in _SIDES for a, b in _SIDE_LIMBS]
    return Skeleton.from_names(NAMES, [(NAMES.index(a), NAMES.index(b)) for a, b in (*_LIMBS, *sided)])


def _frame(file: Path, views: Sequence[str], cameras: Camera, session: str) -> Frame:
    bodies = read_json(file).get("bodies")
    if not isinstance(bodies, list):
        raise InputError(f"{file}: bodies: must be a list of people")
    values = np.array([_joints(f"{file}: bodies[{number}]", body) for number, body in enumerate(bodies)])
    values = values.reshape(len(bodies), len(NAMES), 4)
    # A confidence of -1 is a joint that was not found.
    scores = np.where(values[..., 3] < 0, np.nan, values[..., 3])
    space = np.where(np.isnan(scores)[..., None], np.nan, values[..., :3] * MILLIMETRES)
    pixels = cameras.project(space.reshape(-1, 3)).reshape(len(views), len(bodies), len(NAMES), 2)
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= -0.5) & (pixels < cameras.size[:, None, None] - 0.5)).all(-1, keepdims=True)
    tracks = np.array([body["id"] for body in bodies], int)
    every = np.broadcast_to(tracks, (len(views), len(bodies)))
    return Frame(
        tuple(ImageRef(Path("hdVideos", f"hd_{view}.mp4"), int(file.stem.rpartition("_")[-1])) for view in views),
        Instances.from_keypoints(np.where(inside, pixels, np.nan), tracks=every),
        session,
        instances_3d=Instances.from_keypoints(space, keypoint_scores=scores, tracks=tracks),
    )


def _joints(where: str, body: Any) -> np.ndarray:
    joints = body.get("joints19") if isinstance(body, dict) else None
    try:
        values = np.array(joints, np.float64)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != (4 * len(NAMES),) or not isinstance(body.get("id"), int):
        raise InputError(f"{where}: must have an id and joints19, x, y, z and confidence of {len(NAMES)} joints")
    return values
