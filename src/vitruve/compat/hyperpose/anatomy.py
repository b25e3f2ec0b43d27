"""Which keypoints a HyperPose model learns, and how those of a data set become them and again what they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.compat.hyperpose.enums import DATA, MODEL
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.errors import ConfigError
from vitruve.structures.conversion import sources_of
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import known_skeleton

MISSING = -1000.0
"""How HyperPose's functions write the coordinates of a keypoint that is not there."""

Converter = Callable[[Any], Any]
"""One person's keypoints, ``(K, 2)`` or ``(K, 3)``, as others."""

_OWN = {DATA.MSCOCO: "coco17", DATA.MPII: "mpii16"}
_LEARNED = {DATA.MSCOCO: "openpose18", DATA.MPII: "openpose_mpii15"}
_EXTRA = {MODEL.Pifpaf: None, MODEL.PoseProposal: "Instance"}
_SHORT = {"head_top": "Headtop", "upper_neck": "Neck"}


def own_skeleton(dataset_type: DATA) -> Skeleton:
    """The keypoints that a data set labels; those of COCO where nothing else is known."""
    return known_skeleton(_OWN.get(dataset_type, "coco17"))


def learned_skeleton(config: Configuration) -> Skeleton:
    """The keypoints and limbs that a configuration's model learns.

    Args:
        config: Names algorithm, data set, and keypoints and limbs of the user's own.

    Returns:
        The user's own, or else HyperPose's for the algorithm: with a neck for COCO, a centre for MPII; PifPaf takes
        the data set's as they are.

    Raises:
        ConfigError: ``custom_parts`` is no enumeration.
        InputError: A limb names a keypoint that there is not.
    """
    model, limbs = config.model, config.model.custom_limbs
    if model.custom_parts is not None:
        return Skeleton.from_names(_names(model.custom_parts, model.model_type), limbs or ())
    if config.data.multiple_configs and config.data.dataset_type is DATA.MULTIPLE:
        first = config.data.multiple_configs[0]
        return learned_skeleton(replace(config, data=first.data))
    kind = config.data.dataset_type
    table = _OWN if model.model_type is MODEL.Pifpaf else _LEARNED
    skeleton = known_skeleton(table.get(kind, table[DATA.MSCOCO]))
    return skeleton if limbs is None else replace(skeleton, edges=limbs)


def extra_part(model_type: MODEL) -> str | None:
    """What HyperPose counts among the parts beside the keypoints: the last of them, or None."""
    return _EXTRA.get(model_type, "Background")


def parts_of(config: Configuration, skeleton: Skeleton) -> type[Enum]:
    """The keypoints as an enumeration, with what HyperPose counts among them.

    Args:
        config: Has the user's own enumeration, or names the algorithm.
        skeleton: Of :func:`learned_skeleton`.

    Returns:
        Values count from 0.
    """
    if config.model.custom_parts is not None:
        given: type[Enum] = config.model.custom_parts
        return given
    extra = extra_part(config.model.model_type)
    return enumeration((*skeleton.names, *(() if extra is None else (extra,))))


def enumeration(names: Sequence[str]) -> type[Enum]:
    """Keypoints as HyperPose names them: ``RShoulder`` for ``right_shoulder``."""
    return Enum("Parts", {_camel(name): number for number, name in enumerate(names)})  # type: ignore[return-value]


def colors_of(skeleton: Skeleton, count: int) -> list[list[int]]:
    """One ``[r, g, b]`` for each of so many parts; those that are no keypoints are grey."""
    from vitruve.visualize.draw import keypoint_colors

    colors: list[list[int]] = keypoint_colors(skeleton, "hsv").tolist()
    return colors + [[128, 128, 128]] * (count - len(colors))


@dataclass(frozen=True)
class NameConverter:
    """Keypoints of one skeleton as those of another, by their names and the rules of both.

    Attributes:
        given: The skeleton of what is converted.
        wanted: The skeleton of the result.
    """

    given: Skeleton
    wanted: Skeleton

    def __call__(self, keypoints: Any) -> Float[np.ndarray, "K 3"]:
        """Convert one person.

        Args:
            keypoints: ``(J, 2)`` or ``(J, 3)``, or the latter's numbers in one row.

        Returns:
            ``x, y, v``; 0, 0, 0 where missing. A derived keypoint has the lowest ``v`` of its parts.
        """
        values = as_rows(keypoints)
        result = np.zeros((len(self.wanted), 3))
        for joint, parts in enumerate(sources_of(self.given, self.wanted)):
            seen = values[list(parts), 2]
            if parts and (seen > 0).all():
                result[joint] = *values[list(parts), :2].mean(0), seen.min()
        return result


def as_rows(keypoints: Any) -> Float[np.ndarray, "K 3"]:
    """One person's keypoints as ``x, y, v``.

    Args:
        keypoints: ``(K, 2)``, ``(K, 3)``, or ``3 K`` numbers in one row. Of pairs, one is missing where it is negative
            in both, NaN or None, or exactly 0, 0.

    Returns:
        ``(K, 3)``; 0, 0, 0 where missing.

    Raises:
        ValueError: They have another shape.
    """
    values = np.array(keypoints, np.float64)
    if values.ndim == 1 and values.size % 3 == 0:
        values = values.reshape(-1, 3)
    if values.ndim != 2 or values.shape[1] not in (2, 3):
        raise ValueError(f"keypoints of a person are {values.shape}; they must be (K, 2) or (K, 3)")
    places = values[:, :2]
    nowhere = (places < 0).all(-1) | (places == 0).all(-1)
    there = values[:, 2] > 0 if values.shape[1] == 3 else ~nowhere
    there &= np.isfinite(places).all(-1) & (places > MISSING / 2).all(-1)
    seen = values[:, 2] if values.shape[1] == 3 else np.full(len(values), 2.0)
    return np.where(there[:, None], np.concatenate([places, seen[:, None]], 1), 0.0)


def _names(parts: Any, model_type: MODEL) -> tuple[str, ...]:
    members: Mapping[str, Any] = getattr(parts, "__members__", {})
    order = sorted(members, key=lambda name: members[name].value)
    if not order or [members[name].value for name in order] != list(range(len(order))):
        raise ConfigError(
            f"Config.set_custom_parts({parts!r}): must be an enumeration whose values count from 0, such as "
            "Enum('Parts', 'Nose Tail', start=0)"
        )
    extra = extra_part(model_type)
    return tuple(name for name in order if extra is None or name.lower() != extra.lower())


def _camel(name: str) -> str:
    if name in _SHORT:
        return _SHORT[name]
    side, _, rest = name.partition("_")
    words = (side[0].upper(), *rest.split("_")) if side in ("left", "right") else name.split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)
