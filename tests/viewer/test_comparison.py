"""What is shown of runs, without FiftyOne."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shown_runs import NAMES, POINTS, labels_of, video_points, write_project, write_run, write_table

from vitruve import api
from vitruve.errors import InputError, MissingExtraError, RunError
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.viewer.comparison import compare, errors_of, models_of
from vitruve.viewer.tables import predicted_videos


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project")


def test_without_fiftyone_the_extra_is_named(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    run = write_run(tmp_path / "a", project)
    with pytest.raises(MissingExtraError, match=r"needs fiftyone: pip install 'vitruve\[fiftyone\]'"):
        api.create_fiftyone_dataset(run)


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        (["one"], r"1 model names \(one\) for 2 runs; give one a run"),
        (["my run", "my-run"], "'my run' and 'my-run' would share the field my_run_preds"),
        (["one", "?"], "model name '\\?': has neither letter nor digit"),
    ],
)
def test_names_that_cannot_be(project: Path, tmp_path: Path, titles: list[str], message: str) -> None:
    runs = [write_run(tmp_path / name, project) for name in "ab"]
    with pytest.raises(InputError, match=message):
        models_of(runs, titles)


def test_no_run(project: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run given"):
        models_of([])
    with pytest.raises(RunError, match=r"no config\.yaml there; give the folder"):
        models_of([tmp_path])
    run = write_run(tmp_path / "a", project)
    RunFiles(run).model.unlink()
    with pytest.raises(RunError, match=r"no model\.json there"):
        models_of([run])


def test_runs_of_other_keypoints_are_not_compared(project: Path, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, project) for name in "ab"]
    for file in ("CollectedData.csv", "predictions.csv"):
        path = runs[1] / file
        path.write_text(path.read_text().replace("ear", "paw"))
    with pytest.raises(InputError, match="has paw beyond them and lacks ear"):
        compare(models_of(runs))


def test_an_image_that_is_not_labelled(project: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", project)
    path = run / "predictions.csv"
    path.write_text(path.read_text().replace("img002", "img009"))
    with pytest.raises(InputError, match=r"img009\.png is not among the run's labels"):
        compare(models_of([run]))


def test_errors_follow_the_animal_and_not_its_place() -> None:
    frame = labels_of(Path())[0]
    two = np.stack([POINTS[0] + 100, POINTS[0]])[None]
    truth = replace(frame, instances=Instances.from_keypoints(two))
    found = np.stack([POINTS[0] + [0, 2], POINTS[0] - 1000, POINTS[0] + [103, 104]])[None]
    errors = errors_of(truth, replace(frame, instances=Instances.from_keypoints(found)), view=0)
    np.testing.assert_allclose(errors, [[2, 2, 2], [np.nan] * 3, [5, 5, 5]])


def test_tables_of_videos_are_found_where_they_are_written(
    project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [write_run(tmp_path / "day" / name, project) for name in "ab"]
    models = models_of(runs)
    video = project / "videos/clip.mp4"
    inside = write_table(runs[0] / "video_preds/clip.csv", video_points())
    (found,) = predicted_videos([project / "videos"], models)
    assert found.path == video and found.tables == {"a": inside}
    assert "clip.mp4: not predicted by b" in caplog.text and "other.mp4: left out" in caplog.text
    shared = [write_table(tmp_path / "out" / f"day_{name}" / "clip.csv", video_points()) for name in "ab"]
    (found,) = predicted_videos([video], models, tmp_path / "out")
    assert found.tables == dict(zip("ab", shared, strict=True))
    # One model alone writes into the folder itself; with two nobody knows whose the table is.
    write_table(tmp_path / "flat/clip.csv", video_points())
    assert predicted_videos([video], models[1:], tmp_path / "flat")[0].tables == {"b": tmp_path / "flat/clip.csv"}
    assert predicted_videos([video], models, tmp_path / "flat")[0].tables == {"a": inside}


def test_what_is_no_predicted_video(project: Path, tmp_path: Path) -> None:
    models = models_of([write_run(tmp_path / "a", project)])
    with pytest.raises(InputError, match="no video of it is predicted yet; first: vitruve predict"):
        predicted_videos([project / "videos"], models)
    with pytest.raises(InputError, match=r"img000\.png: not a video"):
        predicted_videos([project / "labeled-data/mouse/img000.png"], models)


def test_labels_are_read_once_though_runs_share_them(project: Path, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", project, (0, 1), ("train", "test")), write_run(tmp_path / "b", project)]
    found = compare(models_of(runs))
    assert len(found.truth) == 3 and found.truth.skeleton.names == NAMES
    assert [len(found.predictions[name]) for name in ("a", "b")] == [2, 3]
    assert all(found.truth.path(frame.images[0]).is_file() for frame in found.truth)
