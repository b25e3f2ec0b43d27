"""Run directories made by hand, whose predictions are a known distance from their labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tiny_project import settings
from vitruve.config.schema import Config
from vitruve.formats.hub import write_labels
from vitruve.formats.table import format_rows, header_lines, to_frame
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAMES = ("nose", "tail", "ear")
SKELETON = Skeleton(NAMES, ((0, 1), (0, 2)))
SIZES = ((80, 60), (40, 30), (80, 60))
SPLITS = ("train", "validation", "test")
FRAMES = 5
VIDEO_SIZE = (64, 48)

# The ear of the second image is unlabelled, the tail of the third is hidden.
POINTS = np.array(
    [[[10, 20], [30, 40], [50, 12]], [[4, 5], [20, 25], [np.nan, np.nan]], [[60, 30], [40, 20], [5.5, 7.25]]]
)
VISIBLE = np.array([[2, 2, 2], [2, 2, 0], [2, 1, 2]], np.int8)

# Every keypoint is 5 px off, the nose of the third image 10 px, and one run misses the tail of the first.
OFFSETS = np.tile([3.0, 4.0], (3, 3, 1))
OFFSETS[2, 0] = 6, 8
SCORES = np.array([[0.9, 0.8, 0.7], [0.5, 0.25, 0.125], [1.0, 0.75, 0.5]])


def image_name(number: int) -> Path:
    return Path(f"labeled-data/mouse/img{number:03d}.png")


def labels_of(root: Path, rows: tuple[int, ...] = (0, 1, 2)) -> Labels:
    frames = [
        Frame((ImageRef(image_name(row)),), Instances(POINTS[row][None, None], VISIBLE[row][None, None]))
        for row in rows
    ]
    return Labels(SKELETON, tuple(frames), root)


def write_project(folder: Path) -> Path:
    for number, (width, height) in enumerate(SIZES):
        write_image(folder / image_name(number), np.full((height, width, 3), 60 * number, np.uint8))
    write_labels(labels_of(folder), folder / "CollectedData.csv")
    (folder / "videos").mkdir()
    for name in ("clip", "other"):
        with VideoWriter(folder / "videos" / f"{name}.mp4", 25) as video:
            for number in range(FRAMES):
                video.write(np.full((VIDEO_SIZE[1], VIDEO_SIZE[0], 3), 40 * number, np.uint8))
    return folder


def write_run(
    folder: Path,
    project: Path,
    rows: tuple[int, ...] = (0, 1, 2),
    splits: tuple[str, ...] = SPLITS,
    missing: bool = False,
    order: tuple[int, ...] = (0, 1, 2),
) -> Path:
    """A run whose tables of predictions have their keypoints in ``order``."""
    run = RunFiles(folder)
    folder.mkdir(parents=True)
    run.config.write_text(Config.from_mapping(settings(project)).to_yaml())
    skeleton = Skeleton(tuple(NAMES[i] for i in order), SKELETON.edges if order == (0, 1, 2) else ())
    run.write_model({"task": {"skeleton": skeleton.to_dict()}})
    labels = labels_of(project, rows).with_splits(splits)
    write_labels(labels, run.path / "CollectedData.csv")
    frames = []
    for row, frame in zip(rows, labels, strict=True):
        points = np.nan_to_num(POINTS[row], nan=15.0) + OFFSETS[row]
        if missing and row == 0:
            points[1] = np.nan
        scores = np.where(np.isnan(points[:, 0]), np.nan, SCORES[row])[list(order)][None, None]
        found = Instances.from_keypoints(points[list(order)][None, None], keypoint_scores=scores)
        frames.append(replace(frame, instances=found))
    predictions = replace(labels, frames=tuple(frames), skeleton=skeleton, scorer="heatmap_tracker")
    run.predictions.write_text(to_frame(predictions, likelihood=True, split=True).to_csv(float_format="%.4f"))
    return folder


def video_points(shift: float = 0.0) -> np.ndarray:
    """``(FRAMES, 3, 2)`` in px; the nose is missing in the second frame."""
    points = np.arange(FRAMES * 6, dtype=float).reshape(FRAMES, 3, 2) + shift
    points[1, 0] = np.nan
    return points


def write_table(file: Path, points: np.ndarray, score: float = 0.5) -> Path:
    """Predictions on a video."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scores = np.where(np.isnan(points[..., 0]), np.nan, score)
    text = "\n".join(header_lines("heatmap_tracker", NAMES))
    file.write_text(text + "\n" + format_rows(range(len(points)), points, scores))
    return file


def write_run_of_two_views(folder: Path) -> Path:
    """A run of two cameras with its images; predictions are those of :func:`write_run` in both views."""
    views = ("top", "side")
    run = RunFiles(folder / "run")
    run.path.mkdir(parents=True)
    values = settings(folder)
    values["data"] |= {"csv_file": [f"{view}.csv" for view in views], "view_names": list(views)}
    run.config.write_text(Config.from_mapping(values).to_yaml())
    run.write_model({"task": {"skeleton": SKELETON.to_dict()}})
    for view in views:
        size = (80, 60) if view == "top" else (160, 120)
        images = [Path(f"labeled-data/mouse_{view}/img{number:03d}.png") for number in range(2)]
        frames = [
            Frame((ImageRef(image),), Instances(POINTS[row][None, None], VISIBLE[row][None, None]), split=SPLITS[row])
            for row, image in enumerate(images)
        ]
        found = [
            replace(
                frame,
                instances=Instances.from_keypoints(
                    frame.instances.keypoints + OFFSETS[row], keypoint_scores=SCORES[row][None, None]
                ),
            )
            for row, frame in enumerate(frames)
        ]
        for image in images:
            write_image(folder / image, np.zeros((size[1], size[0], 3), np.uint8))
        labels = Labels(SKELETON, tuple(frames), folder)
        write_labels(labels, run.path / f"{view}.csv")
        table = to_frame(replace(labels, frames=tuple(found)), likelihood=True, split=True)
        (run.path / f"predictions_{view}.csv").write_text(table.to_csv(float_format="%.4f"))
    return run.path
