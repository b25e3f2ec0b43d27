"""Analysis in space with a network whose errors are known: what is measured, left out and written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from calibrated_scene import SKELETON, VIEWS, picture, rig, scene_labels
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.formats import jarvis
from vitruve.formats.analysis_points import read_analysis_points, write_analysis_points
from vitruve.geometry.boxes import edges, whole_image
from vitruve.inference.locate import with_boxes
from vitruve.media.images import read_image, write_image
from vitruve.pipeline import analyze_3d
from vitruve.pipeline.compare_3d import plot_error_histogram, plot_error_per_keypoint, read_analysis
from vitruve.structures.camera import missing_camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import ImageRef, Labels
from vitruve.visualize import plots_3d

OFF = np.array([1.0, 2.0, 2.0])
"""What the network in space is wrong by: 3 mm."""


class Known:
    """A predictor that knows the truth: views exactly, points in space off by :data:`OFF`."""

    def __init__(self, truth: Labels, lost: Sequence[str] = ()) -> None:
        task = SimpleNamespace(skeleton=truth.skeleton, input_size=(64, 64))
        self.algorithm = SimpleNamespace(task=task)
        self.locator = self
        self.calls: list[tuple[str, ...]] = []
        self._truth = {frame.first_image.path.name: frame for frame in truth}
        self._lost, self._scale = lost, 0.5

    def locate(self, labels: Labels, cache: ImageCache) -> Labels:
        frames = []
        for frame in labels:
            boxes = [edges(whole_image(image.size or (1, 1), 1.0)) for image in frame.images]
            if frame.first_image.path.name not in self._lost:
                boxes = [box * self._scale + 10 for box in boxes]
            frames.append(with_boxes(frame, np.stack(boxes)))
        return replace(labels, frames=tuple(frames))

    def predict_labels(self, labels: Labels, cache: ImageCache | None = None) -> Labels:
        self.calls.append(labels.view_names)
        frames = []
        for frame in labels:
            truth = self._truth[frame.first_image.path.name]
            views = [VIEWS.index(name) for name in labels.view_names]
            seen = truth.instances.keypoints[views]
            assert truth.instances_3d is not None
            found = Instances.from_keypoints(seen, keypoint_scores=np.full(seen.shape[:-1], 0.9))
            solid = Instances.from_keypoints(truth.instances_3d.keypoints + OFF)
            frames.append(replace(frame, instances=found, instances_3d=solid))
        return replace(labels, frames=tuple(frames))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Labels]:
    """A TrainingSet on disk, and its labels with the exact truth."""
    folder = tmp_path_factory.mktemp("set")
    labels = scene_labels(10).with_splits(["train"] * 4 + ["validation"] * 6)
    names = jarvis.image_names(labels, "walk")
    frames = []
    for frame, paths in zip(labels, names, strict=True):
        for view, path in enumerate(paths):
            write_image(folder / path, picture(frame.instances.keypoints[view, 0]))
        frames.append(replace(frame, images=tuple(ImageRef(path) for path in paths)))
    truth = replace(labels, frames=tuple(frames), root=folder)
    jarvis.write(truth, folder)
    return folder, analyze_3d.reconstructed(truth)


@pytest.fixture
def network(written: tuple[Path, Labels], monkeypatch: pytest.MonkeyPatch) -> Known:
    known = Known(written[1])
    monkeypatch.setattr(analyze_3d, "open_run", lambda *_, **__: SimpleNamespace(predictor=known))
    return known


def test_errors_of_the_network_and_of_triangulation_are_what_they_are(
    written: tuple[Path, Labels], network: Known, tmp_path: Path
) -> None:
    folder, _ = written
    made = analyze_3d.analyze_validation(tmp_path / "run", folder, output=tmp_path / "out")
    rows = made.report.summary.set_index("method")
    assert list(rows.index) == ["HybridNet", "Triangulated"]
    # The truth comes from labels without fractions: to half a pixel, which is less than a millimetre here.
    assert rows.loc["HybridNet", "mpjpe_mm"] == pytest.approx(3.0, abs=0.4)
    assert rows.loc["Triangulated", "mpjpe_mm"] < 0.8
    assert rows.loc["HybridNet", "keypoints"] == 6 * len(SKELETON)
    assert made.report.reprojection_errors.set_index(["method", "view"]).loc[("Triangulated", "all"), "mean_px"] < 1
    assert (made.report.seen_by == 3).all() and made.report.dropped == ()
    # The tables of JARVIS: no header, three columns a keypoint, one row a frameset.
    names, methods = read_analysis_points(tmp_path / "out")
    assert names == made.report.names and names[0].startswith("walk/walk/Frame_")
    first = (tmp_path / "out" / "points_HybridNet.csv").read_text().splitlines()
    assert len(first) == 6 and len(first[0].split(",")) == 3 * len(SKELETON)
    np.testing.assert_allclose(methods["HybridNet"], made.report.methods["HybridNet"], atol=1e-4)
    figures = json.loads(made.files["metrics"].read_text())
    assert figures["summary"][0]["mpjpe_mm"] == pytest.approx(rows.loc["HybridNet", "mpjpe_mm"])
    assert figures["keypoint_names"] == list(SKELETON.names)
    page = made.files["report"].read_text()
    assert "http" not in page.replace("http-equiv", "") and "Triangulated" in page
    assert all(read_image(made.files[name]).size for name in ("error_histogram", "error_per_keypoint", "pck3d_curve"))


def test_framesets_in_which_nothing_was_located_are_left_out_and_counted(
    written: tuple[Path, Labels], network: Known, tmp_path: Path
) -> None:
    folder, truth = written
    lost = [frame.first_image.path.name for frame in truth.split("validation")][1:3]
    network._lost = lost
    made = analyze_3d.analyze_validation(tmp_path / "run", folder, output=tmp_path / "out")
    assert len(made.report.names) == 4 and len(made.report.dropped) == 2
    assert [name.rpartition("/")[2] for name in made.report.dropped] == [Path(name).stem for name in lost]
    figures = json.loads(made.files["metrics"].read_text())
    assert figures["not_located"]["count"] == 2 and figures["framesets"] == 4
    network._lost = [frame.first_image.path.name for frame in truth]
    with pytest.raises(InputError, match="nothing was located in any of 6"):
        analyze_3d.analyze_validation(tmp_path / "run", folder, output=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_boxes_as_large_as_the_image_are_found_like_others(
    written: tuple[Path, Labels], network: Known, tmp_path: Path
) -> None:
    network._scale = 1.0
    made = analyze_3d.analyze_validation(tmp_path / "run", written[0], output=tmp_path / "out")
    assert len(made.report.names) == 6 and made.report.dropped == ()


def test_any_cameras_can_be_left_out_and_the_truth_stays_that_of_all(
    written: tuple[Path, Labels], network: Known, tmp_path: Path
) -> None:
    folder, _ = written
    whole = analyze_3d.analyze_validation(tmp_path, folder, output=tmp_path / "all", every_count=True)
    two = analyze_3d.analyze_validation(tmp_path, folder, cameras=["right", "left"], output=tmp_path / "two")
    assert network.calls == [VIEWS, ("left", "right"), ("left", "right")]
    np.testing.assert_array_equal(whole.report.truth, two.report.truth)
    assert two.report.used == ("left", "right") and (two.report.seen_by == 2).all()
    fewer = whole.report.with_fewer_cameras
    assert fewer["cameras"].tolist() == [2, 2, 3, 3]
    assert "error_with_fewer_cameras" in whole.files
    for cameras, words in ((["left"], "at least two cameras"), (["left", "rihgt"], "did you mean 'right'")):
        with pytest.raises(InputError, match=words):
            analyze_3d.analyze_validation(tmp_path, folder, cameras=cameras, output=tmp_path / "bad")


def test_splits_and_cameras_that_are_not_there_are_said(
    written: tuple[Path, Labels], network: Known, tmp_path: Path
) -> None:
    folder, _ = written
    with pytest.raises(InputError, match="no frameset in the split 'test'; there is train, validation"):
        analyze_3d.analyze_validation(tmp_path, folder, split="test")
    made = analyze_3d.analyze_validation(tmp_path, folder, split="all", output=tmp_path / "out")
    assert len(made.report.names) == 10


def test_analyses_are_compared_with_one_another_and_with_other_methods(
    written: tuple[Path, Labels], network: Known, tmp_path: Path
) -> None:
    folder, _ = written
    one, two = tmp_path / "one", tmp_path / "two"
    analyze_3d.analyze_validation(tmp_path, folder, output=one)
    analyze_3d.analyze_validation(tmp_path, folder, cameras=["left", "middle"], output=two)
    names, methods = read_analysis_points(one)
    # JARVIS' own tables have (0, 0, 0) where a point is missing.
    other = np.nan_to_num(methods["GroundTruth"] + [0, 0, 6.0])
    other[0, 0] = 0
    write_analysis_points(one, names, {"DANNCE": other})
    report = read_analysis(one)
    rows = report.summary.set_index("method")
    assert set(rows.index) == {"DANNCE", "HybridNet", "Triangulated"}
    assert rows.loc["DANNCE", "median_mm"] == pytest.approx(6.0, abs=1e-3) and rows.loc["DANNCE", "missed"] == 1
    assert report.skeleton.names == SKELETON.names
    drawn = plot_error_histogram([one, two], tmp_path / "h.png", cutoff=4.0)
    assert read_image(drawn).shape[0] > 300
    assert plot_error_per_keypoint([one]) == one / "error_per_keypoint.png"
    assert plot_error_histogram(one, each_keypoint=True) == one / "error_histogram_per_keypoint.png"
    known = json.loads((two / "metrics.json").read_text())
    (two / "metrics.json").write_text(json.dumps({**known, "keypoint_names": ["a", "b", "c", "d"]}))
    for draw in (plot_error_per_keypoint, partial(plot_error_histogram, each_keypoint=True)):
        with pytest.raises(InputError, match=r"other keypoints than .*compare analyses of the same keypoints"):
            draw([one, two])
    write_analysis_points(one, names[:3], {"Short": other[:3]})
    with pytest.raises(InputError, match=r"3 rows of 4 keypoints, but points_GroundTruth\.csv has 6"):
        plot_error_histogram([one])
    with pytest.raises(InputError, match="missing; give a folder that"):
        plot_error_histogram([tmp_path])
    write_analysis_points(tmp_path / "truth", names, {"GroundTruth": methods["GroundTruth"]})
    with pytest.raises(InputError, match=r"holds no points_<method>\.csv"):
        plot_error_per_keypoint(tmp_path / "truth")


def test_analyses_with_as_many_cameras_of_one_run_are_all_drawn(
    written: tuple[Path, Labels], network: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "one", tmp_path / "all", tmp_path / "other"]
    for cameras, folder in zip((["left", "middle"], [], ["left", "right"]), folders, strict=True):
        analyze_3d.analyze_validation(tmp_path / "run", written[0], cameras=cameras, output=folder)
    drawn: list[list[str]] = []
    plot = plots_3d.error_histogram
    monkeypatch.setattr(plots_3d, "error_histogram", lambda errors, cutoff: drawn.append(list(errors)) or plot(errors))
    plot_error_histogram(folders)
    assert drawn[0] == [
        f"run, {place}: {method}"
        for place in ("2 cameras, analysis 1", "3 cameras", "2 cameras, analysis 3")
        for method in ("HybridNet", "Triangulated")
    ]


def test_damaged_tables_are_said_by_row(tmp_path: Path) -> None:
    file = tmp_path / "points_GroundTruth.csv"
    for text in ("", "\n"):
        file.write_text(text)
        with pytest.raises(InputError, match="holds no row"):
            read_analysis_points(tmp_path)
    file.write_text("1,2,3\n4,5\n")
    with pytest.raises(InputError, match="row 2: 2 columns"):
        read_analysis_points(tmp_path)
    file.write_text("x,y,z\n1,2,3\n")
    with pytest.raises(InputError, match="row 1: holds something that is no number"):
        read_analysis_points(tmp_path)
    file.write_text("1,2,3\n0,0,0\nNaN,NaN,NaN\n")
    (tmp_path / "frame_names.csv").write_text("a\nb\n")
    with pytest.raises(InputError, match="2 names for 3 rows"):
        read_analysis_points(tmp_path)
    (tmp_path / "frame_names.csv").unlink()
    names, methods = read_analysis_points(tmp_path)
    assert names == ("0", "1", "2") and np.isnan(methods["GroundTruth"][1:]).all()


def test_cameras_far_from_one_another_come_first_and_missing_ones_last() -> None:
    cameras = rig(5)
    order = analyze_3d.spread_out(cameras)
    assert order[:2] == [0, 4] and order[2] == 2 and sorted(order) == [0, 1, 2, 3, 4]
    gone = (missing_camera(), *cameras[1:])
    assert analyze_3d.spread_out(gone)[0] == 1 and analyze_3d.spread_out(gone)[-1] == 0


def test_triangulation_of_a_set_with_two_rigs_takes_each_with_its_own() -> None:
    labels = scene_labels(4, sessions=("walk", "run"))
    moved = tuple(replace(camera, translation=camera.translation + 5) for camera in rig())
    frames = []
    for frame in labels:
        cameras = moved if frame.session == "run" else rig()
        points = np.random.default_rng(3).uniform(-30, 30, (len(SKELETON), 3))
        pixels = np.stack([camera.project(points) for camera in cameras])[:, None]
        frames.append(replace(frame, instances=Instances.from_keypoints(pixels)))
    labels = replace(labels, frames=tuple(frames), cameras={"walk": rig(), "run": moved})
    wanted = np.random.default_rng(3).uniform(-30, 30, (len(SKELETON), 3))
    np.testing.assert_allclose(analyze_3d.triangulated(labels), np.tile(wanted, (4, 1, 1)), atol=1e-6)
