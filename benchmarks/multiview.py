"""What seeing views together is good for: the multi-view transformer against ``heatmap`` view by view, same frames.

The recording mirror_mouse shows a mouse from the side and, through a mirror, from below. Cut in two, it is one of two
cameras with the seven keypoints that both show. 72 frames train and validate; of the others each is tested as it is,
and with a grey square over one keypoint of one view.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import mean

import cv2
import numpy as np
from common import Timed, by_seed, mirror_mouse, parser_of_seeds, record, timed, vitruve, workplace

from vitruve import api
from vitruve.evaluation.metrics import pixel_error
from vitruve.formats import lightning_pose
from vitruve.formats.hub import read_labels
from vitruve.structures.instances import OCCLUDED, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

CUT = 168  # the row where the mirror's picture begins
VIEWS = {"top": slice(0, CUT), "bot": slice(CUT, None)}
TRAINS, SQUARE, GREY = 72, 40, 40

SETTINGS = (
    "data.csv_file=[CollectedData_top.csv,CollectedData_bot.csv]",
    "data.view_names=[top,bot]",
    "data.image_resize_dims.height=96",
    "data.image_resize_dims.width=128",
    "data.num_keypoints=7",
    "training.train_batch_size=8",
    "training.train_prob=0.9",
    "training.val_prob=0.1",
    "training.backbone_pretrained=false",
    "training.max_epochs=null",
    "eval.predict_vids_after_training=false",
)
MULTIVIEW = (
    "model.model_type=heatmap_multiview_transformer",
    "model.backbone=vit_tiny_patch16_224",
    "training.optimizer_params.learning_rate=5e-4",
)
WAYS = {
    "heatmap_resnet18": ("model.model_type=heatmap", "model.backbone=resnet18"),
    "heatmap_vit_tiny": ("model.model_type=heatmap", *MULTIVIEW[1:]),
    "multiview_vit_tiny": MULTIVIEW,
}


def project(folder: Path, seed: int) -> Path:
    """The recording as one of two views, in Lightning Pose's files, with test frames of its own."""
    data = folder / f"seed{seed}"
    source = read_labels(mirror_mouse() / "CollectedData.csv")
    names = [name.removesuffix("_top") for name in source.skeleton.names if name.endswith("_top")]
    names = [name for name in names if f"{name}_bot" in source.skeleton.names]
    columns = {view: [source.skeleton.names.index(f"{name}_{view}") for name in names] for view in VIEWS}
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(source))
    parts: dict[str, list[Frame]] = {"CollectedData": [], "whole": [], "covered": []}
    for place, index in enumerate(order):
        frame = source[int(index)]
        picture = cv2.imread(str(source.path(frame.images[0])))
        points = np.stack([frame.instances.keypoints[0][:, columns[view]] for view in VIEWS])
        points[1, ..., 1] -= CUT
        images = [picture[rows] for rows in VIEWS.values()]
        truth = Instances.from_keypoints(points)
        part = "CollectedData" if place < TRAINS else "whole"
        parts[part].append(_written(data, part, frame.images[0].path.name, images, truth))
        if part == "whole":
            changed = _covered(images, truth, place % 2, rng)
            parts["covered"].append(_written(data, "covered", frame.images[0].path.name, *changed))
    for name, frames in parts.items():
        labels = Labels(Skeleton(tuple(names)), tuple(frames), root=data, view_names=tuple(VIEWS))
        lightning_pose.write(labels, data / f"{name}.csv")
    (data / "config.yaml").write_text(f"data: {{data_dir: {data}}}\nmodel: {{model_name: two_views}}\n")
    return data


def _written(data: Path, part: str, name: str, images: list[np.ndarray], truth: Instances) -> Frame:
    refs = []
    for view, image in zip(VIEWS, images, strict=True):
        path = Path("labeled-data") / f"{part}_{view}" / name
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(data / path), image)
        refs.append(ImageRef(path))
    return Frame(tuple(refs), truth)


def _covered(
    images: list[np.ndarray], truth: Instances, view: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], Instances]:
    """A square over one labelled keypoint of a view; what lies beneath it counts as occluded."""
    points = truth.keypoints[view, 0]
    labelled = np.flatnonzero(np.isfinite(points).all(-1))
    middle = points[rng.choice(labelled)] + rng.uniform(-SQUARE / 4, SQUARE / 4, 2)
    left, top = (int(max(0, side - SQUARE / 2)) for side in middle)
    images = [image.copy() for image in images]
    images[view][top : top + SQUARE, left : left + SQUARE] = GREY
    inside = ((points > (left, top)) & (points < (left + SQUARE - 1, top + SQUARE - 1))).all(-1)
    visible = truth.visible.copy()
    visible[view, 0][inside] = OCCLUDED
    return images, replace(truth, visible=visible)


def judge(run: Path, data: Path) -> dict[str, float]:
    """Mean errors in original pixels: of the frames trained on, of test frames, and of what the squares hide."""
    network = api.load_run(run, runtime="torch")

    def errors(stem: str) -> tuple[np.ndarray, np.ndarray]:
        truth = read_labels([data / f"{stem}_{view}.csv" for view in VIEWS], view_names=tuple(VIEWS), root=data)
        found = network.predict(truth)
        return pixel_error(found.keypoints(), truth.keypoints()), truth.visible() == OCCLUDED

    (trained, _), (whole, _), (covered, hidden) = (errors(stem) for stem in ("CollectedData", "whole", "covered"))
    means = {"train_px": trained, "test_px": whole, "hidden_px": covered[hidden], "shown_px": whole[hidden]}
    return {name: round(float(np.nanmean(values)), 3) for name, values in means.items()}


def main() -> None:
    parser = parser_of_seeds(__doc__, "multiview", [0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    arguments = parser.parse_args()

    def learn(data: Path, run: Path, seed: int, way: str) -> Timed:
        return timed(
            *vitruve("train", "--config-path", str(data), "--config-name", "config", *SETTINGS, *WAYS[way]),
            *(f"training.max_steps={arguments.steps}", f"hydra.run.dir={run}"),
            *(f"training.rng_seed_data_pt={seed}", f"training.rng_seed_model_pt={seed}"),
            *arguments.overrides,
        )

    with workplace(arguments.folder) as folder:
        runs = by_seed(folder, arguments.seeds, arguments.ways, project, learn, judge)
    average = {
        way: {key: round(mean(run[way][key] for run in runs.values()), 2) for key in runs[arguments.seeds[0]][way]}
        for way in arguments.ways
    }
    record(
        arguments.name,
        {"steps": arguments.steps, "overrides": arguments.overrides, "runs": runs, "mean": average},
    )


if __name__ == "__main__":
    main()
