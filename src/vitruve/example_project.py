"""Examples on disk: rendered images and videos with exact truth, for Lightning Pose or for JARVIS."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vitruve.atomic import atomic_json, atomic_write
from vitruve.errors import InputError, nearest
from vitruve.formats.hub import write_labels
from vitruve.formats.skeleton_file import write_skeleton
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.instances import OCCLUDED, VISIBLE
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic import make_scene
from vitruve.synthetic.crowd import FIGURES
from vitruve.synthetic.crowd_files import LABELS, CrowdExtent, write_crowd
from vitruve.synthetic.field_files import LABELS as FIELD_LABELS
from vitruve.synthetic.field_files import FieldExtent, write_field
from vitruve.synthetic.rig_files import RigExtent, write_rig
from vitruve.synthetic.scene import Scene

_MARKER = "example.json"
_FPS = 25.0
# The labelled frames come from before this time of a scene, the video from after it.
_VIDEO_STARTS = 250.0
# What a context algorithm looks at on either side of a labelled frame.
_REACH = 2


@dataclass(frozen=True)
class Extent:
    """How much an example holds.

    Attributes:
        frames: Labelled frames, 1 to 2000.
        videos: Recordings with a video each, 1 to 50; the labelled frames are spread over the recordings.
        video_frames: Frames of each video, 1 to 1000.
        new_frames: Labelled frames of recordings that nothing else is of, 0 to 2000, for testing.
        seed: Not negative; another one gives other recordings.
    """

    frames: int = 200
    videos: int = 1
    video_frames: int = 200
    new_frames: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {"frames": (1, 2000), "videos": (1, 50), "video_frames": (1, 1000), "new_frames": (0, 2000)}
        for label, (least, most) in limits.items():
            value = getattr(self, label)
            if not least <= value <= most:
                raise InputError(f"example: {label}={value}; it must be from {least} to {most}")
        if self.seed < 0:
            raise InputError(f"example: seed={self.seed}; it must not be negative")


def write_example(name: str = "mouse", directory: str | Path | None = None, **extent: int | None) -> Path:
    """Write an example, or find the one written before.

    A project holds ``config.yaml``, ``CollectedData.csv`` with ``labeled-data/``, ``skeleton.yaml``, and ``videos/``
    with the videos and, beside each, the exact truth of its frames (``<stem>_truth.csv``).

    ``mouse`` is one recording of a mouse in an arena. ``cluttered_mouse`` is many recordings (30 labelled frames, 10
    videos of 100 frames, if nothing else is said), in each of which other things that look like parts of a mouse lie
    about and leaves fly past the camera, so that one keypoint in seven is hidden. Its hidden keypoints are labelled
    like the others, as people do who look at the frames before and after. Beside each labelled image lie the two
    frames before and after it, and ``CollectedData_new.csv`` holds the exact truth of frames of as many further
    recordings, with ``visible`` 1 where a keypoint is hidden.

    ``crowd`` is people who walk about in front of a camera: labelled images as COCO has them (``labels.json``), more
    of them for testing (``labels_new.json``), and unlabelled videos in ``videos/``, beside each the truth of its frames
    with who is who (``<stem>_truth.csv`` and ``.json``). See :func:`vitruve.synthetic.crowd_files.write_crowd`.

    ``field`` is plants of eight classes that a camera moves over: clips of labelled images with boxes
    (``labels.json``), clips of other fields for testing (``labels_new.json``), and unlabelled videos in ``videos/``,
    beside each its truth. See :func:`vitruve.synthetic.field_files.write_field`.

    ``rig`` is a rodent between calibrated cameras: a JARVIS training set, the calibration, a recording of one video a
    camera, and the truth in space. See :func:`vitruve.synthetic.rig_files.write_rig`.

    Args:
        name: A key of :data:`EXAMPLES`.
        directory: Where to write; by default ``example_<name>`` in the working directory.
        **extent: What differs from the example's own extent, by the names of its attributes; those of :class:`Extent`
            for a project, of :class:`vitruve.synthetic.crowd_files.CrowdExtent` for a crowd, of
            :class:`vitruve.synthetic.field_files.FieldExtent` for a field, of
            :class:`vitruve.synthetic.rig_files.RigExtent` for a rig. None changes nothing.

    Returns:
        The example's directory.

    Raises:
        InputError: There is no such example, it has no number of that name, a number is out of its range, or the
            directory holds something else.
    """
    if name not in EXAMPLES:
        raise InputError(f"no example '{name}'{nearest(name, EXAMPLES)}; there are: {', '.join(EXAMPLES)}")
    write, usual = EXAMPLES[name]
    known = asdict(usual)
    unknown = next((key for key in extent if key not in known), None)
    if unknown is not None:
        raise InputError(f"example {name}: no '{unknown}'{nearest(unknown, known)}; there are: {', '.join(known)}")
    size = replace(usual, **{key: value for key, value in extent.items() if value is not None})
    target = Path(f"example_{name}" if directory is None else directory)
    wanted = {"name": name, **asdict(size)}
    if _is_finished(target, wanted):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _write_error(target, error) from error
    try:
        write(temporary, size)
        files = sorted(path.relative_to(temporary).as_posix() for path in temporary.rglob("*") if path.is_file())
        atomic_json(temporary / _MARKER, {**wanted, "files": files})
        temporary.chmod(0o755)
        if target.is_dir():
            target.rmdir()
        temporary.replace(target)
    except OSError as error:
        raise _write_error(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _write_mouse(root: Path, extent: Extent) -> None:
    _write_recordings(root, "mouse", "mouse", extent, context=0)


def _write_cluttered_mouse(root: Path, extent: Extent) -> None:
    _write_recordings(root, "cluttered_mouse", "mouse", extent, context=_REACH, hidden_are_labelled=True)


def _write_crowd(root: Path, extent: CrowdExtent) -> None:
    write_crowd(root, extent)
    skeleton = FIGURES[extent.joints]
    write_skeleton(skeleton, root / "skeleton.yaml")
    _write_settings(root, _crowd_settings(skeleton, extent))


def _write_field(root: Path, extent: FieldExtent) -> None:
    write_field(root, extent)
    _write_settings(root, _field_settings())


EXAMPLES: dict[str, tuple[Callable[[Path, Any], None], Any]] = {
    "mouse": (_write_mouse, Extent()),
    "cluttered_mouse": (
        _write_cluttered_mouse,
        Extent(frames=30, videos=10, video_frames=100, new_frames=100),
    ),
    "crowd": (_write_crowd, CrowdExtent()),
    "field": (_write_field, FieldExtent()),
    "rig": (write_rig, RigExtent()),
}
"""What can be written: each fills an empty directory; with how much it holds if nothing else is said."""


def _write_recordings(
    root: Path, scene_name: str, stem: str, extent: Extent, *, context: int, hidden_are_labelled: bool = False
) -> None:
    """Fill a project with recordings of one kind of scene; a single one is named without a number."""
    known, new, skeleton = [], [], Skeleton.from_names(())
    for recording in range(extent.videos):
        scene = make_scene(scene_name, extent.seed if extent.videos == 1 else 100 * extent.seed + recording)
        session = stem if extent.videos == 1 else f"{stem}{recording:02d}"
        rng = np.random.default_rng([extent.seed, 2, *([recording] if extent.videos > 1 else [])])
        count = _share(extent.frames, recording, extent.videos)
        known.append(_write_images(scene, root, session, _spread(count, rng), context))
        _write_video(scene, root, f"videos/{session}.mp4", extent.video_frames)
        skeleton = scene.skeleton
    for recording in range(extent.videos if extent.new_frames else 0):
        # As far from the seeds above as those of the next example are.
        scene = make_scene(scene_name, 100 * extent.seed + 50 + recording)
        rng = np.random.default_rng([extent.seed, 5, recording])
        count = _share(extent.new_frames, recording, extent.videos)
        new.append(_write_images(scene, root, f"{stem}_new{recording:02d}", _spread(count, rng), context))
    labelled = _merged(known)
    if hidden_are_labelled:
        labelled = replace(labelled, frames=tuple(_all_visible(frame) for frame in labelled))
    write_labels(labelled, root / "CollectedData.csv", format="lightning_pose")
    if new:
        write_labels(_merged(new), root / "CollectedData_new.csv", format="lightning_pose")
    write_skeleton(skeleton, root / "skeleton.yaml")
    _write_settings(root, _mouse_settings(skeleton))


def _write_settings(root: Path, settings: dict[str, Any]) -> None:
    text = yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=110)
    header = "# Training settings of the example; paths are relative to this file.\n"
    atomic_write(root / "config.yaml", header + text)


def _share(count: int, part: int, parts: int) -> int:
    return count // parts + (part < count % parts)


def _spread(count: int, rng: np.random.Generator) -> list[int]:
    """Frame numbers spread over the time before the video, so that no two are neighbours."""
    cells = (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count
    return np.floor(cells * _VIDEO_STARTS * _FPS).astype(int).tolist()


def _merged(parts: list[Labels]) -> Labels:
    return replace(parts[0], frames=tuple(frame for part in parts for frame in part))


def _all_visible(frame: Frame) -> Frame:
    visible = np.where(frame.instances.visible == OCCLUDED, VISIBLE, frame.instances.visible)
    return replace(frame, instances=replace(frame.instances, visible=visible.astype(np.int8)))


def _write_images(scene: Scene, root: Path, session: str, indices: list[int], context: int) -> Labels:
    frames = []
    for index in indices:
        for near in range(max(0, index - context), index + context + 1):
            images, truth = scene.render(near / _FPS)
            path = Path("labeled-data", session, f"img{near:08d}.png")
            write_image(root / path, images[0])
            if near == index:
                frames.append(Frame((ImageRef(path, size=scene.size),), truth, session=session))
    return Labels(scene.skeleton, tuple(frames), root=root, scorer="rendered")


def _write_video(scene: Scene, root: Path, name: str, count: int) -> None:
    """Write a video and, beside it, the truth of its frames."""
    frames = []
    path, first = Path(name), round(_VIDEO_STARTS * _FPS)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(root / path, fps=_FPS, crf=18, preset="superfast") as video:
        for number in range(count):
            images, truth = scene.render((first + number) / _FPS)
            video.write(images[0])
            frames.append(Frame((ImageRef(path, number, scene.size),), truth, session=path.stem))
    truths = Labels(scene.skeleton, tuple(frames), root=root, scorer="rendered")
    write_labels(truths, (root / path).with_name(f"{path.stem}_truth.csv"), format="lightning_pose")


def _mouse_settings(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "data": {
            "data_dir": ".",
            "video_dir": "videos",
            "csv_file": "CollectedData.csv",
            "skeleton": "skeleton.yaml",
            "image_resize_dims": {"height": 128, "width": 128},
            "downsample_factor": 1,
            "num_keypoints": len(skeleton),
            "keypoint_names": list(skeleton.names),
            "columns_for_singleview_pca": None,
            "mirrored_column_matches": None,
        },
        "training": {
            "imgaug": "dlc",
            "train_batch_size": 8,
            "val_batch_size": 16,
            "test_batch_size": 16,
            "train_prob": 0.8,
            "val_prob": 0.1,
            "backbone_pretrained": False,
            "unfreezing_epoch": 0,
            "max_epochs": 44,
            "check_val_every_n_epoch": 10,
            "rng_seed_data_pt": 0,
            "rng_seed_model_pt": 0,
            "optimizer": "AdamW",
            "optimizer_params": {"learning_rate": 1e-3},
            "lr_scheduler": "onecycle",
        },
        "model": {
            "model_type": "heatmap",
            "model_name": "mouse",
            "backbone": "resnet18",
            "heatmap_loss_type": "kl",
            "losses_to_use": [],
        },
        "eval": {
            "predict_vids_after_training": True,
            "save_vids_after_training": True,
            "colormap": "cool",
            "confidence_thresh_for_vid": 0.9,
        },
    }


def _crowd_settings(skeleton: Skeleton, extent: CrowdExtent) -> dict[str, Any]:
    settings = _mouse_settings(skeleton)
    # The maps of algorithms for several instances have the size that settings of model give them.
    del settings["data"]["downsample_factor"]
    # Sides that a network's stride of 8 divides, as near to the images as can be.
    height, width = (max(64, round(side / 32) * 32) for side in (extent.height, extent.width))
    settings["data"] |= {"csv_file": LABELS, "image_resize_dims": {"height": height, "width": width}}
    settings["training"] |= {"imgaug": "crowd", "max_epochs": 150}
    settings["model"] = {
        "model_type": "lightweight_openpose",
        "model_name": "crowd",
        "backbone": "mobilenet_small",
        "losses_to_use": [],
    }
    settings["eval"] |= {"confidence_thresh_for_vid": 0.3}
    return settings


def _field_settings() -> dict[str, Any]:
    settings = _mouse_settings(Skeleton(()))
    for name in ("skeleton", "num_keypoints", "keypoint_names", "downsample_factor"):
        del settings["data"][name]
    # The size of the input follows from that of the images and of the objects in them.
    settings["data"] |= {"csv_file": FIELD_LABELS, "image_resize_dims": {"height": None, "width": None}}
    settings["training"] |= {"imgaug": "default", "train_batch_size": 4, "max_epochs": 30, "check_val_every_n_epoch": 5}
    settings["model"] = {
        "model_type": "faster_rcnn",
        "model_name": "field",
        "backbone": "resnet18",
        "losses_to_use": [],
    }
    settings["eval"] |= {"confidence_thresh_for_vid": 0.5}
    return settings


def _is_finished(target: Path, wanted: dict[str, Any]) -> bool:
    """Whether the example already lies there; False where nothing does."""
    if not target.exists():
        return False
    if not target.is_dir():
        raise InputError(f"{target}: is a file; choose a directory for the example that does not exist yet")
    if not any(target.iterdir()):
        return False
    other = "choose another directory"
    try:
        found = json.loads((target / _MARKER).read_text())
        files = found.pop("files")
    except FileNotFoundError:
        raise InputError(f"{target}: already holds something else, which is not overwritten; {other}") from None
    except (ValueError, AttributeError, TypeError, KeyError, OSError):
        raise InputError(f"{target / _MARKER}: cannot be read; {other}") from None
    for key, value in wanted.items():
        if found.get(key) != value:
            raise InputError(f"{target}: holds the example with {key}={found.get(key)}, not {value}; {other}")
    missing = next((file for file in files if not (target / file).exists()), None)
    if missing is not None:
        raise InputError(f"{target}: '{missing}' of the example is missing; {other}, or delete this one")
    return True


def _write_error(target: Path, error: OSError) -> InputError:
    return InputError(f"{target}: cannot be written ({error.strerror or error}); choose another directory")
