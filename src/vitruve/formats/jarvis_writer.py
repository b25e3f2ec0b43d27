"""Writes JARVIS' TrainingSet as its exporter does: keys, layout of folders, order of cameras."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.jarvis_calibration import write_calibration
from vitruve.formats.table import one_animal
from vitruve.structures.camera import Camera
from vitruve.structures.labels import Frame, ImageRef, Labels, same_cameras

ANNOTATIONS = "annotations"
SPLITS = {"train": "train", "val": "validation"}
"""Folders of a TrainingSet and the splits that their frames are of."""
_CALIBRATIONS = "calib_params"
_ONLY_CAMERA = "Camera"
# What the exporter says of every image, whatever its size.
_USUAL_SIZE = (1280, 1024)
_FOLDERS = {split: folder for folder, split in SPLITS.items()} | {"test": "val", "unused": "train"}
_EVERY = 10


def write_set(labels: Labels, folder: Path) -> None:
    """Write a TrainingSet: annotations and, of several views, calibrations. Images are left alone.

    Coordinates lose their fractions. JARVIS knows training and validation: test frames are validation frames,
    unused ones training frames, and where no frame has a split, every tenth one is a validation frame.

    Args:
        labels: At most one instance a frame. Image names begin with ``train/`` or ``val/``, as :func:`image_names`
            gives them; others are written as they are, and looked for below those folders.
        folder: The TrainingSet.

    Raises:
        InputError: A frame holds several instances, several views have no cameras, or there is no frame.
    """
    _check(labels)
    folders = _folders(labels)
    texts = {}
    for name in SPLITS:
        part = [frame for frame, place in zip(labels, folders, strict=True) if place == name]
        texts[folder / ANNOTATIONS / f"instances_{name}.json"] = _text(labels, part, name)
    _write_calibrations(labels, folder)
    for file, text in texts.items():
        atomic_write(file, text)


def write_file(labels: Labels, path: Path) -> None:
    """Write one annotation file of all frames, with the calibrations of several views in ``calib_params/``.

    Args:
        labels: As for :func:`write_set`.
        path: The file. A name ``instances_train.json`` in ``annotations/`` makes it a part of a TrainingSet.

    Raises:
        InputError: As for :func:`write_set`.
    """
    _check(labels)
    name = path.stem.removeprefix("instances_")
    text = _text(labels, list(labels.frames), name if name in SPLITS else "")
    _write_calibrations(labels, path.parent.parent if path.parent.name == ANNOTATIONS else path.parent)
    atomic_write(path, text)


def image_names(labels: Labels, fallback: str) -> list[tuple[Path, ...]]:
    """Where the images of labels lie in a TrainingSet: ``<split>/<dataset>/<recording>/<camera>/Frame_<N>``.

    Args:
        labels: Any labels.
        fallback: The name of a recording that has none.

    Returns:
        For each frame one path a view; those that are of this form already stay as they are. Dataset and recording are
        the session; N is the number in the name of the first view's image where these are unique.
    """
    views = labels.view_names or (_ONLY_CAMERA,)
    folders = _folders(labels)
    names = []
    for frame, number, split in zip(labels, _numbers(labels, folders), folders, strict=True):
        if all(_in_place(image, split, frame, view) for image, view in zip(frame.images, views, strict=True)):
            names.append(tuple(image.path for image in frame.images))
            continue
        session = frame.session or fallback
        parts = PurePosixPath(session).parts
        recording = Path(*parts) if len(parts) > 1 else Path(session, session)
        names.append(
            tuple(
                Path(split, recording, view, f"Frame_{number}{_ending(image)}")
                for image, view in zip(frame.images, views, strict=True)
            )
        )
    return names


def _in_place(image: ImageRef, split: str, frame: Frame, view: str) -> bool:
    parts = image.path.parts
    several = len(frame.images) > 1
    return image.index is None and len(parts) > 4 and parts[0] == split and (not several or parts[-2] == view)


def _ending(image: ImageRef) -> str:
    return ".png" if image.index is not None else image.path.suffix


def _numbers(labels: Labels, folders: Sequence[str]) -> list[int]:
    """A number a frame, unique in its session and split."""
    named = []
    for frame in labels:
        image = frame.images[0]
        digits = re.findall(r"\d+", image.path.stem)
        named.append(image.index if image.index is not None else int(digits[-1]) if digits else -1)
    keys = [(frame.session, *rest) for frame, *rest in zip(labels, folders, named, strict=True)]
    return named if len(set(keys)) == len(keys) and -1 not in named else list(range(len(named)))


def _folders(labels: Labels) -> list[str]:
    """``train`` or ``val`` for each frame."""
    places = [frame.images[0].path.parts[:1] for frame in labels]
    drawn = all(frame.split is None for frame in labels) and len(labels) > 1
    last = len(labels) - 1 if len(labels) < _EVERY else -1
    found = []
    for number, (frame, place) in enumerate(zip(labels, places, strict=True)):
        if frame.split is not None:
            found.append(_FOLDERS[frame.split])
        elif place and place[0] in SPLITS:
            found.append(place[0])
        else:
            found.append("val" if drawn and (number % _EVERY == _EVERY - 1 or number == last) else "train")
    return found


def _check(labels: Labels) -> None:
    if not labels.frames:
        raise InputError("these labels hold no frame; a TrainingSet needs at least one")
    one_animal(labels)
    views = len(labels.frames[0].images)
    for frame in labels.frames:
        if views > 1 and len(labels.cameras.get(frame.session, ())) != views:
            raise InputError(
                f"session '{frame.session}': a TrainingSet of several views needs their cameras; put their calibration "
                "beside the labels (calibration.toml, or calibrations/<session>.toml)"
            )


def _write_calibrations(labels: Labels, root: Path) -> None:
    for dataset, rig in _datasets(labels).items():
        write_calibration(rig, root / _CALIBRATIONS / dataset)


def _datasets(labels: Labels) -> dict[str, dict[str, Camera]]:
    """The cameras of each dataset, sorted by name: so JARVIS orders the images of a frameset."""
    found: dict[str, dict[str, Camera]] = {}
    if len(labels.view_names) < 2:
        return found
    for session, cameras in labels.cameras.items():
        rig = dict(sorted(zip(labels.view_names, cameras, strict=True)))
        rig = {name: camera for name, camera in rig.items() if np.isfinite(camera.intrinsics).all()}
        earlier = found.setdefault(_dataset(session), rig)
        if earlier.keys() != rig.keys() or not all(same_cameras((rig[n],), (earlier[n],)) for n in rig):
            raise InputError(
                f"session '{session}': another session of '{_dataset(session)}' has other cameras; give sessions with "
                "their own calibration names that begin differently"
            )
    return found


def _dataset(session: str) -> str:
    return PurePosixPath(session or _ONLY_CAMERA).parts[0]


def _text(labels: Labels, frames: Sequence[Frame], split: str) -> str:
    single = one_animal(labels)
    datasets = _datasets(labels)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    framesets: dict[str, Any] = {}
    sizes: dict[Path, tuple[int, int]] = {}
    instances = dict(zip(map(id, labels.frames), (frame.instances for frame in single), strict=True))
    for frame in frames:
        order = list(range(len(frame.images)))
        if datasets:
            rig = datasets[_dataset(frame.session)]
            order = [labels.view_names.index(name) for name in rig]
        first = len(images)
        for view in order:
            image = frame.images[view]
            if image.path == Path():
                raise InputError(
                    f"{frame.name}: has no image of camera '{labels.view_names[view]}'; leave the frame out"
                )
            images.append(_image(labels, image, split, len(images), sizes))
            keypoints = instances[id(frame)].keypoints[view]
            if len(keypoints) and np.isfinite(keypoints[0]).all(-1).any():
                annotations.append(_annotation(keypoints[0], images[-1]["id"]))
        if datasets:
            key = _frameset(frame, images[first]["file_name"], labels.view_names[order[0]])
            if key in framesets:
                raise InputError(f"frameset '{key}': two frames of one recording have this name; names must differ")
            framesets[key] = {"datasetName": _dataset(frame.session), "frames": list(range(first, len(images)))}
    content: dict[str, Any] = {
        "annotations": annotations,
        "categories": [
            {"id": 0, "name": labels.categories[0], "num_keypoints": len(labels.skeleton), "supercategory": "None"}
        ],
        "images": images,
        "info": _info(),
        "keypoint_names": list(labels.skeleton.names),
        "licenses": [{"id": 1, "name": "", "url": ""}],
        "skeleton": [
            {
                "keypointA": labels.skeleton.names[a],
                "keypointB": labels.skeleton.names[b],
                "length": 0.0,
                "name": f"Joint {number}",
            }
            for number, (a, b) in enumerate(labels.skeleton.edges, 1)
        ],
    }
    if datasets:
        content["calibrations"] = {
            name: {camera: f"{_CALIBRATIONS}/{name}/{camera}.yaml" for camera in rig} for name, rig in datasets.items()
        }
        content["framesets"] = framesets
    return json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _frameset(frame: Frame, file_name: str, camera: str) -> str:
    """The name of a frameset, as JARVIS derives it: its first image's without the camera's folder and the ending."""
    path = PurePosixPath(file_name)
    recording = path.parent.parent.as_posix() if path.parent.name == camera else frame.session
    return f"{recording}/{path.name.split('.')[0]}"


def _image(
    labels: Labels, image: ImageRef, split: str, number: int, sizes: dict[Path, tuple[int, int]]
) -> dict[str, Any]:
    inside = bool(split) and image.path.parts[:1] == (split,)
    name = Path(*image.path.parts[1:]) if inside else image.path
    width, height = image.size or _size(labels.path(image), sizes)
    return {
        "coco_url": "",
        "date_captured": "",
        "file_name": name.as_posix(),
        "flickr_url": "",
        "height": height,
        "id": number,
        "license": 1,
        "width": width,
    }


def _size(file: Path, sizes: dict[Path, tuple[int, int]]) -> tuple[int, int]:
    """Width and height of the images of a folder, from its first one that is there."""
    from vitruve.media.images import image_size

    if file.parent not in sizes:
        try:
            sizes[file.parent] = image_size(file)
        except InputError:
            return _USUAL_SIZE
    return sizes[file.parent]


def _annotation(points: np.ndarray, number: int) -> dict[str, Any]:
    missing = np.isnan(points).any(-1)
    pixels = np.floor(np.where(missing[:, None], 0, points)).astype(int)
    # A keypoint there would read as missing.
    pixels[~missing & (pixels == 0).all(-1)] = (1, 0)
    low, high = points[~missing].min(0), points[~missing].max(0)
    return {
        "area": 0,
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "category_id": 1,
        "id": number,
        "image_id": number,
        "iscrowd": 0,
        "keypoints": [value for x, y in pixels.tolist() for value in (x, y, 1)],
        "num_keypoints": len(points),
        "segmentation": [],
    }


def _info() -> dict[str, Any]:
    today = datetime.date.today()
    return {
        "contributor": "",
        "date_created": today.isoformat(),
        "description": "",
        "url": "",
        # The exporter's own spelling.
        "versoin": "1.0",
        "year": today.year,
    }
