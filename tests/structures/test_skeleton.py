from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruve.errors import InputError
from vitruve.structures.skeleton import DEFAULT_SIGMA, Skeleton


def _pairs(*names: str) -> set[frozenset[str]]:
    return {frozenset((names[a], names[b])) for a, b in Skeleton.from_names(names).swaps}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left_ear", "right_ear"),
        ("ear_left", "ear_right"),
        ("LeftEar", "RightEar"),
        ("EAR LEFT", "EAR RIGHT"),
        ("paw_L", "paw_R"),
        ("L_paw", "R_paw"),
        ("l_ear", "r_ear"),
        ("ear.l", "ear.r"),
        ("paw-L-top", "paw-R-top"),
        ("front left paw 1", "front right paw 1"),
    ],
)
def test_partners_are_found_by_name_in_either_order(left: str, right: str) -> None:
    assert _pairs(left, "nose", right) == {frozenset((left, right))}
    assert _pairs(right, "nose", left) == {frozenset((left, right))}


def test_names_without_a_partner_are_left_alone() -> None:
    assert _pairs("paw1LH_top", "paw1RH_top", "paw2LF_top", "nose_top", "tailBase_bot") == set()
    assert _pairs("left_ear", "right_eye", "L_paw", "bright", "ball", "bar", "Lpaw", "Rpaw") == set()


def test_names_with_two_sides_get_one_partner_each() -> None:
    names = ("L_left", "L_right", "R_left", "R_right")
    order = Skeleton.from_names(names).flip_permutation
    assert sorted(order) == [0, 1, 2, 3]
    assert all(order[i] != i for i in range(4))


def test_flip_permutation_takes_partners_to_each_other() -> None:
    skeleton = Skeleton.from_names(("nose", "l_ear", "tail", "r_ear"))
    np.testing.assert_array_equal(skeleton.flip_permutation, [0, 3, 2, 1])
    assert len(skeleton) == 4 and skeleton.index("tail") == 2


@given(st.lists(st.from_regex(r"(left|right|l_|r_|L |R )?[a-c](_L|_R|Left|Right)?", fullmatch=True), unique=True))
def test_any_names_give_a_permutation_that_undoes_itself(names: list[str]) -> None:
    order = Skeleton.from_names(names).flip_permutation
    np.testing.assert_array_equal(order[order], np.arange(len(names)))


def test_it_comes_back_from_plain_values() -> None:
    skeleton = Skeleton(
        ("nose", "l", "r"),
        edges=((0, 1), (0, 2)),
        swaps=((1, 2),),
        sigmas=(0.1, 0.2, 0.2),
        colors=((255, 0, 0), (0, 255, 0), (0, 0, 255)),
        derived={"middle": ("l", "r")},
    )
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton


def test_one_written_by_hand_may_use_names() -> None:
    skeleton = Skeleton.from_dict({"names": ["nose", "l_ear", "r_ear"], "edges": [["nose", "l_ear"], [0, 2]]})
    assert skeleton.edges == ((0, 1), (0, 2))
    assert skeleton.swaps == ((1, 2),)
    none = Skeleton.from_dict({"names": ["l_ear", "r_ear"], "swaps": []})
    assert none.swaps == ()
    own = Skeleton.from_dict({"names": ["a", "b"], "swaps": [["a", "b"]]})
    assert own.swaps == ((0, 1),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"names": ["a", "a"]}, "keypoint name 'a' appears twice"),
        ({"names": ["a", "b"], "edges": [[0, 2]]}, "edges .* must be two indices from 0 to 1"),
        ({"names": ["a", "b"], "edges": [["a", "c"]]}, "edges name 'c', which is no keypoint"),
        ({"names": ["a", "b"], "edges": [["a", "b", "a"]]}, "must name two keypoints"),
        ({"names": ["a", "b", "c"], "swaps": [[0, 1], [1, 2]]}, "stands in two swaps"),
        ({"names": ["a", "b"], "sigmas": [0.1]}, "1 sigmas for 2 keypoints"),
        ({"names": ["a"], "colors": []}, "0 colors for 1 keypoints"),
        ({"names": ["nose"], "derived": {"mid": ["nos"]}}, "derived joint 'mid' needs 'nos'.*did you mean 'nose'"),
        ({"names": ["a"], "edge": []}, "unknown key 'edge'.*did you mean 'edges'"),
        ({"edges": []}, "key 'names' is missing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Skeleton.from_dict(values)
    assert "\n" not in str(caught.value)


def test_an_unknown_keypoint_is_met_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no keypoint 'nos'.*did you mean 'nose'"):
        Skeleton(("nose", "tail")).index("nos")


def test_keypoints_without_oks_constants_have_the_default():
    assert Skeleton(("a", "b")).oks_sigmas.tolist() == [DEFAULT_SIGMA] * 2
    assert Skeleton(("a", "b"), sigmas=(0.1, 0.2)).oks_sigmas.tolist() == [0.1, 0.2]
