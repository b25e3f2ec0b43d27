"""Augmentation written down as imgaug operators, as newer Lightning Pose files may have it, in this package's terms.

Such a file maps names of operators to ``{p, args, kwargs}``: a probability, and what imgaug's operator is called with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from vitruve.errors import ConfigError

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "Affine": ("scale", "translate_percent", "translate_px", "rotate", "shear"),
    "Rotate": ("rotate",),
    "Rot90": ("k", "keep_size"),
    "Fliplr": ("p",),
    "MotionBlur": ("k", "angle", "direction"),
    "CoarseDropout": ("p", "size_px", "size_percent", "per_channel"),
    "CoarseSalt": ("p", "size_px", "size_percent", "per_channel"),
    "CoarsePepper": ("p", "size_px", "size_percent", "per_channel"),
    "ElasticTransformation": ("alpha", "sigma"),
    "AllChannelsHistogramEqualization": (),
    "HistogramEqualization": (),
    "AllChannelsCLAHE": (),
    "CLAHE": (),
    "Emboss": ("alpha", "strength"),
    "CropAndPad": ("px", "percent", "pad_mode", "pad_cval", "keep_size"),
}
"""Operators that have a counterpart, and the order of their first parameters in imgaug."""

# What an operator's parameters are where a file does not say, as imgaug documents it.
_DROPPED, _SALT, _ALPHA, _SIGMA = 0.06, 0.06, 20.0, 4.0


def is_imgaug(setting: Any) -> bool:
    """Whether ``training.imgaug`` names imgaug operators.

    Args:
        setting: Its value.

    Returns:
        True for a mapping of which a key begins with a capital: this package's own keys do not.
    """
    return isinstance(setting, Mapping) and any(str(key)[:1].isupper() for key in setting)


def from_imgaug(operators: Mapping[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """The augmentation that is nearest to imgaug operators.

    Args:
        operators: ``{name: {p, args, kwargs}}``; ``p`` is 1 where it is left out.

    Returns:
        Attributes of :class:`vitruve.data.augment.Augmentation`; operators and parameters without a counterpart, as
        full keys with a reason; and what was only nearly met, one line each.

    Raises:
        ConfigError: An operator's settings are no such mapping.
    """
    found: dict[str, Any] = {}
    idle: list[str] = []
    notes: list[str] = []
    for name, raw in operators.items():
        key = f"training.imgaug.{name}"
        if name not in _PARAMETERS:
            idle.append(f"{key} (no counterpart here)")
            continue
        chance, given = _call(key, name, raw)
        used = _READERS[name](chance, given, found, notes)
        idle += [f"{key}.{item} (fixed here)" for item in given if item not in used]
    return found, idle, notes


def _call(key: str, name: str, raw: Any) -> tuple[float, dict[str, Any]]:
    """The probability of an operator, and its parameters by name."""
    raw = {} if raw is None else raw
    if not isinstance(raw, Mapping) or not set(raw) <= {"p", "args", "kwargs"}:
        raise ConfigError(f"{key}={raw!r}: must be a mapping of p, args and kwargs")
    chance, args, kwargs = raw.get("p", 1.0), raw.get("args") or (), raw.get("kwargs") or {}
    if isinstance(chance, bool) or not isinstance(chance, (int, float)) or not 0 <= chance <= 1:
        raise ConfigError(f"{key}.p={chance!r}: must lie between 0 and 1")
    if not isinstance(args, (list, tuple)) or not isinstance(kwargs, Mapping):
        raise ConfigError(f"{key}: args must be a list and kwargs a mapping")
    if len(args) > len(_PARAMETERS[name]):
        raise ConfigError(f"{key}.args={args!r}: at most {len(_PARAMETERS[name])} can be given by their place")
    given = {**dict(zip(_PARAMETERS[name], args, strict=False)), **{str(k): v for k, v in kwargs.items()}}
    for item, value in given.items():
        for number in _flat(value):
            if isinstance(number, float) and not math.isfinite(number):
                raise ConfigError(f"{key}.{item}={value!r}: must be finite")
    return float(chance), given


def _flat(value: Any) -> list[float]:
    """The numbers in a value: one, or a list of them."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [each for each in values if isinstance(each, (int, float)) and not isinstance(each, bool)]


def _most(value: Any, default: float) -> float:
    return max((abs(number) for number in _flat(value)), default=default)


def _mean(value: Any, default: float) -> float:
    numbers = _flat(value)
    return sum(numbers) / len(numbers) if numbers else default


_Reader = Callable[[float, dict[str, Any], dict[str, Any], list[str]], tuple[str, ...]]


def _rotation(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    if "rotate" in given:
        angles = _flat(given["rotate"])
        found["rotate"], found["rotate_degrees"] = chance, _most(angles, 0.0)
        if angles and -min(angles) != max(angles):
            notes.append(f"training.imgaug: rotation by {given['rotate']} becomes as far to either side")
    return ("rotate",)


def _quarter_turns(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    turns = sorted(90 * (int(k) % 4) for k in _flat(given.get("k", 1)))
    # One turn of the list is taken each time: no turn has to stand there as often as it happens.
    still = 0 if chance == 1 or not chance else round(len(turns) * (1 - chance) / chance)
    if chance:
        found["quarter_turns"] = [0] * still + turns
    return ("k", "keep_size")


def _mirror(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    found["hflip"] = chance * _mean(given.get("p", 1.0), 1.0)
    notes.append("training.imgaug.Fliplr: left and right keypoints also change places")
    return ("p",)


def _blur(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    size = max(3, int(_most(given.get("k", 5), 5)))
    found["motion_blur"], found["blur_size"] = chance, size + 1 - size % 2
    return ("k", "angle")


def _dropout(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    found["dropout"], found["dropout_share"] = chance, _mean(given.get("p"), _DROPPED)
    return ("p",)


def _specks(attribute: str) -> _Reader:
    def read(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
        share = _mean(given.get("p"), _SALT)
        before = found.get("salt_share")
        if before is not None and before != share:
            notes.append(f"training.imgaug: salt and pepper have one share, {(before + share) / 2:g}")
            share = (before + share) / 2
        found[attribute], found["salt_share"] = chance, share
        return ("p",)

    return read


def _elastic(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    found["elastic"] = chance
    found["elastic_alpha"] = _most(given.get("alpha"), _ALPHA)
    found["elastic_sigma"] = _mean(given.get("sigma"), _SIGMA)
    return ("alpha", "sigma")


def _plain(attribute: str) -> _Reader:
    def read(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
        found[attribute] = max(chance, found.get(attribute, 0.0))
        return ()

    return read


def _borders(chance: float, given: dict[str, Any], found: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    if "percent" in given:
        found["crop_pad"], found["crop_pad_share"] = chance, min(_most(given["percent"], 0.0), 0.49)
    return ("percent", "keep_size")


_READERS: Mapping[str, _Reader] = {
    "Affine": _rotation,
    "Rotate": _rotation,
    "Rot90": _quarter_turns,
    "Fliplr": _mirror,
    "MotionBlur": _blur,
    "CoarseDropout": _dropout,
    "CoarseSalt": _specks("salt"),
    "CoarsePepper": _specks("pepper"),
    "ElasticTransformation": _elastic,
    "AllChannelsHistogramEqualization": _plain("equalize"),
    "HistogramEqualization": _plain("equalize"),
    "AllChannelsCLAHE": _plain("clahe"),
    "CLAHE": _plain("clahe"),
    "Emboss": _plain("emboss"),
    "CropAndPad": _borders,
}
