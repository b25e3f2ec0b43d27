"""Tables of boxes, cropped copies for other programs, and predictions on such copies brought back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_json, atomic_write
from vitruve.data.crop_settings import CropSettings
from vitruve.data.dataset import checked
from vitruve.errors import InputError
from vitruve.formats.bbox_file import BoxTable, boxes_file, looks_like_boxes, read_boxes, write_boxes
from vitruve.formats.csv_table import looks_like_header, read_csv_table
from vitruve.formats.hdf5_table import is_hdf5, read_hdf5_table
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.keypoint_table import KeypointTable
from vitruve.formats.table import table_frame, write_h5
from vitruve.geometry.affine import Size, area
from vitruve.geometry.boxes import SmoothMethod, boxes_around, centred, edges, fill_gaps
from vitruve.geometry.boxes import smooth_boxes as smooth_in_time
from vitruve.geometry.warp import Warp
from vitruve.inference.locate import TableLocator, anchor_columns, check_length
from vitruve.inference.progress import progress
from vitruve.media.images import read_image, write_image
from vitruve.media.sources import expand_sources
from vitruve.media.video import VideoReader, VideoWriter, is_video
from vitruve.structures.instances import OCCLUDED, apply_matrix
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton


@dataclass(frozen=True)
class BoxesMade:
    """One table of boxes that was written.

    Attributes:
        table: The file.
        boxes: How many rows it has.
        filled: Rows whose box, or its size, comes from the frames around it.
    """

    table: Path
    boxes: int
    filled: int = 0


@dataclass(frozen=True)
class Cropped:
    """One cropped copy.

    Attributes:
        output: The video, or the folder of the images.
        table: Its boxes, in pixels of the original.
        images: How many frames or images were written.
        size: Their width and height.
    """

    output: Path
    table: Path
    images: int
    size: Size


def create_boxes(
    sources: Sequence[Path], settings: CropSettings, output: Path | None, aspect: float
) -> list[BoxesMade]:
    """Put boxes around keypoints; see :func:`vitruve.cropping.create_boxes`.

    Args:
        sources: Tables of predictions, label files, folders of them.
        settings: How large boxes are.
        output: Folder of the tables; None for beside each source.
        aspect: Width over height.

    Returns:
        What was written.
    """
    made = []
    for source in _tables(sources):
        table = _read_keypoints(source)
        columns = anchor_columns(settings, Skeleton.from_names(table.names))
        count = len(table.index)
        points = table.keypoints[:, :, columns].reshape(count, -1, 2)
        scores = None if table.scores is None else table.scores[:, :, columns].reshape(count, -1)
        found = boxes_around(points, scores, settings.rule(aspect))
        known = ~np.isnan(found)
        if not known.all(1).any():
            raise InputError(
                f"{source}: in no frame are there two anchors of likelihood {settings.threshold:g} or more; lower the "
                "threshold, or name other anchors"
            )
        if isinstance(table.index[0], int):
            if table.index != tuple(range(count)):
                raise InputError(f"{source}: its rows are not the frames 0, 1, 2 and so on; a box is needed in each")
            boxes = fill_gaps(found)
        else:
            empty = np.flatnonzero(~known[:, 0])
            if len(empty):
                raise InputError(
                    f"{source}: {table.places[empty[0]]}: no anchor counts in image '{table.index[empty[0]]}'; label "
                    "it, or leave its row out"
                )
            # Images need not follow one another in time: what stands beside a row says nothing about it.
            boxes = np.where(known, found, np.nanmedian(found, 0))
        target = (output or source.parent) / boxes_file(source.stem)
        write_boxes(target, table.index, edges(boxes))
        made.append(BoxesMade(target, count, int((~known).any(1).sum())))
    return made


def smooth_boxes(
    sources: Sequence[Path], output: Path, method: SmoothMethod, window: int, one_size: bool
) -> list[BoxesMade]:
    """Smooth tables of boxes over time; see :func:`vitruve.cropping.smooth_boxes`.

    Args:
        sources: Tables of boxes, folders of them.
        output: Folder of the smoothed tables.
        method: How.
        window: Frames.
        one_size: Give all boxes of a table the median size.

    Returns:
        What was written.
    """
    if window < 1 or window % 2 == 0:
        raise InputError(f"--window {window}: must be an odd number of frames, at least 1")
    tables = []
    for source in _box_tables(sources):
        table = read_boxes(source)
        if not table.numbered:
            raise InputError(f"{source}: names images; only the boxes of a video, one row a frame, follow one another")
        tables.append(table)
    made = []
    for table in tables:
        target = output / table.source.name
        write_boxes(target, table.names, edges(smooth_in_time(centred(table.edges), method, window, one_size=one_size)))
        made.append(BoxesMade(target, len(table.edges)))
    return made


def crop(sources: Sequence[Path], boxes: Path, output: Path, size: Size | None) -> list[Cropped]:
    """Write cropped copies of videos, images or labelled images; see :func:`vitruve.cropping.crop`.

    Args:
        sources: Videos, folders of them, label files.
        boxes: A table of boxes, or a folder of them.
        output: Folder of the copies.
        size: Width and height of all copies; None for the median size of the boxes.

    Returns:
        What was written.
    """
    made = []
    for source in sources:
        if source.is_file() and not is_video(source):
            made.append(_crop_labels(source, boxes, output, size))
            continue
        for video in expand_sources([source]):
            if not is_video(video):
                raise InputError(f"{video}: is an image; give videos, or the label file of images")
            made.append(_crop_video(video, TableLocator(boxes).of_video(video), output, size))
    return made


def remap(sources: Sequence[Path], boxes: Path, output: Path, size: Size | None) -> list[Path]:
    """Bring predictions on cropped copies back to the pixels of the originals; see :func:`vitruve.cropping.remap`.

    Args:
        sources: Tables of predictions.
        boxes: A table of boxes, or a folder of them.
        output: Folder of the new tables.
        size: Width and height of the cropped copies; None as recorded beside the boxes.

    Returns:
        The new tables.
    """
    written = []
    for source in _tables(sources):
        table = _read_keypoints(source)
        numbered = isinstance(table.index[0], int)
        place = boxes if boxes.is_file() else boxes / boxes_file(source.stem)
        if not place.is_file() and not numbered and boxes.is_dir():
            place = boxes / "bbox.csv"
        found = read_boxes(place)
        chosen = _rows_of(found, table)
        width, height = size or _recorded_size(found, chosen)
        matrices = np.stack([np.linalg.inv(area((0, 0), (width, height), tuple(box))) for box in chosen.tolist()])
        moved = apply_matrix(matrices, table.keypoints)
        target = output / (source.stem + ".csv")
        if output.resolve() == source.parent.resolve():
            raise InputError(f"{source}: would be replaced by its remapped self; give another --output")
        frame = table_frame(
            replace(table, keypoints=moved),
            likelihood=table.scores is not None,
            split=table.splits is not None,
            visible=bool((table.visible == OCCLUDED).any()),
        )
        atomic_write(target, frame.to_csv(float_format="%.4f"))
        if is_hdf5(source):
            write_h5(target, target.with_suffix(source.suffix))
        written.append(target)
    return written


def _tables(sources: Sequence[Path]) -> list[Path]:
    """Tables of keypoints; those of a folder are the files in it that look like one."""
    found: list[Path] = []
    for source in sources:
        if not source.is_dir():
            found.append(source)
            continue
        inside = [path for path in sorted(source.iterdir()) if looks_like_header(path) or _is_lone_hdf5(path)]
        if not inside:
            raise InputError(f"{source}: holds no table of keypoints; give CSV or HDF5 files of predictions")
        found += inside
    return list(dict.fromkeys(found))


def _is_lone_hdf5(path: Path) -> bool:
    return path.suffix.lower() in (".h5", ".hdf5") and is_hdf5(path) and not path.with_suffix(".csv").is_file()


def _box_tables(sources: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        inside = [source] if not source.is_dir() else [p for p in sorted(source.iterdir()) if looks_like_boxes(p)]
        if not inside:
            raise InputError(f"{source}: holds no table of boxes; 'vitruve create-bbox' makes them")
        found += inside
    return list(dict.fromkeys(found))


def _read_keypoints(source: Path) -> KeypointTable:
    if not source.is_file():
        raise InputError(f"{source}: no such file; give a table of predictions or a label file")
    return read_hdf5_table(source) if is_hdf5(source) else read_csv_table(source)


def _rows_of(boxes: BoxTable, table: KeypointTable) -> np.ndarray:
    """The box of each row of a table of keypoints."""
    if not isinstance(table.index[0], int):
        return np.stack([boxes.of_image(str(name)) for name in table.index])
    check_length(boxes, Path(table.source), len(table.index))
    return boxes.edges


def _recorded_size(boxes: BoxTable, chosen: np.ndarray) -> Size:
    """The size of the cropped copies: as :func:`crop` has recorded it, or that of the boxes, where all have one."""
    record = _record(boxes.source)
    if record.is_file():
        try:
            width, height = json.loads(record.read_text(encoding="utf-8"))["crop_size"]
            return int(width), int(height)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{record}: does not say the size of the copies ({error}); give --size WxH") from error
    sizes = chosen[:, 2:] - chosen[:, :2]
    if not np.allclose(sizes, sizes[0], atol=1e-3):
        raise InputError(
            f"{boxes.source}: its boxes differ in size, so the copies were scaled; give --size WxH, that of the copies"
        )
    return round(sizes[0, 0]), round(sizes[0, 1])


def _record(boxes: Path) -> Path:
    return boxes.with_suffix(".json")


def _copy_size(found: np.ndarray, size: Size | None) -> Size:
    if size is not None:
        return size
    width, height = np.median(found[:, 2:] - found[:, :2], 0)
    # Even, as the colours of videos need it.
    return max(2, 2 * round(width / 2)), max(2, 2 * round(height / 2))


def _crop_video(video: Path, boxes: BoxTable, output: Path, size: Size | None) -> Cropped:
    size = _copy_size(boxes.edges, size)
    target = output / f"{video.stem}.mp4"
    _refuse_self(target, video)
    # CRF 12: what is cropped is mostly to be predicted, and labels of it to be learned from.
    with (
        VideoReader(video) as reader,
        VideoWriter(target, reader.fps, (size[0], size[1]), crf=12, times=reader.uneven_times()) as writer,
        progress(f"cropping {video.name}", len(boxes.edges)) as advance,
    ):
        count = 0
        for image, box in zip(reader.frames(), boxes.edges.tolist(), strict=True):
            writer.write(Warp(area(image.shape[1::-1], size, tuple(box)), size).image(image))
            count += 1
            advance(1)
    table = _write_record(output / boxes_file(video.stem), boxes.names, boxes.edges, size)
    return Cropped(target, table, count, size)


def _crop_labels(source: Path, boxes: Path, output: Path, size: Size | None) -> Cropped:
    labels = checked(read_labels(source))
    if any(len(frame.images) > 1 or frame.images[0].index is not None for frame in labels):
        raise InputError(f"{source}: labels several views or frames of videos; give one label file of images")
    labels = TableLocator(boxes).boxed(labels)
    found = np.array([frame.images[0].box for frame in labels])
    size = _copy_size(found, size)
    frames, names = [], []
    for frame in labels:
        image = frame.images[0]
        name = image.path if not image.path.is_absolute() else Path(image.path.name)
        _refuse_self(output / name, labels.path(image))
        pixels = read_image(labels.path(image))
        warp = Warp(area(pixels.shape[1::-1], size, image.box), size)
        write_image(output / name, warp.image(pixels))
        names.append(name.as_posix())
        instances = frame.instances.transformed(warp.matrix)
        frames.append(replace(frame, images=(replace(image, path=name, size=size, box=None),), instances=instances))
    write_labels(Labels(labels.skeleton, tuple(frames), output, scorer=labels.scorer), output / f"{source.stem}.csv")
    table = _write_record(output / "bbox.csv", names, found, size)
    return Cropped(output, table, len(frames), size)


def _write_record(table: Path, names: Sequence[str], found: np.ndarray, size: Size) -> Path:
    write_boxes(table, names, found)
    atomic_json(_record(table), {"crop_size": list(size)})
    return table


def _refuse_self(target: Path, source: Path) -> None:
    if target.resolve() == source.resolve():
        raise InputError(f"{target}: the copy would replace its original; give another --output")
