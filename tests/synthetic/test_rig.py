from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solids import inside

from vitruve.errors import InputError
from vitruve.geometry.triangulation import triangulate
from vitruve.structures.camera import stack_cameras
from vitruve.structures.instances import OCCLUDED
from vitruve.synthetic.body import RODENT, Part, Pose
from vitruve.synthetic.raycast import Ellipsoid, Solid
from vitruve.synthetic.rig import RigScene, dome_of_cameras

SIZE = (160, 128)
TIMES = (3.0, 41.7, 120.4, 171.9, 250.0)


@pytest.fixture(scope="module")
def scene() -> RigScene:
    return RigScene(1, 0, views=3, size=SIZE, posts=10)


def test_images_and_truth_have_the_promised_shapes(scene: RigScene) -> None:
    images, truth = scene.render(10.0)
    assert images.shape == (3, SIZE[1], SIZE[0], 3) and images.dtype == np.uint8
    assert truth.keypoints.shape == (3, 1, len(RODENT), 2) and truth.visible.shape == (3, 1, len(RODENT))
    assert scene.in_space(10.0).keypoints.shape == (1, len(RODENT), 3)
    assert scene.view_names == ("Camera_A", "Camera_B", "Camera_C") == tuple(sorted(scene.view_names))
    without = scene.seen(10.0)
    np.testing.assert_array_equal(without.keypoints, truth.keypoints)
    np.testing.assert_array_equal(without.visible, truth.visible)


def test_triangulating_the_truth_in_pixels_gives_the_truth_in_space() -> None:
    scene = RigScene(4, 0, views=12, size=(64, 64))
    cameras = stack_cameras(scene.cameras)
    for time in TIMES:
        found = triangulate(cameras, scene.seen(time).keypoints[:, 0])
        np.testing.assert_allclose(found, scene.in_space(time).keypoints[0], atol=1e-6)


def test_parts_are_rendered_exactly_around_their_keypoints(monkeypatch: pytest.MonkeyPatch, scene: RigScene) -> None:
    # The rodent becomes one ball at each keypoint in turn: its colour centre is where the truth says.
    plain = scene._body.pose
    away = []
    for time in TIMES:
        whole = plain(time)
        for keypoint in range(0, len(RODENT), 3):
            ball = Ellipsoid(whole.keypoints[keypoint], np.eye(3), (14.0, 14.0, 14.0))
            images = {}
            for color in ((255.0, 255.0, 255.0), (0.0, 0.0, 0.0)):
                alone = Pose(whole.keypoints, (Part(ball, color, np.eye(3)),))
                monkeypatch.setattr(scene._body, "pose", lambda _, alone=alone: alone)
                images[color], truth = scene.render(time)
            difference = (images[255.0, 255.0, 255.0].astype(float) - images[0.0, 0.0, 0.0]).sum(-1)
            for view in range(3):
                x, y = truth.keypoints[view, 0, keypoint].tolist()
                if truth.visible[view, 0, keypoint] and _apart_from_posts(scene, view, x, y):
                    # Noise is the same in both; every pixel counts alike, because light differs over the ball.
                    rows, columns = np.nonzero(difference[view])
                    assert (columns.mean(), rows.mean()) == pytest.approx((x, y), abs=0.3)
                    away.append((columns.mean() - x, rows.mean() - y))
    assert len(away) > 30 and np.abs(np.mean(away, 0)).max() < 0.05


def _apart_from_posts(scene: RigScene, view: int, x: float, y: float) -> bool:
    standing = scene._views[view]._standing
    low_x, low_y = max(int(x) - 8, 0), max(int(y) - 8, 0)
    inside = 8 < x < SIZE[0] - 9 and 8 < y < SIZE[1] - 9
    return inside and bool(np.isinf(standing[low_y : int(y) + 9, low_x : int(x) + 9]).all())


def test_visibility_agrees_with_marching_from_the_keypoint_to_the_camera(scene: RigScene) -> None:
    body, views, agreed, occluded = scene._body, scene._views, 0, 0
    posts = [post.solid for post in scene._posts]
    for time in TIMES[:3]:
        pose, truth = body.pose(time), scene.seen(time)
        for view in range(3):
            for keypoint, point in enumerate(pose.keypoints):
                way = views[view].eye.origin - point
                way /= np.linalg.norm(way)
                # From its flesh outwards: what is met there is something else.
                outer = body.flesh[keypoint] + 0.2 + np.arange(0, 420, 0.4)
                along = point + outer[:, None] * way
                solids = [part.solid for part in pose.parts] + posts
                near = [s for s in solids if _near(s, point, way)]
                hidden = any(inside(solid, along).any() for solid in near)
                agreed += hidden == (truth.visible[view, 0, keypoint] == OCCLUDED)
                occluded += hidden
    assert occluded > 20
    # Rays that only graze a part may fall between two steps.
    assert agreed >= 3 * 3 * len(RODENT) - 1


def _near(solid: Solid, point: np.ndarray, way: np.ndarray) -> bool:
    """Whether the line comes near the ball around a solid: marching need not look at the others."""
    middle = solid.corners.mean(0)
    reach = np.linalg.norm(solid.corners - middle, axis=-1).max()
    return bool(np.linalg.norm(np.cross(middle - point, way)) <= reach)


def test_hidden_keypoints_are_common_and_posts_hide_more(scene: RigScene) -> None:
    free = RigScene(1, 0, views=3, size=SIZE)
    times = np.linspace(0, 300, 20).tolist()
    hidden = [np.mean([s.seen(time).visible == OCCLUDED for time in times]) for s in (free, scene)]
    lost = np.mean([free.seen(time).visible == 0 for time in times])
    assert 0.2 < hidden[0] < hidden[1] < 0.6 and lost < 0.02
    np.testing.assert_array_equal(free.in_space(9.0).keypoints, scene.in_space(9.0).keypoints)


def test_the_same_seed_gives_the_same_pixels_and_another_one_others(scene: RigScene) -> None:
    again = RigScene(1, 0, views=3, size=SIZE, posts=10)
    np.testing.assert_array_equal(scene.render(33.3)[0], again.render(33.3)[0])
    other = RigScene(1, 5, views=3, size=SIZE, posts=10)
    assert (other.render(33.3)[0] != scene.render(33.3)[0]).mean() > 0.5
    for one, two in zip(other.cameras, scene.cameras, strict=True):
        np.testing.assert_array_equal(one.rotation, two.rotation)
    # Noise apart, a moment later only the rodent has moved.
    moved = np.abs(scene.render(33.3)[0].astype(int) - scene.render(33.5)[0]).max(-1)
    assert (moved > 0).mean() > 0.5 and (moved > 60).mean() < 0.1


def test_each_view_has_its_own_light(scene: RigScene) -> None:
    images, _ = scene.render(60.0)
    means = images.reshape(3, -1, 3).mean(1)
    assert np.abs(means[:, None] - means).max(-1)[np.triu_indices(3, 1)].min() > 4


@pytest.mark.parametrize("views", [2, 7, 12])
def test_cameras_stand_all_around_and_hold_the_arena(views: int) -> None:
    cameras = dome_of_cameras(np.random.default_rng(3), views, (320, 256))
    places = np.stack([-camera.rotation.T @ camera.translation for camera in cameras])
    turns = np.sort(np.arctan2(places[:, 1], places[:, 0]))
    gaps = np.diff(np.append(turns, turns[0] + 2 * np.pi))
    assert gaps.max() < 1.5 * 2 * np.pi / views and places[:, 2].min() > 150
    for camera in cameras:
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.rotation) == pytest.approx(1)
        above = camera.project(np.array([[0.0, 0, 0], [0, 0, 80.0]]))
        assert above[1, 1] < above[0, 1]
        straight = replace(camera, distortion=np.zeros(8))
        corner = camera.undistort(np.zeros((1, 2)))
        bent = straight.project(straight.rotation.T @ (np.append(corner, 1) - straight.translation) * np.ones((1, 1)))
        assert np.linalg.norm(bent) > 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"views": 1}, "1 cameras; give 2 to 12"),
        ({"views": 13}, "13 cameras"),
        ({"size": (63, 100)}, "63x100 px; give 64 to 1280"),
    ],
)
def test_wrong_numbers_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RigScene(**settings)  # type: ignore[arg-type]


def test_times_outside_the_scene_are_refused(scene: RigScene) -> None:
    for time in (-0.1, scene.duration + 0.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 300 s"):
            scene.render(time)
