"""What every format must do, over the formats that are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitruve.errors import InputError
from vitruve.formats.hub import available, format_for, get_format, read_labels, recognise, writable, write_labels
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

FORMATS = sorted(writable())
NAMES = ("nose", "Schnauze süß", "paw_L", "paw_R", "尾")


def make(
    seed: int, count: int = 1, frames: int = 4, occluded: bool = False, scores: bool = False, names=NAMES
) -> Labels:
    """Random labels in which every second frame has a missing keypoint, and the first frame has nothing."""
    rng = np.random.default_rng(seed)
    result = []
    for number in range(frames):
        keypoints = rng.uniform(-3, 500, (1, count, len(names), 2))
        keypoints[0, :, number % len(names)] = np.nan
        if number == 0 and frames > 1 and count == 1:
            keypoints[:] = np.nan
        instances = Instances.from_keypoints(keypoints)
        if occluded:
            instances = replace(
                instances,
                visible=np.where(
                    instances.visible * rng.uniform(size=(1, count, len(names))) > 1, 1, instances.visible
                ).astype(np.int8),
            )
        if scores:
            likelihood = np.where(instances.visible > 0, rng.uniform(size=instances.visible.shape), np.nan)
            instances = replace(instances, keypoint_scores=likelihood)
        image = ImageRef(Path(f"labeled-data/séance 1/img{number:04d}.png"))
        result.append(Frame((image,), instances, "séance 1"))
    return Labels(Skeleton.from_names(names), tuple(result), scorer="ann")


def assert_same_places(found: np.ndarray, wanted: np.ndarray) -> None:
    """To the last bit but one: where pixels count from the corner, all are moved by half a pixel and back."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def assert_same(found: Labels, wanted: Labels) -> None:
    assert found.skeleton.names == wanted.skeleton.names
    assert [f.images for f in found] == [f.images for f in wanted]
    assert [f.session for f in found] == [f.session for f in wanted]
    for here, there in zip(found, wanted, strict=True):
        seen, truth = here.instances[0], there.instances[0]
        n = max(int(truth.present.sum()), 0)
        assert int(seen.present.sum()) == n
        seen, truth = seen[seen.present], truth[truth.present]
        assert_same_places(seen.keypoints, truth.keypoints)
        np.testing.assert_array_equal(seen.visible, truth.visible)
        assert (seen.keypoint_scores is None) == (truth.keypoint_scores is None)
        if truth.keypoint_scores is not None:
            np.testing.assert_allclose(seen.keypoint_scores, truth.keypoint_scores, atol=1e-7)


def fitting(labels: Labels, name: str) -> Labels:
    """The same labels with all fractions 0.5, for a format that holds none."""
    if "fractions" in get_format(name).KEEPS:
        return labels
    whole = [replace(f.instances, keypoints=np.floor(f.instances.keypoints) + 0.5) for f in labels]
    return replace(labels, frames=tuple(replace(f, instances=item) for f, item in zip(labels, whole, strict=True)))


def file_of(name: str, folder: Path) -> Path:
    return folder / f"CollectedData{get_format(name).SUFFIXES[0]}"


@pytest.mark.parametrize("name", FORMATS)
def test_module_is_a_format(name: str) -> None:
    module = get_format(name)
    assert module.NAME == name == module.__name__.rpartition(".")[2]
    assert module.DESCRIPTION and "\n" not in module.DESCRIPTION
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in module.SUFFIXES)


@pytest.mark.parametrize("name", FORMATS)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 5))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_animal_comes_back(name: str, seed: int, frames: int, tmp_path: Path) -> None:
    wanted = fitting(make(seed, frames=frames), name)
    write_labels(wanted, file_of(name, tmp_path), name)
    assert_same(read_labels(file_of(name, tmp_path)), wanted)


@pytest.mark.parametrize("suffix", [s for n in FORMATS for s in get_format(n).SUFFIXES])
def test_every_suffix_comes_back(suffix: str, tmp_path: Path) -> None:
    name = next(n for n in FORMATS if suffix in get_format(n).SUFFIXES)
    wanted = fitting(make(1), name)
    write_labels(wanted, tmp_path / f"a{suffix}", name)
    assert_same(read_labels(tmp_path / f"a{suffix}"), wanted)


@pytest.mark.parametrize("name", FORMATS)
def test_predictions_come_back(name: str, tmp_path: Path) -> None:
    wanted = fitting(make(2, scores=True, occluded=False), name)
    write_labels(wanted, file_of(name, tmp_path), name)
    found = read_labels(file_of(name, tmp_path))
    if "keypoint scores" in get_format(name).KEEPS:
        assert_same(found, wanted)
    else:
        assert_same_places(found.keypoints(), wanted.keypoints())


@pytest.mark.parametrize("name", FORMATS)
def test_several_animals(name: str, tmp_path: Path) -> None:
    wanted = make(3, count=2)
    tracks = [np.array([[0, 1]]), np.array([[1, 0]]), np.array([[0, 1]]), np.array([[1, 0]])]
    wanted = replace(
        wanted,
        frames=tuple(replace(f, instances=replace(f.instances, tracks=t)) for f, t in zip(wanted, tracks, strict=True)),
    )
    path = file_of(name, tmp_path)
    if "instances" not in get_format(name).KEEPS:
        with pytest.raises(InputError, match=r"img0000.png.*holds 2 instances"):
            write_labels(wanted, path, name)
        assert not path.exists()
        return
    write_labels(wanted, path, name)
    found = read_labels(path)
    for here, there in zip(found, wanted, strict=True):
        order = [here.instances.tracks[0].tolist().index(track) for track in there.instances.tracks[0]]
        assert_same_places(here.instances.keypoints[:, order], there.instances.keypoints)


@pytest.mark.parametrize("name", FORMATS)
def test_occluded_keypoints(name: str, tmp_path: Path) -> None:
    wanted = fitting(make(4, occluded=True), name)
    assert (wanted.visible() == 1).any()
    write_labels(wanted, file_of(name, tmp_path), name)
    found = read_labels(file_of(name, tmp_path))
    if "occluded" in get_format(name).KEEPS:
        assert_same(found, wanted)
    else:
        assert_same_places(found.keypoints(), wanted.keypoints())


@pytest.mark.parametrize("name", FORMATS)
def test_exactly_one_format_recognises_a_file(name: str, tmp_path: Path) -> None:
    path = file_of(name, tmp_path)
    write_labels(make(5), path, name)
    assert [n for n, module in available().items() if module.sniff(path)] == [name]
    assert name == recognise(path).NAME


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"hello", "süß,\n".encode("latin-1"), b"\x89HDF\r\n\x1a\n"])
def test_foreign_files_are_refused_in_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    path = file_of(name, tmp_path)
    path.write_bytes(content)
    assert not get_format(name).sniff(path)
    with pytest.raises(InputError, match=path.name) as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_written_from_nothing(name: str, tmp_path: Path) -> None:
    path = file_of(name, tmp_path)
    with pytest.raises(InputError, match="no frame"):
        write_labels(replace(make(6), frames=()), path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_sniffing_what_is_not_there(name: str, tmp_path: Path) -> None:
    assert not get_format(name).sniff(tmp_path / "absent.csv")
    assert not get_format(name).sniff(tmp_path)


def test_what_can_only_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="label3d can only be read; write coco, cvat_xml, deeplabcut, jarvis, "):
        write_labels(make(6), tmp_path / "a.mat", "label3d")
    with pytest.raises(InputError, match=r"a\.mat: no label format has files that end in \.mat"):
        format_for(tmp_path / "a.mat")


def test_unknown_format_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'lightningpose' \(did you mean 'lightning_pose'\?\); known are .*sleap"):
        get_format("lightningpose")


def test_unknown_file_lists_the_formats(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"a.txt: no known label format; known are .*lightning_pose"):
        read_labels(tmp_path / "a.txt")
    with pytest.raises(InputError, match="no such file or folder"):
        read_labels(tmp_path / "b.csv")


def test_wrong_suffix_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sleap files end in .slp, not in .csv"):
        write_labels(make(7), tmp_path / "a.csv", "sleap")


def test_skeleton_beside_the_labels_is_used(tmp_path: Path) -> None:
    write_labels(make(8), tmp_path / "a.csv")
    (tmp_path / "skeleton.yaml").write_text("names: [nose, Schnauze süß, paw_L, paw_R, 尾]\nedges: [[nose, 尾]]\n")
    assert read_labels(tmp_path / "a.csv").skeleton.edges == ((0, 4),)
    (tmp_path / "skeleton.yaml").write_text("names: [nose]\n")
    with pytest.raises(InputError, match=r"skeleton.yaml: names nose, but"):
        read_labels(tmp_path / "a.csv")
