"""Example projects: rendered images and a video with exact truth, laid out as a Lightning Pose project."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
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
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic import make_scene
from vitruve.synthetic.scene import Scene

_MARKER = "example.json"
_FPS = 25.0
# The labelled frames come from before this time of the scene, the video from after it.
_VIDEO_STARTS = 250.0


def write_example(
    name: str = "mouse",
    directory: str | Path | None = None,
    *,
    frames: int = 200,
    video_frames: int = 200,
    seed: int = 0,
) -> Path:
    """Write an example project, or find the one written before.

    It holds ``config.yaml``, ``CollectedData.csv`` with ``labeled-data/``, ``skeleton.yaml``, and ``videos/``
    with a video and, beside it, the exact truth of its frames.

    Args:
        name: A key of :data:`EXAMPLES`.
        directory: Where to write; by default ``example_<name>`` in the working directory.
        frames: Number of labelled frames, 1 to 2000, spread over the recording so that no two are neighbours.
        video_frames: Number of frames of the video, 1 to 1000.
        seed: Another seed, not negative, gives another recording.

    Returns:
        The project's directory.

    Raises:
        InputError: There is no such example, a number is out of its range, or the directory holds something
            else.
    """
    if name not in EXAMPLES:
        raise InputError(f"no example '{name}'{nearest(name, EXAMPLES)}; there are: {', '.join(EXAMPLES)}")
    for label, value, most in (("frames", frames, 2000), ("video_frames", video_frames, 1000)):
        if not 1 <= value <= most:
            raise InputError(f"example: {label}={value}; it must be from 1 to {most}")
    if seed < 0:
        raise InputError(f"example: seed={seed}; it must not be negative")
    target = Path(f"example_{name}" if directory is None else directory)
    wanted = {"name": name, "frames": frames, "video_frames": video_frames, "seed": seed}
    if _is_finished(target, wanted):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _write_error(target, error) from error
    try:
        EXAMPLES[name](temporary, frames, video_frames, seed)
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


def _write_mouse(root: Path, frames: int, video_frames: int, seed: int) -> None:
    scene = make_scene("mouse", seed)
    rng = np.random.default_rng([seed, 2])
    cells = (np.arange(frames) + rng.uniform(0.2, 0.8, frames)) / frames
    indices = np.floor(cells * _VIDEO_STARTS * _FPS).astype(int).tolist()
    labelled = _write_images(scene, root, "labeled-data/mouse", indices)
    write_labels(labelled, root / "CollectedData.csv", format="lightning_pose")
    first = round(_VIDEO_STARTS * _FPS)
    truth = _write_video(scene, root, "videos/mouse.mp4", range(first, first + video_frames))
    write_labels(truth, root / "videos" / "mouse_truth.csv", format="lightning_pose")
    write_skeleton(scene.skeleton, root / "skeleton.yaml")
    settings = yaml.safe_dump(_mouse_settings(scene.skeleton), sort_keys=False, default_flow_style=None, width=110)
    header = "# Training settings of the example; paths are relative to this file.\n"
    atomic_write(root / "config.yaml", header + settings)


EXAMPLES: dict[str, Callable[[Path, int, int, int], None]] = {"mouse": _write_mouse}
"""What can be written: each fills an empty directory from frames, video frames and seed."""


def _write_images(scene: Scene, root: Path, folder: str, indices: list[int]) -> Labels:
    frames = []
    for index in indices:
        images, truth = scene.render(index / _FPS)
        path = Path(folder) / f"img{index:08d}.png"
        write_image(root / path, images[0])
        frames.append(Frame((ImageRef(path, size=scene.size),), truth, session=path.parent.name))
    return Labels(scene.skeleton, tuple(frames), root=root, scorer="rendered")


def _write_video(scene: Scene, root: Path, name: str, indices: range) -> Labels:
    frames = []
    path = Path(name)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(root / path, fps=_FPS, crf=18, preset="superfast") as video:
        for number, index in enumerate(indices):
            images, truth = scene.render(index / _FPS)
            video.write(images[0])
            frames.append(Frame((ImageRef(path, number, scene.size),), truth, session=path.stem))
    return Labels(scene.skeleton, tuple(frames), root=root, scorer="rendered")


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
