"""What the network in space is good for: HybridNet against robust triangulation of the keypoints it starts from.

A rendered rig of six cameras with posts that hide parts of the animal; the framesets to judge by are of recordings that
were not trained on. ``efficienttrack`` learns the keypoints in crops, ``hybridnet`` (mode 3D_only, then nothing of the
first changes) what their maps mean in space. Both estimates come from the same maps. Figures: mean distance at least
25 % lower with six cameras, and lower with three of them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import record, timed, vitruve

from vitruve import api
from vitruve.data.crop_settings import CropSettings
from vitruve.data.crops import with_label_boxes
from vitruve.example_project import write_example
from vitruve.formats.coordinates_3d import read_coordinates
from vitruve.formats.hub import read_labels
from vitruve.geometry.triangulation import triangulate_robust
from vitruve.structures.camera import stack_cameras
from vitruve.structures.labels import Labels

EDGE, SPACING = 240.0, 5.0
CROP = 176.0
# Of every second camera of the ring.
CAMERAS = {"6 cameras": (0, 1, 2, 3, 4, 5), "3 cameras": (0, 2, 4)}


def train(data: Path, run: Path, steps: int, *settings: str) -> float:
    """Train as a whole process; gives seconds."""
    return timed(
        *vitruve(
            *("train", f"data.data_dir={data}", "data.csv_file=.", "data.label_format=jarvis"),
            *("data.image_resize_dims={height: 96, width: 96}", "data.downsample_factor=1"),
            *("crop.from_labels=true", f"crop.size={CROP}", "training.split.method=given"),
            *("training.train_batch_size=2", "training.val_batch_size=4", "training.test_batch_size=4"),
            *("training.backbone_pretrained=false", "training.unfreezing_epoch=0", "training.optimizer=AdamW"),
            *("training.optimizer_params.learning_rate=0.001", "training.lr_scheduler=onecycle"),
            *("training.max_epochs=null", f"training.max_steps={steps}", "training.check_val_every_n_epoch=10"),
            *("eval.predict_vids_after_training=false", "inference.runtime=torch", f"hydra.run.dir={run}", *settings),
        )
    ).seconds


def with_views(labels: Labels, views: tuple[int, ...]) -> Labels:
    """The same framesets as some of the cameras see them."""
    frames = tuple(
        replace(f, images=tuple(f.images[v] for v in views), instances=f.instances[list(views)]) for f in labels
    )
    cameras = {name: tuple(rig[v] for v in views) for name, rig in labels.cameras.items()}
    names = tuple(labels.view_names[v] for v in views)
    return replace(labels, frames=frames, cameras=cameras, view_names=names)


def judge(run: Path, labels: Labels) -> dict[str, float]:
    """Distances from the truth in mm, of both estimates."""
    found = api.load_run(run, runtime="torch").predict(labels)
    errors: dict[str, list[np.ndarray]] = {"hybridnet": [], "triangulated": []}
    for frame, true in zip(found, labels, strict=True):
        assert frame.instances_3d is not None and true.instances_3d is not None
        rig, seen = stack_cameras(labels.cameras[true.session]), frame.instances
        assert seen.keypoint_scores is not None
        pixels = seen.keypoints[:, 0].astype(np.float64)
        points = triangulate_robust(rig, pixels, seen.keypoint_scores[:, 0].astype(np.float64))
        truth = true.instances_3d.keypoints[0]
        errors["triangulated"].append(np.linalg.norm(points - truth, axis=-1))
        errors["hybridnet"].append(np.linalg.norm(frame.instances_3d.keypoints[0] - truth, axis=-1))
    result = {}
    for name, each in errors.items():
        values = np.stack(each)
        result |= {f"{name}_mm": round(float(np.nanmean(values)), 3)}
        result |= {f"{name}_median_mm": round(float(np.nanmedian(values)), 3)}
    result["lower_by"] = round(1 - result["hybridnet_mm"] / result["triangulated_mm"], 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--framesets", type=int, default=200)
    parser.add_argument("--keypoint-steps", type=int, default=1000)
    parser.add_argument("--space-steps", type=int, default=600)
    parser.add_argument("--folder", type=Path, help="keep the rig and the runs here")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        rig = write_example("rig", folder / "rig", seed=arguments.seed, train=arguments.framesets, val=60, frames=60)
        data, keypoints, space = rig / "TrainingSet", folder / "keypoints", folder / "hybridnet"
        found["keypoint_seconds"] = train(data, keypoints, arguments.keypoint_steps, "model.model_type=efficienttrack")
        found["space_seconds"] = train(
            *(data, space, arguments.space_steps, "model.model_type=hybridnet", "model.mode=3D_only"),
            *(f"model.checkpoint={keypoints}", f"model.roi_cube_size={EDGE}", f"model.grid_spacing={SPACING}"),
        )
        exact = read_coordinates(rig / "TrainingSet_truth3D.csv")
        labels = read_labels(data, "jarvis")
        # The training set's own labels are whole pixels; the truth of its framesets lies beside it, in their order.
        frames = zip(labels, exact, strict=True)
        labels = replace(labels, frames=tuple(replace(f, instances_3d=t.instances_3d) for f, t in frames))
        # Both estimates look at the same crops, around the labels: where the animal is, is not the question here.
        labels = with_label_boxes(labels.split("validation"), CropSettings(size=CROP), range(len(labels.skeleton)), 1.0)
        truth = np.concatenate([frame.instances_3d.keypoints for frame in labels if frame.instances_3d is not None])
        found["body_size_mm"] = round(float(np.median(np.ptp(truth, axis=1).max(-1))), 1)
        for name, views in CAMERAS.items():
            found[name] = judge(space, with_views(labels, views))
            size = found["body_size_mm"]
            found[name]["hybridnet_percent_of_body"] = round(100 * found[name]["hybridnet_mm"] / size, 2)
            print(name, found[name], flush=True)
    made = {key: value for key, value in vars(arguments).items() if key != "folder"}
    print(json.dumps(found, indent=1))
    record("hybridnet", {"arguments": made, **found})


if __name__ == "__main__":
    main()
