"""SLEAP project and package files (``.slp``, ``.pkg.slp``), through sleap-io."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.formats.hdf5_table import is_hdf5
from vitruve.formats.keypoint_table import identities, identity_name
from vitruve.formats.notes import LabelsWarning
from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAME = "sleap"
DESCRIPTION = "SLEAP .slp and .pkg.slp: several animals, tracks, embedded images"
SUFFIXES = (".slp",)
KEEPS = frozenset(
    {"fractions", "occluded", "keypoint scores", "instance scores", "instances", "tracks", "videos", "edges", "swaps"},
)
_FILE = "labels.slp"


def sniff(path: Path) -> bool:
    """Whether a file is HDF5 with SLEAP's groups.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    if not is_hdf5(path):
        return False
    import h5py

    try:
        with h5py.File(path) as file:
            return "metadata" in file and "json" in file["metadata"].attrs and "videos_json" in file
    except OSError:
        return False


def read(path: Path, *, root: Path | None = None, predicted: bool | None = None) -> Labels:
    """Labels or predictions of a SLEAP file.

    An image that lies inside the file is named ``<file>/<video>`` with the number of its frame;
    :func:`open_embedded` gives its pixels. A point that SLEAP calls invisible is occluded (1) where it has
    coordinates.

    Args:
        path: The file.
        root: The folder that relative video names start from; the folder of the file by default.
        predicted: Read predictions (True) or what people labelled (False). By default the second where there
            is any, else the first.

    Returns:
        The labels. What was skipped is said in a :class:`~vitruve.formats.notes.LabelsWarning`.

    Raises:
        InputError: The file is no SLEAP file, holds several skeletons, or holds no frame.
    """
    content = _load(path, open_videos=False)
    skeleton = _skeleton(path, content)
    home = path.parent if root is None else root
    if predicted is None:
        predicted = not any(frame.has_user_instances for frame in content.labeled_frames)
    tracks = identities([track.name for track in content.tracks])
    frames = []
    skipped = empty = 0
    for item in content.labeled_frames:
        chosen = item.predicted_instances if predicted else item.user_instances
        skipped += len(item.instances) - len(chosen)
        if not chosen and not item.is_negative:
            empty += 1
            continue
        reference = _reference(path, home, content, item)
        instances = _instances(chosen, len(skeleton), content.tracks, tracks, predicted)
        frames.append(Frame((reference,), instances, _session(item.video, reference)))
    other, kind = ("labelled", "predicted") if predicted else ("predicted", "labelled")
    _warn(skipped, f"{path}: {skipped} {other} instances were skipped; only {kind} ones were read")
    _warn(empty, f"{path}: {empty} frames without {kind} instances were skipped")
    _warn(
        len(content.suggestions),
        f"{path}: {len(content.suggestions)} suggested frames are no labels; skipped",
    )
    names = [track.name for track in content.tracks]
    changed = names != [identity_name("track", int(number)) for number in tracks]
    _warn(changed, f"{path}: tracks {', '.join(names)} are kept as identities {', '.join(map(str, tracks))}")
    if not frames:
        raise InputError(f"{path}: no frame with {kind} instances; label some frames first")
    return Labels(skeleton, tuple(frames), home, scorer="sleap")


def open_embedded(path: Path, *, root: Path | None = None) -> Callable[[ImageRef], np.ndarray | None]:
    """The pixels of the images inside a package file.

    Args:
        path: The file.
        root: As given to :func:`read`.

    Returns:
        A function from an image reference to uint8 pixels, ``(H, W)`` grey or ``(H, W, 3)`` RGB, or to None
        where the file does not hold that image or it does not decode.

    Raises:
        InputError: The file is no SLEAP file.
    """
    content = _load(path, open_videos=True)
    home = path.parent if root is None else root
    found = {_reference(path, home, content, i): i for i in content.labeled_frames if _is_embedded(i.video)}

    def pixels(reference: ImageRef) -> np.ndarray | None:
        item = found.get(reference)
        try:
            image = None if item is None else np.asarray(item.image)
        except Exception:  # sleap-io and the libraries below it raise anything for an image that does not decode
            return None
        if image is None or image.ndim != 3 or image.dtype != np.uint8:
            return None
        return np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)

    return pixels


def write(labels: Labels, path: Path) -> None:
    """Write a ``.slp`` file that points at the images or videos; nothing is embedded.

    Instances with confidences become predicted instances. An occluded keypoint becomes an invisible point.

    Args:
        labels: At least one frame, one view.
        path: The file, or a folder for ``labels.slp`` in it.

    Raises:
        InputError: There are several views or no frame.
    """
    import sleap_io

    if len(labels.view_names) > 1:
        raise InputError(f"{path}: sleap holds one view, not {len(labels.view_names)}; write one file a view")
    if not labels.frames:
        raise InputError(f"{path}: these labels hold no frame; at least one is needed")
    target = path if path.suffix.lower() in SUFFIXES else path / _FILE
    skeleton = sleap_io.Skeleton(nodes=[sleap_io.Node(name) for name in labels.skeleton.names], name="skeleton")
    for a, b in labels.skeleton.edges:
        skeleton.add_edge(labels.skeleton.names[a], labels.skeleton.names[b])
    for a, b in labels.skeleton.swaps:
        skeleton.add_symmetry(labels.skeleton.names[a], labels.skeleton.names[b])
    videos, places = _videos(labels)
    used = {
        int(t) for frame in labels.frames if frame.instances.tracks is not None for t in frame.instances.tracks.flat
    }
    tracks = {number: sleap_io.Track(identity_name("track", number)) for number in sorted(used) if number >= 0}
    items = []
    for frame, (video, number) in zip(labels.frames, places, strict=True):
        instances = _sleap_instances(frame.instances, skeleton, tracks)
        items.append(
            sleap_io.LabeledFrame(video=video, frame_idx=number, instances=instances, is_negative=not instances)
        )
    content = sleap_io.Labels(labeled_frames=items, videos=videos, skeletons=[skeleton], tracks=list(tracks.values()))
    with atomic_path(target) as temporary:
        sleap_io.save_slp(content, str(temporary), embed=False, verbose=False)


def _load(path: Path, open_videos: bool) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a SLEAP .slp or .pkg.slp file")
    if not sniff(path):
        raise InputError(f"{path}: not a SLEAP file; expected .slp or .pkg.slp (HDF5 with SLEAP's groups)")
    import sleap_io

    try:
        return sleap_io.load_slp(str(path), open_videos=open_videos)
    except Exception as error:  # a damaged file makes h5py, json and sleap-io raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: damaged SLEAP file ({reason}); save it again in SLEAP") from error


def _skeleton(path: Path, content: Any) -> Skeleton:
    used = {id(i.skeleton): i.skeleton for frame in content.labeled_frames for i in frame.instances}
    found = list(used.values()) or content.skeletons
    if not found:
        raise InputError(f"{path}: no skeleton inside; define one in SLEAP")
    if any(other.node_names != found[0].node_names for other in found):
        raise InputError(f"{path}: instances of {len(found)} different skeletons; keep one skeleton in a file")
    names = tuple(found[0].node_names)
    skeleton = Skeleton.from_names(names, tuple((int(a), int(b)) for a, b in found[0].edge_inds))
    pairs = {_pair(names.index(node.name) for node in pair.nodes) for pair in found[0].symmetries}
    return Skeleton(names, skeleton.edges, tuple(sorted(pairs))) if pairs else skeleton


def _pair(indices: Iterable[int]) -> tuple[int, int]:
    low, high = sorted(indices)
    return low, high


def _is_embedded(video: Any) -> bool:
    inside = video.backend_metadata.get("filename") == "."
    return bool(inside or getattr(video.backend, "has_embedded_images", False))


def _reference(path: Path, home: Path, content: Any, item: Any) -> ImageRef:
    number = int(item.frame_idx)
    video = item.video
    if _is_embedded(video):
        inside = Path(path.name) if path.parent == home else path
        return ImageRef(inside / f"video{content.videos.index(video)}", number)
    if isinstance(video.filename, list):
        return ImageRef(Path(video.filename[number]))
    name = Path(video.filename)
    # SLEAP looks beside the labels for a video that is no longer where it was.
    if not (home / name).is_file() and (path.parent / name.name).is_file():
        name = (path.parent / name.name).resolve() if path.parent != home else Path(name.name)
    return ImageRef(name, number)


def _session(video: Any, reference: ImageRef) -> str:
    if reference.index is None:
        return reference.path.parent.name
    source = video.source_video if _is_embedded(video) and video.source_video is not None else video
    name = source.filename[0] if isinstance(source.filename, list) else source.filename
    return Path(str(name).replace("\\", "/")).stem


def _instances(chosen: list[Any], count: int, all_tracks: list[Any], numbers: Any, predicted: bool) -> Instances:
    keypoints = np.full((1, len(chosen), count, 2), np.nan)
    visible = np.full((1, len(chosen), count), UNLABELLED, np.int8)
    confidence = np.full((1, len(chosen), count), np.nan)
    tracks = np.full((1, len(chosen)), -1, np.int64)
    for n, instance in enumerate(chosen):
        points = instance.points
        keypoints[0, n] = points["xy"]
        there = np.isfinite(keypoints[0, n]).all(-1)
        keypoints[0, n][~there] = np.nan
        visible[0, n] = np.where(there, np.where(points["visible"], VISIBLE, OCCLUDED), UNLABELLED)
        if predicted:
            confidence[0, n] = np.where(there, points["score"], np.nan)
        if instance.track is not None:
            tracks[0, n] = numbers[all_tracks.index(instance.track)]
    scores = np.array([[instance.score for instance in chosen]], np.float64) if predicted else None
    return Instances(
        keypoints,
        visible,
        confidence if predicted else None,
        scores,
        tracks=tracks if (tracks >= 0).any() else None,
    )


def _videos(labels: Labels) -> tuple[list[Any], list[tuple[Any, int]]]:
    """One video a file, and one a folder of images; and where each frame stands in them."""
    import sleap_io

    folders: dict[Path, list[str]] = {}
    for frame in labels.frames:
        image = frame.images[0]
        if image.index is None:
            folders.setdefault(image.path.parent, []).append(image.path.as_posix())
    twice = [name for name, times in Counter(n for names in folders.values() for n in names).items() if times > 1]
    if twice:
        raise InputError(f"image '{twice[0]}' is labelled twice; keep one of the two")
    videos: dict[tuple[bool, Path], Any] = {}
    places = []
    for frame in labels.frames:
        image = frame.images[0]
        key = (image.index is None, image.path.parent if image.index is None else image.path)
        if key not in videos:
            names = folders[key[1]] if key[0] else []
            kind = {"type": "ImageVideo", "filename": names[0], "filenames": names} if key[0] else {}
            videos[key] = sleap_io.Video(
                filename=names if key[0] else key[1].as_posix(), backend_metadata=kind, open_backend=False
            )
        number = folders[key[1]].index(image.path.as_posix()) if image.index is None else image.index
        places.append((videos[key], number))
    return list(videos.values()), places


def _sleap_instances(whole: Instances, skeleton: Any, tracks: dict[int, Any]) -> list[Any]:
    import sleap_io

    result = []
    for n in np.flatnonzero(whole.present[0]):
        points = np.asarray(whole.keypoints[0, n], np.float64)
        track = None if whole.tracks is None else tracks.get(int(whole.tracks[0, n]))
        if whole.keypoint_scores is None and whole.scores is None:
            instance = sleap_io.Instance.from_numpy(points, skeleton=skeleton, track=track)
        else:
            confidence = None if whole.keypoint_scores is None else np.nan_to_num(whole.keypoint_scores[0, n])
            score = 0.0 if whole.scores is None else float(np.nan_to_num(whole.scores[0, n]))
            instance = sleap_io.PredictedInstance.from_numpy(
                points, skeleton=skeleton, point_scores=confidence, score=score, track=track
            )
        instance.points["visible"] &= whole.visible[0, n] != OCCLUDED
        result.append(instance)
    return result


def _warn(there: int | bool, text: str) -> None:
    if there:
        warnings.warn(text, LabelsWarning, stacklevel=3)
