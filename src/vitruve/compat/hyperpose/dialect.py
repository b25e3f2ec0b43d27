"""What HyperPose calls the maps of each algorithm, and the maps of the core that they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from vitruve.algorithms.base import Algorithm, Outputs, Targets
from vitruve.codecs.grid import nearby
from vitruve.compat.hyperpose.enums import MODEL
from vitruve.errors import InputError

Maps = dict[str, Any]
"""By HyperPose's names; a tensor each, or for stages a list of tensors."""

_LEAST = 1e-6


def of_images(maps: Outputs) -> Outputs:
    """Tensors ``(B, V, ...)`` as ``(B * V, ...)``, as HyperPose has them."""
    return {name: value.flatten(0, 1) for name, value in maps.items()}


def of_views(maps: Outputs) -> Outputs:
    """Tensors ``(B, ...)`` as ``(B, 1, ...)``, as the core has them."""
    return {name: value[:, None] for name, value in maps.items()}


class Prediction(dict[str, Any]):
    """Maps by name that also unpack as HyperPose's first generation gave them: ``conf_map, paf_map = forward(x)``.

    Args:
        maps: All of them.
        main: Which are unpacked, in order.
        core: The same as the core has them.
    """

    def __init__(self, maps: Maps, main: Sequence[str], core: Outputs) -> None:
        super().__init__(maps)
        self._main = tuple(main)
        self.core = core

    def __iter__(self) -> Iterator[Any]:
        return iter([self[name] for name in self._main])

    def __len__(self) -> int:
        return len(self._main)

    def __getitem__(self, name: str | int) -> Any:
        return super().__getitem__(self._main[name] if isinstance(name, int) else name)


class Dialect(ABC):
    """The maps of one family of algorithms. Tensors begin with the axis of images; there is none of views.

    Attributes:
        main: Names of predictions in the order of HyperPose's functions.
        wanted: Names of targets in that order.
    """

    main: tuple[str, ...]
    wanted: tuple[str, ...]

    @abstractmethod
    def predictions(self, algorithm: Algorithm, outputs: Outputs) -> Maps:
        """What the core's network gives, by HyperPose's names."""

    @abstractmethod
    def outputs(self, algorithm: Algorithm, maps: Mapping[str, Any]) -> Outputs:
        """The reverse of :meth:`predictions`."""

    @abstractmethod
    def targets(self, algorithm: Algorithm, targets: Targets) -> Maps:
        """What the core's algorithm wants, by HyperPose's names."""

    @abstractmethod
    def core_targets(self, algorithm: Algorithm, maps: Mapping[str, Any], known: torch.Tensor) -> Targets:
        """The reverse of :meth:`targets`.

        Args:
            algorithm: Takes the targets.
            maps: By HyperPose's names.
            known: ``(N, h, w)`` the cells to be learned.

        Returns:
            By the core's names.
        """

    @abstractmethod
    def shapes(self, algorithm: Algorithm, *, target: bool) -> dict[str, tuple[int, ...]]:
        """For each name the axes between that of images and those of height and width."""

    def stride(self, algorithm: Any) -> int:
        """Side of a cell in pixels of the input."""
        return int(algorithm.settings.stride)

    def check(self, algorithm: Algorithm, maps: Mapping[str, Any], where: str, *, target: bool) -> None:
        """Compare maps of a user's class with what is expected of it.

        Args:
            algorithm: Knows how many there are.
            maps: By HyperPose's names, with the axis of images.
            where: Names the class.
            target: They are targets, not predictions.

        Raises:
            InputError: One is missing or has another shape; the message names it.
        """
        width, height = (side // self.stride(algorithm) for side in algorithm.task.input_size)
        for name, middle in self.shapes(algorithm, target=target).items():
            expected = " x ".join(map(str, (*middle, height, width)))
            if name not in maps:
                there = ", ".join(map(str, maps.keys())) or "nothing"
                raise InputError(f"{where}: gave no '{name}' (but {there}); expected {expected} of each image")
            given = tuple(maps[name].shape)
            if given[1:-2] != middle or (target and given[-2:] != (height, width)) or len(given) != len(middle) + 3:
                raise InputError(
                    f"{where}: '{name}' is {' x '.join(map(str, given[1:]))} of each image; expected {expected}"
                )


class PafDialect(Dialect):
    """Confidence maps and part affinity fields."""

    main = ("conf_map", "paf_map")
    wanted = ("conf_map", "paf_map")

    def stride(self, algorithm: Any) -> int:
        """Side of a cell in pixels of the input."""
        return int(algorithm.stride)

    def predictions(self, algorithm: Algorithm, outputs: Outputs) -> Maps:
        """The last stage, and lists of all stages there are."""
        numbers = sorted(int(name.split("_")[1]) for name in outputs if name.startswith("conf_"))
        confs, pafs = ([outputs[f"{kind}_{number}"] for number in numbers] for kind in ("conf", "paf"))
        return {"conf_map": confs[-1], "paf_map": pafs[-1], "stage_confs": confs, "stage_pafs": pafs}

    def outputs(self, algorithm: Algorithm, maps: Mapping[str, Any]) -> Outputs:
        """All stages there are, else the one."""
        confs = maps["stage_confs"] if "stage_confs" in maps else [maps["conf_map"]]
        pafs = maps["stage_pafs"] if "stage_pafs" in maps else [maps["paf_map"]]
        return {
            f"{kind}_{number}": value
            for kind, values in (("conf", confs), ("paf", pafs))
            for number, value in enumerate(values, 1)
        }

    def targets(self, algorithm: Algorithm, targets: Targets) -> Maps:
        """Both kinds of maps."""
        return {"conf_map": targets["conf"], "paf_map": targets["paf"]}

    def core_targets(self, algorithm: Algorithm, maps: Mapping[str, Any], known: torch.Tensor) -> Targets:
        """Both kinds of maps, and where they are learned."""
        return {"conf": maps["conf_map"], "paf": maps["paf_map"], "learned": known}

    def shapes(self, algorithm: Any, *, target: bool) -> dict[str, tuple[int, ...]]:
        """With the background; two channels a limb."""
        return {"conf_map": (len(algorithm.task.skeleton) + 1,), "paf_map": (2 * len(algorithm.limbs),)}


_JOINTS = {"pif_conf": (0,), "pif_vec": (1, 2), "pif_logb": (3,), "pif_scale": (4,)}
_LIMBS = {
    **{"paf_conf": (0,), "paf_src_vec": (1, 2), "paf_dst_vec": (3, 4), "paf_src_logb": (5,), "paf_dst_logb": (6,)},
    **{"paf_src_scale": (7,), "paf_dst_scale": (8,)},
}


def _without_spread(channels: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Targets have the same channels, but for the spreads, which have no truth."""
    kept = [name for name in channels if not name.endswith("logb")]
    result, begin = {}, 0
    for name in kept:
        size = len(channels[name])
        result[name] = tuple(range(begin, begin + size))
        begin += size
    return result


class FieldDialect(Dialect):
    """Composite fields, before sigmoid and softplus."""

    main = (*_JOINTS, *_LIMBS)
    wanted = (*_without_spread(_JOINTS), *_without_spread(_LIMBS))

    def predictions(self, algorithm: Algorithm, outputs: Outputs) -> Maps:
        """Each kind of channel by itself."""
        return _taken_apart(outputs, _JOINTS, _LIMBS)

    def outputs(self, algorithm: Algorithm, maps: Mapping[str, Any]) -> Outputs:
        """Their channels side by side."""
        return {name: value.flatten(1, 2) for name, value in _put_together(maps, _JOINTS, _LIMBS).items()}

    def targets(self, algorithm: Algorithm, targets: Targets) -> Maps:
        """Each kind of channel by itself."""
        return _taken_apart(targets, _without_spread(_JOINTS), _without_spread(_LIMBS))

    def core_targets(self, algorithm: Algorithm, maps: Mapping[str, Any], known: torch.Tensor) -> Targets:
        """Their channels side by side, NaN where nothing is learned."""
        found = _put_together(maps, _without_spread(_JOINTS), _without_spread(_LIMBS))
        return {name: value.masked_fill(~known[:, None, None], torch.nan) for name, value in found.items()}

    def shapes(self, algorithm: Any, *, target: bool) -> dict[str, tuple[int, ...]]:
        """As many as keypoints and limbs; places have two channels."""
        joints, limbs = len(algorithm.task.skeleton), len(algorithm.ends)
        names = self.wanted if target else self.main
        count = {name: joints if name.startswith("pif") else limbs for name in names}
        return {name: (number, 2) if name.endswith("vec") else (number,) for name, number in count.items()}


def _taken_apart(core: Outputs, joints: Mapping[str, Any], limbs: Mapping[str, Any]) -> Maps:
    maps: Maps = {}
    for name, table in (("joints", joints), ("limbs", limbs)):
        value = core[name]
        if value.ndim == 4:  # of a network; targets have an axis for each kind already
            size = sum(len(channels) for channels in table.values())
            value = value.reshape(len(value), -1, size, *value.shape[-2:])
        for label, channels in table.items():
            maps[label] = value[:, :, channels[0]] if len(channels) == 1 else value[:, :, list(channels)]
    return maps


def _put_together(maps: Mapping[str, Any], joints: Mapping[str, Any], limbs: Mapping[str, Any]) -> Outputs:
    def joined(table: Mapping[str, Any]) -> torch.Tensor:
        parts = [maps[name].unsqueeze(2) if len(table[name]) == 1 else maps[name] for name in table]
        return torch.cat(parts, 2)

    return {"joints": joined(joints), "limbs": joined(limbs)}


class GridDialect(Dialect):
    """Boxes in cells of a grid: probabilities and shares from 0 to 1."""

    main = ("c", "i", "x", "y", "w", "h", "e")
    wanted = ("c", "x", "y", "w", "h", "e", "e_mask")

    def predictions(self, algorithm: Any, outputs: Outputs) -> Maps:
        """After the sigmoid, x and y, width and height by themselves."""
        found = {name: value.sigmoid() for name, value in outputs.items()}
        place, size = (_split(found[name], 2) for name in ("place", "size"))
        side = algorithm.layout.neighbourhood
        limbs = _split(found["limbs"], side, side)
        values = (found["response"], found["iou"], place[:, :, 0], place[:, :, 1], size[:, :, 0], size[:, :, 1], limbs)
        return dict(zip(self.main, values, strict=True))

    def outputs(self, algorithm: Algorithm, maps: Mapping[str, Any]) -> Outputs:
        """Before the sigmoid."""
        raw = {name: maps[name].clamp(_LEAST, 1 - _LEAST).logit() for name in self.main}
        return {
            "response": raw["c"],
            "iou": raw["i"],
            "place": torch.stack([raw["x"], raw["y"]], 2).flatten(1, 2),
            "size": torch.stack([raw["w"], raw["h"]], 2).flatten(1, 2),
            "limbs": raw["e"].flatten(1, 3),
        }

    def targets(self, algorithm: Any, targets: Targets) -> Maps:
        """Boxes, limbs, and which limbs begin or end at a box."""
        here, place, size = targets["response"] > 0, targets["place"], targets["size"]
        begin, end = (list(kinds) for kinds in zip(*algorithm.layout.limbs, strict=True))
        ends = nearby(here[:, end], algorithm.layout.neighbourhood, False)
        mask = (here[:, begin][:, :, None, None] | ends).to(place.dtype)
        values = (targets["response"], place[:, :, 0], place[:, :, 1], size[:, :, 0], size[:, :, 1], targets["limbs"])
        return dict(zip(self.wanted, (*values, mask), strict=True))

    def core_targets(self, algorithm: Algorithm, maps: Mapping[str, Any], known: torch.Tensor) -> Targets:
        """Boxes, limbs, and the cells that are learned."""
        return {
            "response": maps["c"],
            "place": torch.stack([maps["x"], maps["y"]], 2),
            "size": torch.stack([maps["w"], maps["h"]], 2),
            "limbs": maps["e"],
            "known": known,
        }

    def shapes(self, algorithm: Any, *, target: bool) -> dict[str, tuple[int, ...]]:
        """One map a keypoint and one for persons; limbs have a neighbourhood."""
        layout = algorithm.layout
        limbs = (len(layout.limbs), layout.neighbourhood, layout.neighbourhood)
        names = self.wanted if target else self.main
        return {name: limbs if name.startswith("e") else (layout.kinds,) for name in names}


def _split(value: torch.Tensor, *axes: int) -> torch.Tensor:
    return value.reshape(len(value), -1, *axes, *value.shape[-2:])


def dialect_of(model_type: MODEL) -> Dialect:
    """How HyperPose speaks of an algorithm's maps."""
    if model_type is MODEL.Pifpaf:
        return FieldDialect()
    return GridDialect() if model_type is MODEL.PoseProposal else PafDialect()
