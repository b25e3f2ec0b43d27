"""Pre-processors, post-processors, visualisers and augmentors: the classes that users derive from, and our own."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from vitruve.algorithms.base import Algorithm
from vitruve.compat.hyperpose.anatomy import as_rows, extra_part
from vitruve.compat.hyperpose.custom import array, lacking, tensors
from vitruve.compat.hyperpose.dialect import Prediction, dialect_of, of_images, of_views
from vitruve.compat.hyperpose.enums import MODEL
from vitruve.compat.hyperpose.human import Human, humans_of
from vitruve.compat.hyperpose.translate import Limbs, bare_batch, codec
from vitruve.errors import InputError
from vitruve.structures.instances import Instances


class BasicPreProcessor:
    """Makes targets of annotations.

    Args:
        parts: Enumeration of the keypoints.
        limbs: Pairs of keypoint numbers.
        hin: Height of the input in pixels.
        win: Width of the input in pixels.
        hout: Height of the maps in cells.
        wout: Width of the maps in cells.
        colors: One a part.
        data_format: How maps are laid out.
        *args: These and further ones by name are not looked at.
    """

    def __init__(
        self, parts: Any, limbs: Any, hin: int, win: int, hout: int, wout: int, colors: Any = None,
        data_format: str = "channels_first", *args: Any, **more: Any,
    ) -> None:  # fmt: skip
        self.parts, self.limbs, self.colors = parts, limbs, colors
        self.hin, self.win, self.hout, self.wout = hin, win, hout, wout
        self.data_format = data_format

    def process(self, annos: Any, mask: Any, bbxs: Any) -> dict[str, Any]:
        """Targets of one image; to be given by the class that derives from this one.

        Args:
            annos: ``(N, parts, 2)`` keypoints in pixels of the input, -1000 where missing.
            mask: ``(hin, win)`` 1 where something is known, 0 where it is not.
            bbxs: ``(N, 4)`` boxes ``x y w h``.

        Returns:
            Maps by name.
        """
        raise lacking(self, "process")


class BasicPostProcessor:
    """Makes people of maps; arguments as for :class:`BasicPreProcessor`."""

    def __init__(
        self, parts: Any, limbs: Any, colors: Any = None, data_format: str = "channels_first", *args: Any, **more: Any
    ) -> None:
        self.parts, self.limbs, self.colors, self.data_format = parts, limbs, colors, data_format

    def process(self, predict_x: Any) -> list[list[Human]]:
        """People of each image, in pixels of the input; to be given by the class that derives from this one."""
        raise lacking(self, "process")


def codec_of(parts: type[Enum], limbs: Sequence[Sequence[int]], model_type: MODEL) -> Algorithm:
    """The algorithm that makes targets and people.

    Args:
        parts: Enumeration of the keypoints; what HyperPose counts among them and is none is left out.
        limbs: Of a model, or the user's own, which are all there are then.
        model_type: The algorithm.

    Returns:
        The algorithm.
    """
    edges, alone = (limbs.edges, limbs.alone) if isinstance(limbs, Limbs) else (limbs, True)
    extra = extra_part(model_type)
    order = sorted(parts, key=lambda member: member.value)
    names = tuple(each.name for each in order if extra is None or each.name.lower() != extra.lower())
    count = len(names)
    inner = tuple((int(a), int(b)) for a, b in edges if max(a, b) < count)
    return codec(model_type, names, inner, alone)


class PreProcessor(BasicPreProcessor):
    """Targets as the core's algorithm makes them; arguments as for the class it derives from."""

    TYPE: ClassVar[MODEL]

    def process(self, annos: Any, mask: Any = None, bbxs: Any = None) -> dict[str, Any]:
        """Targets of one image; ``mask`` and ``bbxs`` may be None, and a person ``(parts, 3)``."""
        algorithm = codec_of(self.parts, self.limbs, self.TYPE)
        dialect = dialect_of(self.TYPE)
        joints, stride = len(algorithm.task.skeleton), dialect.stride(algorithm)
        # Maps of any size: what a cell is wide there decides how the image is scaled.
        size = (self.wout * stride, self.hout * stride)
        scale = np.array([size[0] / self.win, size[1] / self.hin])
        rows = [as_rows(person) for person in annos]
        if any(len(row) < joints for row in rows):
            raise InputError(f"process: a person has {min(map(len, rows))} keypoints; {joints} are expected")
        values = np.array([row[:joints] for row in rows]).reshape(-1, joints, 3)
        there = values[..., 2] > 0
        places = (values[..., :2] + 0.5) * scale - 0.5
        points = np.where(there[..., None], places, np.nan).astype(np.float32)
        boxes = None if bbxs is None else np.asarray(bbxs, np.float32).reshape(-1, 4) * np.tile(scale, 2)
        if boxes is not None:
            boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1).astype(np.float32)
        people = Instances.from_keypoints(points, **({} if boxes is None else {"boxes": boxes}))
        truth = people.map(lambda value: torch.from_numpy(np.ascontiguousarray(value))[None])
        targets = algorithm.encode(bare_batch(1, size, truth))
        maps = dialect.targets(algorithm, of_images(targets))
        found = {name: array(value[0]) for name, value in maps.items()}
        if self.data_format == "channels_last":
            return {name: np.moveaxis(value, (-2, -1), (0, 1)) for name, value in found.items()}
        return found


class PostProcessor(BasicPostProcessor):
    """People as the core's algorithm finds them; arguments as for the class it derives from."""

    TYPE: ClassVar[MODEL]

    def process(self, predict_x: Any) -> list[list[Human]]:
        """People of each image, the surest first, of what a model's ``forward`` gave or the same as a mapping."""
        algorithm = codec_of(self.parts, self.limbs, self.TYPE)
        dialect = dialect_of(self.TYPE)
        maps = tensors(predict_x, type(self).__name__)
        if self.data_format == "channels_last":
            maps = {
                name: value.movedim((1, 2), (-2, -1)) for name, value in maps.items() if isinstance(value, torch.Tensor)
            }
        dialect.check(algorithm, maps, type(self).__name__, target=False)
        first = maps[dialect.main[0]]
        stride = dialect.stride(algorithm)
        batch = bare_batch(len(first), (first.shape[-1] * stride, first.shape[-2] * stride))
        core = dialect.outputs(algorithm, maps)
        with torch.no_grad():
            found = algorithm.decode(of_views(core), batch)
        edges = algorithm.task.skeleton.edges
        return [humans_of(found[n, 0], self.parts, edges, self.colors) for n in range(len(first))]


class BasicVisualizer:
    """Draws maps and people into a folder, ``save_dir``; further arguments are not looked at."""

    def __init__(self, save_dir: str | Path = "./save_dir", *args: Any, **more: Any) -> None:
        self.save_dir = save_dir

    def set_save_dir(self, save_dir: str | Path) -> None:
        """Choose another folder."""
        self.save_dir = save_dir

    def visualize_result(self, image: Any, humans: Sequence[Human], save_path: str | Path) -> None:
        """An image beside itself with the people drawn in it.

        Args:
            image: ``(H, W, 3)`` from 0 to 255 or, with fractions, from 0 to 1.
            humans: In pixels of the image.
            save_path: The picture.
        """
        from vitruve.compat.hyperpose.pictures import pixels, save_sheet

        plain = pixels(image)
        drawn = plain.copy()
        for human in humans:
            drawn = human.draw(drawn)
        save_sheet([plain, drawn], 2, save_path)

    def visualize(
        self, image_batch: Any, predict_x: Any, mask_batch: Any = None, humans_list: Any = None, name: str = "vis"
    ) -> None:
        """Pictures of maps; to be given by the class that derives from this one.

        Args:
            image_batch: ``(N, 3, H, W)`` from 0 to 1.
            predict_x: Maps by name.
            mask_batch: ``(N, H, W)`` 0 where nothing is known, or None.
            humans_list: People of each image, or None.
            name: How the files begin.
        """
        raise lacking(self, "visualize")

    def visualize_compare(
        self, image_batch: Any, predict_x: Any, target_x: Any, mask_batch: Any = None, humans_list: Any = None,
        name: str = "vis",
    ) -> None:  # fmt: skip
        """Pictures of maps beside their targets, ``target_x``; otherwise as for :meth:`visualize`."""
        raise lacking(self, "visualize_compare")


class Visualizer(BasicVisualizer):
    """Image, people, and the highest of all maps of a kind: ``<name>_<number>.png``; of PifPaf two pictures."""

    def visualize(
        self, image_batch: Any, predict_x: Any, mask_batch: Any = None, humans_list: Any = None, name: str = "vis"
    ) -> None:
        """One picture an image."""
        self._draw(image_batch, [predict_x], humans_list, name)

    def visualize_compare(
        self, image_batch: Any, predict_x: Any, target_x: Any, mask_batch: Any = None, humans_list: Any = None,
        name: str = "vis",
    ) -> None:  # fmt: skip
        """The same with the targets in a row of their own."""
        self._draw(image_batch, [predict_x, target_x], humans_list, name)

    def _draw(self, image_batch: Any, rows: Sequence[Any], humans_list: Any, name: str) -> None:
        from vitruve.compat.hyperpose.pictures import map_sheet, save_sheet

        for n, image in enumerate(image_batch):
            humans = None if humans_list is None else humans_list[n]
            maps = [_of_image(row, n) for row in rows]
            # PifPaf has too many kinds of maps for one picture.
            for kind in ("pif", "paf") if "pif_conf" in maps[0] else ("",):
                some = [{key: value for key, value in row.items() if key.startswith(kind)} for row in maps]
                panels, columns = map_sheet(image, some, humans)
                save_sheet(panels, columns, Path(self.save_dir) / f"{name}_{n}{kind and '_' + kind}.png")


def _of_image(maps: Any, n: int) -> dict[str, np.ndarray]:
    """The maps of one image; lists of stages are left out."""
    values = {name: maps[name] for name in maps.keys()}  # noqa: SIM118  a Prediction unpacks as a tuple
    return {name: array(value)[n] for name, value in values.items() if not isinstance(value, (list, tuple))}


def preprocessor_of(model_type: MODEL) -> type[PreProcessor]:
    """Our own pre-processor for an algorithm."""
    return type("PreProcessor", (PreProcessor,), {"TYPE": model_type})


def postprocessor_of(model_type: MODEL) -> type[PostProcessor]:
    """Our own post-processor for an algorithm."""
    return type("PostProcessor", (PostProcessor,), {"TYPE": model_type})


def named(values: Sequence[Any], model_type: MODEL) -> Prediction:
    """Maps of HyperPose's first generation, given one after another, by their names.

    Args:
        values: As many as the algorithm has, with or without the axis of images.
        model_type: The algorithm.

    Returns:
        With the axis of images.

    Raises:
        InputError: There are not as many.
    """
    dialect = dialect_of(model_type)
    if len(values) != len(dialect.main):
        raise InputError(f"{len(values)} maps; {model_type.name} has {len(dialect.main)}: {', '.join(dialect.main)}")
    shapes = dialect.shapes(codec(model_type, ("a", "b"), ((0, 1),)), target=False)
    maps = {}
    for name, value in zip(dialect.main, values, strict=True):
        whole = value if isinstance(value, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(value))
        maps[name] = whole[None] if whole.ndim == len(shapes[name]) + 2 else whole
    return Prediction(maps, dialect.main, {})
