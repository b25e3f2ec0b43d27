"""Which frames train and which validate, as a file: a table of all of them, or a list of those that validate."""

from __future__ import annotations

import csv
import io
import pickletools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.errors import InputError, nearest
from vitruve.formats.text_file import read_text
from vitruve.structures.labels import Frame, Labels

FILE_NAME = "split.csv"
"""What `vitruve split` calls its table."""

_COLUMNS = ("image", "frame", "split", "group")
_SPLITS = ("train", "validation", "test", "unused")
_HEAD = 1 << 16
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")
_KEPT = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_AGAIN = ("GET", "BINGET", "LONG_BINGET")
_ENDS = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "BUILD", "STOP")


def write_split(labels: Labels, path: Path, groups: Sequence[str] = ()) -> None:
    """Write the split of each frame as a table: ``image``, ``frame`` (its number in a video), ``split``, ``group``.

    Args:
        labels: Frames that all have a split.
        path: The file.
        groups: What is never parted, for each frame; empty where that is not known.

    Raises:
        InputError: It cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for frame, group in zip(labels, groups or [""] * len(labels), strict=True):
        index = frame.first_image.index
        writer.writerow([frame.first_image.path.as_posix(), "" if index is None else index, frame.split, group])
    atomic_write(path, text.getvalue())


def splits_of_file(labels: Labels, path: Path, test: Path | None = None) -> list[str]:
    """The split of each frame, as a file says.

    Images are known by their paths or by the ends of these: those of lists often begin on another machine.

    Args:
        labels: The frames.
        path: A table as :func:`write_split` writes it (``.csv``), or a list of the images that validate: a text file
            with one a line, or numpy's (``.npy``), as OBDB has them. No pickle in it is ever loaded.
        test: A list of those that test.

    Returns:
        One split a frame. With lists, all others train.

    Raises:
        InputError: A file is not there, is of another kind, names an image that could be several, names none of the
            labels', or, being a table, leaves a frame out.
    """
    if path.suffix.lower() == ".csv":
        if test is not None:
            raise InputError(f"{path}: a table says which frames test; leave out the list {test}")
        return _of_table(labels, path)
    names = ["train"] * len(labels)
    for file, split in ((path, "validation"), (test, "test")):
        if file is None:
            continue
        for number in _found(labels, file, _listed(file)):
            if names[number] not in ("train", split):
                raise InputError(f"{file}: {labels[number].name} is in {path}, too; an image is of one split")
            names[number] = split
    return names


def _of_table(labels: Labels, path: Path) -> list[str]:
    rows = list(csv.DictReader(io.StringIO(read_text(path, "a table of splits"))))
    if not rows or not {"image", "split"} <= set(rows[0]):
        raise InputError(f"{path}: has no columns image and split; give {FILE_NAME} as 'vitruve split' writes it")
    known: dict[tuple[str, str], str] = {}
    for line, row in enumerate(rows, 2):
        split = row["split"] or ""
        if split not in _SPLITS:
            raise InputError(f"{path}: line {line}: no split '{split}'{nearest(split, _SPLITS)}; {', '.join(_SPLITS)}")
        known[row["image"].replace("\\", "/"), row.get("frame") or ""] = split
    names = []
    for frame in labels:
        index = frame.first_image.index
        split_of = known.get((frame.first_image.path.as_posix(), "" if index is None else str(index)))
        if split_of is None:
            raise InputError(
                f"{path}: says nothing of {_called(frame)}; make it again with these labels: vitruve split"
            )
        names.append(split_of)
    return names


def _found(labels: Labels, file: Path, wanted: Sequence[str]) -> Iterator[int]:
    """Numbers of the frames that a list names."""
    by_name: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    for number, frame in enumerate(labels):
        parts = _parts(labels.path(frame.first_image).as_posix())
        by_name.setdefault(parts[-1], []).append((number, parts))
    lost = 0
    for name in wanted:
        parts = _parts(name)
        same = by_name.get(parts[-1] if parts else "", [])
        lengths = [_common(parts, theirs) for _, theirs in same]
        most = max(lengths, default=0)
        best = [number for (number, _), length in zip(same, lengths, strict=True) if length == most]
        # A list that starts below another folder shares the end of the path, not all of it.
        if not best or (most == 1 and len(parts) > 1 and len(same) > 1):
            lost += 1
            continue
        if len(best) > 1:
            others = ", ".join(_called(labels[number]) for number in best[:2])
            raise InputError(f"{file}: '{name}' could be {others}; write more of its path")
        yield best[0]
    if lost == len(wanted):
        raise InputError(f"{file}: names none of the {len(labels)} labelled images; give the list of these labels")
    if lost:
        warnings.warn(f"{file}: {lost} of its {len(wanted)} images are not labelled here", stacklevel=3)


def _common(some: Sequence[str], others: Sequence[str]) -> int:
    """How many parts two paths share, from their ends."""
    count = 0
    for a, b in zip(reversed(some), reversed(others), strict=False):
        if a != b:
            break
        count += 1
    return count


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "."))


def _called(frame: Frame) -> str:
    index = frame.first_image.index
    return frame.first_image.path.as_posix() + ("" if index is None else f", frame {index}")


def _listed(file: Path) -> list[str]:
    if file.suffix.lower() == ".npy":
        names = _of_array(file)
    else:
        names = [line.strip() for line in read_text(file, "a list of images, one a line").splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    if not names:
        raise InputError(f"{file}: names no image; write one a line")
    return names


def _of_array(file: Path) -> list[str]:
    """The texts of a numpy array; where they are pickled Python objects, the pickle is taken apart and not run."""
    wanted = "give a one-dimensional array of paths, or a text file with one a line"
    try:
        with file.open("rb") as stream:
            if np.lib.format.read_magic(stream)[0] == 1:
                _, _, kind = np.lib.format.read_array_header_1_0(stream, max_header_size=_HEAD)
            else:
                _, _, kind = np.lib.format.read_array_header_2_0(stream, max_header_size=_HEAD)
            if kind.hasobject:
                return _pickled_texts(stream.read())
        array = np.load(file, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); {wanted}") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{file}: not an array of paths ({str(error).splitlines()[0]}); {wanted}") from error
    if array.dtype.kind not in "US" or array.ndim != 1:
        raise InputError(f"{file}: an array {array.dtype} of shape {array.shape}; {wanted}")
    return [text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in array]


def _pickled_texts(data: bytes) -> list[str]:
    """The texts of the list in a pickled array: the pickle is taken apart, nothing of it is run."""
    memo: dict[int, str | None] = {}
    texts: list[str] | None = None
    last: str | None = None
    for instruction, argument, _ in pickletools.genops(data):
        name = instruction.name
        if name in _TEXTS:
            last = str(argument)
        elif name in _KEPT:
            memo[len(memo) if argument is None else int(str(argument))] = last
            continue
        elif name in _AGAIN:
            last = memo.get(int(str(argument)))
        elif name == "EMPTY_LIST" and texts is None:
            texts, last = [], None
            continue
        elif name in ("MARK", "APPEND", "APPENDS", "FRAME"):
            continue
        else:
            last = None
        if texts is None:
            continue
        if last is None and name in _ENDS:
            return texts
        if last is None:
            raise ValueError(f"its objects are no texts (instruction {name})")
        texts.append(last)
    raise ValueError("its objects are no texts")
