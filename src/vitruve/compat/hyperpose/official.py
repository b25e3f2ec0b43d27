"""COCO and MPII as HyperPose's data set objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.compat.hyperpose.anatomy import as_rows
from vitruve.compat.hyperpose.base_dataset import Base_dataset
from vitruve.compat.hyperpose.metas import CocoMeta, MPIIMeta, image_number
from vitruve.compat.hyperpose.targets import target_of
from vitruve.errors import InputError
from vitruve.evaluation.oks import average_precision
from vitruve.evaluation.pckh import head_relative
from vitruve.formats import coco, coco_results, coco_writer, mpii
from vitruve.formats.image_layout import image_folder
from vitruve.formats.json_file import read_json
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels

ALGORITHM = "hyperpose"
"""What stands for the algorithm in the names of result files."""
SERVER = "https://codalab.lisn.upsaclay.fr/competitions/12061"

_Meta = TypeVar("_Meta")


class MSCOCO_dataset(Base_dataset):
    """COCO's keypoints, 2014 or 2017; arguments as for the class it derives from."""

    @property
    def home(self) -> Path:
        """The folder that holds ``annotations/``: the given one, or ``mscoco<version>`` in it.

        Raises:
            InputError: There is none.
        """
        root, version = self.config.data.dataset_path, self.config.data.dataset_version
        places = [root / f"mscoco{version}", root / f"coco{version}", root / "mscoco", root / "coco", root]
        found = next((place for place in places if (place / "annotations").is_dir()), None)
        if found is None:
            raise InputError(
                f"{root}: no COCO here; unpack its archives so that there is {places[0]}/annotations/"
                f"person_keypoints_train{version}.json, or name the folder by Config.set_dataset_path"
            )
        return found

    def prepare_dataset(self) -> None:
        """Make sure that the data set is there; it is not downloaded."""
        _ = self.home

    def labels(self, part: str) -> Labels:
        """The labels of ``train`` or ``val``, as the filter leaves them."""
        return self._train if part == "train" else self._val

    def generate_train_data(self) -> tuple[list[str], list[dict[str, Any]]]:
        """Images in which somebody has keypoints, with their targets."""
        return _paths(self._train), [target_of(frame) for frame in self._train]

    def generate_eval_data(self) -> tuple[list[str], list[Any]]:
        """All validation images, also those without people, with COCO's numbers."""
        return _paths(self._val), [frame.id for frame in self._val]

    def generate_test_data(self) -> tuple[list[str], list[Any]]:
        """The images of ``image_info_test-dev<version>.json``, with COCO's numbers.

        Raises:
            InputError: The file is not there, or is no such list.
        """
        file = self._test_file
        entries = read_json(file).get("images")
        if not isinstance(entries, list) or not all(isinstance(each, dict) and "id" in each for each in entries):
            raise InputError(f"{file}: images: must list file_name and id of each; give COCO's file")
        names = [str(each["file_name"]) for each in entries]
        folder = image_folder(file, names, self.home)
        metas = [
            CocoMeta(
                int(each["id"]), str(folder / name), int(each.get("height", 0)), int(each.get("width", 0)), [], [],
                False, [],
            )
            for each, name in zip(entries, names, strict=True)
        ]  # fmt: skip
        kept = filtered(metas, lambda meta: meta, self.config.data.dataset_filter, file)
        return [meta.img_url for meta in kept], [meta.image_id for meta in kept]

    def official_eval(
        self, pd_anns: Any, eval_dir: str | Path = "./eval_dir", image_ids: Any = None
    ) -> dict[str, float]:
        """COCO's average precision and recall.

        Args:
            pd_anns: Rows of ``image_id``, ``keypoints`` (51 numbers) and ``score``, or ``{"annotations": rows}``.
            eval_dir: Where ``gt_ann.json`` and the result file go.
            image_ids: The images that were looked at; all validation images by default. One without a row is one in
                which nobody was found.

        Returns:
            ``AP``, ``AP50``, ..., ``ARl``.

        Raises:
            InputError: A row is of another image, or has other keypoints.
        """
        truth = restricted(self._val, image_ids)
        found = self._predictions(pd_anns, truth, "official_eval")
        folder = Path(eval_dir)
        folder.mkdir(parents=True, exist_ok=True)
        coco_writer.write_file(truth, folder / "gt_ann.json")
        coco_results.write_results(found, folder / self._result_name("val"))
        pairs = ((t.instances[0], p.instances[0]) for t, p in zip(truth, found, strict=True))
        summary = average_precision(pairs, self.skeleton.oks_sigmas).summary
        print(f"COCO keypoints on {len(truth)} images: " + show(summary))
        return summary

    def official_test(self, pd_anns: Any, test_dir: str | Path = "./test_dir", image_ids: Any = None) -> Path:
        """Write the file that COCO's server takes, and say where that is.

        Args:
            pd_anns: As for :meth:`official_eval`.
            test_dir: Where the file goes.
            image_ids: The images that were looked at; not needed.

        Returns:
            The file.
        """
        numbers = dict.fromkeys(int(row["image_id"]) for row in _rows(pd_anns))
        if image_ids is not None:
            numbers = dict.fromkeys([*(int(number) for number in image_ids), *numbers])
        blank = [_blank(number, len(self.skeleton)) for number in numbers]
        found = self._predictions(pd_anns, Labels(self.skeleton, tuple(blank), categories=("person",)), "official_test")
        path = Path(test_dir) / self._result_name("test-dev")
        path.parent.mkdir(parents=True, exist_ok=True)
        coco_results.write_results(found, path)
        print(f"{path}: pack it as a zip file of the same name and hand it in at {SERVER}")
        return path

    def _result_name(self, part: str) -> str:
        return coco_results.results_name(f"{part}{self.config.data.dataset_version}", ALGORITHM)

    def _predictions(self, pd_anns: Any, truth: Labels, where: str) -> Labels:
        return predicted(_rows(pd_anns), truth, {frame.id: n for n, frame in enumerate(truth)}, where)

    @cached_property
    def _train(self) -> Labels:
        labels = self._read("train")
        with_people = labels[np.array([bool((frame.instances.visible > 0).any()) for frame in labels])]
        return self._filtered(with_people, "train")

    @cached_property
    def _val(self) -> Labels:
        return self._filtered(self._read("val"), "val")

    @property
    def _test_file(self) -> Path:
        version = self.config.data.dataset_version
        file = self.home / "annotations" / f"image_info_test-dev{version}.json"
        if not file.is_file():
            raise InputError(f"{file}: not there; COCO's archive image_info_test{version}.zip has it")
        return file

    def _read(self, part: str) -> Labels:
        file = self.home / "annotations" / f"person_keypoints_{part}{self.config.data.dataset_version}.json"
        if not file.is_file():
            raise InputError(f"{file}: not there; COCO's archive of annotations has it")
        labels = coco.read(file)
        if labels.skeleton.names != self.skeleton.names:
            raise InputError(f"{file}: its keypoints are not COCO's 17; read it as a data set of your own (USERDEF)")
        return labels

    def _filtered(self, labels: Labels, part: str) -> Labels:
        frames = filtered(
            labels.frames, lambda frame: CocoMeta.of(labels, frame), self.config.data.dataset_filter, f"COCO {part}"
        )
        return replace(labels, frames=tuple(frames))


class MPII_dataset(Base_dataset):
    """MPII Human Pose; arguments as for the class it derives from."""

    @property
    def file(self) -> Path:
        """MPII's own ``.mat``, somewhere in the folder or its ``mpii``.

        Raises:
            InputError: There is none.
        """
        root = self.config.data.dataset_path
        for place in (root / "mpii", root):
            found = sorted(file for file in place.glob("**/*.mat") if mpii.sniff(file)) if place.is_dir() else []
            if found:
                return found[0]
        raise InputError(
            f"{root}: no mpii_human_pose_v1_u12_1.mat here; unpack MPII's archives into {root / 'mpii'}, or name the "
            "folder by Config.set_dataset_path"
        )

    def prepare_dataset(self) -> None:
        """Make sure that the data set is there; it is not downloaded."""
        _ = self.file

    def labels(self, part: str) -> Labels:
        """The labels of ``train`` or ``val``, as the filter leaves them."""
        labels = self._labels.split("train" if part == "train" else "validation")
        frames = filtered(
            labels.frames,
            lambda frame: MPIIMeta.of(labels.path(frame.first_image), self._images[frame.id or 0]),
            self.config.data.dataset_filter,
            f"MPII {part}",
        )
        return replace(labels, frames=tuple(frames))

    def generate_train_data(self) -> tuple[list[str], list[dict[str, Any]]]:
        """The images of the training split, with their targets."""
        labels = self.labels("train")
        return _paths(labels), [target_of(frame) for frame in labels]

    def generate_eval_data(self) -> tuple[list[str], list[Any]]:
        """The images of the validation split, with the numbers that their files are named by."""
        labels = self.labels("val")
        return _paths(labels), [image_number(frame.first_image.path) for frame in labels]

    def generate_test_data(self) -> tuple[list[str], list[Any]]:
        """MPII's test images, with the numbers that their files are named by."""
        images = [image for image in self._images if not image.train]
        folder = image_folder(self.file, [image.name for image in images], self.file.parent)
        metas = [MPIIMeta.of(folder / image.name, image) for image in images]
        kept = filtered(metas, lambda meta: meta, self.config.data.dataset_filter, "MPII test")
        return [meta.image_path for meta in kept], [meta.image_id for meta in kept]

    def official_eval(
        self, pd_anns: Any, eval_dir: str | Path = "./eval_dir", image_ids: Any = None
    ) -> dict[str, float]:
        """PCKh with the official size of heads, and average precision under it.

        Args:
            pd_anns: Rows of ``image_id``, ``keypoints`` (48 numbers) and ``score``, or ``{"annotations": rows}``.
            eval_dir: Where ``gt_ann.json`` and ``result.json`` go.
            image_ids: The images that were looked at; all validation images by default.

        Returns:
            ``Head``, ``Shoulder``, ..., ``Mean``, ``Mean@0.1``, ``mAP``.
        """
        labels = self.labels("val")
        numbers = [image_number(frame.first_image.path) for frame in labels]
        wanted = None if image_ids is None else {int(number) for number in image_ids}
        keep = [n for n, number in enumerate(numbers) if wanted is None or number in wanted]
        truth = labels[keep]
        places = {numbers[n]: place for place, n in enumerate(keep)}
        found = predicted(_rows(pd_anns), truth, places, "official_eval")
        pairs = ((t.instances[0], p.instances[0]) for t, p in zip(truth, found, strict=True))
        summary = head_relative(pairs, truth.skeleton.names).summary
        folder = Path(eval_dir)
        folder.mkdir(parents=True, exist_ok=True)
        coco_writer.write_file(truth, folder / "gt_ann.json")
        plain = {name: value if np.isfinite(value) else None for name, value in summary.items()}
        atomic_write(folder / "result.json", json.dumps(plain, indent=1) + "\n")
        print(f"MPII PCKh on {len(truth)} images: " + show(summary))
        return summary

    def official_test(self, pd_anns: Any, test_dir: str | Path = "./test_dir", image_ids: Any = None) -> Path:
        """Write predictions on test images; MPII evaluates them by hand.

        Args:
            pd_anns: As for :meth:`official_eval`.
            test_dir: Where ``result.json`` goes.
            image_ids: The images that were looked at; not needed.

        Returns:
            The file.
        """
        path = Path(test_dir) / "result.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [{**row, "keypoints": np.ravel(row["keypoints"]).tolist()} for row in _rows(pd_anns)]
        atomic_write(path, json.dumps(rows) + "\n")
        print(f"{path}: MPII's authors evaluate test predictions on request (human-pose.mpi-inf.mpg.de)")
        return path

    @cached_property
    def _labels(self) -> Labels:
        return mpii.read(self.file)

    @cached_property
    def _images(self) -> Sequence[mpii.Image]:
        return mpii.read_images(self.file)


def filtered(
    items: Iterable[_Meta], meta: Callable[[_Meta], Any], keep: Callable[[Any], bool] | None, where: Any
) -> list[_Meta]:
    """The images that the user's filter keeps.

    Args:
        items: All.
        meta: Makes of each what the filter looks at.
        keep: The filter, or None.
        where: Names the images.

    Returns:
        Those that are kept.

    Raises:
        InputError: None is.
    """
    every = list(items)
    if keep is None:
        return every
    kept = [item for item in every if keep(meta(item))]
    if every and not kept:
        name = getattr(keep, "__name__", type(keep).__name__)
        raise InputError(f"Config.set_dataset_filter: {name} keeps none of the {len(every)} images of {where}")
    return kept


def restricted(labels: Labels, image_ids: Any) -> Labels:
    """The frames of some numbers; all of them without."""
    if image_ids is None:
        return labels
    wanted = {int(number) for number in image_ids}
    return labels[[n for n, frame in enumerate(labels) if frame.id in wanted]]


def predicted(rows: Sequence[Mapping[str, Any]], truth: Labels, places: Mapping[Any, int], where: str) -> Labels:
    """Rows of HyperPose's kind as predictions of the frames they are of.

    Args:
        rows: ``image_id``, ``keypoints`` and ``score`` each.
        truth: The frames.
        places: The frame of each number.
        where: Names the call.

    Returns:
        As many frames.

    Raises:
        InputError: A row is of no such image, or has other keypoints.
    """
    count = len(truth.skeleton)
    people: dict[int, list[tuple[np.ndarray, float]]] = {}
    for number, row in enumerate(rows):
        if row.get("image_id") not in places:
            raise InputError(f"{where}: row {number}: image_id {row.get('image_id')} is none of the images")
        try:
            values = as_rows(row["keypoints"])
        except (KeyError, ValueError) as error:
            raise InputError(f"{where}: row {number}: keypoints: {error}") from error
        if len(values) != count:
            raise InputError(f"{where}: row {number}: {len(values)} keypoints; the data set has {count}")
        people.setdefault(places[row["image_id"]], []).append((values, float(row.get("score", 1.0))))
    return replace(truth, frames=tuple(_found(frame, people.get(n, ()), count) for n, frame in enumerate(truth)))


def show(summary: Mapping[str, float]) -> str:
    """Numbers by name in one line."""
    return ", ".join(f"{name} {value:.3f}" for name, value in summary.items())


def _found(frame: Frame, people: Sequence[tuple[np.ndarray, float]], count: int) -> Frame:
    order = sorted(people, key=lambda item: -item[1])
    values = np.array([rows for rows, _ in order]).reshape(1, len(order), count, 3)
    points = np.where(values[..., 2:] > 0, values[..., :2], np.nan)
    scores = np.array([[score for _, score in order]]).reshape(1, len(order))
    likelihood = np.clip(values[..., 2], 0, 1)
    return replace(frame, instances=Instances.from_keypoints(points, keypoint_scores=likelihood, scores=scores))


def _blank(number: int, count: int) -> Frame:
    from vitruve.structures.labels import ImageRef

    return Frame((ImageRef(Path(f"{number:012d}.jpg")),), Instances.empty(count), id=number)


def _rows(pd_anns: Any) -> list[Mapping[str, Any]]:
    return list(pd_anns["annotations"] if isinstance(pd_anns, Mapping) else pd_anns)


def _paths(labels: Labels) -> list[str]:
    return [str(labels.path(frame.first_image)) for frame in labels]
