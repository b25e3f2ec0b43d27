"""What to label next: a choice among unlabelled images and videos, and its files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.curation.choice import STRATEGIES, choose_next
from vitruve.curation.clusters import reduced
from vitruve.curation.crops import Crop, crop_images
from vitruve.curation.doubt import seen_by, spread_of
from vitruve.curation.embedding import Embedder, open_embedder
from vitruve.curation.leakage import frame_number
from vitruve.data.images import ImageCache
from vitruve.data.selection import gather
from vitruve.errors import ConfigError, InputError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.inference.open import Opened, open_run
from vitruve.media.images import IMAGE_SUFFIXES, write_image
from vitruve.media.sources import expand_sources, natural_key
from vitruve.media.thumbnails import thumbnails
from vitruve.media.video import VIDEO_SUFFIXES, is_video
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

LIST_NAME, LABELS_NAME, IMAGES = "label_next.csv", "label_next.json", "images"
"""The chosen images with how unsure networks are of them; a label file without labels; the folder of the images."""


@dataclass(frozen=True, eq=False)
class LabelNext:
    """What :func:`label_next` chose.

    Attributes:
        chosen: The images, the first choice first, without labels.
        doubt: How unsure networks are of each; NaN without any.
        among: How many images there were to choose from.
        list: The table of them.
        labels: A label file of the copied images, without labels, for a labelling program.
        images: The folder of the copies.
    """

    chosen: Labels
    doubt: Float[np.ndarray, " N"]
    among: int
    list: Path
    labels: Path
    images: Path


def label_next(
    sources: str | Path | Sequence[str | Path],
    output: str | Path,
    n: int = 20,
    *,
    runs: str | Path | Sequence[str | Path] = (),
    by: str | None = None,
    labels: str | Path | None = None,
    apart: int = 25,
    most: int = 500,
    backbone: str = "resnet18",
    weights: str | Path | None = None,
    pretrained: bool = True,
    seed: int = 0,
    device: str = "auto",
) -> LabelNext:
    """Choose images to label next, of those that networks are unsure of and that differ, and copy them.

    Args:
        sources: Folders of images, each a clip; images; videos, or folders of them; folders of such folders.
        output: Folder to write ``label_next.csv``, ``label_next.json`` and ``images/`` to.
        n: How many images, of all sources together.
        runs: Trained networks that say how sure they are: of detectors, of poses; an ensemble counts as its networks.
        by: ``both``, ``entropy``, ``spread`` (of several networks), ``diversity``, ``coreset`` or ``random``; None for
            ``both`` with a run, else ``diversity``.
        labels: What is labelled already: those images are not chosen, nor what looks like them with ways that look for
            difference.
        apart: Least distance of two chosen frames of one clip or video, in frames.
        most: Frames of each video that are looked at at most: those that differ, with most motion.
        backbone: A timm network that makes points of images, where there is no run.
        weights: A safetensors file with its weights.
        pretrained: Take published weights where no file is given; random ones where they cannot be had.
        seed: The same seed gives the same choice.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``, for the network that makes points.

    Returns:
        The choice and its files.

    Raises:
        InputError: A source or the labels are not as they should be, or there is nothing to choose from.
        ConfigError: There is no such way to choose, or it needs a run, or several.
        RunError: A run cannot be used.
    """
    if n < 1 or apart < 0:
        raise InputError(f"n={n}, apart={apart}: at least one image, at least 0 frames apart")
    named = [Path(runs)] if isinstance(runs, (str, Path)) else [Path(run) for run in runs]
    networks = [member.path for run in named for member in RunFiles(run).members() or [RunFiles(run)]]
    way = by or ("both" if networks else "diversity")
    _check_way(way, networks)
    opened = [open_run(run, "torch") for run in networks]
    known = None if labels is None else read_labels(Path(labels))
    pool = _pool([sources] if isinstance(sources, (str, Path)) else sources, known, opened, most)
    cache = ImageCache(2.0)
    doubt = _doubt(opened, pool, way, cache)
    points, taken = np.zeros((len(pool), 1)), None
    if way not in ("random", "entropy", "spread"):
        embedder = _embedder(networks, backbone, weights, pretrained, device, seed)
        points, taken = _points(embedder, pool, known, seed, cache)
    chosen = choose_next(
        n,
        way,
        points,
        doubt,
        taken=taken,
        clips=[frame.session for frame in pool],
        numbers=[frame_number(frame) for frame in pool],
        apart=apart,
        seed=seed,
    )
    unsure = np.full(len(pool), np.nan) if doubt is None else doubt
    return _written(pool[chosen], unsure[chosen], len(pool), Path(output), cache)


def _check_way(way: str, networks: Sequence[Path]) -> None:
    if way in STRATEGIES and way in ("both", "entropy", "spread") and not networks:
        raise ConfigError(f"--by {way}: needs a network that says how sure it is: --run RUN")
    if way == "spread" and len(networks) < 2:
        raise ConfigError(f"--by spread: {len(networks)} network cannot disagree; name several runs, or an ensemble")
    choose_next(0, way, np.zeros((1, 1)), np.zeros(1))


def _pool(sources: Sequence[str | Path], known: Labels | None, opened: Sequence[Opened], most: int) -> Labels:
    """Everything that may be chosen, as frames without labels."""
    tasks = [one.predictor.algorithm.task for one in opened]
    skeleton = tasks[0].skeleton if tasks else known.skeleton if known is not None else Skeleton(())
    categories = tasks[0].categories if tasks else known.categories if known is not None else ("object",)
    for task, one in zip(tasks, opened, strict=True):
        if task.skeleton.names != skeleton.names or task.categories != categories:
            raise ConfigError(
                f"--run: {one.identity} has other keypoints or classes than the first run; name runs of one kind"
            )
    done: set[tuple[Path, int | None]] = set()
    if known is not None:
        done = {(known.path(image).resolve(), image.index) for frame in known for image in frame.images}
    nothing = Instances.empty(len(skeleton))
    frames = []
    for file in expand_sources(clip for source in sources for clip in _clips(Path(source))):
        path = file.resolve()
        indices: Sequence[int | None] = _frames(path, done, most) if is_video(path) else [None]
        session = path.stem if is_video(path) else str(path.parent)
        frames += [Frame((ImageRef(path, index),), nothing, session) for index in indices if (path, index) not in done]
    if not frames:
        raise InputError(f"{', '.join(map(str, sources))}: all of it is labelled already; name other images or videos")
    return Labels(skeleton, tuple(frames), categories=categories)


def _clips(source: Path) -> list[Path]:
    """The folders that hold images or videos, where a folder holds nothing but folders."""
    found = [file for file in source.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES]
    folders = {file.parent for file in found if not file.name.startswith(".")}
    return [source] if not folders or source in folders else sorted(folders, key=natural_key)


def _frames(path: Path, done: set[tuple[Path, int | None]], most: int) -> list[int]:
    labelled = [index for file, index in done if file == path and index is not None]
    damage: list[str] = []
    return [int(index) for index in gather(thumbnails(path, damage), labelled, max(2, most)).indices]


def _doubt(opened: Sequence[Opened], pool: Labels, way: str, cache: ImageCache) -> Float[np.ndarray, " F"] | None:
    if not opened:
        return None
    members, entropies = zip(*(seen_by(one.predictor, pool, cache) for one in opened), strict=True)
    # What several networks say apart from one another is what none of them can know by itself.
    if way == "spread" or (way == "both" and len(opened) > 1):
        return np.array([spread_of(found) for found in zip(*members, strict=True)])
    return np.asarray(np.mean(entropies, axis=0))


def _embedder(
    networks: Sequence[Path], backbone: str, weights: str | Path | None, pretrained: bool, device: str, seed: int
) -> Embedder:
    if networks and weights is None:
        return open_embedder(run=networks[0], device=device)
    file = None if weights is None else Path(weights)
    return open_embedder(backbone, file, pretrained=pretrained, device=device, seed=seed)


def _points(
    embedder: Embedder, pool: Labels, known: Labels | None, seed: int, cache: ImageCache
) -> tuple[Float[np.ndarray, "M Q"], Float[np.ndarray, "L Q"] | None]:
    """What images look like, those to choose from and those labelled already."""

    def images() -> Iterator[np.ndarray]:
        for labels in (pool,) if known is None else (pool, known):
            crops = [Crop(number, frame.images.index(frame.first_image)) for number, frame in enumerate(labels)]
            yield from crop_images(labels, crops, embedder.size, cache)

    points = reduced(embedder(images()), seed)
    return points[: len(pool)], None if known is None else points[len(pool) :]


def _written(chosen: Labels, doubt: np.ndarray, among: int, output: Path, cache: ImageCache) -> LabelNext:
    """Copies of the images, and the files that name them."""
    frames: list[Frame] = []
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(("image", "source", "frame", "doubt"))
    for frame, value in zip(chosen, doubt, strict=True):
        image = frame.images[0]
        folder = Path(IMAGES, image.path.stem if image.index is not None else image.path.parent.name)
        name = image.path.name if image.index is None else f"img{image.index:08d}.png"
        copy = _free_name(folder / name, [one.images[0].path for one in frames])
        if image.index is None:
            atomic_write(output / copy, image.path.read_bytes())
        else:
            write_image(output / copy, cache.read(chosen, image))
        frames.append(replace(frame, images=(ImageRef(copy),), session=folder.name))
        index = "" if image.index is None else image.index
        writer.writerow((copy.as_posix(), image.path, index, "" if np.isnan(value) else f"{value:.6g}"))
    atomic_write(output / LIST_NAME, rows.getvalue())
    made = replace(chosen, frames=tuple(frames), root=output)
    write_labels(made, output / LABELS_NAME, format="coco")
    return LabelNext(chosen, doubt, among, output / LIST_NAME, output / LABELS_NAME, output / IMAGES)


def _free_name(path: Path, used: Sequence[Path]) -> Path:
    """A name that no other of the chosen images has: folders of two clips may be called the same."""
    number, free = 1, path
    while free in used:
        number += 1
        free = path.with_name(f"{path.stem}_{number}{path.suffix}")
    return free
