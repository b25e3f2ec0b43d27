"""Lightning Pose's CSV: one animal, three header rows, one file a view; its predictions look the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.csv_table import looks_like_header, read_csv_header, read_csv_table
from vitruve.formats.keypoint_table import LABELED_DATA, table_labels
from vitruve.structures.labels import Labels

NAME = "lightning_pose"
DESCRIPTION = "Lightning Pose CSV: one animal an image, one file a view; labels and predictions"
SUFFIXES = (".csv",)
KEEPS = frozenset({"fractions", "occluded", "occluded without coordinates", "keypoint scores", "splits", "views"})
_STEM = "CollectedData"


def sniff(path: Path) -> bool:
    """Whether a path is a CSV file with this header, or a folder with ``CollectedData.csv``.

    A file inside ``labeled-data/`` or with the image name in three columns is DeepLabCut's.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    if path.is_dir():
        return bool(label_files_in(path))
    header = looks_like_header(path)
    return header is not None and header.rows < 4 and header.index_width == 1 and not _in_labeled_data(path)


def read(
    path: Path | Sequence[Path],
    *,
    root: Path | None = None,
    view_names: Sequence[str] = (),
    video: Path | None = None,
) -> Labels:
    """Labels or predictions of single animals.

    The optional third column of a keypoint is ``visible`` (0 unlabelled, 1 occluded, 2 visible) or
    ``likelihood``; a last column ``set`` holds the split. An index of whole numbers counts the frames of a
    video.

    Args:
        path: The file; one file a view; or a folder with ``CollectedData.csv`` or
            ``CollectedData_<view>.csv``.
        root: The folder that image names start from; the folder of the (first) file by default.
        view_names: One name a file; taken from the file names by default.
        video: The video that an index of whole numbers counts.

    Returns:
        The labels.

    Raises:
        InputError: A file is not as it should be; the message names the row.
    """
    paths = _paths(path)
    for item in paths:
        if read_csv_header(item).rows == 4:
            raise InputError(f"{item}: row 2: has individuals, which one-animal labels have not; read it as deeplabcut")
    tables = [read_csv_table(item) for item in paths]
    names = tuple(view_names) or (_views([item.stem for item in paths]) if len(paths) > 1 else ())
    if names and len(names) != len(paths):
        raise InputError(f"{paths[0]}: {len(names)} view names ({', '.join(names)}) for {len(paths)} files")
    return table_labels(tables, paths[0].parent if root is None else root, names, video)


def write(labels: Labels, path: Path) -> None:
    """Write labels or predictions, one file a view.

    The column ``visible`` is written where a keypoint is occluded, ``likelihood`` where there are
    confidences, and ``set`` where frames are assigned to splits. Image names are written as they are.

    Args:
        labels: At least one frame, at most one instance an image.
        path: The file, or a folder for ``CollectedData.csv`` in it; with several views ``_<view>`` is added.

    Raises:
        InputError: A frame holds several instances, or there is no frame.
    """
    from vitruve.formats.table import to_frame

    target = path if path.suffix.lower() in SUFFIXES else path / f"{_STEM}.csv"
    parts = [frame.instances for frame in labels.frames]
    likelihood = any(part.keypoint_scores is not None for part in parts)
    visible = any(bool((part.visible == 1).any()) for part in parts)
    split = any(frame.split for frame in labels.frames)
    texts = {}
    for view, name in enumerate(labels.view_names or ("",)):
        table = to_frame(labels, likelihood, split, visible=visible, view=view)
        file = target.with_name(f"{target.stem}_{name}.csv") if len(labels.view_names) > 1 else target
        texts[file] = table.to_csv(lineterminator="\n")
    for file, text in texts.items():
        atomic_write(file, text)


def _paths(path: Path | Sequence[Path]) -> list[Path]:
    if not isinstance(path, Path):
        if not path:
            raise InputError("no label file given; give one CSV file a view")
        return [Path(item) for item in path]
    if not path.is_dir():
        return [path]
    found = label_files_in(path)
    if not found:
        raise InputError(f"{path}: no {_STEM}.csv in this folder; name the label file")
    return found


def label_files_in(folder: Path) -> list[Path]:
    """The label files of a project folder: ``CollectedData.csv``, or one ``CollectedData_<view>.csv`` a view.

    Args:
        folder: The folder.

    Returns:
        The files; none where there is no such file.
    """
    single = folder / f"{_STEM}.csv"
    if single.is_file():
        return [single]
    # Lightning Pose writes labels of a second, unseen session to a file that ends in _new beside the first.
    return [file for file in sorted(folder.glob(f"{_STEM}_*.csv")) if not file.stem.endswith("_new")]


def _in_labeled_data(path: Path) -> bool:
    return path.resolve().parent.parent.name == LABELED_DATA


def _views(stems: list[str]) -> tuple[str, ...]:
    names = tuple(stem.rsplit("_", 1)[-1] for stem in stems)
    return names if len(set(names)) == len(names) else tuple(stems)
