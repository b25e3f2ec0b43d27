"""What pages of analysis compute, against truth that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.app.analysis import labelled, space, videos
from vitruve.app.analysis.labelled import MEAN, Measured
from vitruve.app.analysis.pictures import DOT, LINE, RING, image_part, pose_marks
from vitruve.app.projects import POSES, RIG, AppProject, RunEntry
from vitruve.app.videos.tables import Traces
from vitruve.app.workspace import Workspace
from vitruve.evaluation.report import evaluate
from vitruve.formats.analysis_points import TRUTH, write_analysis_points
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAMES = ("nose", "tail")


def labels(places: np.ndarray, root: Path = Path(), scores: float | None = None) -> Labels:
    """Frames of one view and one animal; the last frame is of the validation split."""
    frames = []
    for number, points in enumerate(places):
        more = {} if scores is None else {"keypoint_scores": np.full((1, 1, len(NAMES)), scores, np.float32)}
        instances = Instances.from_keypoints(points[None, None].astype(np.float32), **more)
        split = "validation" if number == len(places) - 1 else "train"
        frames.append(Frame((ImageRef(Path(f"img{number}.png"), size=(200, 100)),), instances, split=split))
    return Labels(Skeleton(NAMES), tuple(frames), root)


def measured(away: np.ndarray, root: Path = Path(), score: float = 0.5) -> Measured:
    """A run whose predictions are as far to the right of the labels as ``away (F, K)`` says."""
    truth = np.stack([np.full((len(away), 2), 60.0), np.full((len(away), 2), 40.0)], -1)
    found = truth + np.stack([away, np.zeros_like(away)], -1)
    report = evaluate(labels(truth, root), labels(found, root, score))
    table = report.errors[["image", "view", "instance", "split", "keypoint"]].copy()
    table.insert(0, "frame", np.repeat(np.arange(len(away)), 2))
    table["pixel_error"], table["confidence"] = report.errors["error"], report.errors["score"]
    return Measured(report, table)


def test_one_metric_of_several_runs_is_cut_by_keypoint_and_split() -> None:
    runs = {"a": measured(np.array([[3.0, 4.0], [5.0, 7.0]])), "b": measured(np.array([[1.0, 1.0], [np.nan, 2.0]]))}
    table = labelled.joined(runs, "pixel_error")
    assert table.groupby("run")["value"].apply(list).to_dict() == {"a": [3, 4, 5, 7], "b": [1, 1, 2]}
    assert labelled.joined(runs, "pixel_error", keypoints=("tail",), splits=("validation",))["value"].tolist() == [7, 2]
    mean = labelled.joined(runs, "pixel_error", keypoints=(MEAN,))
    assert mean["value"].tolist() == [3.5, 6.0, 1.0, 2.0] and set(mean["keypoint"]) == {MEAN}
    assert labelled.joined(runs, "pca_singleview_error").empty
    assert [metric.name for metric in labelled.known_metrics([each.table for each in runs.values()])] == [
        "pixel_error",
        "confidence",
    ]


def test_figures_count_what_is_on_the_better_side_of_a_threshold() -> None:
    table = labelled.joined({"a": measured(np.array([[1.0, 2.0], [3.0, 10.0]]))}, "pixel_error")
    rows = labelled.figures(table, 3.0).set_index("split")
    assert rows.loc["train", ["keypoints", "mean", "median", "good"]].tolist() == [2, 1.5, 1.5, 100]
    assert rows.loc["validation", ["mean", "good"]].tolist() == [6.5, 50]
    sure = labelled.joined({"a": measured(np.zeros((2, 2)), score=0.75)}, "confidence")
    assert labelled.figures(sure, 0.75, rising=True)["good"].tolist() == [100, 100]
    assert labelled.figures(sure, 0.8, rising=True)["good"].tolist() == [0, 0]


def test_runs_are_paired_by_image_and_keypoint() -> None:
    first, second = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, np.nan], [7.0, 8.0]])
    table = labelled.joined({"a": measured(first), "b": measured(second)}, "pixel_error")
    both = labelled.pairs(table, "a", "b")
    assert both[["first", "second"]].to_numpy().tolist() == [[1, 5], [3, 7], [4, 8]]
    assert both["keypoint"].tolist() == ["nose", "nose", "tail"]


def test_the_worst_image_comes_first_with_its_worst_keypoint() -> None:
    table = labelled.joined({"a": measured(np.array([[1.0, 2.0], [9.0, 3.0], [4.0, 5.0]]))}, "pixel_error")
    worst = labelled.worst_images(table, "a", 2)
    assert worst["frame"].tolist() == [1, 2] and worst["value"].tolist() == [6, 4.5]
    assert worst["keypoint"].tolist() == ["nose", "tail"] and worst["extreme"].tolist() == [9, 5]
    assert labelled.worst_images(table, "a", 1, rising=True)["frame"].tolist() == [0]
    assert labelled.worst_images(table, "none", 3).empty


def test_pictures_show_labels_and_predictions_where_they_are(tmp_path: Path) -> None:
    write_image(tmp_path / "img0.png", np.zeros((100, 200, 3), np.uint8))
    run = measured(np.array([[6.0, 0.0], [0.0, 0.0]]), tmp_path)
    marks, points = pose_marks({"a": run}, {"a": "#fff"}, "img0.png", "")
    nose = [mark for mark in marks if mark.name == "nose"]
    assert [(mark.kind, mark.x) for mark in nose] == [(LINE, 60), (RING, 60), (DOT, 66)]
    assert nose[0].x2 == 66 and "6.0 px" in nose[2].text
    shown = image_part(Workspace.of([tmp_path]), run.report.truth, run.report.truth[0].images[0], points, marks)
    assert shown is not None and (shown.width, shown.height) == (200, 100)
    x1, y1, x2, y2 = shown.box
    assert x1 < 60 < 66 < x2 and y1 < 40 < y2 and (x2 - x1) / (y2 - y1) == pytest.approx(4 / 3)
    assert x1 >= -0.5 and x2 <= 199.5
    (tmp_path / "other").mkdir()
    outside = Workspace.of([tmp_path / "other"])
    assert image_part(outside, run.report.truth, run.report.truth[0].images[0], points) is None
    assert image_part(Workspace.of([tmp_path]), run.report.truth, run.report.truth[1].images[0], points) is None


def traces(x: np.ndarray, start: int = 0) -> Traces:
    """Of keypoints that move along a line."""
    return Traces(NAMES, start, {"x": x, "y": np.zeros_like(x)})


def test_disagreement_is_the_distance_from_the_mean_over_common_frames() -> None:
    one, two = np.zeros((4, 2)), np.full((4, 2), 6.0)
    two[2, 1] = np.nan
    start, away = videos.disagreement([traces(one), traces(two, 1)], NAMES)
    assert start == 1 and away.shape == (3, 2)
    assert away[:2].tolist() == [[3, 3], [3, 3]] and np.isnan(away[2, 1])


def test_thinning_keeps_extremes_and_the_spread() -> None:
    values = np.random.default_rng(0).normal(size=(5000, 2))
    table = videos.joined({"a": traces(values)}, "x", ["nose"], most=500)
    assert len(table) == 500
    assert table["value"].min() == values[:, 0].min() and table["value"].max() == values[:, 0].max()
    assert np.percentile(table["value"], (25, 50, 75)) == pytest.approx(
        np.percentile(values[:, 0], (25, 50, 75)), abs=0.02
    )
    assert (values[table["frame"], 0] == table["value"]).all()
    cut = videos.joined({"a": traces(values, 10)}, "x", ["nose"], (12, 14))
    assert sorted(cut["frame"]) == [12, 13, 14]


def test_outlines_keep_every_peak() -> None:
    values = np.zeros(10_000)
    values[[17, 5003, 9998]] = (5, -7, 9)
    kept = videos.outline(values, 200)
    assert len(kept) <= 202 and {17, 5003, 9998} <= set(kept.tolist())
    assert videos.outline(values[:50], 200).tolist() == list(range(50))


def test_worst_frames_are_no_neighbours() -> None:
    values = np.array([0.0, 5.0, 9.0, 8.0, np.nan, 1.0, 7.0])
    assert videos.worst_frames(values, 3, 2).tolist() == [2, 6, 0]
    assert videos.worst_frames(values, 2, 1, rising=True).tolist() == [0, 5]


def test_summaries_count_missing_values_of_the_chosen_frames() -> None:
    x = np.array([[1.0, 2.0], [3.0, np.nan], [100.0, 100.0]])
    row = videos.summary({"a": traces(x, 5)}, ["x"], NAMES, (5, 6)).iloc[0]
    assert (row["mean"], row["median"], row["missing"]) == (2, 2, 25)
    assert videos.series(traces(x), "x", MEAN).tolist()[:2] == [1.5, 3.0]  # type: ignore[union-attr]


def analysis(folder: Path, away: float) -> Path:
    truth = np.zeros((3, 2, 3))
    points = truth + np.array([away, 0, 0])
    points[1, 1] = np.nan
    points[2] *= 3
    write_analysis_points(folder, ("a/Frame_0", "a/Frame_1", "a/Frame_2"), {TRUTH: truth + 1, "HybridNet": points + 1})
    return folder


def test_analyses_are_found_named_apart_and_their_worst_framesets_come_first(tmp_path: Path) -> None:
    for name, away in (("Validation_Predictions_1", 2.0), ("Validation_Predictions_2", 4.0)):
        analysis(tmp_path / "analysis" / name, away)
    found = space.find_analyses(AppProject(tmp_path, RIG))
    assert {folder.name for folder in found} == {"Validation_Predictions_1", "Validation_Predictions_2"}
    one, two = space.methods_of({folder.name[-1]: folder for folder in sorted(found)})
    assert (one.name, two.name) == ("1: HybridNet", "2: HybridNet") and one.folder != two.folder
    assert space.methods_of({"1": found[0]})[0].name == one.method == "HybridNet"
    assert space.figures([one, two])["mpjpe_mm"].tolist() == pytest.approx([18 / 5, 36 / 5])
    assert space.figures([one], ("keypoint_0",))[["keypoints", "missed"]].to_numpy().tolist() == [[3, 0]]
    worst = space.worst_framesets(one, 5)
    assert worst["frameset"].tolist() == ["a/Frame_1", "a/Frame_2", "a/Frame_0"]
    assert worst["missed"].tolist() == [1, 0, 0] and worst["mean_mm"].tolist() == pytest.approx([2, 6, 2])


def test_an_analysis_is_the_verb_of_the_command_line(tmp_path: Path) -> None:
    run = RunEntry(tmp_path / "models" / "HybridNet" / "Run_1", "HybridNet/Run_1")
    arguments, folder = space.analysis_arguments(
        AppProject(tmp_path, RIG), run, tmp_path / "set", locator=tmp_path / "c", cameras=("A", "B"), every_count=True
    )
    assert folder.parent == tmp_path / "analysis" and not folder.exists()
    assert arguments[:5] == ["analyze", "validation", str(run.path), "--labels", str(tmp_path / "set")]
    given = dict(zip(arguments[5::2], arguments[6::2], strict=False))
    assert (
        given["--split"] == "validation" and given["--locator"] == str(tmp_path / "c") and given["--cameras"] == "A,B"
    )
    assert "--every-count" in arguments and arguments[-2:] == ["--output", str(folder)]
    _, elsewhere = space.analysis_arguments(AppProject(tmp_path, POSES), run, tmp_path / "set")
    assert elsewhere.parent == run.path / "analysis"
