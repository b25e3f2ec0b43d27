"""What every data set object has."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.compat.hyperpose.anatomy import (
    Converter,
    NameConverter,
    as_rows,
    colors_of,
    enumeration,
    learned_skeleton,
    own_skeleton,
)
from vitruve.compat.hyperpose.custom import lacking
from vitruve.compat.hyperpose.enums import DATA
from vitruve.compat.hyperpose.human import Human
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.targets import BOXES, converted, path_of
from vitruve.structures.skeleton import Skeleton


class Pairs(Sequence[tuple[Any, Any]]):
    """Images with what belongs to each; goes over them as often as asked.

    Args:
        paths: Of the images.
        values: Targets or numbers, as many.
    """

    def __init__(self, paths: Sequence[Any], values: Sequence[Any]) -> None:
        self._items = list(zip(paths, values, strict=True))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(self._items)


class Base_dataset:
    """A data set; users may derive from it.

    Args:
        config: What ``Config.get_config()`` gave.
        input_kpt_cvter: Makes one person's keypoints those of the model; by their names by default.
        output_kpt_cvter: Makes one person's keypoints those of the data set again.
    """

    def __init__(
        self, config: Configuration, input_kpt_cvter: Converter | None = None, output_kpt_cvter: Converter | None = None
    ) -> None:
        self.config = config
        self.skeleton: Skeleton = own_skeleton(config.data.dataset_type)
        learned = learned_skeleton(config)
        self.input_kpt_cvter = input_kpt_cvter or NameConverter(self.skeleton, learned)
        self.output_kpt_cvter = output_kpt_cvter or NameConverter(learned, self.skeleton)
        self._sizes = {"train": 0, "eval": 0, "test": 0}

    def get_dataset_type(self) -> DATA:
        """A member of ``Config.DATA``."""
        return self.config.data.dataset_type

    def get_parts(self) -> type[Enum]:
        """The keypoints that the data set labels, as an enumeration."""
        return enumeration(self.skeleton.names)

    def get_colors(self) -> list[list[int]]:
        """One ``[r, g, b]`` a keypoint."""
        return colors_of(self.skeleton, len(self.skeleton))

    def generate_train_data(self) -> tuple[list[str], list[dict[str, Any]]]:
        """Paths of training images, and for each a dictionary of ``kpt``, ``mask`` and ``bbx``."""
        raise lacking(self, "generate_train_data")

    def generate_eval_data(self) -> tuple[list[str], list[Any]]:
        """Paths of images to evaluate on, and their numbers."""
        raise lacking(self, "generate_eval_data")

    def generate_test_data(self) -> tuple[list[str], list[Any]]:
        """Paths of images to test on, and their numbers."""
        raise lacking(self, "generate_test_data")

    def get_train_dataset(self, in_list: bool = False, need_total_num: bool = False) -> Any:
        """Training images with their targets: the official ones and the user's own, keypoints as the model has them.

        Args:
            in_list: Give two lists instead of pairs.
            need_total_num: Not looked at.

        Returns:
            Pairs of path and dictionary.
        """
        paths: list[Any] = []
        targets: list[Mapping[str, Any]] = []
        if self.config.data.official_flag:
            official = self.generate_train_data()
            paths, targets = list(official[0]), list(official[1])
        more_paths, more_targets = added_data(self.config)
        paths, targets = self._there([*paths, *more_paths], [*targets, *more_targets])
        learned = [
            {**target, "kpt": converted(target["kpt"], self.input_kpt_cvter, f"{type(self).__name__}: {path}")}
            for path, target in zip(paths, targets, strict=True)
        ]
        self._sizes["train"] = len(paths)
        return (paths, learned) if in_list else Pairs(paths, learned)

    def get_eval_dataset(self, in_list: bool = False) -> Any:
        """Images to evaluate on with their numbers; pairs, or two lists."""
        return self._numbered("eval", self.generate_eval_data(), in_list)

    def get_test_dataset(self, in_list: bool = False) -> Any:
        """Images to test on with their numbers; pairs, or two lists."""
        return self._numbered("test", self.generate_test_data(), in_list)

    def get_dmadapt_train_dataset(self) -> Pairs:
        """Unlabelled images to adapt to, as paths with targets whose ``labeled`` is 0."""
        data = self.config.data
        paths = [str(path) for path in data.domainadapt_paths] * data.domainadapt_scale_rate
        return Pairs(paths, [{"kpt": [], "mask": None, "bbx": [], "labeled": 0} for _ in paths])

    def get_train_datasize(self) -> int:
        """Training images, once :meth:`get_train_dataset` was called."""
        return self._sizes["train"]

    def get_eval_datasize(self) -> int:
        """Images to evaluate on, once :meth:`get_eval_dataset` was called."""
        return self._sizes["eval"]

    def get_test_datasize(self) -> int:
        """Images to test on, once :meth:`get_test_dataset` was called."""
        return self._sizes["test"]

    def set_input_kpt_cvter(self, input_kpt_cvter: Converter) -> None:
        """Choose what makes one person's keypoints those of the model."""
        self.input_kpt_cvter = input_kpt_cvter

    def set_output_kpt_cvter(self, output_kpt_cvter: Converter) -> None:
        """Choose what makes one person's keypoints those of the data set again."""
        self.output_kpt_cvter = output_kpt_cvter

    def get_input_kpt_cvter(self) -> Converter:
        """What makes one person's keypoints those of the model."""
        return self.input_kpt_cvter

    def get_output_kpt_cvter(self) -> Converter:
        """What makes one person's keypoints those of the data set again."""
        return self.output_kpt_cvter

    def visualize(self, vis_num: int = 10) -> None:
        """Draw what is labelled in some training images, into ``data_vis_dir``.

        Args:
            vis_num: How many. ``visualize_info.txt`` beside the pictures says what each shows.
        """
        from vitruve.atomic import atomic_write
        from vitruve.media.images import read_image, write_image

        folder = self.config.data.vis_dir
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for number, (path, target) in enumerate(zip(*self.generate_train_data(), strict=True)):
            if number == vis_num:
                break
            image = read_image(path_of(path)).copy()
            people = [as_rows(person) for person in target["kpt"]]
            for person in people:
                self._person(person).draw(image)
            name = f"{path_of(path).stem}_{number}.png"
            write_image(folder / name, image)
            boxes = next((target[key] for key in BOXES if target.get(key) is not None), None)
            lines.append(f"{name}: {path}: {len(people)} people, mask {target.get('mask') is not None}, boxes {boxes}")
        atomic_write(folder / "visualize_info.txt", "\n".join(lines) + "\n")

    def official_eval(self, pd_anns: Any, eval_dir: str | Path = "./eval_dir", image_ids: Any = None) -> Any:
        """Measure predictions as the data set's own evaluation does.

        Args:
            pd_anns: Rows of ``image_id``, ``keypoints`` and ``score``, or ``{"annotations": rows}``.
            eval_dir: Where files go.
            image_ids: The images that were looked at; all by default.

        Returns:
            Figures by name.
        """
        raise lacking(self, "official_eval")

    def official_test(self, pd_anns: Any, test_dir: str | Path = "./test_dir", image_ids: Any = None) -> Any:
        """Write predictions as the data set's server takes them.

        Args:
            pd_anns: As for :meth:`official_eval`.
            test_dir: Where the file goes.
            image_ids: The images that were looked at.

        Returns:
            The file.
        """
        raise lacking(self, "official_test")

    def _person(self, rows: np.ndarray) -> Human:
        from vitruve.compat.hyperpose.human import BodyPart

        parts = self.get_parts()
        there = np.flatnonzero(rows[:, 2] > 0).tolist()
        body = {k: BodyPart(parts, k, k, float(rows[k, 0]), float(rows[k, 1]), 1.0) for k in there}
        return Human(parts, self.skeleton.edges, self.get_colors(), body)

    def _numbered(self, kind: str, data: tuple[list[Any], list[Any]], in_list: bool) -> Any:
        paths, numbers = self._there(*data)
        self._sizes[kind] = len(paths)
        return (paths, numbers) if in_list else Pairs(paths, numbers)

    def _there(self, paths: Sequence[Any], values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Without images that are not there."""
        kept = [(path, value) for path, value in zip(paths, values, strict=True) if path_of(path).is_file()]
        if len(kept) < len(paths):
            gone = next(path for path in paths if not path_of(path).is_file())
            warnings.warn(
                f"{type(self).__name__}: {len(paths) - len(kept)} of {len(paths)} images are not there (first: {gone}) "
                "and are left out",
                stacklevel=3,
            )
        return [path for path, _ in kept], [value for _, value in kept]


def added_data(config: Configuration) -> tuple[list[str], list[Mapping[str, Any]]]:
    """The user's own images beside a data set, as often as set.

    Args:
        config: What ``Config.get_config()`` gave.

    Returns:
        Paths and targets.
    """
    data = config.data
    paths = [str(path) for path in data.useradd_paths] * data.useradd_scale_rate
    return paths, list(data.useradd_targets) * data.useradd_scale_rate
