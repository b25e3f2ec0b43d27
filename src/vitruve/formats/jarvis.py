"""JARVIS' TrainingSet: ``annotations/instances_{train,val}.json``, images and calibrations of a 2D or 3D export.

Coordinates have lost their fractions, and (0, 0) is a missing keypoint. What was cut off is half a pixel on average, so
that much is added when reading: the labels of JARVIS' own example triangulate with 0.44 instead of 0.73 px of error.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vitruve.errors import InputError
from vitruve.formats import jarvis_writer
from vitruve.formats.jarvis_calibration import read_camera
from vitruve.formats.jarvis_writer import ANNOTATIONS, SPLITS
from vitruve.formats.json_file import read_json
from vitruve.formats.json_outline import json_outline
from vitruve.formats.keypoint_table import LABELED_DATA
from vitruve.formats.notes import LabelsWarning
from vitruve.formats.skeleton_file import FILE_NAME as SKELETON_FILE
from vitruve.formats.skeleton_file import read_skeleton
from vitruve.structures.camera import Camera, missing_camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAME = "jarvis"
DESCRIPTION = "JARVIS TrainingSet: one animal, one or several calibrated views, coordinates without fractions"
SUFFIXES = (".json",)
KEEPS = frozenset({"splits", "views", "cameras", "edges"})
CUT_OFF = 0.5
"""Pixels that a coordinate without its fraction is too small by, on average."""
_KEYS = ("images", "annotations", "categories")


def sniff(path: Path) -> bool:
    """Whether a path is a TrainingSet or one of its annotation files.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    if path.is_dir():
        return bool(annotation_files(path))
    content = json_outline(path)
    categories = content.get("categories") if isinstance(content, dict) else None
    # COCO's own files list the keypoints in the category; JARVIS counts them there.
    return isinstance(categories, list) and any(isinstance(c, dict) and "num_keypoints" in c for c in categories)


def annotation_files(folder: Path) -> list[Path]:
    """The annotation files of a TrainingSet.

    Args:
        folder: The TrainingSet.

    Returns:
        Those of training and validation that are there.
    """
    files = [folder / ANNOTATIONS / f"instances_{name}.json" for name in SPLITS]
    return [file for file in files if file.is_file()]


def read(path: Path, *, root: Path | None = None) -> Labels:
    """The frames of a 2D export, or the framesets of a 3D export with their cameras.

    Of a 3D export, views are all cameras of all its calibrations, sorted by name. Where a calibration has no such
    camera, its camera and keypoints are NaN and its image has no name. The size of a camera is that of its first image
    that is there; what the file says (often wrong) where there is none.

    Args:
        path: The TrainingSet; or one of its annotation files, for the frames of this split.
        root: The folder that image names start from; the TrainingSet by default.

    Returns:
        The labels. Sets without keypoint names take those of ``skeleton.yaml`` in the TrainingSet, else numbers.

    Raises:
        InputError: A file is missing or not as it should be; the message names the entry.
    """
    files = annotation_files(path) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no {ANNOTATIONS}/instances_train.json in this folder; give a JARVIS TrainingSet")
    home = path if path.is_dir() else path.parent.parent if path.parent.name == ANNOTATIONS else path.parent
    parts = [_Part(file) for file in files]
    skeleton = _skeleton(parts[0], home)
    for part in parts:
        if part.keypoints != len(skeleton) or part.names not in (None, skeleton.names):
            raise InputError(
                f"{part.file}: has {part.keypoints} keypoints ({', '.join(part.names or ('nameless',))}), but the set "
                f"has {len(skeleton)} ({', '.join(skeleton.names)}); export both splits of one dataset"
            )
    start = home if root is None else root
    calibrations = _calibrations(parts)
    views = tuple(sorted({camera for cameras in calibrations.values() for camera in cameras}))
    frames = [frame for part in parts for frame in (part.framesets(views) if views else part.frames())]
    if not frames:
        raise InputError(f"{path}: holds no frame; export at least one annotated frame")
    labels = Labels(
        skeleton,
        tuple(frames),
        start,
        (parts[0].category,),
        scorer="jarvis",
        view_names=views if len(views) > 1 else (),
    )
    datasets = {session: name for part in parts for session, name in part.datasets.items()}
    return replace(labels, cameras=_cameras(labels, views, calibrations, datasets, home, parts))


def write(labels: Labels, path: Path) -> None:
    """Write the annotations and calibrations of a TrainingSet; image names are written as they are.

    See :func:`vitruve.formats.jarvis_writer.write_set`.
    """
    if path.suffix.lower() in SUFFIXES:
        jarvis_writer.write_file(labels, path)
    else:
        jarvis_writer.write_set(labels, path)


def image_names(labels: Labels, fallback: str) -> list[tuple[Path, ...]]:
    """Where images lie in a TrainingSet; see :func:`vitruve.formats.jarvis_writer.image_names`."""
    return jarvis_writer.image_names(labels, fallback)


@dataclass
class _Part:
    """One annotation file, checked."""

    file: Path
    split: str | None = None
    folder: str = ""
    keypoints: int = 0
    names: tuple[str, ...] | None = None
    edges: tuple[tuple[str, str], ...] = ()
    category: str = "object"
    calibrations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    datasets: dict[str, str] = field(default_factory=dict)
    images: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    labels: dict[int, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        content = read_json(self.file)
        self._content = content
        for key in _KEYS:
            if not isinstance(content.get(key), list) or not all(isinstance(item, dict) for item in content[key]):
                raise InputError(f"{self.file}: {key}: must be a list; give an annotation file of JARVIS")
        name = self.file.stem.removeprefix("instances_")
        if name in SPLITS:
            self.split, self.folder = SPLITS[name], name
        self._read_keypoints()
        self._read_images()
        given = content.get("calibrations") or {}
        if not isinstance(given, dict) or not all(map(_names_files, given.values())):
            raise InputError(f"{self.file}: calibrations: must name the file of each camera of each dataset")
        self.calibrations = given

    def _read_keypoints(self) -> None:
        categories = self._content["categories"]
        count = categories[0].get("num_keypoints") if categories else None
        if not isinstance(count, int) or count < 1:
            raise InputError(f"{self.file}: categories[0].num_keypoints: must be the number of keypoints")
        self.keypoints = count
        self.category = str(categories[0].get("name") or "object")
        names = self._content.get("keypoint_names")
        if names:
            self.names = tuple(str(name) for name in names)
            if len(self.names) != count:
                raise InputError(
                    f"{self.file}: keypoint_names: {len(self.names)} names for {count} keypoints; export the set again"
                )
        for bone in self._content.get("skeleton") or () if names else ():
            ends = (bone.get("keypointA"), bone.get("keypointB")) if isinstance(bone, dict) else (None, None)
            if not all(end in (self.names or ()) for end in ends):
                raise InputError(f"{self.file}: skeleton: {ends[0]} - {ends[1]} must be two of the keypoint names")
            self.edges += ((str(ends[0]), str(ends[1])),)

    def _read_images(self) -> None:
        for number, image in enumerate(self._content["images"]):
            if not isinstance(image.get("id"), int) or not isinstance(image.get("file_name"), str):
                raise InputError(f"{self.file}: images[{number}]: must have an id and a file_name")
            if not all(isinstance(image.get(side, 0), (int, float)) for side in ("width", "height")):
                raise InputError(f"{self.file}: images[{number}]: width and height must be numbers")
            if image["id"] in self.images:
                raise InputError(f"{self.file}: images[{number}]: id {image['id']} is that of another image, too")
            self.images[image["id"]] = image
        for number, entry in enumerate(self._content["annotations"]):
            where = f"{self.file}: annotations[{number}]"
            image_id = entry.get("image_id")
            if not self._is_image(image_id):
                raise InputError(f"{where}.image_id: {image_id} is the id of no image")
            name = self.images[image_id]["file_name"]
            try:
                values = np.array(entry.get("keypoints"), np.float64)
            except (TypeError, ValueError):
                values = np.zeros(0)
            if values.shape != (3 * self.keypoints,):
                raise InputError(
                    f"{where}.keypoints ({name}): {values.size} numbers; expected {3 * self.keypoints}: x, y and 1 of "
                    f"each of {self.keypoints} keypoints"
                )
            if image_id in self.labels:
                raise InputError(f"{where} ({name}): the image has another annotation; a TrainingSet holds one animal")
            points = values.reshape(-1, 3)[:, :2].copy()
            points[(points == 0).all(-1) | ~np.isfinite(points).all(-1)] = np.nan
            self.labels[image_id] = points + CUT_OFF

    def frames(self) -> list[Frame]:
        """Every image as a frame of its own."""
        return [self._frame([image_id], _session(image["file_name"])) for image_id, image in self.images.items()]

    def framesets(self, views: tuple[str, ...]) -> list[Frame]:
        """Every frameset as a frame, in the order of their images."""
        given = self._content.get("framesets")
        if not isinstance(given, dict) or not given:
            raise InputError(f"{self.file}: framesets: is missing; export the set as 3D, or remove its calibrations")
        places = {image_id: number for number, image_id in enumerate(self.images)}
        found = []
        used = set()
        for key, entry in given.items():
            where = f"{self.file}: framesets '{key}'"
            ids, dataset = self._checked(where, entry)
            used.update(ids)
            by_view = dict(zip(sorted(self.calibrations[dataset]), ids, strict=True))
            session = key.rpartition("/")[0]
            if self.datasets.setdefault(session, dataset) != dataset:
                raise InputError(f"{where}.datasetName: '{dataset}', but its recording also is of another dataset")
            found.append((places[ids[0]], self._frame([by_view.get(view) for view in views], session)))
        if len(used) < len(self.images):
            first = next(image["file_name"] for image_id, image in self.images.items() if image_id not in used)
            warnings.warn(
                f"{self.file}: {len(self.images) - len(used)} images are of no frameset (first: {first}); skipped",
                LabelsWarning,
                stacklevel=2,
            )
        return [frame for _, frame in sorted(found, key=lambda item: item[0])]

    def _checked(self, where: str, entry: Any) -> tuple[list[int], str]:
        dataset = entry.get("datasetName") if isinstance(entry, dict) else None
        if not isinstance(dataset, str) or dataset not in self.calibrations:
            raise InputError(f"{where}.datasetName: '{dataset}' has no calibration; add it to calibrations")
        ids = entry.get("frames")
        count = len(self.calibrations[dataset])
        if not isinstance(ids, list) or len(ids) != count:
            given = len(ids) if isinstance(ids, list) else "no"
            raise InputError(f"{where}.frames: {given} images; expected {count}, one of each camera of '{dataset}'")
        lost = next((image_id for image_id in ids if not self._is_image(image_id)), None)
        if lost is not None:
            raise InputError(f"{where}.frames: {lost} is the id of no image")
        return ids, dataset

    def _is_image(self, image_id: Any) -> bool:
        return isinstance(image_id, int) and image_id in self.images

    def _frame(self, ids: Iterable[int | None], session: str) -> Frame:
        missing = np.full((self.keypoints, 2), np.nan)
        ids = list(ids)
        points = [missing if i is None else self.labels.get(i, missing) for i in ids]
        images = tuple(
            ImageRef(Path() if i is None else Path(self.folder, self.images[i]["file_name"].replace("\\", "/")))
            for i in ids
        )
        return Frame(images, Instances.from_keypoints(np.stack(points)[:, None]), session, self.split)


def _names_files(cameras: Any) -> bool:
    return isinstance(cameras, dict) and bool(cameras) and all(isinstance(file, str) for file in cameras.values())


def _session(file_name: str) -> str:
    parts = PurePosixPath(file_name.replace("\\", "/")).parts[:-1]
    return "/".join(parts[1:] if parts[:1] == (LABELED_DATA,) else parts)


def _skeleton(part: _Part, home: Path) -> Skeleton:
    if part.names is not None:
        order = {name: number for number, name in enumerate(part.names)}
        return Skeleton.from_names(part.names, [(order[a], order[b]) for a, b in part.edges])
    file = home / SKELETON_FILE
    if file.is_file():
        return read_skeleton(file)
    return Skeleton(tuple(f"keypoint_{number}" for number in range(part.keypoints)))


def _calibrations(parts: Sequence[_Part]) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for part in parts:
        for name, cameras in part.calibrations.items():
            if found.setdefault(name, cameras) != cameras:
                raise InputError(
                    f"{part.file}: calibrations: '{name}' has other cameras or files than in {parts[0].file}"
                )
    return found


def _cameras(
    labels: Labels,
    views: tuple[str, ...],
    calibrations: Mapping[str, Mapping[str, str]],
    datasets: Mapping[str, str],
    home: Path,
    parts: list[_Part],
) -> dict[str, tuple[Camera, ...]]:
    said = {
        Path(part.folder, image["file_name"]): (image.get("width"), image.get("height"))
        for part in parts
        for image in part.images.values()
    }
    files = {(name, view): home / file for name, cameras in calibrations.items() for view, file in cameras.items()}
    read_once = {key: read_camera(file) for key, file in files.items()}
    sizes: dict[tuple[str, int], np.ndarray] = {}
    shown: dict[tuple[str, int], list[ImageRef]] = {}
    for frame in labels if datasets else ():
        for number, image in enumerate(frame.images):
            shown.setdefault((datasets[frame.session], number), []).append(image)
    result = {}
    for session, dataset in datasets.items():
        rig = []
        for number, view in enumerate(views):
            camera = read_once.get((dataset, view))
            if camera is None:
                rig.append(missing_camera())
                continue
            if (dataset, number) not in sizes:
                sizes[dataset, number] = _size(labels, shown[dataset, number], said)
            rig.append(replace(camera, size=sizes[dataset, number]))
        result[session] = tuple(rig)
    return result


def _size(labels: Labels, images: Sequence[ImageRef], said: Mapping[Path, tuple[Any, Any]]) -> np.ndarray:
    from vitruve.media.images import image_size

    file = next((file for file in map(labels.path, images) if file.is_file()), None)
    if file is not None:
        return np.array(image_size(file), np.float64)
    width, height = said.get(images[0].path, (None, None))
    return np.array([width or np.nan, height or np.nan], np.float64)
