"""SLEAP files: what sleap-io wrote is read, and what we write sleap-io reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sleap_io

from vitruve.errors import InputError
from vitruve.formats import sleap
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.notes import LabelsWarning
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

pytestmark = pytest.mark.filterwarnings("ignore::vitruve.formats.notes.LabelsWarning")

POINTS = np.array([[[[1.0, 2.0], [3.0, 4.0], [np.nan, np.nan]], [[5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]]])


def labels_of(root: Path, **arrays: object) -> Labels:
    instances = Instances(POINTS, np.array([[[2, 1, 0], [2, 2, 2]]], np.int8), **arrays)
    names = [
        ImageRef(Path("videos/v.mp4"), 7),
        ImageRef(Path("labeled-data/s/i2.png")),
        ImageRef(Path("labeled-data/s/i1.png")),
    ]
    frames = tuple(Frame((image,), instances, image.path.stem if image.index else "s") for image in names)
    return Labels(Skeleton(("ü", "b", "c"), ((0, 1), (2, 1)), ((0, 2),)), frames, root)


def test_everything_comes_back(tmp_path: Path) -> None:
    wanted = labels_of(tmp_path, tracks=np.array([[4, -1]]))
    write_labels(wanted, tmp_path / "a.slp", "sleap")
    found = read_labels(tmp_path / "a.slp")
    assert found.skeleton == wanted.skeleton
    assert [f.images for f in found] == [f.images for f in wanted]
    assert [f.session for f in found] == [f.session for f in wanted]
    for frame in found:
        np.testing.assert_array_equal(frame.instances.keypoints, POINTS)
        np.testing.assert_array_equal(frame.instances.visible, wanted[0].instances.visible)
        np.testing.assert_array_equal(frame.instances.tracks, [[4, -1]])
        assert frame.instances.scores is None


def test_predictions_come_back(tmp_path: Path) -> None:
    scores = np.array([[[0.5, 0.25, np.nan], [1, 0.75, 0.125]]])
    wanted = labels_of(tmp_path, keypoint_scores=scores, scores=np.array([[0.5, 0.25]]))
    write_labels(wanted, tmp_path / "a.slp", "sleap")
    found = read_labels(tmp_path / "a.slp")
    np.testing.assert_array_equal(found[1].instances.keypoint_scores, scores)
    np.testing.assert_array_equal(found[1].instances.scores, [[0.5, 0.25]])


def test_sleap_io_reads_what_is_written(tmp_path: Path) -> None:
    write_labels(labels_of(tmp_path), tmp_path / "a.slp", "sleap")
    content = sleap_io.load_slp(str(tmp_path / "a.slp"), open_videos=False)
    assert content.skeletons[0].node_names == ["ü", "b", "c"] and content.skeletons[0].edge_inds == [(0, 1), (2, 1)]
    assert {n.name for n in content.skeletons[0].symmetries[0].nodes} == {"ü", "c"}
    first = content.labeled_frames[0]
    assert first.video.filename == "videos/v.mp4" and first.frame_idx == 7
    np.testing.assert_array_equal(first.instances[0].points["visible"], [True, False, False])
    np.testing.assert_array_equal(first.instances[1].numpy(), POINTS[0, 1])


def sleap_file(path: Path, images: list[Path], **settings: object) -> sleap_io.Labels:
    skeleton = sleap_io.Skeleton(nodes=["left_a", "right_a"])
    video = sleap_io.Video.from_filename([str(p) for p in images])
    track = sleap_io.Track("mouse")
    user = sleap_io.Instance.from_numpy(np.array([[1.0, 2], [3, 4]]), skeleton=skeleton, track=track)
    guess = sleap_io.PredictedInstance.from_numpy(
        np.array([[5.0, 6], [np.nan, np.nan]]), skeleton=skeleton, point_scores=np.array([0.5, 0]), score=0.5
    )
    frames = [
        sleap_io.LabeledFrame(video=video, frame_idx=0, instances=[guess, user]),
        sleap_io.LabeledFrame(video=video, frame_idx=1, instances=[guess]),
        sleap_io.LabeledFrame(video=video, frame_idx=2, instances=[], is_negative=True),
    ]
    content = sleap_io.Labels(
        frames, videos=[video], skeletons=[skeleton], tracks=[track],
        suggestions=[sleap_io.SuggestionFrame(video=video, frame_idx=1)],
    )  # fmt: skip
    sleap_io.save_slp(content, str(path), verbose=False, **settings)
    return content


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / "raw" / f"i{n}.png" for n in range(3)]
    for path in paths:
        write_image(path, rng.integers(0, 255, (8, 12, 3), np.uint8))
    return paths


def test_labels_and_predictions_are_not_mixed(tmp_path: Path, images: list[Path]) -> None:
    sleap_file(tmp_path / "a.slp", images)
    with pytest.warns(LabelsWarning) as said:
        labels = read_labels(tmp_path / "a.slp")
    text = " | ".join(str(item.message) for item in said)
    assert "2 predicted instances were skipped" in text and "1 frames without labelled instances" in text
    assert "1 suggested frames" in text and "tracks mouse are kept as identities 0" in text
    assert [f.images[0].path for f in labels] == [images[0], images[2]]
    assert [f.instances.keypoints.shape[1] for f in labels] == [1, 0]
    assert labels.skeleton.swaps == ((0, 1),) and labels[0].session == "raw"
    with pytest.warns(LabelsWarning, match="1 labelled instances were skipped"):
        guessed = sleap.read(tmp_path / "a.slp", predicted=True)
    assert len(guessed) == 3
    np.testing.assert_array_equal(guessed[0].instances.keypoint_scores, [[[0.5, np.nan]]])
    np.testing.assert_array_equal(guessed[0].instances.visible, [[[2, 0]]])


def test_images_inside_a_package(tmp_path: Path, images: list[Path]) -> None:
    from vitruve.media.images import read_image

    sleap_file(tmp_path / "a.pkg.slp", images, embed="user")
    labels = read_labels(tmp_path / "a.pkg.slp")
    assert labels[0].images[0] == ImageRef(Path("a.pkg.slp/video0"), 0) and labels[0].session == "i0"
    pixels = sleap.open_embedded(tmp_path / "a.pkg.slp")
    np.testing.assert_array_equal(pixels(labels[0].images[0]), read_image(images[0]))
    assert pixels(ImageRef(Path("a.pkg.slp/video0"), 99)) is None


def test_a_video_that_moved_beside_the_labels_is_found(tmp_path: Path) -> None:
    write_labels(labels_of(tmp_path), tmp_path / "a.slp", "sleap")
    (tmp_path / "v.mp4").write_bytes(b"x")
    assert read_labels(tmp_path / "a.slp")[0].images[0] == ImageRef(Path("v.mp4"), 7)


def test_what_is_refused(tmp_path: Path) -> None:
    labels = labels_of(tmp_path)
    with pytest.raises(InputError, match="holds one view, not 2"):
        write_labels(replace(labels, view_names=("a", "b")), tmp_path / "a.slp", "sleap")
    with pytest.raises(InputError, match=r"i1.png' is labelled twice"):
        write_labels(labels[[2, 2]], tmp_path / "a.slp", "sleap")
    with pytest.raises(InputError, match="no such file"):
        sleap.read(tmp_path / "b.slp")
    assert list(tmp_path.iterdir()) == []


def test_damaged_file(tmp_path: Path) -> None:
    import h5py

    write_labels(labels_of(tmp_path), tmp_path / "a.slp", "sleap")
    with h5py.File(tmp_path / "a.slp", "r+") as file:
        file["metadata"].attrs["json"] = "{"
    with pytest.raises(InputError, match=r"a.slp: damaged SLEAP file \(") as caught:
        read_labels(tmp_path / "a.slp")
    assert "\n" not in str(caught.value)


def test_several_skeletons(tmp_path: Path) -> None:
    video = sleap_io.Video(filename="v.mp4", open_backend=False)
    items = []
    for number, nodes in enumerate((["a"], ["b"])):
        skeleton = sleap_io.Skeleton(nodes=nodes)
        instance = sleap_io.Instance.from_numpy(np.ones((1, 2)), skeleton=skeleton)
        items.append(sleap_io.LabeledFrame(video=video, frame_idx=number, instances=[instance]))
    sleap_io.save_slp(sleap_io.Labels(items), str(tmp_path / "a.slp"), verbose=False)
    with pytest.raises(InputError, match="instances of 2 different skeletons"):
        read_labels(tmp_path / "a.slp")


def test_real_package(data_dir: Path) -> None:
    path = data_dir / "sleap" / "minimal_instance.pkg.slp"
    labels = read_labels(path)
    assert labels.skeleton.names == ("A", "B") and labels.skeleton.edges == ((0, 1),)
    assert labels[0].instances.keypoints.shape == (1, 2, 2, 2) and labels[0].session == "centered_pair_low_quality"
    np.testing.assert_allclose(labels[0].instances.keypoints[0, 0, 0], [92.652, 202.726], atol=1e-3)
    image = sleap.open_embedded(path)(labels[0].images[0])
    assert image is not None and image.shape == (384, 384) and image.std() > 10
