"""``test_model.py``: how well a trained network finds each class, in OBDB's files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from vitruve import api
from vitruve.atomic import atomic_files
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError, InputError
from vitruve.evaluation.boxes_grid import score_grid
from vitruve.evaluation.boxes_page import metric_files, precision_json, precision_name
from vitruve.evaluation.boxes_report import OBDB_IOU, BoxReport
from vitruve.evaluation.boxes_voc import voc_average_precision
from vitruve.evaluation.oks import instance_boxes, instance_classes, instance_scores
from vitruve.media.images import write_image
from vitruve.tuning.obdb_settings import DRAWN_FROM, THRESHOLDS, read_obdb_settings
from vitruve.visualize.boxes import draw_boxes

_LABELLED, _PREDICTED = (0, 0, 255), (255, 0, 0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program.

    Args:
        arguments: Of the command line; None for those of this process.

    Raises:
        VitruveError: The settings, the run or the labels are not as they should be.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-f", "--file", default="settings_file.json", type=Path, help="settings, as JSON")
    parser.add_argument("-m", "--model", type=Path, help="folder of a run; by default that of the first variant")
    parser.add_argument("-p", "--pickle", type=Path, help="label file, no pickle; else the run's own")
    parser.add_argument("-s", "--save_path", type=Path, help="folder for the files; by default the one the run is in")
    parser.add_argument("-l", "--limited", nargs="?", const=True, default=False, type=_truth, help="a coarser grid")
    parser.add_argument("-i", "--images", nargs="?", const=True, default=False, type=_truth, help="draw every image")
    parser.add_argument("--iou", default=OBDB_IOU, type=float, help="intersection over union of the average precision")
    given = parser.parse_args(arguments)
    if given.pickle is not None and given.pickle.suffix in (".pkl", ".pickle"):
        raise InputError(f"{given.pickle}: a pickle can run any code, so none is read; give a label file")
    if not 0 < given.iou <= 1:
        raise ConfigError(f"--iou {given.iou:g}: must be above 0 and at most 1")
    thresholds, least, run = _settings(given.file, given.model)
    save = given.save_path or run.resolve().parent
    ending = "_small" if given.limited else ""
    confidences, ious = (thresholds[f"metrics_{name}_range{ending}"] for name in ("confidence", "iou"))
    report = api.evaluate(run, labels=given.pickle, output=save / "evaluation").report
    if not isinstance(report, BoxReport):
        raise InputError(f"{run}: finds no boxes; give the run of a detector")
    write_metrics(report, save, confidences, ious, given.iou)
    if given.images:
        write_overlays(report, save / "images", least)


def write_metrics(
    report: BoxReport, folder: Path, confidences: Sequence[float], ious: Sequence[float], iou: float = OBDB_IOU
) -> list[Path]:
    """Write ``class_metrics.json`` with its pictures and ``AveragePrecision_<date>.json``; print the latter.

    Args:
        report: Of a detector; its frames that were not learned from are measured.
        folder: Where to.
        confidences: Thresholds of the grid.
        ious: Thresholds of the grid.
        iou: From which intersection over union a prediction is right for the average precision.

    Returns:
        The files.

    Raises:
        InputError: A file cannot be written.
    """
    images, names = report.unseen_images, report.names
    table = voc_average_precision(images, len(names), iou).table
    for name, objects, figure in zip(names, table["objects"], table["AP"], strict=True):
        print(f"{name}: {objects} labelled, average precision at an IoU of {iou:g}: {figure:.3f}")
    content = metric_files(score_grid(images, len(names), confidences, ious), names)
    figures = dict(zip(names, table["AP"].tolist(), strict=True))
    content[precision_name(datetime.now().astimezone())] = precision_json(figures)
    return list(atomic_files(folder, content).values())


def write_overlays(report: BoxReport, folder: Path, least: float) -> list[Path]:
    """Draw labels in blue and predictions in red.

    Args:
        report: Of a detector.
        folder: Where ``<number>_<image>.png`` go.
        least: Least score that is drawn, 0 to 1.

    Returns:
        The files.

    Raises:
        InputError: An image cannot be read or written.
    """
    cache, files = ImageCache(0), []
    for number, (truth, found) in enumerate(report.pairs):
        image = cache.read(report.truth, truth.first_image)
        for frame, color in ((truth, _LABELLED), (found, _PREDICTED)):
            each = frame.instances[0]
            scores = None if frame is truth else instance_scores(each)
            boxes, classes = instance_boxes(each), instance_classes(each)
            image = draw_boxes(image, boxes, classes, report.names, scores, least, color=color)
        files.append(folder / f"{number:05d}_{truth.first_image.path.stem}.png")
        write_image(files[-1], image)
    return files


def _settings(file: Path, model: Path | None) -> tuple[Mapping[str, tuple[float, ...]], float, Path]:
    """The thresholds, the least score that is drawn, and the run."""
    if not file.is_file():
        if model is None:
            raise ConfigError(f"{file}: no such file; give the settings of OBDB with -f, or a run with -m")
        return THRESHOLDS, DRAWN_FROM, model
    known = read_obdb_settings(file)
    run = model or known.save_dir.parent / f"{known.variants[0].name}_model"
    return known.thresholds, known.drawn_from, run


def _truth(text: str) -> bool:
    """OBDB's flags take a word; there, any word was true."""
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"'{text}' must be True or False")
    return known[text.lower()]
