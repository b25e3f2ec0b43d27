"""What ``vitruve split`` writes: the split, the map of what was split, and what leaks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vitruve.atomic import atomic_json, atomic_write
from vitruve.curation.clusters import NEAR
from vitruve.curation.embedding import open_embedder
from vitruve.curation.leakage import worst_pairs
from vitruve.curation.split import Split, SplitPlan, split_labels
from vitruve.curation.tsne_map import Map
from vitruve.data.images import ImageCache
from vitruve.data.sources import without_missing
from vitruve.errors import InputError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.split_file import FILE_NAME, write_split
from vitruve.media.images import write_image
from vitruve.structures.labels import Labels
from vitruve.visualize.map_page import map_atlas, map_dots, map_page, map_pictures
from vitruve.visualize.plots import save_png

MAP_TABLE, MAP_ATLAS = "map.csv", "map_thumbnails.jpg"
"""A map for programs: places, clusters and images of crops, and their pictures as one."""

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class SplitFiles:
    """What ``vitruve split`` made.

    Attributes:
        split: The split.
        files: What was written, by name: ``split``, ``summary``, ``leakage``, ``pairs``, ``page``, ``dots``,
            ``pictures``, ``table``, ``atlas`` and, where asked for, ``labels``.
        lines: What there is to be said, in words.
    """

    split: Split
    files: dict[str, Path]
    lines: tuple[str, ...]


def split(
    labels: str | Path | Labels,
    output: str | Path,
    *,
    method: str = "clusters",
    group: str = "session",
    validation: float = 0.1,
    test: float = 0.0,
    nth: int = 10,
    validation_list: str | Path | None = None,
    test_list: str | Path | None = None,
    near: bool = True,
    clusters: int | None = None,
    cluster_method: str = "kmeans",
    backbone: str = "resnet18",
    weights: str | Path | None = None,
    run: str | Path | None = None,
    pretrained: bool = True,
    most: int = 3000,
    save_labels: str | Path | None = None,
    label_format: str | None = None,
    root: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
) -> SplitFiles:
    """Share labelled frames between training, validation and test, by what they show and with whole groups.

    Args:
        labels: A label file of any known format, or labels.
        output: Folder to write ``split.csv`` to, which ``training.split.file`` takes, with ``split.json``, the map
            (``map.html``, ``map.png``, ``map_pictures.png``) and what leaks (``leakage.csv``, ``leakage.png``).
        method: ``clusters``, ``group``, ``random``, ``every-nth`` or ``list``.
        group: What is never parted: ``session``, ``folder``, ``day``, or a regular expression on the path.
        validation: Share of the frames that validates, 0 to 1.
        test: Share that tests.
        nth: With ``every-nth``, every how many frames one validates.
        validation_list: With ``list``, the images that validate: text, OBDB's ``.npy``, or a ``split.csv``.
        test_list: The images that test.
        near: Frames that are nearly the same are one group, whatever they are called.
        clusters: How many clusters; None for as many as show themselves.
        cluster_method: ``kmeans`` or ``hdbscan``.
        backbone: A timm network that makes points of images.
        weights: A safetensors file with its weights.
        run: A run, whose own network is taken instead.
        pretrained: Take published weights where no file is given; random ones where they cannot be had.
        most: Crops on the map at most.
        save_labels: A label file to write, too, in a format that keeps splits, such as COCO's json.
        label_format: Name of the format of ``labels``; None to recognise it.
        root: Folder that the image paths are relative to; None for that of the label file.
        seed: The same seed gives the same files.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns:
        The split and its files.

    Raises:
        InputError: The labels, an image or a list are not as they should be.
        ConfigError: There are too few groups, a pattern does not fit, or the network does not work.
        RunError: The weights or the run cannot be used.
    """
    plan = SplitPlan(
        method=method,
        group=group,
        validation=validation,
        test=test,
        nth=nth,
        seed=seed,
        near=near,
        validation_list=None if validation_list is None else Path(validation_list),
        test_list=None if test_list is None else Path(test_list),
        cluster_method=cluster_method,
        clusters=clusters,
        most=most,
    )
    where = None if root is None else Path(root)
    given = labels if isinstance(labels, Labels) else read_labels(Path(labels), label_format, where)
    if not len(given):
        raise InputError(f"{given.root if labels is given else labels}: holds no labelled frame; nothing to split")
    if save_labels is not None and Path(save_labels).suffix.lower() != ".json":
        raise InputError(f"{save_labels}: labels with splits are written as COCO's json; name a .json file")
    given = without_missing(given, "error")
    embedder = open_embedder(
        backbone,
        None if weights is None else Path(weights),
        None if run is None else Path(run),
        pretrained=pretrained,
        device=device,
        seed=seed,
    )
    cache = ImageCache(2.0)
    made = split_labels(given, plan, embedder, cache)
    files = _write(made, Path(output), cache)
    if save_labels is not None:
        files["labels"] = Path(save_labels)
        write_labels(made.labels, files["labels"], format="coco")
    return SplitFiles(made, files, _said(made))


def write_map(drawn: Map, output: Path, title: str = "Map") -> dict[str, Path]:
    """Write a map as a page, as dots and as pictures.

    Args:
        drawn: The map.
        output: The folder.
        title: Above the page.

    Returns:
        The files: ``page``, ``dots``, ``pictures``, ``table`` (a row a crop, in the order of its picture in the
        ``atlas``) and ``atlas``.

    Raises:
        InputError: A file cannot be written.
    """
    frames = [drawn.labels[crop.frame] for crop in drawn.crops]
    groups = {
        "split": [frame.split or "" for frame in frames],
        "cluster": [str(number) for number in drawn.clusters],
        "class": drawn.classes,
        "session": [frame.session for frame in frames],
    }
    groups = {name: values for name, values in groups.items() if name == "cluster" or len(set(values)) > 1}
    names = [
        frame.images[crop.view].path.as_posix() + ("" if crop.box is None else f"\n{_place(crop.box)}")
        for frame, crop in zip(frames, drawn.crops, strict=True)
    ]
    about = {
        "Labels": str(drawn.labels.root),
        "Crops": f"{len(drawn.crops)} of {len(drawn.labels)} frames",
        "Clusters": f"{drawn.count} ({drawn.rule})",
        "Network": drawn.origin,
    }
    files = {"page": output / "map.html", "dots": output / "map.png", "pictures": output / "map_pictures.png"}
    files |= {"table": output / MAP_TABLE, "atlas": output / MAP_ATLAS}
    atomic_write(files["page"], map_page(drawn.points, drawn.thumbnails, names, groups, title, about))
    by = "class" if "class" in groups else "cluster"
    save_png(map_dots(drawn.points, groups[by], f"{len(drawn.crops)} crops by {by}"), files["dots"])
    write_image(files["pictures"], map_pictures(drawn.points, drawn.thumbnails))
    write_image(files["atlas"], map_atlas(drawn.thumbnails)[0])
    atomic_write(files["table"], _table(drawn).to_csv(index=False))
    return files


def _write(made: Split, output: Path, cache: ImageCache) -> dict[str, Path]:
    output.mkdir(parents=True, exist_ok=True)
    files = {"split": output / FILE_NAME, "summary": output / "split.json", "leakage": output / "leakage.csv"}
    write_split(made.labels, files["split"], made.groups)
    atomic_json(files["summary"], summary(made))
    atomic_write(files["leakage"], made.leakage.table.to_csv(index=False))
    pairs = worst_pairs(made.labels, made.leakage, cache=cache)
    if pairs is not None:
        files["pairs"] = output / "leakage.png"
        write_image(files["pairs"], pairs)
    return files | write_map(made.map, output, "Split")


def summary(made: Split) -> dict[str, Any]:
    """What is known of a split, as plain values for JSON.

    Args:
        made: The split.

    Returns:
        How it was made, frames and groups of each split, how much of each is of each cluster and class, and what leaks.
    """
    plan, leakage = made.plan, made.leakage
    group_of = pd.DataFrame({"split": [frame.split for frame in made.labels], "group": made.groups})
    parted = int((group_of.groupby("group")["split"].nunique() > 1).sum())
    held = [name for name in _SPLITS[1:] if (group_of["split"] == name).any()]
    return {
        "method": plan.method,
        "group": plan.group,
        "seed": plan.seed,
        "network": made.map.origin,
        "clusters": made.map.count,
        "clusters_rule": made.map.rule,
        "frames": dict(sorted(Counter(group_of["split"]).items())),
        "groups": {name: int(count) for name, count in group_of.groupby("split")["group"].nunique().items()},
        "groups_parted": parted,
        "cluster_shares": made.shares("cluster"),
        "class_shares": made.shares("class"),
        "near_duplicates": f"nearer than {NEAR:.2g} of the median distance of two frames",
        "leakage": {
            name: {
                "near_duplicate_in_train": leakage.share("similar", name),
                "clip_in_train": leakage.share("same_clip", name),
                "median_distance": _middle(leakage.table, name, "distance"),
                "median_frames_apart": _middle(leakage.table, name, "frames_apart"),
            }
            for name in held
        },
    }


def _middle(table: pd.DataFrame, split: str, column: str) -> float | None:
    values = table.loc[table["split"] == split, column].dropna()
    return float(values.median()) if len(values) else None


def _said(made: Split) -> tuple[str, ...]:
    facts = summary(made)
    frames = ", ".join(f"{facts['frames'].get(name, 0)} {name}" for name in _SPLITS if name in facts["frames"])
    lines = [f"{frames}; {len(set(made.groups))} groups, {facts['groups_parted']} parted; {made.map.count} clusters"]
    for name, leak in facts["leakage"].items():
        lines.append(
            f"{name}: {100 * leak['near_duplicate_in_train']:.1f} % of the frames have a near duplicate that trains, "
            f"{100 * leak['clip_in_train']:.1f} % are of a clip that trains"
        )
    return tuple(lines)


def _table(drawn: Map) -> pd.DataFrame:
    """A row for each crop of a map."""
    rows = []
    for crop, (x, y), cluster, name in zip(drawn.crops, drawn.points, drawn.clusters, drawn.classes, strict=True):
        frame = drawn.labels[crop.frame]
        image = frame.images[crop.view]
        box = crop.box or (None,) * 4
        about = (frame.first_image.path.as_posix(), frame.first_image.index, image.path.as_posix(), image.index)
        rows.append((*about, frame.session, frame.split, name, int(cluster), round(x, 5), round(y, 5), *box))
    columns = ("frame", "frame_index", "image", "index", "session", "split", "class", "cluster", "x", "y")
    table = pd.DataFrame(rows, columns=[*columns, "x1", "y1", "x2", "y2"])
    return table.astype({"frame_index": "Int64", "index": "Int64"})


def _place(box: tuple[float, float, float, float]) -> str:
    x1, y1, x2, _ = box
    return f"{x2 - x1:.0f} px at {x1:.0f}, {y1:.0f}"
