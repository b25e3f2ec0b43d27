from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vitruve.errors import InputError
from vitruve.evaluation.page import write_report
from vitruve.evaluation.report import Report, evaluate
from vitruve.structures.labels import Frame, Labels

NAMES = ("nose", "tail", "paw")
MakeLabels = Callable[..., Labels]
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    truth = rng.uniform(20, 180, (12, 1, 1, 3, 2))
    truth[0, 0, 0, 1] = math.nan
    truth[7] = math.nan
    predicted = rng.normal(truth, 4)
    predicted[0, 0, 0, 1] = 60
    predicted[3, 0, 0, 2] = math.nan
    return truth, predicted, rng.uniform(0, 1, (12, 1, 1, 3))


@pytest.fixture(scope="module")
def report(labels_of: MakeLabels, arrays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Report:
    truth, predicted, scores = arrays
    predictions = labels_of(predicted, scores).with_splits([SPLITS[n % 3] for n in range(12)])
    return evaluate(labels_of(truth), predictions[list(range(11, -1, -1))])


def test_errors_hold_one_row_a_keypoint(report: Report, arrays: tuple[np.ndarray, ...]) -> None:
    truth, predicted, scores = arrays
    assert list(report.errors.columns) == [
        *("image", "view", "instance", "split", "keypoint", "error", "score", "visible", "size", "inside")
    ]
    assert len(report.errors) == 36
    for row, (f, _, _, k) in zip(report.errors.itertuples(), np.ndindex(12, 1, 1, 3), strict=True):
        (x, y), (u, v) = predicted[f, 0, 0, k].tolist(), truth[f, 0, 0, k].tolist()
        assert (row.image, row.view, row.instance) == (f"view0/{f}.png", "", 0)
        assert (row.split, row.keypoint) == (SPLITS[f % 3], NAMES[k])
        assert row.error == pytest.approx(math.sqrt((x - u) ** 2 + (y - v) ** 2), nan_ok=True)
        # A prediction that is missing has no confidence to speak of, but the score that came with it is kept.
        assert row.score == scores[f, 0, 0, k]
        assert row.visible == (0 if math.isnan(u) else 2)


def test_summary_equals_a_loop(report: Report, arrays: tuple[np.ndarray, ...]) -> None:
    truth, predicted, _ = arrays
    assert list(report.summary["split"]) == list(SPLITS)
    for number, row in report.summary.iterrows():
        errors, relative, missed = [], [], 0
        for f in range(int(number), 12, 3):
            known = [p for p in truth[f, 0, 0].tolist() if not math.isnan(p[0])]
            for (x, y), (u, v) in zip(predicted[f, 0, 0].tolist(), truth[f, 0, 0].tolist(), strict=True):
                if math.isnan(u):
                    continue
                if math.isnan(x):
                    missed += 1
                    continue
                wide = max(p[0] for p in known) - min(p[0] for p in known)
                tall = max(p[1] for p in known) - min(p[1] for p in known)
                errors.append(math.dist((x, y), (u, v)))
                relative.append(errors[-1] / math.hypot(wide, tall))
        total = len(errors) + missed
        assert (row["frames"], row["keypoints"], row["missed"], row["occluded"]) == (4, total, missed, 0)
        assert row["mean_error_px"] == pytest.approx(sum(errors) / len(errors))
        assert row["median_error_px"] == pytest.approx(np.median(errors))
        assert row["p90_error_px"] == pytest.approx(np.quantile(errors, 0.9))
        assert row["p95_error_px"] == pytest.approx(np.quantile(errors, 0.95))
        for limit in (5, 10):
            assert row[f"pck_{limit}px_percent"] == pytest.approx(100 * sum(e <= limit for e in errors) / total)
        for alpha in (0.05, 0.1, 0.2):
            share = sum(r <= alpha for r in relative) / total
            assert row[f"pck_{alpha}size_percent"] == pytest.approx(100 * share)


def test_per_keypoint_adds_up_to_the_summary(report: Report) -> None:
    assert list(report.per_keypoint["keypoint"]) == list(NAMES) * 3
    for split in SPLITS:
        rows = report.per_keypoint[report.per_keypoint["split"] == split]
        found = rows["keypoints"] - rows["missed"]
        whole = report.summary[report.summary["split"] == split].iloc[0]
        assert rows["keypoints"].sum() == whole["keypoints"]
        assert (rows["mean_error_px"] * found).sum() / found.sum() == pytest.approx(whole["mean_error_px"])


def test_calibration_asks_for_the_window_that_the_likelihood_speaks_of(labels_of: MakeLabels) -> None:
    # As far as each reaches in its image: 14 pixels of an input of 64 x 64, of images of 128 x 32 and 64 x 64.
    truth = np.full((2, 1, 1, 3, 2), 30.0)
    offsets = np.array([[[27.0, 6], [1, 8], [29, 0]], [[13, -13], [15, 0], [np.nan, 0]]])
    predictions = labels_of(truth + offsets[:, None, None], np.full((2, 1, 1, 3), 0.6))
    windows = np.array([[[28.0, 7.0]], [[14.0, 14.0]]])
    report = evaluate(labels_of(truth), predictions, windows=windows)
    np.testing.assert_array_equal(report.errors["inside"], [1, 0, 0, 1, 0, np.nan])
    assert report.calibration["share_within"].dropna().tolist() == [0.4]
    assert report.summary["calibration_error_window_percent"].tolist() == [pytest.approx(20)]
    assert report.near == "within 14 to 28 px in x and 7 to 14 px in y of the label"
    plain = evaluate(labels_of(truth), predictions)
    np.testing.assert_array_equal(plain.errors["inside"], [0, 0, 0, 0, 0, np.nan])
    assert plain.summary["calibration_error_5px_percent"].tolist() == [pytest.approx(60)]


def test_an_error_of_exactly_the_tolerance_is_within(labels_of: MakeLabels) -> None:
    truth = np.zeros((1, 1, 1, 3, 2))
    predicted = truth + np.array([[5.0, 0], [5.000001, 0], [3, 4]])
    report = evaluate(labels_of(truth), labels_of(predicted), tolerance_px=5.0)
    assert report.errors["inside"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("known", [True, False])
def test_page_says_what_confidence_is_compared_with(labels_of: MakeLabels, tmp_path: Path, known: bool) -> None:
    truth = labels_of(np.zeros((1, 1, 1, 3, 2)))
    predictions = labels_of(np.zeros((1, 1, 1, 3, 2)), np.full((1, 1, 1, 3), 0.9))
    windows = np.array([[[20.34, 18.0]]]) if known else None
    page = write_report(evaluate(truth, predictions, windows=windows), tmp_path)["report"].read_text(encoding="utf-8")
    near = "within 20.3 px in x and 18 px in y of the label" if known else "within 5 px of the label"
    assert f"the share of keypoints {near}, over ten bins" in " ".join(page.split())
    assert ("is not known" in page) is not known


def test_pixel_error_table_is_that_of_lightning_pose(report: Report, tmp_path: Path) -> None:
    report.pixel_error_table().to_csv(tmp_path / "errors.csv")
    lines = (tmp_path / "errors.csv").read_text().splitlines()
    assert lines[0] == ",nose,tail,paw,set"
    assert lines[1].startswith("view0/0.png,") and lines[1].endswith(",train")
    assert lines[1].split(",")[2] == ""
    assert lines[8] == "view0/7.png,,,,validation"
    read = pd.read_csv(tmp_path / "errors.csv", index_col=0)
    wanted = report.errors["error"].to_numpy().reshape(12, 3)
    np.testing.assert_allclose(read[list(NAMES)].to_numpy(), wanted)


def test_without_splits_there_is_no_set_column(labels_of: MakeLabels, arrays: tuple[np.ndarray, ...]) -> None:
    report = evaluate(labels_of(arrays[0]), labels_of(arrays[1]))
    assert list(report.pixel_error_table().columns) == list(NAMES)
    assert list(report.summary["split"]) == ["all"]


def test_frames_of_no_split_are_new_beside_others(labels_of: MakeLabels, arrays: tuple[np.ndarray, ...]) -> None:
    truth = labels_of(arrays[0])
    split = ["train", None, "test", *[None] * (len(truth) - 3)]
    report = evaluate(truth.with_splits(split), labels_of(arrays[1]))
    assert list(report.summary["split"]) == ["train", "test", "new"]
    assert list(report.summary["frames"]) == [1, 1, len(truth) - 2]


def test_occluded_keypoints_are_counted_on_their_own(labels_of: MakeLabels) -> None:
    truth = labels_of(np.array([[[[[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]]]]]))
    visible = replace(truth[0].instances, visible=np.array([[[2, 1, 0]]]))
    truth = replace(truth, frames=(replace(truth[0], instances=visible),))
    predictions = labels_of(np.array([[[[[3.0, 4.0], [50.0, 12.0], [9.0, 9.0]]]]]), np.ones((1, 1, 1, 3)))
    report = evaluate(truth, predictions)
    row = report.summary.iloc[0]
    assert (row["keypoints"], row["occluded"]) == (1, 1)
    assert (row["mean_error_px"], row["occluded_mean_error_px"]) == (5.0, 12.0)
    assert report.error_by_confidence["count"].sum() == 1
    assert report.errors["visible"].tolist() == [2, 1, 0]
    np.testing.assert_array_equal(report.pixel_error_table().to_numpy(), [[5.0, 12.0, math.nan]])


def test_views_and_instances_stay_apart(labels_of: MakeLabels, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 300, (3, 2, 2, 3, 2))
    moved = truth + np.array([1.0, 2.0])[None, :, None, None, None] * [0.6, 0.8]
    report = evaluate(labels_of(truth, view_names=("left", "../right")), labels_of(moved[:, :, ::-1]))
    np.testing.assert_allclose(report.errors.loc[report.errors["view"] == "left", "error"], 1)
    np.testing.assert_allclose(report.errors.loc[report.errors["view"] == "../right", "error"], 2)
    table = report.pixel_error_table("left")
    assert table.index.tolist() == [f"view0/{n}.png" for n in (0, 0, 1, 1, 2, 2)]
    with pytest.raises(InputError, match="no view 'top'; there is left"):
        report.pixel_error_table("top")
    paths = write_report(report, tmp_path / "out")
    assert {path.parent for path in paths.values()} == {tmp_path / "out"}
    assert {"pixel_error_left.csv", "pixel_error_.._right.csv"} <= {path.name for path in paths.values()}
    worst = report.worst(2)
    assert worst["view"].tolist() == ["../right"] * 2 and worst["view_number"].tolist() == [1, 1]


def test_worst_frames_come_first(labels_of: MakeLabels) -> None:
    truth = np.zeros((4, 1, 1, 3, 2))
    predicted = truth.copy()
    predicted[2, 0, 0, :, 0] = (3, 9, 6)
    predicted[1, 0, 0, :, 0] = (1, 1, 10)
    worst = evaluate(labels_of(truth), labels_of(predicted)).worst(2)
    assert worst["image"].tolist() == ["view0/2.png", "view0/1.png"]
    assert worst["mean_error_px"].tolist() == [6.0, 4.0]
    assert worst["worst_keypoint"].tolist() == ["tail", "paw"]
    assert worst["worst_error_px"].tolist() == [9.0, 10.0]


def test_written_files_are_whole(report: Report, tmp_path: Path) -> None:
    asked: list[str] = []

    def pixels(frame: Frame) -> np.ndarray:
        asked.append(frame.name)
        return np.zeros((200, 200, 3), np.uint8)

    paths = write_report(
        report,
        tmp_path,
        images=pixels,
        about={"Run": "<b>run 1</b>"},
        created=datetime(2026, 5, 4, 13, 30, tzinfo=UTC),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths.values())
    assert {"summary", "per_keypoint", "error_by_confidence", "calibration", "pixel_error", "report"} <= set(paths)
    assert asked == report.worst()["image"].tolist()
    for name in ("summary", "per_keypoint", "error_by_confidence", "error_vs_threshold", "calibration"):
        pd.testing.assert_frame_equal(pd.read_csv(paths[name]), getattr(report, name), check_dtype=False)
    page = paths["report"].read_text(encoding="utf-8")
    assert "&lt;b&gt;run 1&lt;/b&gt;" in page and "2026-05-04 13:30 UTC" in page
    embedded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    pictures = [path.read_bytes() for path in paths.values() if path.suffix == ".png"]
    assert sorted(map(base64.b64decode, embedded)) == sorted(pictures) and len(pictures) == 11


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_needs_no_other_file(report: Report, tmp_path: Path) -> None:
    parser = Links()
    text = write_report(report, tmp_path)["report"].read_text(encoding="utf-8")
    parser.feed(text)
    assert not parser.open
    assert parser.links and all(link.startswith("data:image/png;base64,") for link in parser.links)
    assert "http" not in text and "@import" not in text
    for row in report.summary.itertuples():
        assert f"{row.mean_error_px:.2f} px" in text


@pytest.mark.parametrize("case", ["unlabelled", "no predictions", "no confidence", "empty split", "one", "no instance"])
def test_nothing_to_count_is_no_crash(labels_of: MakeLabels, case: str, tmp_path: Path) -> None:
    truth, predicted = np.full((4, 1, 1, 3, 2), 50.0), np.full((4, 1, 1, 3, 2), 51.0)
    scores: np.ndarray | None = np.full((4, 1, 1, 3), 0.5)
    if case == "unlabelled":
        truth[:] = math.nan
    if case == "no predictions":
        predicted[:] = math.nan
    if case == "no confidence":
        scores = None
    if case == "empty split":
        truth[2:] = math.nan
    if case == "one":
        truth, predicted, scores = truth[:1], predicted[:1], np.full((1, 1, 1, 3), 1.0)
    if case == "no instance":
        truth = truth[:, :, :0]
    predictions = labels_of(predicted, scores).with_splits(["train", "train", "test", "test"][: len(predicted)])
    report = evaluate(labels_of(truth), predictions)
    paths = write_report(report, tmp_path, images=lambda frame: np.zeros((100, 120), np.uint8))
    assert "nan" not in paths["report"].read_text(encoding="utf-8").split("<body>")[1].lower().split("base64,")[0]
    assert len(report.summary) == (1 if case == "one" else 2)
