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
from vitruve.compat.hyperpose.custom import lacking
from vitruve.compat.hyperpose.metas import CocoMeta, MPIIMeta, image_number
from vitruve.compat.hyperpose.targets import target_of
from vitruve.errors import InputError
from vitruve.evaluation.oks import average_precision
from vitruve.evaluation.pckh import head_relative
from vitruve.formats import coco, coco_results, coco_writer, mpii
from vitruve.formats.image_layout import image_folder
from vitruve.formats.json_file import read_json
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

ALGORITHM = "hyperpose"
"""What stands for the algorithm in the names of result files."""
SERVER = "https://codalab.lisn.upsaclay.fr/competitions/12061"

_Meta = TypeVar("_Meta")


class Official_dataset(Base_dataset):
    """A data set that is read from its own files; arguments as for the class it derives from."""

    def labels(self, part: str) -> Labels:
        """The labels of ``train`` or ``val``, as the filter leaves them; frames have the numbers of their images."""
        raise lacking(self, "labels")

    def measured(self, truth: Labels, found: Labels, folder: Path) -> dict[str, float]:
        """Figures of predictions by the data set's own rules; arguments as for its ``official_eval``."""
        raise lacking(self, "measured")

    def generate_train_data(self) -> tuple[list[str], list[dict[str, Any]]]:
        """Training images with their targets."""
        labels = self.labels("train")
        return _paths(labels), [target_of(frame) for frame in labels]

    def generate_eval_data(self) -> tuple[list[str], list[Any]]:
        """All validation images, also those without people, with their numbers."""
        labels = self.labels("val")
        return _paths(labels), [frame.id for frame in labels]

    def official_eval(
        self, pd_anns: Any, eval_dir: str | Path = "./eval_dir", image_ids: Any = None
    ) -> dict[str, float]:
        """Measure predictions by the data set's own rules.

        Args:
            pd_anns: Rows of ``image_id``, ``keypoints`` and ``score``, or ``{"annotations": rows}``.
            eval_dir: Where ``gt_ann.json`` and the result file go.
            image_ids: The images that were looked at; all validation images by default. One without a row is one in
                which nobody was found.

        Returns:
            ``AP``, ``AP50``, ..., ``ARl`` of COCO; ``Head``, ``Shoulder``, ..., ``Mean``, ``mAP`` of MPII.

        Raises:
            InputError: A row is of another image, or has other keypoints.
        """
        truth = self.labels("val")
        if image_ids is not None:
            wanted = {int(number) for number in image_ids}
            truth = truth[[n for n, frame in enumerate(truth) if frame.id in wanted]]
        found = coco_results.predictions_of(_rows(pd_anns, "official_eval"), truth, "official_eval")
        folder = Path(eval_dir)
        folder.mkdir(parents=True, exist_ok=True)
        coco_writer.write_file(truth, folder / "gt_ann.json")
        summary = self.measured(truth, found, folder)
        kind = self.get_dataset_type().name
        print(f"{kind} keypoints on {len(truth)} images: " + ", ".join(f"{n} {v:.3f}" for n, v in summary.items()))
        return summary


class MSCOCO_dataset(Official_dataset):
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

    def measured(self, truth: Labels, found: Labels, folder: Path) -> dict[str, float]:
        """Average precision and recall."""
        coco_results.write_results(found, folder / self._result_name("val"))
        pairs = ((t.instances[0], p.instances[0]) for t, p in zip(truth, found, strict=True))
        return average_precision(pairs, self.skeleton.oks_sigmas).summary

    def official_test(self, pd_anns: Any, test_dir: str | Path = "./test_dir", image_ids: Any = None) -> Path:
        """Write the file that COCO's server takes, and say where that is.

        Args:
            pd_anns: As for :meth:`official_eval`.
            test_dir: Where the file goes.
            image_ids: The images that were looked at; not needed.

        Returns:
            The file.
        """
        rows = _rows(pd_anns, "official_test")
        numbers = dict.fromkeys([*(int(n) for n in image_ids or ()), *(row["image_id"] for row in rows)])
        blank = (Frame((ImageRef(Path(f"{n:012d}.jpg")),), Instances.empty(len(self.skeleton)), id=n) for n in numbers)
        images = Labels(self.skeleton, tuple(blank), categories=("person",))
        found = coco_results.predictions_of(rows, images, "official_test")
        path = Path(test_dir) / self._result_name("test-dev")
        path.parent.mkdir(parents=True, exist_ok=True)
        coco_results.write_results(found, path)
        print(f"{path}: pack it as a zip file of the same name and hand it in at {SERVER}")
        return path

    def _result_name(self, part: str) -> str:
        return coco_results.results_name(f"{part}{self.config.data.dataset_version}", ALGORITHM)

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


class MPII_dataset(Official_dataset):
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
        numbered = (replace(frame, id=image_number(frame.first_image.path)) for frame in frames)
        return replace(labels, frames=tuple(numbered))

    def generate_test_data(self) -> tuple[list[str], list[Any]]:
        """MPII's test images, with the numbers that their files are named by."""
        images = [image for image in self._images if not image.train]
        folder = image_folder(self.file, [image.name for image in images], self.file.parent)
        metas = [MPIIMeta.of(folder / image.name, image) for image in images]
        kept = filtered(metas, lambda meta: meta, self.config.data.dataset_filter, "MPII test")
        return [meta.image_path for meta in kept], [meta.image_id for meta in kept]

    def measured(self, truth: Labels, found: Labels, folder: Path) -> dict[str, float]:
        """PCKh with the official size of heads, and average precision under it."""
        pairs = ((t.instances[0], p.instances[0]) for t, p in zip(truth, found, strict=True))
        summary = head_relative(pairs, truth.skeleton.names).summary
        plain = {name: value if np.isfinite(value) else None for name, value in summary.items()}
        atomic_write(folder / "result.json", json.dumps(plain, indent=1) + "\n")
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
        atomic_write(path, json.dumps(_rows(pd_anns, "official_test")) + "\n")
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


def _rows(pd_anns: Any, where: str) -> list[dict[str, Any]]:
    """A user's rows with plain numbers, which may have been arrays."""
    rows = []
    for number, row in enumerate(pd_anns["annotations"] if isinstance(pd_anns, Mapping) else pd_anns):
        try:
            values = {"image_id": int(row["image_id"]), "score": float(row.get("score", 1))}
            rows.append({**row, **values, "keypoints": as_rows(row["keypoints"]).ravel().tolist()})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: row {number}: {error}; give image_id, keypoints and score") from error
    return rows


def _paths(labels: Labels) -> list[str]:
    return [str(labels.path(frame.first_image)) for frame in labels]
