from __future__ import annotations

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.structures.skeletons import KNOWN, known_skeleton, recognised

# The constants of COCO's own evaluation (cocoapi, Params.setKpParams).
COCO_SIGMAS = np.array(
    [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
)


@pytest.mark.parametrize("name", KNOWN)
def test_a_skeleton_is_whole(name: str) -> None:
    skeleton = KNOWN[name]
    assert len(skeleton) == int("".join(c for c in name if c.isdigit()))
    assert skeleton.sigmas is not None and all(0 < sigma < 0.2 for sigma in skeleton.sigmas)
    assert len({frozenset(edge) for edge in skeleton.edges}) == len(skeleton.edges)
    sided = [n for n in skeleton.names if n.startswith(("left_", "right_"))]
    swapped = {skeleton.names[i] for pair in skeleton.swaps for i in pair}
    assert set(sided) <= swapped
    for a, b in skeleton.swaps:
        assert skeleton.sigmas[a] == skeleton.sigmas[b] or name == "wholebody133"
    assert recognised(skeleton.names) is skeleton


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "wholebody133"])
def test_the_limbs_hold_all_joints_together(name: str) -> None:
    skeleton = KNOWN[name]
    reached, grown = {0}, True
    while grown:
        more = {b for pair in skeleton.edges for a, b in (pair, pair[::-1]) if a in reached}
        grown, reached = not more <= reached, reached | more
    # COCO's limbs join the ears to the shoulders; those of MPII lie along the spine.
    assert reached == set(range(len(skeleton)))


def test_coco_is_the_official_one() -> None:
    coco = known_skeleton("coco17")
    np.testing.assert_allclose(coco.sigmas, COCO_SIGMAS / 10)
    assert coco.names[:5] == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    assert coco.edges[0] == (15, 13) and coco.edges[-1] == (4, 6)


def test_openpose_has_the_order_of_its_maps() -> None:
    names = known_skeleton("openpose18").names
    assert names[:5] == ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist")
    assert names[14:] == ("right_eye", "left_eye", "right_ear", "left_ear")
    assert known_skeleton("openpose_mpii15").names[-1] == "center"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"no skeleton 'coco_17' \(did you mean 'coco17'\?\); known are coco17, "):
        known_skeleton("coco_17")
    assert recognised(("nose", "tail")) is None
