"""What is tracked: the names of the keypoints and how they belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vitruve.errors import InputError, nearest

_SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))
_SHORT_SIDES = (("L", "R"), ("l", "r"))

DEFAULT_SIGMA = 0.05
"""The OKS constant of keypoints that have none of their own: between COCO's eyes (0.025) and hips (0.107)."""


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of one kind of animal, person or thing.

    Everything else derives its channel counts, limbs and flips from here.

    Attributes:
        names: The K keypoint names, in the order of every array's K axis.
        edges: Pairs of keypoint indices that are drawn as limbs.
        swaps: Pairs of keypoint indices that change places when the image is mirrored left to right.
        sigmas: One object keypoint similarity (OKS) constant a keypoint, as COCO defines it, or None.
        colors: One ``(r, g, b)`` a keypoint, 0 to 255, or None for a palette.
        derived: Extra joints, each the mean of named keypoints (``{"neck": ("l_shoulder", "r_shoulder")}``).

    Raises:
        InputError: A name appears twice, or an index or length does not fit the names.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    swaps: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] | None = None
    colors: tuple[tuple[int, int, int], ...] | None = None
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            raise InputError(f"skeleton: keypoint name '{doubled[0]}' appears twice; names must differ")
        count = len(self.names)
        for label, pairs in (("edges", self.edges), ("swaps", self.swaps)):
            for pair in pairs:
                if len(pair) != 2 or not all(0 <= index < count for index in pair):
                    raise InputError(f"skeleton: {label} {pair} must be two indices from 0 to {count - 1}")
        swapped = [index for pair in self.swaps for index in pair]
        if len(set(swapped)) != len(swapped):
            raise InputError("skeleton: a keypoint stands in two swaps; each may change places with one other")
        for label, values in (("sigmas", self.sigmas), ("colors", self.colors)):
            if values is not None and len(values) != count:
                raise InputError(f"skeleton: {len(values)} {label} for {count} keypoints; give one each")
        for joint, parts in self.derived.items():
            for part in parts:
                if part not in self.names:
                    raise InputError(
                        f"skeleton: derived joint '{joint}' needs '{part}', which is no keypoint"
                        + nearest(part, self.names)
                    )

    @classmethod
    def from_names(cls, names: Sequence[str], edges: Sequence[tuple[int, int]] = ()) -> Skeleton:
        """A skeleton whose left and right partners are found by their names.

        ``left``/``right`` in any place, or a separate ``L``/``R`` token (``paw_L``, ``l_ear``), count as a side.
        A name whose partner does not exist is left alone.

        Args:
            names: The keypoint names.
            edges: Pairs of indices to draw as limbs.

        Returns:
            The skeleton.
        """
        order = {name: index for index, name in enumerate(names)}
        swaps: list[tuple[int, int]] = []
        free = set(order)
        for name, index in order.items():
            # A name with two sides in it (left_paw_L) has several candidates; each keypoint takes one partner.
            partner = next((other for other in _mirror_names(name) if {name, other} <= free), None)
            if partner is not None:
                swaps.append((index, order[partner]))
                free -= {name, partner}
        return cls(tuple(names), tuple(edges), tuple(swaps))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Skeleton:
        """The skeleton that :meth:`to_dict` wrote, or one written by hand.

        Args:
            values: ``names`` and, optionally, the other attributes. Edges and swaps are pairs of indices or of
                names; without ``swaps`` the partners are found by name.

        Returns:
            The skeleton.

        Raises:
            InputError: A key or a keypoint is unknown.
        """
        known = ("names", "edges", "swaps", "sigmas", "colors", "derived")
        for key in values:
            if key not in known:
                raise InputError(f"skeleton: unknown key '{key}'{nearest(key, known)}; known are {', '.join(known)}")
        if not values.get("names"):
            raise InputError("skeleton: key 'names' is missing; list the keypoint names")
        names = tuple(str(name) for name in values["names"])
        edges = _pairs(values.get("edges") or (), names, "edges")
        swaps = _pairs(values["swaps"], names, "swaps") if values.get("swaps") is not None else None
        sigmas, colors = values.get("sigmas"), values.get("colors")
        return cls(
            names,
            edges,
            cls.from_names(names).swaps if swaps is None else swaps,
            None if sigmas is None else tuple(float(sigma) for sigma in sigmas),
            None if colors is None else tuple((int(r), int(g), int(b)) for r, g, b in colors),
            {str(joint): tuple(parts) for joint, parts in (values.get("derived") or {}).items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers for YAML and JSON, the inverse of :meth:`from_dict`."""
        return {
            "names": list(self.names),
            "edges": [list(pair) for pair in self.edges],
            "swaps": [list(pair) for pair in self.swaps],
            "sigmas": None if self.sigmas is None else list(self.sigmas),
            "colors": None if self.colors is None else [list(color) for color in self.colors],
            "derived": {joint: list(parts) for joint, parts in self.derived.items()},
        }

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The place of a keypoint on the K axis.

        Args:
            name: A keypoint name.

        Returns:
            Its index.

        Raises:
            InputError: There is no such keypoint.
        """
        if name not in self.names:
            raise InputError(f"skeleton: no keypoint '{name}'{nearest(name, self.names)}")
        return self.names.index(name)

    @property
    def oks_sigmas(self) -> np.ndarray:
        """The (K,) OKS constants: :attr:`sigmas`, or :data:`DEFAULT_SIGMA` for each where there are none."""
        return np.full(len(self.names), DEFAULT_SIGMA) if self.sigmas is None else np.array(self.sigmas, np.float64)

    @property
    def flip_permutation(self) -> np.ndarray:
        """The (K,) order in which keypoints stand after the image was mirrored left to right."""
        order = np.arange(len(self.names))
        for a, b in self.swaps:
            order[a], order[b] = b, a
        return order


def _mirror_names(name: str) -> list[str]:
    candidates = []
    for left, right in _SIDES:
        candidates += [name.replace(a, b) for a, b in ((left, right), (right, left)) if a in name]
    for left, right in _SHORT_SIDES:
        for a, b in ((left, right), (right, left)):
            pattern = rf"(?<![A-Za-z0-9]){a}(?![A-Za-z0-9])"
            if re.search(pattern, name):
                candidates.append(re.sub(pattern, b, name))
    # A pair is found from both of its names; keeping the alphabetically first of the two counts it once.
    return [candidate for candidate in candidates if name < candidate]


def _pairs(pairs: Sequence[Sequence[Any]], names: tuple[str, ...], label: str) -> tuple[tuple[int, int], ...]:
    def place(end: Any) -> int:
        if isinstance(end, str):
            if end not in names:
                raise InputError(f"skeleton: {label} name '{end}', which is no keypoint{nearest(end, names)}")
            return names.index(end)
        return int(end)

    result = []
    for pair in pairs:
        if len(pair) != 2:
            raise InputError(f"skeleton: {label} {list(pair)} must name two keypoints")
        result.append((place(pair[0]), place(pair[1])))
    return tuple(result)
