"""Skeletons of published data sets, by name.

Names of joints are those of COCO, and a joint of another data set that lies elsewhere has another name: MPII's
``upper_neck`` is not the ``neck`` between the shoulders. So a joint can be found by its name in any of them.

Sigmas are the data sets' own: COCO (17 joints), CrowdPose, Halpe, COCO-WholeBody (Jin et al. 2020). OpenPose and MPII
publish none: their joints have those of the same joint of COCO, the neck that of a shoulder, the middle of the body
that of a hip, and MPII's joints without a partner that of the nose, as is usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType

from vitruve.errors import InputError, nearest
from vitruve.structures.skeleton import Skeleton

_SHOULDERS = ("left_shoulder", "right_shoulder")
_HIPS = ("left_hip", "right_hip")
_BODY = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_FACE = ("eye", "ear")
_SIDES = ("left", "right")
# The order of OpenPose: the right limb as a whole before the left one.
_ARMS = tuple(f"{side}_{joint}" for side in ("right", "left") for joint in _BODY[:3])
_LEGS = tuple(f"{side}_{joint}" for side in ("right", "left") for joint in _BODY[3:])
_FEET = tuple(f"{side}_{part}" for side in _SIDES for part in ("big_toe", "small_toe", "heel"))

_SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
    "neck": 0.079,
    "upper_neck": 0.026,
    "head_top": 0.026,
    "thorax": 0.026,
    "pelvis": 0.026,
    "center": 0.107,
    "instance": 0.026,
}
_FACE_SIGMAS = (
    *(0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041),
    *(0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012),
    *(0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034),
    *(0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008),
    *(0.008, 0.008, 0.010, 0.008),
)
_HAND_SIGMAS = (
    *(0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024),
    *(0.022, 0.026, 0.017, 0.021, 0.021, 0.032, 0.020, 0.019, 0.022, 0.031),
)
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
# The 68 landmarks of a face change places within the jaw, the brows, the nose, the eyes and the mouth.
_FACE_SWAPS = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)),
)


def _both(joints: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{side}_{joint}" for joint in joints for side in _SIDES)


def _sigma(name: str) -> float:
    return _SIGMAS[name.removeprefix("left_").removeprefix("right_")]


def _skeleton(
    names: tuple[str, ...],
    edges: Iterable[tuple[int, int]],
    derived: Mapping[str, tuple[str, ...]] | None = None,
    sigmas: tuple[float, ...] | None = None,
) -> Skeleton:
    swaps = Skeleton.from_names(names).swaps
    sigmas = tuple(_sigma(name) for name in names) if sigmas is None else sigmas
    return Skeleton(names, tuple(edges), swaps, sigmas, derived=derived or {})


def _by_name(names: tuple[str, ...], links: str) -> list[tuple[int, int]]:
    """Edges written as ``a-b c-d``."""
    pairs = (link.split("-") for link in links.split())
    return [(names.index(a), names.index(b)) for a, b in pairs]


def _numbered(links: str, first: int = 0) -> list[tuple[int, int]]:
    """Edges written as ``0-1 1-2``, where the first joint has the number ``first``."""
    pairs = (link.split("-") for link in links.split())
    return [(int(a) - first, int(b) - first) for a, b in pairs]


def _hand_links(root: int, first: int) -> list[tuple[int, int]]:
    chains = [[root, *range(first + 4 * finger, first + 4 * finger + 4)] for finger in range(len(_FINGERS))]
    return [pair for chain in chains for pair in pairwise(chain)]


def _hand(prefix: str) -> tuple[str, ...]:
    return (f"{prefix}hand_root", *(f"{prefix}{finger}{number}" for finger in _FINGERS for number in range(1, 5)))


def _coco17() -> Skeleton:
    edges = "16-14 14-12 17-15 15-13 12-13 6-12 7-13 6-7 6-8 7-9 8-10 9-11 2-3 1-2 1-3 2-4 3-5 4-6 5-7"
    return _skeleton(("nose", *_both((*_FACE, *_BODY))), _numbered(edges, 1), {"neck": _SHOULDERS})


def _openpose18() -> Skeleton:
    faces = ("right_eye", "left_eye", "right_ear", "left_ear")
    edges = "1-8 8-9 9-10 1-11 11-12 12-13 1-2 2-3 3-4 2-16 1-5 5-6 6-7 5-17 1-0 0-14 0-15 14-16 15-17"
    return _skeleton(("nose", "neck", *_ARMS, *_LEGS, *faces), _numbered(edges), {"neck": _SHOULDERS})


def _openpose25() -> Skeleton:
    names = ("nose", "neck", *_ARMS, "pelvis", *_LEGS, "right_eye", "left_eye", "right_ear", "left_ear", *_FEET)
    edges = (
        "1-8 1-2 1-5 2-3 3-4 5-6 6-7 8-9 9-10 10-11 8-12 12-13 13-14 1-0 0-15 15-17 0-16 16-18 "
        "14-19 19-20 14-21 11-22 22-23 11-24"
    )
    sigmas = (*(_SIGMAS["hip"] if name == "pelvis" else _sigma(name) for name in names[:19]), *(0.079,) * 6)
    return _skeleton(names, _numbered(edges), {"neck": _SHOULDERS, "pelvis": _HIPS}, sigmas)


def _mpii16() -> Skeleton:
    names = (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "upper_neck", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    )
    edges = "0-1 1-2 2-6 6-3 3-4 4-5 6-7 7-8 8-9 8-12 12-11 11-10 8-13 13-14 14-15"
    return _skeleton(names, _numbered(edges), {"neck": _SHOULDERS, "center": (*_HIPS, *_SHOULDERS)})


def _openpose_mpii15() -> Skeleton:
    edges = "0-1 1-2 2-3 3-4 1-5 5-6 6-7 1-14 14-8 8-9 9-10 14-11 11-12 12-13"
    center = {"center": (*_HIPS, *_SHOULDERS)}
    return _skeleton(("head_top", "upper_neck", *_ARMS, *_LEGS, "center"), _numbered(edges), center)


def _pose_proposal_mpii16() -> Skeleton:
    base = _openpose_mpii15()
    edges = "15-0 15-1 1-2 2-3 3-4 1-5 5-6 6-7 1-14 14-8 8-9 9-10 14-11 11-12 12-13"
    derived = {**base.derived, "instance": ("head_top", "upper_neck")}
    return _skeleton((*base.names, "instance"), _numbered(edges), derived)


def _crowdpose14() -> Skeleton:
    names = (*_both(_BODY), "head_top", "neck")
    edges = (
        "left_ankle-left_knee left_knee-left_hip right_ankle-right_knee right_knee-right_hip left_hip-right_hip "
        "left_shoulder-left_hip right_shoulder-right_hip left_shoulder-right_shoulder left_shoulder-left_elbow "
        "right_shoulder-right_elbow left_elbow-left_wrist right_elbow-right_wrist head_top-neck right_shoulder-neck "
        "left_shoulder-neck"
    )
    sigmas = (*(_sigma(name) for name in names[:12]), 0.079, 0.079)
    return _skeleton(names, _by_name(names, edges), {}, sigmas)


def _halpe26() -> Skeleton:
    body = _coco17().names
    names = (*body, "head_top", "neck", "pelvis", *_both(("big_toe", "small_toe", "heel")))
    edges = (
        "15-13 13-11 11-19 16-14 14-12 12-19 17-18 18-19 18-5 5-7 7-9 18-6 6-8 8-10 1-2 0-1 0-2 1-3 2-4 3-5 4-6 "
        "15-20 15-22 15-24 16-21 16-23 16-25"
    )
    sigmas = (*(_sigma(name) for name in body), 0.026, 0.026, 0.066, *(0.079,) * 6)
    return _skeleton(names, _numbered(edges), {"neck": _SHOULDERS, "pelvis": _HIPS}, sigmas)


def _wholebody133() -> Skeleton:
    base = _coco17()
    face = tuple(f"face-{number}" for number in range(68))
    names = (*base.names, *_FEET, *face, *_hand("left_"), *_hand("right_"))
    soles = [(names.index(f"{toe.partition('_')[0]}_ankle"), names.index(toe)) for toe in _FEET]
    left, right = names.index("left_hand_root"), names.index("right_hand_root")
    hands = [*_hand_links(names.index("left_wrist"), left + 1), *_hand_links(names.index("right_wrist"), right + 1)]
    first = names.index("face-0")
    swaps = Skeleton.from_names(names).swaps
    swaps += tuple((first + a, first + b) for a, b in _FACE_SWAPS)
    sigmas = (*(base.sigmas or ()), 0.068, 0.066, 0.066, 0.092, 0.094, 0.094, *_FACE_SIGMAS, *_HAND_SIGMAS * 2)
    return Skeleton(names, (*base.edges, *soles, *hands), swaps, sigmas, derived={"neck": _SHOULDERS})


def _hand21() -> Skeleton:
    return Skeleton(_hand(""), tuple(_hand_links(0, 1)), (), _HAND_SIGMAS)


KNOWN: Mapping[str, Skeleton] = MappingProxyType(
    {
        "coco17": _coco17(),
        "openpose18": _openpose18(),
        "openpose25": _openpose25(),
        "mpii16": _mpii16(),
        "openpose_mpii15": _openpose_mpii15(),
        "pose_proposal_mpii16": _pose_proposal_mpii16(),
        "crowdpose14": _crowdpose14(),
        "halpe26": _halpe26(),
        "wholebody133": _wholebody133(),
        "hand21": _hand21(),
    }
)
"""The skeletons by their names; the number is that of the joints."""


def known_skeleton(name: str) -> Skeleton:
    """A skeleton by its name.

    Args:
        name: One of :data:`KNOWN`.

    Returns:
        The skeleton.

    Raises:
        InputError: There is none of this name.
    """
    if name not in KNOWN:
        raise InputError(f"no skeleton '{name}'{nearest(name, KNOWN)}; known are {', '.join(KNOWN)}")
    return KNOWN[name]


def recognised(names: Iterable[str]) -> Skeleton | None:
    """The known skeleton with exactly these joints in this order, if there is one."""
    wanted = tuple(names)
    return next((skeleton for skeleton in KNOWN.values() if skeleton.names == wanted), None)
