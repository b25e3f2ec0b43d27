from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from vitruve.algorithms.base import Needs
from vitruve.config.schema import Config
from vitruve.data.context import check_context
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.example_project import write_example
from vitruve.formats.hub import read_labels
from vitruve.media.images import read_image
from vitruve.media.video import VideoReader
from vitruve.synthetic import make_scene


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_example("mouse", tmp_path_factory.mktemp("example") / "mouse", frames=6, video_frames=5)


def test_the_layout_is_that_of_a_lightning_pose_project(project: Path) -> None:
    assert {path.name for path in project.iterdir()} == {
        "config.yaml",
        "CollectedData.csv",
        "example.json",
        "labeled-data",
        "skeleton.yaml",
        "videos",
    }
    assert len(list((project / "labeled-data" / "mouse").glob("img????????.png"))) == 6
    assert {path.name for path in (project / "videos").iterdir()} == {"mouse.mp4", "mouse_truth.csv"}
    rows = (project / "CollectedData.csv").read_text().splitlines()
    assert rows[0].startswith("scorer,") and rows[1].startswith("bodyparts,nose,nose,nose,ear_left")
    assert rows[2].startswith("coords,x,y,visible,x,y,visible")
    assert len(rows) == 3 + 6 and rows[3].startswith("labeled-data/mouse/img")
    assert {oct(path.stat().st_mode & 0o777) for path in (project, project / "videos")} == {"0o755"}


def test_labels_are_the_truth_of_their_images(project: Path) -> None:
    scene = make_scene("mouse", 0)
    labels = read_labels(project / "CollectedData.csv")
    assert labels.skeleton.names == scene.skeleton.names
    assert labels.skeleton.edges == scene.skeleton.edges and labels.skeleton.swaps == scene.skeleton.swaps
    for frame in labels:
        time = int(frame.images[0].path.stem.removeprefix("img")) / 25
        images, truth = scene.render(time)
        np.testing.assert_array_equal(read_image(labels.path(frame.images[0])), images[0])
        np.testing.assert_allclose(frame.instances.keypoints, truth.keypoints, atol=1e-3)
        np.testing.assert_array_equal(frame.instances.visible, truth.visible)


def test_labelled_frames_are_far_apart_and_before_the_video(project: Path) -> None:
    files = (project / "labeled-data" / "mouse").iterdir()
    indices = np.sort([int(path.stem.removeprefix("img")) for path in files])
    # Two seconds: the mouse has gone elsewhere.
    assert np.diff(indices).min() > 50 and indices[-1] < 250 * 25


def test_the_video_and_its_truth_have_the_same_frames(project: Path) -> None:
    scene = make_scene("mouse", 0)
    truth = read_labels(project / "videos" / "mouse_truth.csv", format="lightning_pose")
    with VideoReader(project / "videos" / "mouse.mp4") as video:
        frames = list(video.frames())
    assert len(frames) == len(truth) == 5
    for number, (image, frame) in enumerate(zip(frames, truth, strict=True)):
        rendered, expected = scene.render(250 + number / 25)
        assert np.abs(image.astype(float) - rendered[0]).mean() < 4
        np.testing.assert_allclose(frame.instances.keypoints, expected.keypoints, atol=1e-3)


def test_the_settings_are_valid_and_fit_the_labels(project: Path) -> None:
    config = Config.from_mapping(yaml.safe_load((project / "config.yaml").read_text()))
    assert config.data.num_keypoints == len(make_scene("mouse").skeleton)
    assert config.data.keypoint_names == make_scene("mouse").skeleton.names
    assert not config.training.backbone_pretrained


def test_a_finished_example_is_reused(project: Path) -> None:
    marker = project / "outputs.txt"
    marker.write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    assert write_example("mouse", project, frames=6, video_frames=5) == project
    assert before == {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    marker.unlink()


def test_nothing_else_is_overwritten(project: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with frames=6, not 7"):
        write_example("mouse", project, frames=7, video_frames=5)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="already holds something else"):
        write_example("mouse", tmp_path)
    with pytest.raises(InputError, match="is a file"):
        write_example("mouse", tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"notes\.txt.*: cannot be written"):
        write_example("mouse", tmp_path / "notes.txt" / "mouse")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_damaged_example_is_reported(tmp_path: Path) -> None:
    place = tmp_path / "mouse"
    place.mkdir()
    assert write_example("mouse", place, frames=1, video_frames=1) == place
    (place / "skeleton.yaml").unlink()
    with pytest.raises(InputError, match=r"'skeleton\.yaml' of the example is missing"):
        write_example("mouse", place, frames=1, video_frames=1)
    (place / "example.json").write_text("[1]")
    with pytest.raises(InputError, match=r"example\.json: cannot be read"):
        write_example("mouse", place)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr("vitruve.example_project.write_skeleton", full)
    with pytest.raises(InputError, match="the disk is full"):
        write_example("mouse", tmp_path / "mouse", frames=1, video_frames=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mous"}, r"no example 'mous' \(did you mean 'mouse'\?\)"),
        ({"frames": 0}, "frames=0; it must be from 1 to 2000"),
        ({"video_frames": 1001}, "video_frames=1001"),
        ({"seed": -1}, "seed=-1; it must not be negative"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_example(directory=tmp_path / "mouse", **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_cluttered_recordings_have_context_exact_truth_and_further_recordings(tmp_path: Path) -> None:
    extent = {"frames": 3, "videos": 2, "video_frames": 2, "new_frames": 3}
    project = write_example("cluttered_mouse", tmp_path / "c", seed=1, **extent)
    assert {path.name for path in (project / "videos").iterdir()} == {
        f"mouse{n:02d}{end}" for n in range(2) for end in (".mp4", "_truth.csv")
    }
    labels, new = read_labels(project / "CollectedData.csv"), read_labels(project / "CollectedData_new.csv")
    assert len(labels) == len(new) == 3
    assert {frame.session for frame in labels} == {"mouse00", "mouse01"}
    assert not {frame.session for frame in labels} & {frame.session for frame in new}
    cache, needs = ImageCache(0), Needs(context=2)
    assert check_context(labels, needs, cache, "any") is None and check_context(new, needs, cache, "any") is None
    for part, first in ((labels, 100), (new, 150)):
        for frame in part:
            scene = make_scene("cluttered_mouse", first + int(frame.session[-2:]))
            number = int(frame.images[0].path.stem.removeprefix("img"))
            for near in range(number - 2, number + 3):
                path = labels.root / "labeled-data" / frame.session / f"img{near:08d}.png"
                np.testing.assert_array_equal(read_image(path), scene.render(near / 25)[0][0])
            truth = scene.render(number / 25)[1]
            np.testing.assert_allclose(frame.instances.keypoints, truth.keypoints, atol=1e-3)
            # People who look at the frames around label what is hidden, too; the truth to test with says that it is.
            wanted = truth.visible if part is new else np.where(truth.visible > 0, 2, 0)
            np.testing.assert_array_equal(frame.instances.visible, wanted)
