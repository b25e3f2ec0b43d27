"""Mirror images and other sizes in prediction: nothing changes where nothing should, and swaps are undone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from learned_outputs import learned
from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Needs, Outputs, Task
from vitruve.codecs.average import enlarged, mirrored_limbs
from vitruve.config.idle import idle_settings
from vitruve.config.schema import Config
from vitruve.errors import ConfigError
from vitruve.evaluation.merge import merged
from vitruve.inference.looks import Looks, look
from vitruve.inference.open import _any_size
from vitruve.inference.predictor import Predictor
from vitruve.inference.settings import InferenceSettings
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("nose", "left_hip", "right_hip"), ((0, 1), (0, 2)), swaps=((1, 2),))
SIZE = (128, 96)
PEOPLE = np.array([[[30, 20], [40, 60], [20, 62]], [[90, 30], [100, 70], [80, 74.0]]])
SEVERAL = ("lightweight_openpose", "pose_proposal", "pifpaf")


def build(name: str, skeleton: Skeleton = SKELETON) -> Algorithm:
    kind = registry.get(name)
    wanted = {"head_channels": 8, "num_stages": 2, "min_keypoints": 2, "stride": 16 if name == "pose_proposal" else 8}
    small = {key: value for key, value in wanted.items() if key in kind.Config.model_fields}
    torch.manual_seed(0)
    return kind(kind.Config(model_type=name, backbone="test_resnet", **small), Task(skeleton, SIZE)).eval()


def seeing(name: str, people: np.ndarray, *, fooled: bool = False) -> tuple[Algorithm, Batch, list[Batch]]:
    """An algorithm that sees ``people`` (N, K, 2; original pixels) wherever an input shows them; and all it was shown.

    Fooled, it takes left for right in everything but mirror images.
    """
    algorithm, shown = build(name), []

    def forward(batch: Batch) -> Outputs:
        shown.append(batch)
        mirrored = bool(batch.to_image[0, 0, 0, 0] < 0)
        # In a mirror image, what is left looks like what is right.
        swap = mirrored or fooled
        points = people[:, SKELETON.flip_permutation] if swap else people
        truth = Instances.from_keypoints(torch.from_numpy(points[None, None]).float())
        return learned(name, algorithm.encode(Batch(batch.images, batch.to_image, truth)))

    algorithm.forward = forward  # type: ignore[method-assign]
    images = torch.randint(0, 255, (1, 1, 1, 3, SIZE[1], SIZE[0]), dtype=torch.uint8)
    return algorithm, Batch(images, torch.eye(3)[None, None]), shown


def larger(batch: Batch, looks: Looks) -> Batch:
    width, height = looks.largest(SIZE)
    x, y = SIZE[0] / width, SIZE[1] / height
    back = torch.tensor([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])
    return Batch(torch.zeros(1, 1, 1, 3, height, width, dtype=torch.uint8), back[None, None])


def ordered(found: Instances) -> torch.Tensor:
    points = found.keypoints[0, 0]
    return points[points[:, 0, 0].argsort()]


@pytest.mark.parametrize("name", [*SEVERAL, "heatmap"])
@pytest.mark.parametrize("scales", [(1.0,), (1.0, 2.0), (0.5, 1.0)])
@pytest.mark.parametrize("flip", [False, True])
def test_all_looks_together_see_what_there_is(name: str, flip: bool, scales: tuple[float, ...]) -> None:
    if name == "pose_proposal" and 0.5 in scales:
        pytest.skip("both people's hips fall into the same cells")
    people = PEOPLE[:1] if name == "heatmap" else PEOPLE
    looks = Looks(flip, scales)
    algorithm, batch, shown = seeing(name, people)
    _, found = look(algorithm, larger(batch, looks), looks)
    assert len(shown) == (1 + flip) * len(scales)
    assert {each.input_size for each in shown} == {(int(128 * s), max(32, round(96 * s / 32) * 32)) for s in scales}
    torch.testing.assert_close(ordered(found), torch.from_numpy(people).float(), atol=1.5, rtol=0)
    assert found.scores is not None and float(found.scores.min()) > 0.5


@pytest.mark.parametrize("name", [*SEVERAL, "heatmap"])
def test_the_mirror_image_of_a_symmetric_picture_changes_nothing(name: str) -> None:
    people = np.array([[[63.5, 20], [75.5, 60], [51.5, 60]]])
    algorithm, batch, _ = seeing(name, people)
    plain, twice = (look(algorithm, batch, Looks(flip))[1] for flip in (False, True))
    torch.testing.assert_close(twice.keypoints, plain.keypoints, atol=0.2, rtol=0)
    torch.testing.assert_close(twice.scores, plain.scores, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["lightweight_openpose", "heatmap"])
def test_maps_of_both_looks_have_the_same_say(name: str) -> None:
    """Who takes left for right in one look of two is undecided; without exchanged channels both would be wrong."""
    people = PEOPLE[:1]
    algorithm, batch, _ = seeing(name, people, fooled=True)
    outputs, _ = look(algorithm, batch, Looks(True))
    maps = outputs["heatmaps"].exp() if name == "heatmap" else outputs["conf_2"]
    left, right = maps[0, 0, 1], maps[0, 0, 2]
    torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-3)
    assert float(left.max()) > 0.3 * float(maps[0, 0, 0].max())


def test_fields_are_turned_and_limbs_exchanged() -> None:
    limbs, partner = [(0, 1), (2, 0), (1, 3), (1, 2)], [0, 2, 1, 3]
    assert mirrored_limbs(limbs, partner) == [(1, -1.0), (0, -1.0), (0, 0.0), (3, -1.0)]
    algorithm, batch, _ = seeing("lightweight_openpose", PEOPLE)
    one = algorithm(batch)
    mirror = algorithm(Batch(batch.images, torch.tensor([[-1.0, 0, 127], [0, 1, 0], [0, 0, 1]])[None, None]))
    both = algorithm.averaged([one, mirror], [False, True])
    assert both is not None
    torch.testing.assert_close(both["paf_2"], one["paf_2"], atol=1e-5, rtol=0)
    torch.testing.assert_close(both["conf_2"], one["conf_2"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", [*SEVERAL, "heatmap", "regression"])
def test_one_look_of_the_usual_size_is_a_plain_prediction(name: str) -> None:
    algorithm = build(name)
    images = [np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)]
    plain, one = (
        next(iter(Predictor(algorithm, **more).predict(images))) for more in ({}, {"looks": Looks(False, (1.0,))})
    )
    np.testing.assert_array_equal(one.instances.keypoints, plain.instances.keypoints)


@pytest.mark.parametrize("name", [*SEVERAL, "heatmap"])
def test_real_networks_are_shown_all_looks(name: str) -> None:
    algorithm = build(name)
    images = [np.random.default_rng(i).integers(0, 255, (96, 128, 3), np.uint8) for i in range(3)]
    found = list(Predictor(algorithm, looks=Looks(True, (0.5, 1.0, 1.5))).predict(images))
    assert len(found) == 3 and found[0].instances.keypoints.shape[::2] == (1, 3)


def test_a_regressed_animal_is_the_mean_of_its_looks() -> None:
    algorithm = build("regression")
    batch = Batch(
        torch.randint(0, 255, (2, 1, 1, 3, SIZE[1], SIZE[0]), dtype=torch.uint8), torch.eye(3).repeat(2, 1, 1, 1)
    )
    with torch.no_grad():
        _, plain = look(algorithm, batch, Looks())
        _, mirror = look(algorithm, batch.with_images(batch.images.flip(-1)), Looks())
        _, both = look(algorithm, batch, Looks(True))
    back = mirror.keypoints[..., [0, 2, 1], :] * torch.tensor([-1.0, 1]) + torch.tensor([127.0, 0])
    one, other = (each.keypoint_scores[..., None] for each in (plain, mirror.reordered([0, 2, 1])))
    wanted = (one * plain.keypoints + other * back) / (one + other)
    torch.testing.assert_close(both.keypoints, wanted, atol=1e-3, rtol=1e-4)


def test_instances_of_looks_are_put_together_by_their_likeness() -> None:
    def seen(points: np.ndarray, score: float) -> Instances:
        scores = np.full(points.shape[:1], score)
        return Instances.from_keypoints(points, keypoint_scores=np.repeat(scores[:, None], 3, 1), scores=scores)

    first, second = seen(PEOPLE, 0.9), seen(PEOPLE[[1]] + 1, 0.3)
    both = merged([first, second], np.full(3, 0.1))
    np.testing.assert_allclose(both.keypoints, [PEOPLE[1] + 0.25, PEOPLE[0]], atol=1e-6)
    np.testing.assert_allclose(both.scores, [0.6, 0.45])
    nobody = Instances.from_keypoints(np.zeros((0, 3, 2)), keypoint_scores=np.zeros((0, 3)), scores=np.zeros(0))
    assert len(merged([nobody, nobody], np.full(3, 0.1)).keypoints) == 0
    np.testing.assert_allclose(merged([nobody, second], np.full(3, 0.1)).scores, [0.15])


def test_a_missing_keypoint_of_one_look_is_filled_by_another() -> None:
    torn = PEOPLE[:1].copy()
    torn[0, 2] = np.nan
    looks = [
        Instances.from_keypoints(p, keypoint_scores=np.where(np.isnan(p[..., 0]), 0, 0.8), scores=np.full(1, 0.8))
        for p in (torn, PEOPLE[:1])
    ]
    both = merged(looks, np.full(3, 0.2))
    np.testing.assert_allclose(both.keypoints, PEOPLE[:1])
    np.testing.assert_allclose(both.keypoint_scores, [[0.8, 0.8, 0.4]], atol=1e-6)


def test_maps_are_enlarged_to_the_largest() -> None:
    small, large = torch.ones(2, 3, 4), torch.full((2, 6, 8), 3.0)
    torch.testing.assert_close(enlarged([small, large]).mean(0), torch.full((2, 6, 8), 2.0))


def test_settings_that_have_no_effect_or_cannot_work_are_said() -> None:
    config = Config.from_mapping({"inference": {"flip": True, "scales": [0.5, 1]}})
    assert config.inference.scales == (0.5, 1.0)
    idle = idle_settings(config, Needs(views=True))
    assert any(text.startswith("inference.flip") for text in idle) and any("inference.scales" in text for text in idle)
    assert not any("inference." in text for text in idle_settings(config, Needs(instances=True)))
    assert Looks.of(config.inference, Needs(truth_3d=True)).plain
    assert Looks.of(config.inference, Needs()).identity == "scales 0.5,1 flip" and Looks().identity == ""
    with pytest.raises(ConfigError, match=r"inference\.runtime=onnx: takes images of one size"):
        _any_size("onnx")
    assert _any_size("auto") == "torch" and _any_size("torch_bf16") == "torch_bf16"
    for scales in ([], [0.1], [9]):
        with pytest.raises(ValueError, match="scales"):
            InferenceSettings.model_validate({"scales": scales})


def test_a_network_of_one_size_says_so(tmp_path: Path) -> None:
    algorithm, batch, _ = seeing("heatmap", PEOPLE[:1])
    inner = algorithm.forward

    def forward(batch: Batch) -> Outputs:
        if batch.input_size != SIZE:
            raise AssertionError("input height doesn't match model")
        return inner(batch)

    algorithm.forward = forward  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=r"inference\.scales=\[1\.0, 2\.0\]: heatmap .* of 128x96 px only"):
        look(algorithm, larger(batch, Looks(False, (1.0, 2.0))), Looks(False, (1.0, 2.0)))
